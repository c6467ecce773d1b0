"""Django application of `issuance`."""

from django.apps import AppConfig


class IssuanceConfig(AppConfig):
    """The `issuance` application."""

    name = "issuance"
    default_auto_field = "django.db.models.BigAutoField"
