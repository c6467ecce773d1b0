"""The portal and the identity provider as real processes that know each other, for the region of the tests."""

import base64
import contextlib
import datetime as dt
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from django.conf import settings

from issuance.people.models.persons import Person
from siths_portal.dev.openssl import new_key
from siths_portal.simulators.card import TRANSPORT, Card, new_serial
from tests.lib.faces import serving
from tests.ports import free_port

PEM = serialization.Encoding.PEM
DAY = dt.timedelta(days=1)
CODE, PUK = "246810", "31415926"


@dataclass
class Stage:
    """Both processes. `people` are the provider's; the portal's are the database's. `mina_sidor` is served once it is started."""

    folder: Path
    portal: str
    issuer: str
    mina_sidor: str
    running: contextlib.ExitStack
    own: dict[str, str] = field(default_factory=dict)
    people: list[dict[str, Any]] = field(default_factory=list)

    @property
    def cards(self) -> Path:
        return self.folder / "cards"

    @property
    def trust(self) -> Path:
        return self.folder / "trust"

    def start_mina_sidor(self, **more: str) -> str:
        """Serves the other site too, with `more` settings, until both end. Returns its address."""
        port = int(self.mina_sidor.rsplit(":", 1)[1])
        self.running.enter_context(serving("minasidor", self.folder / "minasidor.log", port=port, **self.own, **more))
        return self.mina_sidor

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def know(self, *people: Person, **more: Any) -> None:
        """Tells the provider about people of the portal, and about them alone."""
        self.people = [entry(person) | more for person in people]
        self.write()

    def write(self) -> None:
        file = self.folder / "idp" / "people.json"
        new = file.with_suffix(".new")
        new.write_text(json.dumps(self.people))
        new.replace(file)


def entry(person: Person) -> dict[str, Any]:
    return {
        "given_name": person.given_name_in_use,
        "surname": person.surname,
        "personnummer": person.identifiers.get(valid_to=None).value,
        "posts": [{"hsa_id": p.hsa_id, "unit": p.organisation.name} for p in person.posts.order_by("organisation__name")],
        "role": "ID-administratör",
    }


