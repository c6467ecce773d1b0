"""A supplier that takes push, as a process of its own over mutual TLS. Models are imported inside: Django is set up later."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]


class Receiver:
    """The supplier: where it is, what it keeps, and how it behaves."""

    def __init__(self, url: str, folder: Path, keys: list[str]) -> None:
        self.url, self.folder, self.keys = url, folder, keys

    @property
    def host(self) -> str:
        return self.url.removeprefix("https://")

    def behave(self, **behaviour: Any) -> None:
        (self.folder / "behaviour.json").write_text(json.dumps(behaviour))

    def orders(self) -> list[str]:
        """The ids of the orders that it has: a file for each."""
        return sorted(path.stem for path in (self.folder / "orders").glob("*.json"))

    def taken(self) -> list[str]:
        """The orders that it has, each once for every key under which it was told of it: two keys would be two cards."""
        kept = set(self.orders())
        return [message["subject"] for message in self._told() if message["subject"] in kept]

    def called(self) -> list[str]:
        """The orders that it was told of, each once for every call."""
        return [message["subject"] for message in self._told() for _ in range(message["calls"])]

    def _told(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in (self.folder / "pushed").glob("*.json")]

    def changes(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted((self.folder / "changes").glob("*.json"))]

    def calls(self, delivery_id: object) -> int:
        """How often it was told of the delivery."""
        return int(json.loads((self.folder / "pushed" / f"{delivery_id}.json").read_text())["calls"])

    def clear(self) -> None:
        for name in ("orders", "changes", "pushed"):
            for file in (self.folder / name).glob("*"):
                file.unlink()
        (self.folder / "behaviour.json").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def push_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The portal's folder with its client key, and below it the supplier's."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from siths_portal.lib.http import webhooks
    from tests.tls import SmallCa

    folder = tmp_path_factory.mktemp("push")
    supplier = folder / "supplier"
    supplier.mkdir()
    ca = SmallCa("DEMO push CA")
    ca.issue("siths-portal").write(folder, "client")
    ca.issue("localhost").write(supplier, "server")
    ca.issue("bureau").write(supplier, "client")
    for place in (folder, supplier):
        (place / "ca.pem").write_bytes(ca.pem)
    portal, own = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    (folder / "signing.keys").write_text(webhooks.private_key_text(portal))
    (supplier / "portal.keys").write_text(webhooks.public_key_text(portal.public_key()))
    (supplier / "signing.keys").write_text(webhooks.private_key_text(own))
    (supplier / "public.keys").write_text(webhooks.public_key_text(own.public_key()))
    return folder


@pytest.fixture(scope="session")
def running_receiver(push_folder: Path) -> Iterator[Receiver]:
    """One for this test process. It takes orders and makes no cards."""
    folder = push_folder / "supplier"
    command = f"{sys.executable} manage.py supplier_simulator --push 127.0.0.1:0 --folder {folder} --base-url".split()
    process = subprocess.Popen([*command, ""], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"https://\S+", process.stdout.readline())
    assert found
    threading.Thread(target=process.stdout.read, daemon=True).start()  # its log, which would fill the pipe
    yield Receiver(found[0], folder, [(folder / "public.keys").read_text()])
    process.terminate()
    process.wait()


@pytest.fixture
def receiver(running_receiver: Receiver, push_folder: Path, world: Any, settings: Any) -> Receiver:
    """The supplier of the world's orders takes push. It has nothing yet and behaves well."""
    from authn.models import ServiceClient

    running_receiver.clear()
    settings.SUPPLIER_PUSH_HOSTS, settings.SUPPLIER_PUSH_FOLDER = [running_receiver.host], str(push_folder)
    ServiceClient.objects.create(
        client_ref="bureau", kind="supplier", name="Byrån", push={"url": running_receiver.url, "keys": running_receiver.keys}
    )
    return running_receiver
