"""Django application of the composition root: commands, system checks, wiring of adapters to ports."""

from django.apps import AppConfig


class SithsPortalConfig(AppConfig):
    """Wires adapters to ports once all models are loaded."""

    name = "siths_portal"

    def ready(self) -> None:
        """Registers system checks, and has every port connected to the adapter that the settings name when one is used."""
        from siths_portal.lib import checks, ports  # noqa: F401  (registers the checks)

        ports.connect_by(_connect)


def _connect() -> None:
    from siths_portal import wiring  # loads the services of all applications

    wiring.connect()
