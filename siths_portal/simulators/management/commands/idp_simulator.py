"""`idp_simulator`: the identity provider, as a separate process. The portal is one of its registered clients."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import CommandError

from siths_portal.simulators.idp import Server
from siths_portal.simulators.management.base import ServerCommand


class Command(ServerCommand):
    """Serves the provider on `--bind` until a signal ends it."""

    help = "Serves an OpenID provider that signs in test persons, and holders of cards with card and code."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares the address, the issuer, and the folders of clients and people, of cards, and of trusted CAs."""
        base = int(os.environ.get("PORT_BASE", "8000"))
        var = Path(os.environ.get("SITHS_VAR_DIR", "var"))
        parser.add_argument("--bind", default=f"127.0.0.1:{base + 10}", metavar="HOST:PORT")
        parser.add_argument("--issuer", default="", metavar="URL", help="default: http://localhost:PORT")
        parser.add_argument("--data", type=Path, default=var / "simulators" / "idp", metavar="FOLDER")
        parser.add_argument("--cards", type=Path, default=var / "simulators" / "cards", metavar="FOLDER")
        parser.add_argument("--trust", type=Path, default=var / "status" / "aia", metavar="FOLDER")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serves. Exit 2 if an address is malformed or taken."""
        self.address(options["bind"])
        issuer = urlsplit(options["issuer"])
        if options["issuer"] and (issuer.scheme not in ("http", "https") or not issuer.hostname or issuer.query):
            raise CommandError(f"--issuer: {options['issuer']} är ingen adress", returncode=2)
        self.serve(
            options["bind"],
            lambda host, port: Server(
                host, port, folder=options["data"], cards=options["cards"], trust=options["trust"], issuer=options["issuer"]
            ),
            lambda server: f"inloggningstjänsten på {options['issuer'] or f'http://localhost:{server.server_port}'}",
        )
