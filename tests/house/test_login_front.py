"""The TLS front of the log-in with cards: who comes through, and what the face hears. Real nginx, curl, and an OCSP responder."""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings

from siths_portal.dev import nginx
from siths_portal.dev.home import House
from siths_portal.dev.probes import accepts
from tests.authn.stage import CODE, Authority
from tests.house.conftest import copy_house
from tests.house.test_nginx import UnixServer, authority, certificate, written_pid
from tests.waiting import wait_for

PEM = serialization.Encoding.PEM
STATE = "s" * 43


class Face(BaseHTTPRequestHandler):
    """Answers as the face does: with a redirect that has what it heard, or 400 for a state that it does not know."""

    def do_GET(self) -> None:
        self.send_response(303 if STATE in self.path else 400)
        self.send_header("Location", "http://localhost/back")
        self.send_header("X-Heard", json.dumps(self.headers.items()))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        return


@dataclass
class Front:
    """The front with a CA of people, whose responder it asks, and a card's certificate in files."""

    house: House
    people: Authority
    serial: int

    def ask(self, *options: str, **how: str) -> tuple[int, dict[str, str], str]:
        """What `curl` gets from this front."""
        return curl(self.house, how.pop("path", f"/logga-in/?state={STATE}"), *options, **how)


def curl(
    house: House, path: str, *options: str, cert: str = "card", key: str = "", **environment: str
) -> tuple[int, dict[str, str], str]:
    """The status, the headers in small letters and the body that curl gets from the front of the house.

    `cert` names files of the house's TLS folder. `key` is the URI of a key on a card instead (RFC 7512).
    """
    tls = house.var / "tls"
    identity = ["--cert", str(tls / f"{cert}.pem"), "--key", key or str(tls / f"{cert}.key")] if cert else []
    if key:
        identity += ["--key-type", "PROV", "--engine", "pkcs11"]  # OpenSSL's provider for PKCS #11
    url = f"https://localhost:{house.port('login')}{path}"
    command = ["curl", "-sS", "-i", "--http1.1", "--noproxy", "*", "--cacert", str(tls / "site-ca.pem")]
    own = os.environ | environment
    done = subprocess.run([*command, *identity, *options, url], check=True, capture_output=True, timeout=60, env=own)
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return int(status.split()[1]), headers, body


@pytest.fixture
def front(folder: Path, found: Callable[..., House]) -> Iterator[Front]:
    house = found(copy_house(folder / "a clone"))
    house.release_ports()
    tls = house.var / "tls"
    tls.mkdir()
    authority(tls, "site-ca")
    certificate(tls, "server", "site-ca")
    people = Authority(tls, "People")
    serial = write(people, tls, "card")
    stranger = Authority(tls, "Stranger")
    write(stranger, tls, "stranger")
    (tls / "people-ca.pem").write_bytes(people.issuing.public_bytes(PEM) + people.root.public_bytes(PEM))
    configuration = nginx.write_login(house)
    own = configuration.parent / "login.conf"
    status = f"http://127.0.0.1:{house.port('status')}/ocsp"
    text = own.read_text()
    assert status in text
    own.write_text(text.replace(status, f"http://127.0.0.1:{people.server.server_port}/ocsp"))
    with UnixServer(str(house.socket("login")), Face) as face:
        threading.Thread(target=face.serve_forever, daemon=True).start()
        process = subprocess.Popen(["/usr/sbin/nginx", "-e", "stderr", "-c", str(configuration)])
        wait_for(lambda: accepts(house.port("login")) and written_pid(configuration.parent / "nginx.pid"), "nginx")
        yield Front(house, people, serial)
        process.terminate()
        process.wait()
        face.shutdown()
    people.stop()
    stranger.stop()


