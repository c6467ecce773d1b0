"""Django application of `issuance`."""

from typing import Any

from django.apps import AppConfig


class IssuanceConfig(AppConfig):
    """The `issuance` application."""

    name = "issuance"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listens to revocations that begin in `pki`."""
        from pki.signals import certificate_revoked

        certificate_revoked.connect(_revoked, dispatch_uid="issuance.certificate_revocation")


def _revoked(**signal: Any) -> None:
    from issuance.services import certificate_revocation  # loads the services, which most commands never need

    certificate_revocation.heard(**signal)
