"""The door of `pki`: what other applications may call. Functions named `plan_*` join the caller's transaction."""

from pki.models import RevocationReason
from pki.revoking import plan_revocation
from pki.secrets import destroy_secrets, plan_secret, secret_jwks, secret_state

__all__ = [
    "RevocationReason",
    "destroy_secrets",
    "plan_revocation",
    "plan_secret",
    "secret_jwks",
    "secret_state",
]
