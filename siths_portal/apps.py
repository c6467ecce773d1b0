"""Django application of the composition root: commands, system checks, wiring of adapters to ports."""

from django.apps import AppConfig


class SithsPortalConfig(AppConfig):
    """Wires adapters to ports once all models are loaded."""

    name = "siths_portal"

    def ready(self) -> None:
        """Registers system checks and connects every port to the adapter that the settings name."""
        from siths_portal import celery, wiring  # noqa: F401  (makes the Celery application current)
        from siths_portal.lib import checks  # noqa: F401  (registers the checks)

        wiring.connect()
