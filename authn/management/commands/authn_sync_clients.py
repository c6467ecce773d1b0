"""`authn_sync_clients [FILE]`: loads machine clients and their certificates from the file into the database."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from authn.services import clients
from siths_portal.lib.errors import DomainError
from siths_portal.lib.files.path_arguments import readable_file
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Updates the register of clients to match the file. Deactivates clients and revokes certificates that the file lacks."""

    help = "Loads suppliers and services with their client certificates from SUPPLIERS_FILE (YAML or JSON)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares the file."""
        parser.add_argument(
            "file",
            nargs="?",
            type=readable_file,
            default=settings.SUPPLIERS_FILE or None,
            metavar="FILE",
            help="default: the setting SUPPLIERS_FILE",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints one line. Exit 2 without a file; 1 if the file is refused, and then nothing is changed."""
        if not options["file"]:
            raise CommandError("Ange en fil, eller inställningen SUPPLIERS_FILE.", returncode=2)
        try:
            result = clients.sync_clients(options["file"])
        except DomainError as error:
            raise CommandError(error.message) from None
        self.stdout.write(
            f"{result.clients} klienter, {result.certificates} certifikat: {result.added} nya, {result.changed} ändrade, "
            f"{result.deactivated} avstängda, {result.certificates_revoked} certifikat spärrade"
        )
