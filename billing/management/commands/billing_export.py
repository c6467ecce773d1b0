"""`billing_export --month YYYY-MM --format peppol|pdf|sie|csv --to DIR`: a month's issued invoices as files."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from billing import service
from billing.domain.periods import Month
from billing.management.base import BillingCommand


class Command(BillingCommand):
    """Writes the files and names each on standard output."""

    help = "Skriver en månads utfärdade fakturor som filer."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds `--format` and `--to`."""
        super().add_arguments(parser)
        parser.add_argument("--format", required=True, choices=service.FORMATS, help="vilket slags filer")
        parser.add_argument("--to", required=True, type=Path, metavar="DIR", help="katalog som filerna skrivs i")

    def act(self, month: Month, options: dict[str, Any]) -> None:
        """Exports the month."""
        try:
            paths = service.export(month, options["format"], options["to"])
        except OSError as error:
            self.refuse(f"Katalogen går inte att skriva i: {error.strerror}.", code=2)
        for path in paths:
            self.stdout.write(str(path))
