"""`pki_ocsp_publish`: writes the OCSP store, from which the OCSP responder responds."""

from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError

from pki.ocsp.publishing import LOOK_EACH, Publisher
from pki.ocspd.writing import StoreLocked
from siths_portal.lib.processes.commands import CheckedCommand
from siths_portal.lib.processes.ending import Ending

log = structlog.get_logger(__name__)


class Command(CheckedCommand):
    """Copies changes in the database to the OCSP store until a signal ends it."""

    help = "Publicerar OCSP-svar till de filer som pki_ocspd svarar ur."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --once."""
        parser.add_argument("--once", action="store_true", help="en gång, och sluta sedan")

    def handle(self, *args: Any, **options: Any) -> None:
        """Publishes."""
        folder = Path(settings.PKI_OCSP_STORE_DIR)
        try:
            if options["once"]:
                with Publisher(folder) as publisher:
                    publisher.look()
                    self.stdout.write(f"{publisher.writer.count} serienummer i {folder}")
            else:
                _follow(folder)
        except StoreLocked as error:
            raise CommandError(
                f"{folder} skrivs redan av en annan process: är det ocsp-publisher behöver inget göras", returncode=1
            ) from error
        except OSError as error:
            raise CommandError(f"{folder}: {error.strerror}", returncode=1) from error
        except OperationalError as error:
            raise CommandError("databasen svarar inte", returncode=1) from error


def _follow(folder: Path) -> None:
    ending = Ending()
    publisher = _opened(folder, ending)
    if publisher is None:
        return
    with publisher:
        publisher.turn()
        while not ending.wait(LOOK_EACH):
            publisher.turn()


def _opened(folder: Path, ending: Ending) -> Publisher | None:
    """Returns the store when no other process writes it; None if a signal ends the process before.

    Without a publisher, a worker that makes a CRL may hold the store until it is updated (`pki.ocsp.store_sync`).
    """
    waits = False
    while True:
        try:
            return Publisher(folder)
        except StoreLocked:
            if not waits:
                log.warning("ocsp_store.taken", folder=str(folder))
            waits = True
        if ending.wait(LOOK_EACH):
            return None
