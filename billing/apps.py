"""Django application of `billing`."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """The `billing` application."""

    name = "billing"
    default_auto_field = "django.db.models.BigAutoField"
