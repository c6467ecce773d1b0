"""`ops_retention`: deletes the rows that have had their time (gallring), as the daily task does."""

from typing import Any

from django.apps import apps
from django.core.management.base import CommandError, CommandParser

from pki.management.arguments import operator_ref
from siths_portal.lib.processes.commands import CheckedCommand
from siths_portal.ops import retention
from siths_portal.ops.retention_rules import JOB, RULES


class Command(CheckedCommand):
    """Safe to repeat. Prints a line for each table with a time limit; exits 1 if the task of a table is late."""

    help = "Gallrar det vars tid är ute, och visar tabeller vars gallring är försenad."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --dry-run and --table."""
        parser.add_argument("--dry-run", action="store_true", help="räkna bara")
        parser.add_argument("--table", action="store_true", help="visa regeln för varje tabell, och gallra inget")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Runs and reports."""
        if options["table"]:
            for label, rule in sorted(RULES.items()):
                drafts = f" (utom {rule.drafts})" if rule.drafts else ""
                table = apps.get_model(label)._meta.db_table
                self.stdout.write(f"{table}: {rule.outcome}{drafts}, {rule.period}; {rule.source}")
            return
        done = "skulle gallra" if options["dry_run"] else "gallrade"
        found = retention.run(actor_ref=operator_ref(), dry_run=options["dry_run"])
        for each in found:
            if each.task == JOB:
                self.stdout.write(f"{each.table}: {done} {each.deleted} rader")
            else:
                self.stdout.write(f"{each.table}: {each.late} rader är försenade ({each.task})")
        if late := [each.table for each in found if each.late]:
            raise CommandError(f"gallringen är försenad: {', '.join(late)}", returncode=1)