@contextlib.contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Starts both; ends both."""
    portal_port, idp_port, mina_port = (free_port() for _ in range(3))
    running = contextlib.ExitStack()
    made = Stage(
        folder, f"http://localhost:{portal_port}", f"http://localhost:{idp_port}", f"http://localhost:{mina_port}", running
    )
    for name in ("idp", "cards", "trust"):
        (folder / name).mkdir()
    key = folder / "client-key.pem"
    key.write_text(new_key())
    public = serialization.load_pem_private_key(key.read_bytes(), None).public_key()
    client = {
        "client_id": "siths-portal",
        "name": "SITHS eID Portal",
        "redirect_uris": [f"{site}/logga-in/svar/" for site in (made.portal, made.mina_sidor)],
        "post_logout_redirect_uris": [f"{site}/logga-ut/" for site in (made.portal, made.mina_sidor)],
        "public_key": public.public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode(),
    }
    (folder / "idp" / "clients.json").write_text(json.dumps([client]))
    command = [sys.executable, "manage.py", "idp_simulator", "--bind", f"127.0.0.1:{idp_port}", "--issuer", made.issuer]
    command += ["--data", str(folder / "idp"), "--cards", str(made.cards), "--trust", str(made.trust)]
    with (folder / "idp.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=os.environ, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for_provider(made.issuer, process, folder / "idp.log")
        made.own = {"PORTAL_BASE_URL": made.portal, "OIDC_ISSUER": made.issuer, "OIDC_CLIENT_KEY_FILE": str(key)}
        made.own["MINASIDOR_BASE_URL"] = made.mina_sidor
        with running, serving("portal", folder / "portal.log", port=portal_port, **made.own):
            yield made
    finally:
        process.terminate()
        process.wait(60)


def wait_for_provider(issuer: str, process: "subprocess.Popen[bytes]", log: Path, path: str = "/healthz/live") -> None:
    deadline = time.monotonic() + 150
    while True:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{issuer}{path}", timeout=60).status_code == 200:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the provider did not start: {log.read_text()[:2000]}")
        time.sleep(0.05)


class Authority:
    """A root and a CA for cards, with an OCSP responder at an address of its own. `revoked`, `held` and `unknown` are serials."""

    def __init__(self, trust: Path, name: str = "Prov") -> None:
        self.root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.revoked: set[int] = set()
        self.held: set[int] = set()
        self.unknown: set[int] = set()
        self.down = False
        root, issuing = self._name(f"{name} Root CA"), self._name(f"{name} Person CA")
        self.root = self._authority(root, root, self.root_key, self.root_key)
        self.issuing = self._authority(issuing, root, self.key, self.root_key)
        (trust / f"{name}-root.cer").write_bytes(self.root.public_bytes(serialization.Encoding.DER))
        (trust / f"{name}-issuing.pem").write_bytes(self.issuing.public_bytes(PEM))
        authority = self

        class Responder(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.say(authority.answer(self.rfile.read(int(self.headers["Content-Length"]))))

            def do_GET(self) -> None:
                self.say(authority.answer(base64.b64decode(unquote(self.path.removeprefix("/ocsp/")))))

            def say(self, content: bytes) -> None:
                self.send_response(503 if authority.down else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Responder)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def _name(common: str, **more: str) -> x509.Name:
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, common)]
        parts += [x509.NameAttribute(getattr(NameOID, oid.upper()), value) for oid, value in more.items()]
        return x509.Name(parts)

    @staticmethod
    def _authority(subject: x509.Name, issuer: x509.Name, key: Any, signer: Any) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"),
            False,
        )
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - DAY).not_valid_after(now + 10 * DAY)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=True, **usage), True)
            .sign(signer, hashes.SHA256())
        )  # fmt: skip

    def answer(self, request: bytes) -> bytes:
        asked = ocsp.load_der_ocsp_request(request)
        not_good, held = asked.serial_number in self.revoked | self.held, asked.serial_number in self.held
        status = ocsp.OCSPCertStatus.REVOKED if not_good else ocsp.OCSPCertStatus.GOOD
        if asked.serial_number in self.unknown:
            status = ocsp.OCSPCertStatus.UNKNOWN
        now = dt.datetime.now(dt.UTC)
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            issuer_name_hash=asked.issuer_name_hash, issuer_key_hash=asked.issuer_key_hash, serial_number=asked.serial_number,
            algorithm=asked.hash_algorithm, cert_status=status, this_update=now, next_update=now + DAY,
            revocation_time=now if revoked else None,
            revocation_reason=x509.ReasonFlags.certificate_hold if held else None,
        )  # fmt: skip
        response = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, self.issuing).sign(self.key, hashes.SHA256())
        return response.public_bytes(serialization.Encoding.DER)

    def card(self, cards: Path, person: dict[str, Any], *, code: str = CODE, days: int = 5) -> tuple[Card, list[int]]:
        """An activated card of the person, and its certificates' serials. Without `code` it is not activated yet."""
        card = Card.make(cards, new_serial(), puk=PUK, transport_code="transport-1")
        certificates, serials = {}, []
        for profile, pem in card.csrs(code="transport-1").items():
            number = person["posts"][0]["hsa_id"] if "hsaid" in profile else person["personnummer"]
            name = self._name(
                f"{person['given_name']} {person['surname']}", given_name=person["given_name"], surname=person["surname"],
                serial_number=number,
            )  # fmt: skip
            certificate = self.certify(x509.load_pem_x509_csr(pem.encode()).public_key(), name, days)
            certificates[profile] = certificate.public_bytes(PEM).decode()
            serials.append(certificate.serial_number)
        card.store_certificates(certificates, code="transport-1")
        if code:
            card.unblock(puk=PUK, new_code=code)
        return card, serials

    def blank_card(self, cards: Path, code: str = CODE) -> Card:
        """A reserve card with a transport certificate, which names the card only."""
        card = Card.make(cards, new_serial(), puk=PUK, transport_code=code, profiles=[TRANSPORT])
        (pem,) = card.csrs(code=code, profiles=[TRANSPORT]).values()
        key = x509.load_pem_x509_csr(pem.encode()).public_key()
        certificate = self.certify(key, self._name(card.serial, serial_number=card.serial), 5)
        card.store_certificates({TRANSPORT: certificate.public_bytes(PEM).decode()}, code=code)
        return card

    def certify(self, key: Any, subject: x509.Name, days: int) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        url = x509.UniformResourceIdentifier(f"http://127.0.0.1:{self.server.server_port}/ocsp")
        access = x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.OCSP, url)])
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(self.issuing.subject).public_key(key)
            .serial_number(x509.random_serial_number()).not_valid_before(now - 9 * DAY).not_valid_after(now + days * DAY)
            .add_extension(access, False).sign(self.key, hashes.SHA256())
        )  # fmt: skip
