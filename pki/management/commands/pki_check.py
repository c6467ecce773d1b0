"""Checks the CAs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from pki import inspection


class Command(BaseCommand):
    """One line for each thing looked at; exits 1 if anything is wrong."""

    help = "Kontrollerar utfärdare, HSM, spärrlistor, OCSP-svar och deras signerare."

    def handle(self, *args: Any, **options: Any) -> None:
        """Checks."""
        wrong = 0
        for finding in inspection.inspect():
            wrong += not finding.ok
            self.stdout.write(f"{'ok ' if finding.ok else 'FEL'} {finding.subject}: {finding.text}")
        if wrong:
            raise CommandError(f"{wrong} kontroller visar fel", returncode=1)
