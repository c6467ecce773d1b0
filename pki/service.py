"""The public interface of `pki` for other applications: issue, hold, release and revoke certificates, and keep a card's PUK.

Functions named `plan_*` join the caller's transaction; `wait_*` wait for the `pki` worker. The operators' pages also use the
public interfaces of the packages (ADR 0342).
"""

from pki.authorities.certificates import certificates, of_der, revoked_since, wait_until_settled, with_serials
from pki.authorities.queries import authorities, chain
from pki.domain.card_proof import CardProof
from pki.domain.card_proof import Claims as CardClaims
from pki.domain.orders import CertificateOrder, CertificateView, SerialOnly
from pki.domain.problem_texts import KEYS as KEY_PROBLEMS
from pki.domain.problem_texts import SECRETS as SECRET_PROBLEMS
from pki.domain.profiles import keys_of
from pki.domain.puk import MAX_DIGITS as PUK_MAX_DIGITS
from pki.domain.puk import MIN_DIGITS as PUK_MIN_DIGITS
from pki.issuing.card_checks import certificate_names
from pki.issuing.planning import plan_certificates, plan_serial_only, wake_signer
from pki.issuing.requested import Requested, request_key, wait_for_requested, wake_certifier
from pki.models import RevocationChannel, RevocationReason
from pki.ports import BlankCard, CardCertificate, Letter, LetterRecipient, RequestedCertificates, Unlocking
from pki.revocation.holds import held as held_certificates
from pki.revocation.holds import plan_release, wait_until_released
from pki.revocation.publication import PublicationView, publication
from pki.revocation.revoking import SourceRecord, plan_revocation
from pki.secrets.deliveries import (
    DeliveryView,
    delivery,
    destroy_delivery,
    plan_delivery,
    plan_letter,
    take_delivery,
    wait_for_delivery,
)
from pki.secrets.received import SecretOutcome, destroy_secrets, plan_secret, secret_jwks, secret_outcomes, secret_state

__all__ = [
    "KEY_PROBLEMS",
    "PUK_MAX_DIGITS",
    "PUK_MIN_DIGITS",
    "SECRET_PROBLEMS",
    "BlankCard",
    "CardCertificate",
    "CardClaims",
    "CardProof",
    "CertificateOrder",
    "CertificateView",
    "DeliveryView",
    "Letter",
    "LetterRecipient",
    "PublicationView",
    "Requested",
    "RequestedCertificates",
    "RevocationChannel",
    "RevocationReason",
    "SecretOutcome",
    "SerialOnly",
    "SourceRecord",
    "Unlocking",
    "authorities",
    "certificate_names",
    "certificates",
    "chain",
    "delivery",
    "destroy_delivery",
    "destroy_secrets",
    "held_certificates",
    "keys_of",
    "of_der",
    "plan_certificates",
    "plan_delivery",
    "plan_letter",
    "plan_release",
    "plan_revocation",
    "plan_secret",
    "plan_serial_only",
    "publication",
    "request_key",
    "revoked_since",
    "secret_jwks",
    "secret_outcomes",
    "secret_state",
    "take_delivery",
    "wait_for_delivery",
    "wait_for_requested",
    "wait_until_released",
    "wait_until_settled",
    "wake_certifier",
    "wake_signer",
    "with_serials",
]
