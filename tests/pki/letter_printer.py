"""A supplier that prints PUK letters, for tests: its key, its certificate of the profile `letter`, and what it opens."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwe
from joserfc.jwk import ECKey
from joserfc.registry import HeaderParameter

from pki import service
from siths_portal.lib.canonical import sha256_hex
from tests.pki.orders import LETTER_SUBJECT, csr, order, plan

REGISTRY = jwe.JWERegistry(
    header_registry={name: HeaderParameter(name, "str") for name in ("order", "item", "serial", "kid")},
    algorithms=["ECDH-ES", "A256GCM"],
)


@dataclass
class Printer:
    """`name` is the commonName of its certificate, which has the hash `sha256`."""

    name: str = LETTER_SUBJECT["commonName"]
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    certificate: UUID = field(default_factory=uuid4)
    sha256: str = ""

    def certify(self, demo_pki: Any, profile: str = "letter") -> None:
        """Gets a certificate from the Function CA."""
        subject = LETTER_SUBJECT | {"commonName": self.name}
        ref = f"function:{self.name}"
        (self.certificate,) = plan(order(profile, csr_der=csr(self.key), subject_ref=ref, subject=subject))
        demo_pki.settle()
        (view,) = service.wait_until_settled([self.certificate], seconds=60)  # a worker beside the test may be the quicker
        self.sha256 = sha256_hex(view.der or b"")

    @property
    def private_pem(self) -> bytes:
        """The private key, as the supplier keeps it."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def open(self, text: str) -> tuple[dict[str, Any], str]:
        """The protected header and the content of a JWE. Raises DecodeError for one to another key."""
        opened = jwe.decrypt_compact(text, ECKey.import_key(self.private_pem), registry=REGISTRY)
        return opened.headers(), (opened.plaintext or b"").decode()
