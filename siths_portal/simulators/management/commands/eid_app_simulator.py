"""`eid_app_simulator`: the SITHS eID app's windows, as a process of its own that knows the portal by its API alone."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError

from siths_portal.lib.processes.ending import Ending
from siths_portal.simulators.eid_app import Server


class Command(BaseCommand):
    """Serves the app on `--bind` for the cards in `--cards` until it is told to stop."""

    help = "Serves the SITHS eID app's windows: shows cards, sets their code, signs receipts, all by the portal's API."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares the address, the portal and the card reader."""
        base = int(os.environ.get("PORT_BASE", "8000"))
        cards = Path(os.environ.get("SITHS_VAR_DIR", "var")) / "simulators" / "cards"
        parser.add_argument("--bind", default=f"127.0.0.1:{base + 11}", metavar="HOST:PORT")
        parser.add_argument("--portal", default=os.environ.get("PORTAL_BASE_URL", f"http://localhost:{base}"), metavar="URL")
        parser.add_argument("--cards", type=Path, default=cards, metavar="FOLDER")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serves; exit 2 if an address is not one or is taken."""
        host, _, port = options["bind"].rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise CommandError(f"--bind: {options['bind']} är inte VÄRD:PORT", returncode=2)
        portal = urlsplit(options["portal"])
        if portal.scheme not in ("http", "https") or not portal.hostname or portal.path.strip("/"):
            raise CommandError(f"--portal: {options['portal']} är ingen portals adress", returncode=2)
        ending = Ending()  # before anybody can see that we listen
        try:
            server = Server(host, int(port), portal_url=options["portal"], cards=options["cards"])
        except OSError as error:
            raise CommandError(f"--bind: {options['bind']}: {error.strerror}", returncode=2) from None
        self.stdout.write(f"SITHS eID-appen på http://localhost:{server.server_port}")
        self.stdout.flush()
        with server:
            server.serve_until(ending)
