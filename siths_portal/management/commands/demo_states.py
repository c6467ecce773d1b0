"""`demo_states`: people with cards in every state that the portal shows, and `var/demo/guide.txt`, which says who they are."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from siths_portal.demo import states
from siths_portal.lib.errors import DomainError


class Command(BaseCommand):
    """Safe to repeat. Needs `demo_load`, the CA `demo-bulk`, and catalogue and register that answer."""

    help = "Gives the demo cards in every state, and a guide to who has them."

    def handle(self, *args: Any, **options: Any) -> None:
        """Loads; exit 1 if a service refuses."""
        try:
            states.load(self.stdout.write)
        except DomainError as error:
            raise CommandError(f"{error.code}: {error.message}", returncode=1) from None
