"""`eid_app_simulator`: the SITHS eID app's pages, as a separate process that uses only the portal's API."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError

from siths_portal.simulators.eid_app import Server
from siths_portal.simulators.management.base import ServerCommand


class Command(ServerCommand):
    """Serves the app on `--bind` for the cards in `--cards` until a signal ends it."""

    help = "Serves the SITHS eID app's windows: shows cards, sets their code, signs receipts, all by the portal's API."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares the address, the origin that browsers use, the portal and the card reader."""
        base = int(os.environ.get("PORT_BASE", "8000"))
        cards = Path(os.environ.get("SITHS_VAR_DIR", "var")) / "simulators" / "cards"
        parser.add_argument("--bind", default=f"127.0.0.1:{base + 11}", metavar="HOST:PORT")
        parser.add_argument("--origin", default="", metavar="URL", help="as browsers reach it, if not by localhost")
        parser.add_argument("--portal", default=os.environ.get("PORTAL_BASE_URL", f"http://localhost:{base}"), metavar="URL")
        own = os.environ.get("MINASIDOR_BASE_URL", f"http://localhost:{base + 1}")
        parser.add_argument("--minasidor", default=own, metavar="URL")
        parser.add_argument("--cards", type=Path, default=cards, metavar="FOLDER")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serves. Exit 2 if an address is malformed or taken."""
        self.address(options["bind"])
        for name in ("portal", "minasidor"):
            site = urlsplit(options[name])
            if site.scheme not in ("http", "https") or not site.hostname or site.path.strip("/"):
                raise CommandError(f"--{name}: {options[name]} är ingen portals adress", returncode=2)
        self.serve(
            options["bind"],
            lambda host, port: Server(
                host,
                port,
                portal_url=options["portal"],
                cards=options["cards"],
                origin=options["origin"],
                own_url=options["minasidor"],
            ),
            lambda server: f"SITHS eID-appen på http://localhost:{server.server_port}",
        )
