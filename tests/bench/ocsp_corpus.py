"""A P-256 responder, a store of live serials, and the requests for them: what `pki_ocspd` and its peers are measured with."""

import base64
import datetime as dt
import hashlib
import json
import os
import secrets
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp as x509_ocsp

from pki.domain import ocsp_response, tbs
from pki.ocsp.presigning import VERIFIED_EACH
from pki.ocspd import layout, routing
from pki.ocspd.layout import StoreRecord
from pki.ocspd.writing import Writer
from tests.tls import SmallCa

SERIALS = int(os.environ.get("BENCH_OCSP_SERIALS", "100000"))
HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}
DER = serialization.Encoding.DER


class Responder:
    """A P-256 delegate with a certificate of usual size, and the CA that it answers for."""

    def __init__(self, key=None) -> None:
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self.ca = SmallCa("DEMO SITHS e-id Person HSA-id 3 CA v1")
        public = self.key.public_key()
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "DEMO SITHS e-id Person HSA-id 3 CA v1 OCSP")]))
            .issuer_name(self.ca.name)
            .public_key(public)
            .serial_number(secrets.randbits(119))
            .not_valid_before(now)
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.OCSP_SIGNING]), False)
            .add_extension(x509.OCSPNoCheck(), False)
            .sign(self.ca.key, hashes.SHA256())
        )
        self.names = {name: self._hashed(name, self.ca.name.public_bytes()) for name in HASHES}
        bits = self.ca.key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        self.keys = {name: self._hashed(name, bits) for name in HASHES}
        self.this_update, self.next_update = now, now + dt.timedelta(hours=24)
        algorithm = ec.ECDSA(hashes.SHA256())
        self.template = ocsp_response.Template(
            responder_key_hash=x509.SubjectKeyIdentifier.from_public_key(public).digest,
            certificates=[self.certificate.public_bytes(DER)],
            issuers=[ocsp_response.Issuer(name, self.names[name], self.keys[name]) for name in HASHES],
            this_update=now,
            signature=ocsp_response.Signature(tbs.ALGORITHMS["ec", "sha256"], lambda data: self.key.sign(data, algorithm)),
        )
        self.count = 0

    @staticmethod
    def _hashed(name: str, data: bytes) -> bytes:
        return hashlib.new(name, data, usedforsecurity=False).digest()

    def sign(self) -> bytes:
        """One answer as the worker makes it, with its share of verifications."""
        der, to_be_signed, signature = self.template.sign("sha256", self.count + (1 << 118), ocsp_response.GOOD, self.next_update)
        if self.count % VERIFIED_EACH == 0:
            self.certificate.public_key().verify(signature, to_be_signed, ec.ECDSA(hashes.SHA256()))
        self.count += 1
        return der

    def build(self) -> bytes:
        """The same by the library's builder, unverified."""
        builder = x509_ocsp.OCSPResponseBuilder().add_response_by_hash(
            self.names["sha256"], self.keys["sha256"], 1 << 118, HASHES["sha256"], x509_ocsp.OCSPCertStatus.GOOD,
            self.this_update, self.next_update, None, None,
        )  # fmt: skip
        builder = builder.responder_id(x509_ocsp.OCSPResponderEncoding.HASH, self.certificate).certificates([self.certificate])
        return builder.sign(self.key, hashes.SHA256()).public_bytes(DER)

    def request(self, name: str, serial: int) -> bytes:
        """A request for the serial with a CertID by this hash."""
        builder = x509_ocsp.OCSPRequestBuilder().add_certificate_by_hash(self.names[name], self.keys[name], serial, HASHES[name])
        return builder.build().public_bytes(DER)


class Corpus:
    """A store of live serials, and the requests for them by both hashes.

    `answers` has one for each serial, by either hash in turn, for peers that keep one: together they have the sizes of ours.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "store"
        self.responder = Responder()
        self.serials = [int(time.time()) * 1000 + number << 72 | secrets.randbits(72) for number in range(SERIALS)]
        self.answers: list[bytes] = []
        with Writer(self.store) as writer:
            writer.grow(SERIALS)
            for number, serial in enumerate(self.serials):
                self._answer(writer, number, serial)
            writer.finish_load()
            writer.followed(time.time())
        by_hash = [(f"name_{name}", value.hex()) for name, value in self.responder.names.items()]
        by_hash += [(f"key_{name}", value.hex()) for name, value in self.responder.keys.items()]
        (self.store / routing.FILE).write_text(json.dumps([dict(by_hash) | {"id": 1, "signs": True}]))
        self.posts, self.gets = folder / "posts", folder / "gets"
        requests = [self.responder.request(name, serial) for serial in self.serials for name in HASHES]
        self.posts.write_text("\n".join("P " + each.hex() for each in requests))
        self.gets.write_text("\n".join("G /ocsp/" + quoted(each) for each in requests))

    def _answer(self, writer: Writer, number: int, serial: int) -> None:
        responder = self.responder
        both = {name: responder.template.sign(name, serial, ocsp_response.GOOD, responder.next_update)[0] for name in HASHES}
        times = int(responder.this_update.timestamp()), int(responder.next_update.timestamp())
        ends = times[1] + 10**7
        writer.put(StoreRecord(layout.key(1, serial), 1, layout.ANSWER, *times, ends, both["sha1"], both["sha256"]))
        self.answers.append(both["sha256" if number % 2 else "sha1"])

    @property
    def what(self) -> str:
        """How many serials, for the table."""
        return f"{SERIALS:,} serials, both hashes"


def quoted(request: bytes) -> str:
    """The tail of a GET address."""
    return base64.b64encode(request).decode().replace("+", "%2B").replace("/", "%2F")
