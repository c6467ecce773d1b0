"""`directory_simulator`: the outside catalogue and person register, as a process of its own."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from siths_portal.simulators.directory import Server
from siths_portal.simulators.management.base import ServerCommand


class Command(ServerCommand):
    """Serves `--data`, and `organisations.json` beside it, on `--bind` until it is told to stop."""

    help = "Serves the catalogue of posts and the person register from JSON files, as the outside would."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares the address and the file."""
        parser.add_argument("--bind", default="127.0.0.1:8013", metavar="HOST:PORT")
        parser.add_argument("--data", default="var/simulators/directory/people.json", metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serves; exit 2 if the address is not one or is taken. A file that is not there yet answers 503."""
        host, _ = self.address(options["bind"])
        self.serve(
            options["bind"],
            lambda host, port: Server(host, port, Path(options["data"])),
            lambda server: f"katalog och personregister på http://{host}:{server.server_port}",
        )
