"""The eID app's client of `/api/eidapp/v1/` (docs/wire/README.md) for one card, without pages.

The card key proves which card it is. The client decrypts the response with a key made for the transaction and checks it before it
signs: it signs only the document that it showed to the holder, and only with this card's certificate.
"""

import base64
import binascii
import dataclasses
import datetime as dt
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from siths_portal.simulators import eid_app_documents as documents
from siths_portal.simulators.card import TRANSPORT, Card, CardError
from siths_portal.simulators.eid_app_errors import (
    AGAIN,
    CardRefused,
    PortalAway,
    PortalRefused,
    StillPending,
    Untrusted,
)
from siths_portal.simulators.eid_app_handles import kind_of

NEEDING_PUK = ("activate", "unlock")
SIGNING_PROFILE = "person-id-sign"
NEW_PROFILES = ("person-hsaid-auth", "person-hsaid-sign")
"""The certificates of a reserve card, made at its activation."""


@dataclass(frozen=True)
class Opened:
    """A started transaction: what the holder may see, and what the next steps need. `sign` has no `puk`, and `unlock` nothing to
    sign. A reserve card has no `puk` and gets its document with its certificates. `statement` is what is signed in place of a
    document, by the key of `signing_certificate` (SHA-256) if it is given. `fetch` has the `profiles` of the new keys and the
    `slot` of the card for them, and then a statement too.
    """

    kind: str
    expires_at: dt.datetime
    texts: Mapping[str, str] = field(repr=False)
    pdf: bytes = field(repr=False)
    signed_attributes: bytes = field(repr=False)
    step_token: str = field(repr=False)
    puk: str = field(repr=False)
    statement: bytes = field(default=b"", repr=False)
    signing_certificate: str = ""
    profiles: tuple[str, ...] = ()
    slot: str = ""

    @property
    def needs_certificates(self) -> bool:
        """True for a reserve card whose keys are still to be made and certified."""
        return self.kind == "activate" and not self.puk and not self.pdf


@dataclass(frozen=True)
class Result:
    """The portal's response to the last step."""

    state: str
    card_serial_ending: str = ""


