"""Django application of `issuance`."""

from typing import Any

from django.apps import AppConfig


class IssuanceConfig(AppConfig):
    """The `issuance` application."""

    name = "issuance"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connects the receivers of `pki`'s signals for revocations and settled PUKs, and sets the function that fills the
        registries.
        """
        from pki.signals import certificate_revoked, secret_settled
        from siths_portal.lib import registry

        certificate_revoked.connect(_revoked, dispatch_uid="issuance.certificate_revocation")
        secret_settled.connect(_settled, dispatch_uid="issuance.puks")
        registry.fill_by(_register)


def _revoked(**signal: Any) -> None:
    from issuance.revocation.services import certificate_revocation  # loads the services, which most commands never need

    certificate_revocation.on_certificate_revoked(**signal)


def _register() -> None:
    from issuance import registrations  # loads the services of most packages

    registrations.register_all()


def _settled(**signal: Any) -> None:
    from issuance.suppliers.services import supplier_events

    supplier_events.on_secret_settled(**signal)
