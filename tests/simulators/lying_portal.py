"""A portal of `/api/eidapp/v1/` that can be told to lie, to be slow or to be away: what the real one never does on demand."""

import base64
import datetime as dt
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from asn1crypto import algos, cms, tsp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwe
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from siths_portal.lib import clock
from siths_portal.simulators.card import PROFILES, Card, new_serial

PUK, TRANSPORT = "31415926", "transport-8d1f0c"
HANDLE = "act.AbCdEfGhIjKlMnOpQrStUv"
STATES = {"code-set": "code_set", "card-report": "started", "complete": "completed", "cancel": "cancelled"}
SIGN_HANDLE = "sig.AbCdEfGhIjKlMnOpQrStUv"


def make_card(cards: Any, *, given: str = "Anna", surname: str = "Demosson") -> Card:
    """A finished card with certificates of a key that nobody knows."""
    card = Card.make(cards, new_serial(), puk=PUK, transport_code=TRANSPORT)
    issuer = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.GIVEN_NAME, given), x509.NameAttribute(NameOID.SURNAME, surname)])
    certificates = {}
    for profile, pem in card.csrs(code=TRANSPORT).items():
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
        builder = builder.public_key(x509.load_pem_x509_csr(pem.encode()).public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(clock.now()).not_valid_after(clock.now() + dt.timedelta(days=1))
        certificates[profile] = builder.sign(issuer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    card.store_certificates(certificates, code=TRANSPORT)
    return card


def signed_attributes(digest: bytes, certificate_pem: str) -> bytes:
    der = x509.load_pem_x509_certificate(certificate_pem.encode()).public_bytes(serialization.Encoding.DER)
    named = tsp.ESSCertIDv2(
        {"hash_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}), "cert_hash": hashlib.sha256(der).digest()}
    )
    return cms.CMSAttributes(
        [
            cms.CMSAttribute({"type": "content_type", "values": ["data"]}),
            cms.CMSAttribute({"type": "message_digest", "values": [digest]}),
            cms.CMSAttribute({"type": "signing_certificate_v2", "values": [tsp.SigningCertificateV2({"certs": [named]})]}),
        ]
    ).dump()


@dataclass
class Lies:
    """What the next answers are bent by."""

    change: Callable[[dict[str, Any]], None] = lambda answer: None
    header: dict[str, str] = field(default_factory=dict)
    other_key: bool = False
    pending: int = 0
    away_at: set[str] = field(default_factory=set)
    cut_at: set[str] = field(default_factory=set)
    refuse_at: dict[str, tuple[int, str, str]] = field(default_factory=dict)


class LyingPortal(ThreadingHTTPServer):
    """Holds one transaction. `calls` is every call as (step, bearer, body); `state` what the portal thinks."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.lies = Lies()
        self.calls: list[tuple[str, str, bytes]] = []
        self.state = "created"
        self.card: Card | None = None
        self.seconds = 900.0
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def steps(self) -> list[str]:
        return [step for step, _bearer, _body in self.calls]

    def started(self, body: dict[str, Any], handle: str) -> dict[str, Any]:
        kind = {"act": "activate", "sig": "sign"}[handle[:3]]
        self.state = "started"
        pdf = b"%PDF-1.7 before <0000000000> after %%EOF"
        before, after = pdf.index(b"<"), pdf.index(b">") + 1
        digest = hashlib.sha256(pdf[:before] + pdf[after:]).digest()
        header = {"alg": "ECDH-ES", "enc": "A256GCM", "transaction": "t-1", "card_serial": body["card_serial"]}
        secret = {"step_token": "step-1"} | ({"puk": PUK} if kind == "activate" else {})
        registry = jwe.JWERegistry(
            header_registry={name: HeaderParameter(name, "str") for name in ("transaction", "card_serial")},
            algorithms=["ECDH-ES", "A256GCM"],
        )
        key = ECKey.generate_key("P-256") if self.lies.other_key else ECKey.import_key(body["ephemeral_key"])
        answer = {
            "kind": kind,
            "expires_at": (clock.now() + dt.timedelta(seconds=self.seconds)).isoformat(),
            "texts": {
                "heading": "Kvittens för mottagande av SITHS eID på kort",
                "summary": "Kortets serienummer: 9752\nMottagarens namn: Anna Demosson",
                "terms": "Allmänna villkor\n\n== Koder\nKort och koder är personliga.\n\n== Slut\nDu lämnar tillbaka kortet.",
                "regional_addition": "Detta är <b>ett</b> regionalt tillägg.",
                "sign_message": "Jag accepterar härmed Allmänna villkor för SITHS e-legitimation samt aktivering av SITHS eID:",
            },
            "pdf": base64.b64encode(pdf).decode(),
            "byte_range": [0, before, after, len(pdf) - after],
            "signed_attributes": base64.b64encode(signed_attributes(digest, body["certificates"]["person-id-sign"])).decode(),
            "digest_algorithm": "sha256",
            "encrypted": jwe.encrypt_compact(header | self.lies.header, json.dumps(secret).encode(), key, registry=registry),
        }
        self.lies.change(answer)
        return answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LyingPortal

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        step = self.path.removeprefix("/api/eidapp/v1/transaction/")
        bearer = self.headers["Authorization"].removeprefix("Bearer ")
        self.server.calls.append((step, bearer, body))
        assert "Cookie" not in self.headers
        lies = self.server.lies
        if step in lies.away_at:
            self._send(503, {"code": "database-unavailable", "detail": "Tjänsten svarar inte."})
        elif step in lies.refuse_at:
            status, code, detail = lies.refuse_at[step]
            self._send(status, {"code": code, "detail": detail})
        elif step == "start" and lies.pending:
            lies.pending -= 1
            self._send(202, {"status": "pending"}, {"Retry-After": "0"})
        elif step == "start":
            self._send(200, self.server.started(json.loads(body), bearer))
        else:
            self.server.state = STATES[step]
            if step in lies.cut_at:  # done, but the answer is lost on the way
                lies.cut_at.discard(step)
                self.close_connection = True
                return
            self._send(200, {"state": self.server.state} | ({"card_serial_ending": "4242"} if step == "complete" else {}))

    def _send(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), "Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


__all__ = ["HANDLE", "PROFILES", "PUK", "SIGN_HANDLE", "TRANSPORT", "LyingPortal", "make_card"]
