"""A log-in with a card on the real wire: curl, the front with our OCSP service behind it, the face, and the portal."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.test import Client

from pki.ocsp import presigning
from siths_portal.demo.tls import people_authorities
from siths_portal.dev import nginx
from siths_portal.dev.home import House, make_socket_folder
from siths_portal.dev.probes import accepts, api_is_ready
from tests.house.test_login_front import curl
from tests.issuance.activated import Made, pem
from tests.issuance.activation.test_card_log_ins import HSA, _sites, back, begin, made, reasons, revoke
from tests.issuance.suppliers.api.stage import process
from tests.lib.faces import serving
from tests.ports import free_port
from tests.tls import SmallCa

__all__ = ["_sites", "made"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demo_pki")]

FACE = ("-m", "granian", "--interface", "wsgi", "--no-ws", "--workers", "1", "--blocking-threads", "2", "--log-level", "warning")


@pytest.fixture
def house(made: Made) -> Iterator[House]:
    """The front, the face and the OCSP service, before the database of the test."""
    folder = Path(tempfile.mkdtemp(prefix="siths-login-", dir="/tmp"))  # unix sockets have short paths
    folder.chmod(0o711)  # nginx's workers walk through
    front = House(folder, "test", free_port() - 444, folder / "run", folder / "pg")
    tls, socket = front.var / "tls", front.socket("login")
    tls.mkdir(parents=True)
    front.runtime.mkdir()
    make_socket_folder(socket.parent)
    site = SmallCa("DEMO site CA")
    site.issue("localhost").write(tls, "server")
    (tls / "site-ca.pem").write_bytes(site.pem)
    (tls / "people-ca.pem").write_bytes(people_authorities())
    key: Any = made.keys.paper.keys[HSA]
    (tls / "card.pem").write_text(pem(made.certificates[HSA]))
    (tls / "card.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    presigning.presign_due()
    command = [sys.executable, *FACE, "--uds", str(socket), "--uds-permissions", "0o666", "siths_portal.wsgi:application"]
    own = {"SITHS_FACE": "login", "MTLS_CERTIFICATE_HEADER": nginx.CERTIFICATE_HEADER, "PORTAL_BASE_URL": "http://testserver"}
    configuration = nginx.write_login(front)
    file = configuration.parent / "login.conf"
    try:
        with serving("status", folder / "status.log") as status, process(command, folder / "login.log", None, **own):
            file.write_text(file.read_text().replace(f"http://127.0.0.1:{front.port('status')}", status))
            run = ["/usr/sbin/nginx", "-e", "stderr", "-c", str(configuration)]
            with process(run, folder / "nginx.log", lambda: accepts(front.port("login")) and api_is_ready(socket)):
                yield front
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_card_logs_in_until_our_ocsp_service_says_that_it_is_revoked(house: House, made: Made) -> None:
    client = Client()
    status, headers, body = curl(house, f"/logga-in/?state={begin(client)}")
    assert status == 303, body
    assert back(client, headers["location"])["Location"] == "/installningar/", reasons()
    assert made.carrier.holder.surname in client.get("/installningar/").content.decode()
    client.post("/logga-ut/")
    revoke(made, HSA)
    presigning.presign_due()
    status, headers, body = curl(house, f"/logga-in/?state={begin(client)}")
    assert (status, "location" in headers) == (403, False)
    assert "Kortet gick inte att använda" in body
