"""A holder's log-ins and devices with keys in memory, for tests of mobile eIDs. Needs the fixtures `demo_pki` and `maker`."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings

from authn.ports import Subject
from authn.services import sessions
from issuance.authz import holder
from issuance.carriers.domain.kinds import MOBILE_EID
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier
from issuance.mobile.models import MobileEnrolment, MobileRequest
from issuance.mobile.services import device_app, device_proofs, device_start, enrolling
from issuance.mobile.services.device_proofs import DeviceProof
from issuance.mobile.services.enrolling import LoggedIn, Offered
from pki.issuing.certifying import certify as certify_in_the_worker
from siths_portal.lib import clock


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def der(made: ec.EllipticCurvePrivateKey) -> bytes:
    return made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Browser:
    """A holder who is logged in on Mina sidor with `card`, or with what the provider does not name."""

    person_id: UUID
    card: Carrier | None
    means: str = "loa3"
    session_id: UUID | None = None
    at: Any = None

    def __post_init__(self) -> None:
        self.at = clock.now()
        subject = Subject(self.actor.ref, "", "Elin Olsson", "", self.means, self.ref)
        self.session_id = sessions.start(subject, sessions.LogIn(self.at, "", {}))[0].pk

    @property
    def actor(self) -> Any:
        return holder(self.person_id)

    @property
    def ref(self) -> str:
        return carrier_ref(self.card.pk) if self.card else ""

    @property
    def log_in(self) -> LoggedIn:
        assert self.session_id is not None
        return LoggedIn(self.session_id, self.at, self.ref)

    def log_in_again(self, means: str = "") -> None:
        """The second log-in, in the same session."""
        self.at = clock.now()
        assert self.session_id is not None
        log_in = sessions.LogIn(self.at, "", {})
        assert sessions.renew(self.session_id, log_in, means=means or self.means, credential_ref=self.ref)

    def accepted(self) -> MobileEnrolment:
        return enrolling.accept(actor=self.actor, log_in=self.log_in)

    def offered(self) -> Offered:
        """A start code, after terms and second log-in."""
        row = self.accepted()
        self.log_in_again()
        return enrolling.offer(actor=self.actor, enrolment_id=row.pk, log_in=self.log_in)


def browser(card: Carrier) -> Browser:
    assert card.person_id is not None
    return Browser(card.person_id, card)


@dataclass
class Device:
    """A phone, with the keys in its protected store."""

    maker: Any
    name: str = "Elins telefon"
    first: ec.EllipticCurvePrivateKey = field(default_factory=key)
    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=lambda: {each: key() for each in MOBILE_EID.profiles()})
    token: str = ""
    made: Any = None
    signature: bytes = b""

    def proof(self, handle: str, **changes: Any) -> DeviceProof:
        """The device's proof for this start code; `changes` are fields that were changed after the signature."""
        attestation = self.maker.attest([self.first.public_key()])
        unsigned = DeviceProof(self.name, der(self.first), attestation, settings.MINASIDOR_BASE_URL, b"")
        signature = self.first.sign(unsigned.message(handle), ec.ECDSA(hashes.SHA256()))
        return DeviceProof(**({**vars(unsigned), "signature": signature} | changes))

    def start(self, handle: str) -> Any:
        started = device_start.start(handle=handle, proof=self.proof(handle))
        self.token = started.step_token
        return started

    def csrs(self) -> dict[str, bytes]:
        return {profile: _csr(made) for profile, made in self.keys.items()}

    def ask(self, row: MobileEnrolment, *, attested: Any = None, by: Any = None) -> Any:
        """The device asks for its certificates; None while the worker has not made them."""
        csrs = self.csrs()
        row.refresh_from_db()
        attestation = self.maker.attest([made.public_key() for made in (attested or self.keys).values()])
        signature = (by or self.first).sign(device_proofs.message(row, csrs), ec.ECDSA(hashes.SHA256()))
        return device_app.certify(step_token=self.token, csrs=csrs, attestation=attestation, signature=signature)

    def certify(self, row: MobileEnrolment) -> Any:
        """Both in one, with the worker's part."""
        if (made := self.ask(row)) is None:
            certify_in_the_worker(MobileRequest.objects.get(enrolment=row).pk)
            made = self.ask(row)
        assert made is not None
        self.made = made
        return made

    def sign(self) -> None:
        """The holder signs the statement, once."""
        if not self.signature:
            self.signature = self.keys["mobile-sign"].sign(self.made.statement, ec.ECDSA(hashes.SHA256()))

    def confirm(self) -> Carrier:
        device_app.set_code(step_token=self.token)
        self.sign()
        return device_app.complete(step_token=self.token, signature=self.signature)

    def enrol(self, offered: Offered) -> Carrier:
        """All of the device's part."""
        self.start(offered.handle)
        self.certify(offered.enrolment)
        return self.confirm()


def _csr(made: Any) -> bytes:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(made, hashes.SHA256())
    return request.public_bytes(Encoding.DER)