@dataclass
class EidAppClient:
    """The app with one card in the reader. A step is repeated with the same call. Keep one client for the life of a start code.

    `portal_url` is the portal's origin; `patience` is how many seconds `start` waits for a pending response.
    """

    portal_url: str
    card: Card
    patience: float = 20.0
    timeout: tuple[float, float] = (3.0, 20.0)
    sleep: Callable[[float], None] = time.sleep
    _keys: dict[str, ECKey] = field(default_factory=dict, repr=False)
    _bodies: dict[str, bytes] = field(default_factory=dict, repr=False)
    _session: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        self.portal_url = self.portal_url.rstrip("/")
        self._session.trust_env = False
        self._session.verify = os.environ.get("PORTAL_CA_FILE") or True
        self._session.cookies.set_policy(_NO_COOKIES)

    def activate(self, handle: str, code: str) -> Result:
        """Sets `code` (6-8 digits) and signs the receipt with it: all steps of an `act` start code."""
        opened = self.start(handle)
        self.choose_code(opened, code)
        return self.sign_receipt(opened, code)

    def unlock(self, handle: str, code: str) -> Result:
        """Sets a new `code` on a card in use: all steps of an `unl` start code."""
        return self.choose_code(self.start(handle), code)

    def sign(self, handle: str, code: str) -> Result:
        """Signs the receipt with the card's present code: all steps of a `sig` start code."""
        return self.sign_receipt(self.start(handle), code)

    def start(self, handle: str) -> Opened:
        """Proves the card and decrypts the portal's response. A repeated call sends the same body and gets the same response.

        Raises BadHandle, PortalAway, StillPending, PortalRefused, Untrusted or CardRefused.
        """
        kind = kind_of(handle)
        if handle not in self._bodies:
            self._bodies[handle] = self._start_body(handle, kind)
        deadline = time.monotonic() + self.patience
        while True:
            try:
                answer = self._post("start", handle, self._bodies[handle])
            except PortalRefused:
                del self._bodies[handle]  # the card signs a new proof with the same key
                raise
            if answer.status_code == 200:
                return self._open(kind, self._keys[handle], _body(answer))
            if time.monotonic() >= deadline:
                raise StillPending
            wait = answer.headers.get("Retry-After", "")
            self.sleep(min(5.0, float(wait) if wait.isdigit() else 1.0))

    def activate_reserve_card(self, handle: str, envelope_code: str, code: str) -> Result:
        """Makes keys on a blank reserve card, has them certified, sets `code` and signs the receipt with it."""
        opened = self.start(handle)
        if opened.needs_certificates:
            opened = self.certify(opened, handle, envelope_code)
        self.change_code(envelope_code, code)
        self.report_code(opened)
        return self.sign_receipt(opened, code)

    def change_code(self, envelope_code: str, code: str) -> None:
        """Changes the code of a reserve card's envelope into the holder's. Raises CardRefused."""
        self._on_card(lambda: self.card.change_code(envelope_code, code))

    def fetch(self, opened: Opened, handle: str, code: str) -> Result:
        """Fetches an ordered eID onto a card in use: makes keys in a slot, has them certified and confirms by the new key. Then a
        renewed eID takes the place of the old one. Can be repeated.
        """
        made = self.certify(opened, handle, code)
        new = NEW_PROFILES[1]
        signature = cast(bytes, self._on_card(lambda: self.card.sign(new, made.statement, code=code, slot=made.slot)))
        result = self.complete(made, signature)
        if SIGNING_PROFILE in made.profiles or TRANSPORT in self.card.certificates():  # a reserve card has one eID
            self._on_card(lambda: self.card.take_into_use(made.profiles, made.slot, code=code))
        return result

    def certify(self, opened: Opened, handle: str, code: str) -> Opened:
        """Makes new keys with the card's code, or that of the envelope, writes their certificates on the card, and returns the
        transaction with what is signed then. Can be repeated. Raises CardRefused, PortalRefused, StillPending or Untrusted.
        """
        profiles, slot = opened.profiles or NEW_PROFILES, opened.slot
        self._on_card(lambda: self.card.make_keys(profiles, code=code, slot=slot))
        csrs = self._on_card(lambda: self.card.csrs(code=code, profiles=profiles, slot=slot))
        hashes = {profile: _sha256(x509.load_pem_x509_csr(pem.encode())) for profile, pem in csrs.items()}
        proven = {"csrs": hashes, "handle_sha256": hashlib.sha256(handle.encode()).hexdigest()}
        signature = cast(bytes, self._on_card(lambda: self.card.prove(canonical(proven))))
        body = json.dumps({"csrs": csrs, "signature": base64.b64encode(signature).decode()}).encode()
        deadline = time.monotonic() + self.patience
        while (answer := self._post("certificates", opened.step_token, body)).status_code == 202:
            if time.monotonic() >= deadline:
                raise StillPending
            self.sleep(1.0)
        content = _body(answer)
        try:
            self._on_card(lambda: self.card.store_certificates(content["certificates"], code=code, slot=slot))
            if opened.kind == "fetch":
                return dataclasses.replace(opened, statement=base64.b64decode(content["statement"], validate=True))
            made = dataclasses.replace(
                opened,
                pdf=base64.b64decode(content["pdf"], validate=True),
                signed_attributes=base64.b64decode(content["signed_attributes"], validate=True),
            )
            self._require_document(made, content["byte_range"], str(content["digest_algorithm"]))
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
            raise Untrusted("bad-answer") from None
        return made

    def choose_code(self, opened: Opened, code: str) -> Result:
        """Sets the holder's code with the PUK and reports it. Can be repeated if the report was lost."""
        self.set_code(opened, code)
        return self.report_code(opened)

    def set_code(self, opened: Opened, code: str) -> None:
        """Sets the holder's code on the card with the PUK. Raises CardRefused, or Untrusted if the portal sent no PUK."""
        if not opened.puk:
            raise Untrusted("no-puk")
        self._on_card(lambda: self.card.unblock(puk=opened.puk, new_code=code))

    def report_code(self, opened: Opened) -> Result:
        """Reports to the portal that the code is set."""
        return Result(str(self._step("code-set", opened, {})["state"]))

    def report_card(self, opened: Opened, report: str, tries_left: int | None = None) -> Result:
        """Reports the card's error to the portal: wrong-card, wrong-code, code-blocked, wrong-puk or puk-blocked."""
        body: dict[str, str | int] = {"report": report}
        if tries_left is not None:
            body["tries_left"] = tries_left
        return Result(str(self._step("card-report", opened, body)["state"]))

    def sign_receipt(self, opened: Opened, code: str) -> Result:
        """Signs the receipt's SignedAttrs on the card and sends the signature."""
        return self.complete(opened, self.signature(opened, code))

    def signature(self, opened: Opened, code: str) -> bytes:
        """Returns the signature over the SignedAttrs, or an officer's statement, RSA or ECDSA. Raises CardRefused."""
        signed = opened.statement or opened.signed_attributes
        return cast(bytes, self._on_card(lambda: self.card.sign(self._label_of(opened), signed, code=code)))

    def complete(self, opened: Opened, signature: bytes) -> Result:
        """Sends the signature, and repeats it while the portal releases the hold of the card's certificates. Can be repeated.

        Raises StillPending if that takes longer than `patience`.
        """
        body, deadline = {"signature": base64.b64encode(signature).decode()}, time.monotonic() + self.patience
        while True:
            try:
                answer = self._step("complete", opened, body)
                break
            except StillPending:
                if time.monotonic() >= deadline:
                    raise
                self.sleep(1.0)
        return Result(str(answer["state"]), str(answer.get("card_serial_ending", "")))

    def cancel(self, opened: Opened) -> Result:
        """Ends the transaction."""
        return Result(str(self._step("cancel", opened, {})["state"]))

    # --- implementation --------------------------------------------------------------------------------------------------

    def _start_body(self, handle: str, kind: str) -> bytes:
        key = self._keys.setdefault(handle, ECKey.generate_key("P-256"))
        public = {name: key.as_dict(private=False)[name] for name in ("kty", "crv", "x", "y")}
        proven = {
            "card_serial": self.card.serial, "ephemeral_key": public, "handle": handle, "kind": kind, "origin": self.portal_url
        }  # fmt: skip
        signature = cast(bytes, self._on_card(lambda: self.card.prove(canonical(proven))))
        certificates = self._on_card(self.card.certificates)
        body = {
            "card_serial": self.card.serial, "certificates": certificates, "ephemeral_key": public,
            "origin": self.portal_url, "signature": base64.b64encode(signature).decode(),
        }  # fmt: skip
        return json.dumps(body).encode()

    def _open(self, kind: str, key: ECKey, answer: Mapping[str, Any]) -> Opened:
        try:
            if answer["kind"] != kind:
                raise Untrusted("other-kind")
            secrets = self._decrypted(str(answer["encrypted"]), key)
            opened = Opened(
                kind=kind,
                expires_at=dt.datetime.fromisoformat(answer["expires_at"]),
                texts={str(name): str(text or "") for name, text in answer["texts"].items()},
                pdf=base64.b64decode(answer.get("pdf", ""), validate=True),
                signed_attributes=base64.b64decode(answer.get("signed_attributes", ""), validate=True),
                step_token=str(secrets["step_token"]),
                puk=str(secrets.get("puk") or "") if kind in NEEDING_PUK else "",
                statement=base64.b64decode(answer.get("statement", ""), validate=True),
                signing_certificate=str(answer.get("signing_certificate", "")),
                profiles=tuple(str(profile) for profile in answer.get("profiles", ())),
                slot=str(answer.get("slot", "")),
            )
            if kind not in ("unlock", "fetch") and not opened.statement and not opened.needs_certificates:
                self._require_document(opened, answer["byte_range"], str(answer["digest_algorithm"]))
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
            raise Untrusted("bad-answer") from None
        return opened

    def _decrypted(self, token: str, key: ECKey) -> dict[str, Any]:
        """Returns the content of the JWE (ECDH-ES, A256GCM; RFC 7516, RFC 7518), whose protected header must have this card."""
        registry = jwe.JWERegistry(
            header_registry={name: HeaderParameter(name, "str") for name in ("transaction", "card_serial")},
            algorithms=["ECDH-ES", "A256GCM"],
        )
        try:
            opened = jwe.decrypt_compact(token, key, registry=registry)
        except (JoseError, ValueError):
            raise Untrusted("not-for-this-key") from None
        header = opened.headers()
        if header.get("card_serial") != self.card.serial or not header.get("transaction"):
            raise Untrusted("not-for-this-card")
        return cast(dict[str, Any], json.loads(opened.plaintext or b""))

    def _signing_profile(self) -> str:
        """Returns the profile of the key that signs: on person id, or on HSA-id for a card without that pair."""
        certificates = self._on_card(self.card.certificates)
        return SIGNING_PROFILE if SIGNING_PROFILE in certificates else NEW_PROFILES[1]

    def _label_of(self, opened: Opened) -> str:
        """Returns the label of the key that signs. Raises Untrusted if the card does not have the named certificate."""
        named = opened.signing_certificate
        return documents.label_of(self.card.all_certificates(), named) if named else self._signing_profile()

    def _require_document(self, opened: Opened, byte_range: list[int], algorithm: str) -> None:
        """Raises Untrusted unless the card may sign the receipt."""
        certificate = self._on_card(self.card.certificates)[self._signing_profile()]
        if reason := documents.fault(opened.pdf, opened.signed_attributes, byte_range, algorithm, certificate):
            raise Untrusted(reason)

    def _on_card(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except CardError as error:
            tries = self.card.tries().code if error.code in ("wrong-code", "code-blocked") else 0
            raise CardRefused(error.code, tries) from None

    def _step(self, name: str, opened: Opened, body: Mapping[str, str | int]) -> dict[str, Any]:
        answer = self._post(name, opened.step_token, json.dumps(body).encode())
        content = _body(answer)
        if "state" not in content:
            raise PortalAway
        return content

    def _post(self, name: str, bearer: str, body: bytes) -> requests.Response:
        try:
            answer = self._session.post(
                f"{self.portal_url}/api/eidapp/v1/transaction/{name}",
                data=body,
                headers={"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", "Accept": "application/json"},
                timeout=self.timeout,
                allow_redirects=False,
            )
        except requests.RequestException:
            raise PortalAway from None
        if answer.status_code in (200, 201, 202):
            return answer
        if answer.status_code >= 500:
            raise StillPending if _problem(answer)[0] == "certificates-on-hold" else PortalAway
        raise _refusal(answer)


def _sha256(request: x509.CertificateSigningRequest) -> str:
    return hashlib.sha256(request.public_bytes(serialization.Encoding.DER)).hexdigest()


def canonical(value: Any) -> bytes:
    """Returns UTF-8 JSON with sorted keys and no white space: the bytes that the card key signs."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _body(answer: requests.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        raise PortalAway from None
    if not isinstance(content, dict):
        raise PortalAway
    return content


def _refusal(answer: requests.Response) -> PortalRefused:
    return PortalRefused(answer.status_code, *_problem(answer))


def _problem(answer: requests.Response) -> tuple[str, str]:
    """Returns code and detail of a problem document (RFC 9457)."""
    try:
        problem = answer.json()
        return str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        return "no-problem", f"Portalen tog inte emot uppgifterna. Avbryt. {AGAIN}"


class _NoCookies(DefaultCookiePolicy):
    """A policy that neither keeps nor sends cookies, since the app has no session at the portal."""

    def set_ok(self, cookie: Any, request: Any) -> bool:
        """Keeps no cookie."""
        return False


_NO_COOKIES = _NoCookies()
