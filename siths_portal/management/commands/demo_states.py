"""`demo_states`: makes cards in every state that the portal shows, and writes `var/demo/guide.txt` with their holders."""

from typing import Any

from django.core.management.base import CommandError

from siths_portal.demo import states
from siths_portal.lib.errors import DomainError
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Can be repeated. Needs `demo_load`, the CA `demo-bulk`, and the running HSA directory and person register."""

    help = "Gives the demo cards in every state, and a guide to who has them."

    def handle(self, *args: Any, **options: Any) -> None:
        """Loads. Exit 1 if a service refuses."""
        try:
            states.load(self.stdout.write)
        except DomainError as error:
            raise CommandError(f"{error.code}: {error.message}", returncode=1) from None
