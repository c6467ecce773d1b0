"""The door of `pki`: what other applications may call. Functions named `plan_*` join the caller's transaction."""

from pki.authorities import AuthorityView, authorities, chain
from pki.deliveries import DeliveryView, delivery, destroy_delivery, plan_delivery, wait_for_delivery
from pki.lookup import certificates, revoked_since, wait_until_settled
from pki.mass_revocation import (
    MassRevocationGrounds,
    MassRevocationView,
    mass_revocation,
    mass_revocations,
    request_mass_revocation,
    start_mass_revocation,
    stop_mass_revocation,
)
from pki.mass_selection import MassRevocationDryRun, MassRevocationGroup, MassSelection
from pki.mass_selection import dry_run as mass_revocation_dry_run
from pki.models import RevocationChannel, RevocationReason
from pki.orders import CertificateOrder, CertificateView, SerialOnly
from pki.planning import plan_certificates, plan_serial_only
from pki.publication import PublicationView, publication
from pki.revoking import SourceRecord, plan_revocation
from pki.secrets import destroy_secrets, plan_secret, secret_jwks, secret_state

__all__ = [
    "AuthorityView",
    "CertificateOrder",
    "CertificateView",
    "DeliveryView",
    "MassRevocationDryRun",
    "MassRevocationGrounds",
    "MassRevocationGroup",
    "MassRevocationView",
    "MassSelection",
    "PublicationView",
    "RevocationChannel",
    "RevocationReason",
    "SerialOnly",
    "SourceRecord",
    "authorities",
    "certificates",
    "chain",
    "delivery",
    "destroy_delivery",
    "destroy_secrets",
    "mass_revocation",
    "mass_revocation_dry_run",
    "mass_revocations",
    "plan_certificates",
    "plan_delivery",
    "plan_revocation",
    "plan_secret",
    "plan_serial_only",
    "publication",
    "request_mass_revocation",
    "revoked_since",
    "secret_jwks",
    "secret_state",
    "start_mass_revocation",
    "stop_mass_revocation",
    "wait_for_delivery",
    "wait_until_settled",
]
