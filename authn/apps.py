"""Django application of `authn`."""

from django.apps import AppConfig


class AuthnConfig(AppConfig):
    """The `authn` application."""

    name = "authn"
    default_auto_field = "django.db.models.BigAutoField"