def write(issuer: Authority, folder: Path, name: str) -> int:
    """Certifies a key of a card, writes both, and returns the serial."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Prov Provsson")])
    made = issuer.certify(key.public_key(), subject, 5)
    (folder / f"{name}.pem").write_bytes(made.public_bytes(PEM))
    private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(private)
    return made.serial_number


def test_the_face_hears_the_certificate_of_the_connection_and_nothing_that_a_caller_forged(front: Front) -> None:
    forged = ("X-SSL-Client-Cert", "X_SSL_Client_Cert", "X-SSL-Client-Verify", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded")
    status, headers, _ = front.ask(*(part for name in (*forged, "Cookie") for part in ("-H", f"{name}: forged=forged")))
    assert (status, headers["location"]) == (303, "http://localhost/back")
    heard: list[Any] = json.loads(headers["x-heard"])
    assert [value for _, value in heard if "forged" in value] == []
    names = {name.lower(): value for name, value in heard}
    assert unquote(names["x-ssl-client-cert"]) == (front.house.var / "tls" / "card.pem").read_text()
    assert (names["x-forwarded-proto"], names["x-forwarded-for"]) == ("https", "127.0.0.1")
    assert set(names) <= {"host", "connection", "x-ssl-client-cert", "x-forwarded-proto", "x-forwarded-for"}


@pytest.mark.parametrize("cert", ["", "stranger"])
def test_nobody_comes_through_without_a_certificate_of_people(front: Front, cert: str) -> None:
    status, headers, body = front.ask(cert=cert)
    assert (status, "x-heard" in headers) == (403, False)
    assert "<h1>Kortet gick inte att använda</h1>" in body
    assert f'href="http://localhost:{front.house.port("portal")}/logga-in/"' in body
    assert headers["cache-control"] == "no-store"


def test_a_revoked_certificate_and_one_without_an_answer_stay_out(front: Front) -> None:
    assert front.ask()[0] == 303
    for change in ({"revoked": {front.serial}}, {"unknown": {front.serial}}, {"down": True}):
        before = {name: getattr(front.people, name) for name in change}
        for name, value in change.items():
            setattr(front.people, name, value)
        status, headers, _ = front.ask()
        assert (status, "x-heard" in headers) == (403, False), change
        for name, value in before.items():
            setattr(front.people, name, value)
    assert front.ask()[0] == 303, "no answer is kept from one connection to the next"


def test_other_addresses_and_refusals_of_the_face_are_the_fronts_own_page(front: Front) -> None:
    for path in ("/", "/healthz/ready", "/logga-in/x", "/logga-in/?state=unknown"):
        status, headers, body = front.ask(path=path)
        assert (status, "x-heard" in headers) == (400, False), path
        assert "<h1>Inloggningen gick inte att slutföra</h1>" in body


def test_no_connection_outlives_its_log_in(front: Front) -> None:
    _, headers, _ = front.ask()
    assert headers["connection"] == "close"


def test_a_card_signs_the_handshake_and_its_key_never_leaves_it(front: Front, folder: Path) -> None:
    """SITHS Minidriver's part: curl uses the key on a software card over PKCS #11, with its code."""
    person = {"given_name": "Prov", "surname": "Provsson", "personnummer": "189001019802", "posts": [{"hsa_id": "TST-1"}]}
    card, _ = front.people.card(folder / "cards", person)
    (front.house.var / "tls" / "plastic.pem").write_text(card.certificates()["person-hsaid-auth"])
    environment = {"PKCS11_PROVIDER_MODULE": settings.PKI_REPLAY_MODULE, "SOFTHSM2_CONF": str(card.folder / "softhsm2.conf")}
    key = f"pkcs11:token={card.serial};object=person-hsaid-auth;type=private"
    status, headers, _ = front.ask(cert="plastic", key=f"{key}?pin-value={CODE}", **environment)
    assert status == 303
    heard = dict(json.loads(headers["x-heard"]))
    assert unquote(heard["X-SSL-Client-Cert"]) == (front.house.var / "tls" / "plastic.pem").read_text()
    with pytest.raises(subprocess.CalledProcessError):
        front.ask(cert="plastic", key=f"{key}?pin-value=000000", **environment)
