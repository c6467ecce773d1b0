"""Django application of `pki`."""

from django.apps import AppConfig


class PkiConfig(AppConfig):
    """The `pki` application."""

    name = "pki"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers the system checks."""
        from pki.health import system_checks  # noqa: F401
