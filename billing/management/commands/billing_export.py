"""`billing_export --month YYYY-MM --format peppol|pdf|sie|csv --to DIR`: a month's issued invoices as files."""

from typing import Any

from django.core.management.base import CommandParser

from billing.invoices.services import exporting
from billing.management.base import BillingCommand
from billing.records.domain.periods import Month
from siths_portal.lib.files.path_arguments import writable_folder


class Command(BillingCommand):
    """Writes the files and prints the path of each."""

    help = "Skriver en månads utfärdade fakturor som filer."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds `--format` and `--to`."""
        super().add_arguments(parser)
        parser.add_argument("--format", required=True, choices=exporting.FORMATS, help="vilket slags filer")
        parser.add_argument(
            "--to", required=True, type=writable_folder, metavar="MAPP", help="mapp som filerna skrivs i; den ska finnas"
        )

    def act(self, month: Month, options: dict[str, Any]) -> None:
        """Exports the month."""
        try:
            paths = exporting.export(month, options["format"], options["to"])
        except OSError as error:
            self.refuse(f"Mappen går inte att skriva i: {error.strerror}.", code=2)
        for path in paths:
            self.stdout.write(str(path))
