"""`access_point_simulator`: a Peppol access point with its receivers, as a separate process."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from siths_portal.simulators.access_point import Server
from siths_portal.simulators.management.base import ServerCommand


class Command(ServerCommand):
    """Serves on `--bind` and keeps the documents in `--folder`, until a signal ends it."""

    help = "Serves a Peppol access point that takes e-invoices and answers for their receivers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares the address, the folder and how long receivers take."""
        base = int(os.environ.get("PORT_BASE", "8000"))
        folder = Path(os.environ.get("SITHS_VAR_DIR", "var")) / "simulators" / "access-point"
        parser.add_argument("--bind", default=f"127.0.0.1:{base + 14}", metavar="HOST:PORT")
        parser.add_argument("--folder", type=Path, default=folder, metavar="FOLDER")
        parser.add_argument("--delay", type=float, default=2.0, metavar="SECONDS")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serves. Exit 2 if the address is malformed or taken."""
        host, _ = self.address(options["bind"])
        self.serve(
            options["bind"],
            lambda host, port: Server(host, port, options["folder"], delay=options["delay"]),
            lambda server: f"accesspunkt på http://{host}:{server.server_port}",
        )
