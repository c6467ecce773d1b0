"""`directory_simulator`: the HSA directory and the person register, as a separate process."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from siths_portal.simulators.directory import Server
from siths_portal.simulators.management.base import ServerCommand


class Command(ServerCommand):
    """Serves `--data` and `organisations.json` next to it on `--bind` until a signal ends it."""

    help = "Serves the catalogue of posts and the person register from JSON files, as the outside would."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares the address and the file."""
        parser.add_argument("--bind", default="127.0.0.1:8013", metavar="HOST:PORT")
        parser.add_argument("--data", default="var/simulators/directory/people.json", metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serves. Exit 2 if the address is malformed or taken. A missing file gives 503."""
        host, _ = self.address(options["bind"])
        self.serve(
            options["bind"],
            lambda host, port: Server(host, port, Path(options["data"])),
            lambda server: f"katalog och personregister på http://{host}:{server.server_port}",
        )
