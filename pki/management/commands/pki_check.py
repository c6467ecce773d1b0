"""Checks the CAs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from pki.domain.findings import Severity
from pki.health import checks

_MARKS = {Severity.OK: "ok ", Severity.WARNING: "OBS", Severity.ERROR: "FEL"}


class Command(BaseCommand):
    """One line for each thing looked at: ok, OBS (look at it) or FEL; exits 1 if anything is wrong."""

    help = (
        "Kontrollerar HSM, utfärdare, spärrlistor, OCSP-svar, signering, nyckelinventering, kortcertifikat, händelsesigill och "
        "klocka."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Checks."""
        wrong = 0
        for finding in checks.check_all():
            wrong += not finding.ok
            self.stdout.write(f"{_MARKS[finding.severity]} {finding.subject}: {finding.text}")
        if wrong:
            raise CommandError(f"{wrong} kontroller visar fel", returncode=1)
