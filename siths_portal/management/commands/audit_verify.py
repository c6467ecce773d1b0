"""`audit_verify`: verifies the audit chains."""

import argparse
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError

from pki.health import reports
from pki.management.arguments import operator_ref
from siths_portal.lib import ports
from siths_portal.lib.audit.keys import AuditKeys
from siths_portal.lib.processes.commands import CheckedCommand
from siths_portal.wiring import chains, heads, verifying
from siths_portal.wiring.verifying import describe, describe_heads

MOST_NAMED = 1000
"""How many rows that differ are named, a line each beyond those of the walk's own line."""


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("ett sigills nummer är ett heltal från 1")
    return int(text)


class Command(CheckedCommand):
    """Prints a line for each application, the signed heads and each of `verifying.WALKS`; exits 1 if anything does not agree."""

    help = (
        "Går igenom händelsekedjan för varje app och visar den första rad som inte stämmer. MAC räknas om när processen har "
        "token och PIN; annars kontrolleras hashar, ankare och signerade huvuden, och det sägs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --app, --from and --macs."""
        parser.add_argument("--app", metavar="A", help="bara denna app")
        parser.add_argument("--from", dest="start", metavar="N", type=_number, default=1, help="börja vid sigill N")
        parser.add_argument("--macs", action="store_true", help="kräv att MAC räknas om: fel om token inte kan användas")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verifies."""
        found = {chain.app: chain for chain in chains.all_chains()}
        wanted = options["app"]
        if wanted and wanted not in found:
            raise CommandError(f"ingen händelsekedja heter {wanted}; det finns: {', '.join(found)}", returncode=2)
        bad, unasked = [], not ports.get(AuditKeys).usable()
        for app in [wanted] if wanted else found:
            verified = chains.verify(found[app], start=options["start"])
            self.stdout.write(f"{app}: {describe(verified)}")
            self._remember(app, describe(verified), verified.ok, verified.checked, verified.macs, whole=options["start"] == 1)
            bad += [] if verified.ok else [app]
            unasked = unasked or verified.token_silent
        report = heads.examine()
        self.stdout.write(f"huvuden: {describe_heads(report)}")
        self._remember(reports.HEADS, describe_heads(report), not report.fault, report.count, None)
        if report.fault:
            bad.append("huvuden")
        for walk in verifying.WALKS:
            if wanted in (None, walk.app):
                result = walk.compare()
                self.stdout.write(f"{walk.label}: {result.text}")
                for each in result.wrong[verifying.NAMED : MOST_NAMED]:
                    self.stdout.write(f"{walk.label}: {each}")
                self._remember(walk.name, result.text, not result.wrong, result.checked, None)
                bad += [walk.label] if result.wrong else []
        if bad:
            raise CommandError(f"händelsekedjan stämmer inte: {', '.join(bad)}", returncode=1)
        if unasked and options["macs"]:
            raise CommandError("MAC är inte kontrollerade: token går inte att använda här", returncode=1)
        if unasked:
            self.stderr.write("MAC är inte kontrollerade: bara hashar, ankare och signerade huvuden stämmer")

    def _remember(self, chain: str, text: str, ok: bool, checked: int, macs: int | None, *, whole: bool = True) -> None:
        """Stores the result for the operators' page. If the database accepts no rows, the result stays the same."""
        try:
            verifying.keep(chain, text, ok, checked, macs, actor_ref=operator_ref(), whole=whole)
        except DatabaseError as error:
            self.stderr.write(f"resultatet är inte sparat ({type(error).__name__})")
