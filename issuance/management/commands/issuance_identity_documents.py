"""`issuance_identity_documents`: prints the ways to identify a holder as Markdown (docs/rules/issuance.md 5.2)."""

from typing import Any

from django.core.management.base import BaseCommand

from issuance.activation.domain.identity_documents import described


class Command(BaseCommand):
    """Prints the table of the rules."""

    help = "Prints the ways to identify a holder as Markdown: what each leads to, and what the clerk checks."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Prints the table."""
        self.stdout.write("\n".join(described()))
