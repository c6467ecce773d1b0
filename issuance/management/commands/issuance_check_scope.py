"""`issuance_check_scope`: compares scope paths with the tree, and people's scopes with the rows that determine them."""

from typing import Any

from django.core.management.base import CommandError

from issuance.people.queries.scope_check import scope_faults
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Exits with 0 if everything agrees, or with 1 and a line about the differences."""

    help = "Checks scope paths against the tree of organisations, and where people are visible."

    def handle(self, *args: Any, **options: Any) -> None:
        """Checks and reports."""
        faults = scope_faults()
        if not faults.ok:
            for path in faults.paths:
                self.stdout.write(f"fel sökväg: {path}")
            for order in faults.eid_orders:
                self.stdout.write(f"fel organisation eller person: beställning av eID {order}")
            raise CommandError(
                f"{len(faults.paths)} fel sökväg, {len(faults.eid_orders)} fel beställning av eID, "
                f"synlighet: {faults.missing} saknas, {faults.surplus} för mycket, "
                f"{faults.misnamed} med fel namn"
            )
        self.stdout.write("sökvägar och synlighet stämmer")
