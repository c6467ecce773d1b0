"""Django application of `authn`."""

from django.apps import AppConfig


class AuthnConfig(AppConfig):
    """The `authn` application."""

    name = "authn"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers the authentication with drf-spectacular."""
        from authn import openapi  # noqa: F401
