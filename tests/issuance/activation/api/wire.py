"""The eID app's wire: the portal as a process, and the app's calls as a stranger makes them."""

import base64
import contextlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from joserfc import jwe
from joserfc.jwk import ECKey

from issuance.activation.services.visits import Opened
from tests.issuance.activated import CODE, REGISTRY, App, Made, Plastic, pem
from tests.lib.faces import serving


class Portals:
    """One portal process at a time. `url` is where it answers, `log` what it logged."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.url, self.stack = folder, "", contextlib.ExitStack()
        self.environment: dict[str, str] | None = None
        self.faults.mkdir()

    @property
    def faults(self) -> Path:
        """Where a test arms the points at which the portal dies (`lib.faults`)."""
        return self.folder / "faults"

    @property
    def log(self) -> Path:
        return self.folder / "portal.log"

    def ensure(self, **environment: str) -> None:
        """Starts the portal unless it runs with this environment and answers."""
        environment = {"EID_APP_CALLS_PER_MINUTE": "100000"} | environment  # all tests call from one address
        if self.environment == environment and self._answers():
            return
        self.close()
        self.url = self.stack.enter_context(serving("portal", self.log, SITHS_FAULT_DIR=str(self.faults), **environment))
        self.environment = environment

    def close(self) -> None:
        self.stack.close()
        self.environment = None

    def _answers(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/healthz/live", timeout=60).status_code == 200
        return False

    def post(self, step: str, bearer: str | None, body: Any = None, **options: Any) -> requests.Response:
        """One call of the API."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
        headers |= options.pop("headers", {})
        if "data" not in options:
            options["json"] = {} if body is None else body
        return requests.post(f"{self.url}/api/eidapp/v1/transaction/{step}", headers=headers, timeout=60, **options)


@dataclass
class Wire:
    """The app for one card and one transaction, over HTTP."""

    portal: Portals
    made: Made
    opened: Opened
    app: App = field(init=False)
    answer: dict[str, Any] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app = App(self.made)

    def body(self) -> dict[str, Any]:
        """The right body of `start`."""
        proof = self.app.proof(self.opened)
        return {
            "card_serial": proof.card_serial,
            "certificates": {profile: pem(der) for profile, der in proof.certificates.items()},
            "ephemeral_key": dict(proof.ephemeral_key),
            "origin": proof.origin,
            "signature": base64.b64encode(proof.signature).decode(),
        }

    def start(self, body: dict[str, Any] | None = None, *, seconds: float = 150) -> dict[str, Any]:
        """Asks until the answer is there, and opens the JWE."""
        body, deadline = body or self.body(), time.monotonic() + seconds
        while True:
            response = self.portal.post("start", self.opened.handle, body)
            if response.status_code != 202:
                break
            assert response.json() == {"status": "pending"}
            assert response.headers["Retry-After"] == "1"
            assert time.monotonic() < deadline, "the worker made no answer"
            time.sleep(0.05)  # and leaves the worker its turn
        assert response.status_code == 200, response.text
        self.answer = response.json()
        self.secrets = self.open(self.answer["encrypted"])
        return self.answer

    def open(self, encrypted: str, key: ECKey | None = None) -> dict[str, str]:
        """What the JWE holds."""
        return dict(json.loads(jwe.decrypt_compact(encrypted, key or self.app.key, registry=REGISTRY).plaintext))

    @property
    def token(self) -> str:
        """The step token."""
        return self.secrets["step_token"]

    def set_code(self) -> requests.Response:
        """Sets the code on a real card, and reports it."""
        if isinstance(self.made.keys, Plastic):
            self.made.keys.card.unblock(puk=self.secrets["puk"], new_code=CODE)
            self.made.keys.code = CODE
        return self.portal.post("code-set", self.token)

    def signature(self, over: bytes | None = None) -> dict[str, str]:
        """The body of `complete`, signed over what the portal sent or over `over`."""
        signed = self.made.keys.sign(over or base64.b64decode(self.answer["signed_attributes"]))
        return {"signature": base64.b64encode(signed).decode()}

    def complete(self) -> requests.Response:
        """Hands in the holder's signature."""
        return self.portal.post("complete", self.token, self.signature())
