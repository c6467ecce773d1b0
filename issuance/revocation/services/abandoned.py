"""What is revoked when a mobile eID is begun and not completed (rules/issuance 5.12)."""

from issuance.authz import system
from issuance.carriers.models import Carrier
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation


def revoke_abandoned(carrier: Carrier) -> None:
    """Revokes the locked carrier of an enrolment that has ended, with the certificates that it may have."""
    revocation.revoke_locked([carrier], actor=system("mobile-not-completed"), reason=RevocationReason.NOT_ACTIVATED)
