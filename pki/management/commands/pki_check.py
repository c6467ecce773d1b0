"""`pki_check`: runs the health checks of the PKI."""

from typing import Any

from django.core.management.base import CommandError

from pki.domain.findings import Severity
from pki.health import checks
from siths_portal.lib.processes.commands import CheckedCommand

_MARKS = {Severity.OK: "ok ", Severity.WARNING: "OBS", Severity.ERROR: "FEL"}


class Command(CheckedCommand):
    """Prints one line for each check: ok, OBS (warning) or FEL (error); exits with 1 if there is an error."""

    help = (
        "Kontrollerar HSM, utfärdare, spärrlistor, OCSP-svar, signering, nyckelinventering, kortcertifikat, händelsesigill och "
        "klocka."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs the checks."""
        wrong = 0
        for finding in checks.check_all():
            wrong += not finding.ok
            self.stdout.write(f"{_MARKS[finding.severity]} {finding.subject}: {finding.text}")
        if wrong:
            raise CommandError(f"{wrong} kontroller visar fel", returncode=1)
