"""`pki_presign_ocsp`: pre-signs OCSP responses."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pki.authorities import clock_guard
from pki.hsm import HsmError
from pki.management import arguments
from pki.ocsp import presigning
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Signs responses that are missing, outdated or past half their validity; for a given CA signs all of them again."""

    help = "Signerar OCSP-svar i förväg."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --ca."""
        parser.add_argument("--ca", metavar="NAMN", help="gör om alla svar för denna utfärdare; för roten krävs dess token")

    def handle(self, *args: Any, **options: Any) -> None:
        """Signs the responses."""
        if options["ca"]:
            self._anew(options["ca"])
            return
        total = 0
        while done := presigning.presign_due():
            total += done
            if self.stderr.isatty():
                self.stderr.write(f"\r{total}", ending="")
        self.stdout.write(f"svar signerade för {total} certifikat")
        if waiting := presigning.backlog():
            left = ", ".join(f"{slug} ({count})" for slug, count in waiting.items())
            raise CommandError(f"certifikat som saknar svar: {left}", returncode=1)

    def _anew(self, name: str) -> None:
        ca = arguments.authority(name)
        try:
            count = presigning.presign_all(ca)
        except (HsmError, presigning.SelfCheckFailed, clock_guard.ClockWentBack) as error:
            raise CommandError(f"{ca.slug}: inga svar kunde signeras ({type(error).__name__})", returncode=1) from error
        self.stdout.write(f"{ca.slug}: svar signerade för {count} certifikat")
