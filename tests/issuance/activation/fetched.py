"""The eID app's part of fetching an ordered eID, with keys in memory. Needs the fixtures `demo_pki` and `world`."""

from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from issuance.activation.models import CertificateRequest
from issuance.activation.services import activation_app, card_requests, certifying, fetching
from issuance.activation.services.card_requests import Certified
from issuance.activation.services.visits import Opened
from issuance.authz import holder
from issuance.carriers.domain.kinds import CARD_PROFILES
from issuance.carriers.models import Carrier
from issuance.orders.models.eid_orders import EidOrder
from pki.issuing.certifying import certify as certify_in_the_worker
from tests.issuance.activated import App, Made


def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass
class Fetching:
    """The holder's app with a card in use and new keys for an order."""

    made: Made
    order: EidOrder
    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=lambda: {profile: _key() for profile in CARD_PROFILES})
    opened: Opened | None = None
    app: Any = None
    made_certificates: Certified | None = None
    signature: bytes = b""

    def start(self) -> Any:
        """The holder opens the order on Mina sidor, and the card proves itself."""
        self.opened = fetching.open_for(actor=holder(self.order.carrier.holder_id), order_id=self.order.pk)
        self.app = App(self.made)
        return self.app.start(self.opened)

    def csrs(self, started: Any) -> dict[str, bytes]:
        """A request for each new key that the portal asks for, DER."""
        return {profile: self.csr(profile) for profile in started.profiles}

    def csr(self, profile: str) -> bytes:
        """A request for the new key of the profile, DER."""
        return _csr(self.keys[profile])

    def sign(self, statement: bytes) -> bytes:
        """The confirmation of the holder with the new key."""
        return self.keys["person-hsaid-sign"].sign(statement, ec.ECDSA(hashes.SHA256()))

    def ask(self, csrs: dict[str, bytes], *, by: Any = None) -> Certified | None:
        """The app asks for the certificates, signed by the card key."""
        assert self.opened is not None
        row = self.opened.transaction
        signature = (by or self.made.keys).prove(card_requests.message(row, csrs))
        return certifying.certify(step_token=self.app.token, csrs=csrs, signature=signature)

    def certify(self) -> Certified:
        """Both in one, with the worker's part."""
        csrs = self.csrs(self.app.started)
        if (made := self.ask(csrs)) is None:
            certify_in_the_worker(CertificateRequest.objects.get(eid_order=self.order).pk)
            made = self.ask(csrs)
        assert made is not None
        self.made_certificates = made
        return made

    def confirm(self) -> Carrier:
        """The app has written the certificates, and the holder signs with the new key."""
        assert self.made_certificates is not None
        if not self.signature:
            self.signature = self.sign(self.made_certificates.statement)
        return activation_app.complete(step_token=self.app.token, signature=self.signature)

    def fetch(self) -> Carrier:
        """All of it."""
        self.start()
        self.certify()
        return self.confirm()


def _csr(key: Any) -> bytes:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)
