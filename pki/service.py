"""The door of `pki`: what other applications may call. Functions named `plan_*` join the caller's transaction."""

from pki.authorities import AuthorityView, authorities, chain
from pki.deliveries import DeliveryView, delivery, destroy_delivery, plan_delivery, wait_for_delivery
from pki.lookup import certificates, revoked_since, wait_until_settled
from pki.models import RevocationReason
from pki.orders import CertificateOrder, CertificateView, SerialOnly
from pki.planning import plan_certificates, plan_serial_only
from pki.publication import PublicationView, publication
from pki.revoking import plan_revocation
from pki.secrets import destroy_secrets, plan_secret, secret_jwks, secret_state

__all__ = [
    "AuthorityView",
    "CertificateOrder",
    "CertificateView",
    "DeliveryView",
    "PublicationView",
    "RevocationReason",
    "SerialOnly",
    "authorities",
    "certificates",
    "chain",
    "delivery",
    "destroy_delivery",
    "destroy_secrets",
    "plan_certificates",
    "plan_delivery",
    "plan_revocation",
    "plan_secret",
    "plan_serial_only",
    "publication",
    "revoked_since",
    "secret_jwks",
    "secret_state",
    "wait_for_delivery",
    "wait_until_settled",
]
