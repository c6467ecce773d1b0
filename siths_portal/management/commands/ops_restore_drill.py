"""`ops_restore_drill`: shows in an installation of its own that nothing issued is lost with the machine, and in what time."""

import argparse
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from siths_portal.lib.processes.commands import CheckedCommand
from siths_portal.management import drill_client
from siths_portal.ops import drilling

CERTIFICATES = 500


def _refuse_outside_development() -> None:
    if not settings.DEBUG:
        raise CommandError(
            "övningen görs på en utvecklingsmaskin, för den gör egna tokens med SoftHSM: starta den med DEBUG=1", returncode=2
        )


class Command(CheckedCommand):
    """Touches nothing of this installation: it makes one in a temporary folder and removes it. Needs development's settings."""

    help = "Övar en återläsning: utfärdar, raderar allt, läser tillbaka och jämför med klientens egen lista."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --certificates. The drill itself uses the hidden ones for the steps that it runs as processes."""
        parser.add_argument("--certificates", type=int, default=CERTIFICATES, metavar="N", help="så många efter kopian")
        for name in ("--issue", "--compare"):
            parser.add_argument(name, type=Path, help=argparse.SUPPRESS)
        for name in ("--revoke", "--revoke-old"):
            parser.add_argument(name, type=int, default=0, help=argparse.SUPPRESS)

    def check(self, *arguments: Any, **options: Any) -> None:
        """Says first what a clone without settings lacks: the checks of production would name a dozen other things."""
        _refuse_outside_development()
        super().check(*arguments, **options)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Prints each step with its seconds. Exits with 1 if a step failed or anything differs, with 2 outside development."""
        _refuse_outside_development()
        if options["issue"]:
            drill_client.issue(
                options["certificates"], options["issue"], revoke_new=options["revoke"], revoke_old=options["revoke_old"]
            )
        elif options["compare"]:
            for line in drill_client.compare(options["compare"]):
                self.stdout.write(line)
        else:
            self._drill(options["certificates"])

    def _drill(self, count: int) -> None:
        began = time.monotonic()
        try:
            found = drilling.drill(count, say=self.stdout.write)
        except drilling.DrillFailed as error:
            raise CommandError(str(error), returncode=1) from None
        for line in found:
            self.stdout.write(line)
        if found:
            raise CommandError(f"{len(found)} skillnader", returncode=1)
        whole = count + drilling.YESTERDAY
        self.stdout.write(
            f"{whole} av {whole} certifikat är tillbaka, 0 skillnader; övningen tog {time.monotonic() - began:.1f} s"
        )
