"""Publishes what the OCSP responder answers from."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from pki.ocsp_publishing import LOOK_EACH, Publisher
from pki.ocspd.writing import Taken
from siths_portal.lib.ending import Ending


class Command(BaseCommand):
    """Follows the database into the OCSP store until it is told to end."""

    help = "Publicerar OCSP-svar till de filer som pki_ocspd svarar ur."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --once."""
        parser.add_argument("--once", action="store_true", help="en gång, och sluta sedan")

    def handle(self, *args: Any, **options: Any) -> None:
        """Publishes."""
        folder = Path(settings.PKI_OCSP_STORE_DIR)
        try:
            with Publisher(folder) as publisher:
                if options["once"]:
                    publisher.look()
                    self.stdout.write(f"{publisher.writer.count} serienummer i {folder}")
                else:
                    self._follow(publisher)
        except Taken as error:
            raise CommandError(f"{folder} skrivs redan av en annan process", returncode=1) from error
        except OSError as error:
            raise CommandError(f"{folder}: {error.strerror}", returncode=1) from error
        except OperationalError as error:
            raise CommandError("databasen svarar inte", returncode=1) from error

    def _follow(self, publisher: Publisher) -> None:
        ending = Ending()
        publisher.turn()
        while not ending.wait(LOOK_EACH):
            publisher.turn()
