"""The check of a delivery for a PUK letter, before its secret is opened; in the `pki` worker only (S24).

The row of the delivery comes from the process that planned it, and names no key. The worker asks who prints the letter (port
`LetterOrders`), and takes the recipient's key from a certificate that it issued itself.
"""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pki.domain import jwe as jwe_format
from pki.models import Certificate, CertificateBlob, CertificateStatus, Fingerprint, Secret, SecretDelivery, SecretState
from pki.ports import Letter, LetterOrders, LetterRecipient
from pki.secrets.deliveries import letter_handle
from pki.secrets.sealing import Refused
from siths_portal.lib import clock, ports

PROFILE = "letter"
"""The profile of the certificates that letters are encrypted to."""

_MEMBERS = ("kty", "crv", "x", "y")


@dataclass(frozen=True)
class OrderedLetter:
    """A letter that was ordered: the secret that it carries, its recipient's public key (JWK), and the JWE's protected header."""

    secret: Secret
    recipient_jwk: dict[str, str]
    header: dict[str, str]


def ordered_letter(row: SecretDelivery) -> OrderedLetter:
    """Returns the letter that the delivery is for. Raises Refused: no such letter is ordered, it was made before, or its
    recipient has no valid certificate of ours.
    """
    secret = row.secret
    order, item = str(row.header.get("order", "")), str(row.header.get("item", ""))
    if secret is None or row.handle_sha256 != letter_handle(order, item):
        raise Refused("letter-mismatch")
    if secret.state != SecretState.SEALED or secret.owner_ref != row.owner_ref:
        raise Refused("secret-not-sealed")
    if SecretDelivery.objects.filter(handle_sha256=row.handle_sha256, proof_verified_at__isnull=False).exists():
        raise Refused("proof-used")
    found = ports.get(LetterOrders).recipient(Letter(row.id, order, item, row.owner_ref, row.actor_ref))
    if found.refusal:
        raise Refused(found.refusal)
    key = _key(found)
    public = jwe_format.public_jwk(key, "")
    header = {"kid": found.certificate_sha256, "order": order, "item": item, "serial": str(secret.expected_header.get("serial"))}
    return OrderedLetter(secret, {name: public[name] for name in _MEMBERS}, header)


def _key(recipient: LetterRecipient) -> ec.EllipticCurvePublicKey:
    """Returns the key of the recipient's certificate. Raises Refused unless we issued it to that name, for letters, and it is
    valid now.
    """
    if not recipient.certificate_sha256:
        raise Refused("recipient-unknown")
    blobs = CertificateBlob.objects.annotate(sha256=Fingerprint("der"))
    blob = blobs.filter(sha256=bytes.fromhex(recipient.certificate_sha256)).select_related("certificate__profile_version").first()
    if blob is None or not _is_for_letters(blob.certificate):
        raise Refused("recipient-unknown")
    certificate = x509.load_der_x509_certificate(bytes(blob.der))
    names = [name.value for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    key = certificate.public_key()
    if names != [recipient.name] or not isinstance(key, ec.EllipticCurvePublicKey):
        raise Refused("recipient-unknown")
    valid = blob.certificate.status == CertificateStatus.ISSUED and not blob.certificate.held
    if not valid or not certificate.not_valid_before_utc <= clock.now() <= certificate.not_valid_after_utc:
        raise Refused("recipient-not-valid")
    return key


def _is_for_letters(row: Certificate) -> bool:
    return row.profile_version is not None and row.profile_version.name == PROFILE
