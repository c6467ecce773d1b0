"""Django application of `billing`."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """The `billing` application."""

    name = "billing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers the system checks of the seller."""
        from billing.documents import seller  # noqa: F401
