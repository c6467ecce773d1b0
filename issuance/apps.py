"""Django application of `issuance`."""

from django.apps import AppConfig


class IssuanceConfig(AppConfig):
    """The `issuance` application."""

    name = "issuance"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listens to revocations that begin in `pki`."""
        from issuance.services import certificate_revocation
        from pki.signals import certificate_revoked

        certificate_revoked.connect(certificate_revocation.heard, dispatch_uid="issuance.certificate_revocation")
