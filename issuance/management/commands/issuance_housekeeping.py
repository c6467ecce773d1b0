"""`issuance_housekeeping`: applies the deadlines of cards, eIDs, orders and role requests, as the hourly task does."""

from argparse import ArgumentParser
from typing import Any

from issuance.housekeeping.services import deadlines
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Applies the deadlines (rules/issuance 4.4). Safe to repeat and to skip."""

    help = "Revokes cards not activated or signed for in time, expires carriers, eIDs and their orders, and ends overdue work."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares `--dry-run`."""
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs and reports one line."""
        done = deadlines.run(dry_run=options["dry_run"])
        head = "skulle ta" if options["dry_run"] else "tog"
        self.stdout.write(
            f"{head}: {done.not_activated} inte aktiverade, {done.not_signed} utan underskrift, "
            f"{done.carriers_expired} kort och {done.eids_expired} SITHS eID utgångna, "
            f"{done.certificates_revoked} kort med spärrade certifikat, {done.draft_photos} foton ur påbörjade beställningar, "
            f"{done.transactions_ended} aktiveringar i appen vars tid har gått ut, "
            f"{done.roles_ended} aktiveringar och beställningar vars rollinnehavare inte har rollen längre, "
            f"{done.role_requests} begärda roller som ingen beslutade om i tid, "
            f"{done.eid_orders} beställda SITHS eID som ingen hämtade i tid"
        )
