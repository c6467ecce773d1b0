"""The API face as it runs in production: granian on a unix socket, nginx with mutual TLS before it, neighbours as processes."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from siths_portal.dev import nginx
from siths_portal.dev.home import House, make_socket_folder
from siths_portal.dev.probes import accepts, api_is_ready
from tests import scratch
from tests.ports import free_port
from tests.secrets_in_clear import leaky_logs
from tests.tls import Identity, SmallCa

ROOT = Path(__file__).resolve().parents[4]
WAIT = "20"  # for a busy worker; the front gives the API up after 30


def wait_for(what: str, ready: Callable[[], bool], *, seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


@contextlib.contextmanager
def process(
    command: list[str], log: Path, ready: Callable[[], bool] | None = None, **env: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A child process that is ready, and is ended at the end of the block."""
    with log.open("ab") as output:
        child = subprocess.Popen(command, cwd=ROOT, env=os.environ | env, stdout=output, stderr=output)
    try:
        if ready:
            wait_for(command[0], lambda: _alive(child, log) and ready())
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _alive(child: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert child.poll() is None, log.read_text()[-2000:]
    return True


@dataclass
class Client:
    """An outside client on the real wire. Each of its threads has a connection, which it keeps, as a supplier's client does."""

    base: str
    ca: str
    identity: tuple[str, str] | None
    headers: dict[str, str] = field(default_factory=dict)
    api: str = "supplier"
    _kept: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    def __call__(self, method: str, path: str, *, key: str | None = None, **options: Any) -> requests.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        if key:
            headers["Idempotency-Key"] = key
        return self._session().request(method, f"{self.base}/api/{self.api}/v1/{path}", headers=headers, timeout=150, **options)

    def _session(self) -> requests.Session:
        if not hasattr(self._kept, "session"):
            made = self._kept.session = requests.Session()
            made.trust_env, made.cert, made.verify = False, self.identity, self.ca
        session: requests.Session = self._kept.session
        return session


@dataclass
class Stage:
    """The running face. `api` is granian's process; `start_api` replaces it after it was killed."""

    folder: Path
    house: House
    clients_ca: SmallCa
    stack: contextlib.ExitStack
    directory_port: int
    certificates: dict[str, tuple[str, str]] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    api: "subprocess.Popen[bytes] | None" = None
    api_environment: dict[str, str] = field(default_factory=dict)
    api_stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def base_url(self) -> str:
        return f"https://localhost:{self.house.port('api')}"

    @property
    def server_ca(self) -> Path:
        return self.house.var / "tls" / "server-ca.pem"

    @property
    def people(self) -> Path:
        return self.folder / "people.json"

    @property
    def faults(self) -> Path:
        """Where a test arms the points at which the API dies (`lib.faults`)."""
        return self.folder / "faults"

    def client(self, name: str | None, api: str = "supplier") -> Client:
        return Client(self.base_url, str(self.server_ca), self.certificates[name] if name else None, api=api)

    def give(self, name: str, identity: Identity) -> None:
        self.identities[name] = identity
        self.certificates[name] = identity.write(self.folder, name)

    def register(self, *entries: dict[str, Any]) -> None:
        """Loads the register of clients anew."""
        from authn import service

        path = self.folder / "clients.json"
        path.write_text(json.dumps({"clients": list(entries)}))
        service.sync_clients(path)

    def entry(self, ref: str, *names: str, kind: str = "supplier") -> dict[str, Any]:
        prints = [{"file": f"{name}.pem"} for name in names]
        entry = {"client_ref": ref, "name": f"Leverantör {ref}", "kind": kind, "certificates": prints}
        every = dict.fromkeys(("countryName", "localityName", "organizationName", "organizationIdentifier", "serialNumber"), "*")
        return entry | ({"certificate_subject": every} if kind == "service" else {})

    def need_api(self, **env: str) -> None:
        """Starts the API unless it runs with this environment."""
        if self.api is None or self.api.poll() is not None or self.api_environment != env:
            self.start_api(**env)

    def start_api(self, **env: str) -> None:
        """Starts the API in place of the one before, which may have been killed."""
        self.api_stack.close()
        self.api_environment = env
        self.house.api_socket.unlink(missing_ok=True)
        command = [
            sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--workers", "1", "--blocking-threads", "8",
            "--log-level", "warning", "--uds", str(self.house.api_socket), "--uds-permissions", "0o666",
            "siths_portal.wsgi:application",
        ]  # fmt: skip
        self.api = self.api_stack.enter_context(
            process(
                command, self.folder / "api.log", lambda: api_is_ready(self.house.api_socket), SITHS_FACE="api",
                MTLS_CERTIFICATE_HEADER=nginx.CERTIFICATE_HEADER, PKCS11_PIN_FILE="",
                **{"SITHS_FAULT_DIR": str(self.faults), "CERTIFICATE_WAIT_SECONDS": WAIT} | self.neighbours() | env,
            )
        )  # fmt: skip

    def neighbours(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{self.directory_port}"
        return {"DIRECTORY_URL": url, "PERSON_REGISTER_URL": url}

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()


def _require_no_secrets(folder: Path) -> None:
    assert leaky_logs(folder) == []


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """Everything in a new folder. DATABASE_URL must name the tests' database."""
    with contextlib.ExitStack() as stack:
        folder = scratch.new_folder("siths-api-", 0o711)  # nginx's workers walk through
        stack.callback(shutil.rmtree, folder, True)
        stack.callback(_require_no_secrets, folder)  # when its processes have ended
        house = House(folder, "test", free_port() - 443, folder / "run", folder / "pg")
        (house.var / "tls").mkdir(parents=True)
        house.runtime.mkdir()
        make_socket_folder(house.api_socket.parent)
        server_ca, clients_ca = SmallCa("DEMO server CA"), SmallCa()
        server_ca.issue("localhost").write(house.var / "tls", "server")
        (house.var / "tls" / "server-ca.pem").write_bytes(server_ca.pem)
        (house.var / "tls" / "clients-ca.pem").write_bytes(clients_ca.pem)
        made = Stage(folder, house, clients_ca, stack, free_port())
        for name in ("a", "b", "stranger"):
            made.give(name, clients_ca.issue(name))
        made.give("foreign", SmallCa("DEMO foreign CA").issue("foreign"))
        made.people.write_text("[]")
        made.faults.mkdir()
        stack.enter_context(
            process(
                [sys.executable, "manage.py", "directory_simulator", "--bind", f"127.0.0.1:{made.directory_port}",
                 "--data", str(made.people)],
                folder / "directory.log", lambda: accepts(made.directory_port),
            )
        )  # fmt: skip
        stack.callback(made.api_stack.close)
        made.start_api()
        conf = nginx.write(house)
        stack.enter_context(
            process(
                ["/usr/sbin/nginx", "-e", "stderr", "-c", str(conf)], folder / "nginx.log", lambda: accepts(house.port("api"))
            )
        )
        yield made
