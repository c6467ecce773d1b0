"""Django application of the composition root: commands, system checks, wiring of adapters to ports."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SithsPortalConfig(AppConfig):
    """Wires adapters to ports once all models are loaded."""

    name = "siths_portal"

    def ready(self) -> None:
        """Registers system checks, and sets the function that connects all ports at the first use of one."""
        from siths_portal.lib import checks, ports  # noqa: F401  (registers the checks)

        ports.connect_by(_connect)
        post_migrate.connect(_apply_privileges)


def _connect() -> None:
    from siths_portal.wiring import ports as wiring  # loads the services of all applications

    wiring.connect()


def _apply_privileges(**_facts: Any) -> None:
    """Grants the declared privileges at the end of `migrate`, which runs as the owner of the tables.

    Django sends the signal for each application; the calls after the first change nothing.
    """
    from siths_portal.wiring import privileges

    privileges.apply()
