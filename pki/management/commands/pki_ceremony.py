"""`pki_ceremony FILE.yaml [--dry-run]`: the key ceremony that the file describes."""

import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pki import ceremony
from pki.domain.ceremony_file import CeremonyFileError, parse
from pki.hsm import HsmError
from pki.issuing import NotIssuable
from siths_portal.lib.errors import DomainError


class Command(BaseCommand):
    """Makes keys and CA certificates as the file says, publishes CRLs and certificates, and writes the transcript."""

    help = "Nyckelceremoni: gör nycklar och utfärdarcertifikat som filen säger, med protokoll. Att upprepa ändrar inget."

    def add_arguments(self, parser: CommandParser) -> None:
        """`file` and `--dry-run`."""
        parser.add_argument("file", type=Path, metavar="FIL", help="ceremonifilen (YAML)")
        parser.add_argument("--dry-run", action="store_true", help="säg vad som skulle göras, och gör inget")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exit 0 when all is as the file says, 1 when it cannot become so, 2 for a file that cannot be followed."""
        try:
            plan = parse(options["file"].read_bytes())
        except OSError as error:
            raise CommandError(f"filen går inte att läsa: {error.strerror}", returncode=2) from None
        except CeremonyFileError as error:
            raise CommandError(f"ceremonifilen går inte att följa: {error}", returncode=2) from None
        started = time.monotonic()
        try:
            if options["dry_run"]:
                for line in ceremony.intentions(plan) or ["inget att göra"]:
                    self.stdout.write(line)
                return
            outcome = ceremony.perform(plan, say=self._say)
        except DomainError as error:
            raise CommandError(error.message) from None
        except HsmError as error:
            raise CommandError(f"HSM: {type(error).__name__}: {error}") from None
        except NotIssuable as error:
            raise CommandError(f"certifikatet kan inte utfärdas: {error}") from None
        if not outcome.changed:
            self.stdout.write(f"{outcome.authorities} utfärdare finns redan som filen säger; inget är ändrat")
            return
        self.stdout.write(f"{outcome.authorities} utfärdare klara på {time.monotonic() - started:.1f} s: {outcome.transcript}")

    def _say(self, line: str) -> None:
        if sys.stdout.isatty():
            self.stdout.write(f"  {line}")
