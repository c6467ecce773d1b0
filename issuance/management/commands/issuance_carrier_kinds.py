"""`issuance_carrier_kinds`: prints the kinds of carriers as Markdown (docs/carrier-kinds.md)."""

from typing import Any

from django.core.management.base import BaseCommand

from issuance.carriers.domain.described import document


class Command(BaseCommand):
    """Prints `docs/carrier-kinds.md`."""

    help = "Prints the kinds of carriers as Markdown: states, certificates, rights."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Prints the document."""
        self.stdout.write(document(), ending="")
