"""Walks the audit chains."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from siths_portal import chains
from siths_portal.lib import audit


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("ett sigills nummer är ett heltal från 1")
    return int(text)


class Command(BaseCommand):
    """Prints one line an application; exits 1 if a chain does not agree, naming its first bad row."""

    help = "Går igenom händelsekedjan för varje app och visar den första rad som inte stämmer."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --app and --from."""
        parser.add_argument("--app", metavar="A", help="bara denna app")
        parser.add_argument("--from", dest="start", metavar="N", type=_number, default=1, help="börja vid sigill N")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verifies."""
        found = {chain.app: chain for chain in chains.all_chains()}
        wanted = options["app"]
        if wanted and wanted not in found:
            raise CommandError(f"ingen händelsekedja heter {wanted}; det finns: {', '.join(found)}", returncode=2)
        bad = []
        for app in [wanted] if wanted else found:
            result = chains.verify(found[app], start=options["start"])
            self.stdout.write(f"{app}: {describe(result)}")
            if not result.ok:
                bad.append(app)
        if bad:
            raise CommandError(f"händelsekedjan stämmer inte: {', '.join(bad)}", returncode=1)


def describe(result: audit.Verification) -> str:
    """The command's line about one chain."""
    if not result.ok:
        return f"FEL vid sigill {result.first_bad}: {result.fault} ({result.checked} sigill stämmer)"
    line = f"{result.checked} sigill stämmer"
    if not result.unsealed:
        return f"{line}, ingen händelse väntar på sigill"
    return f"{line}, {result.unsealed} händelser väntar på sigill, den äldsta sedan {audit.age(result).total_seconds():.0f} s"
