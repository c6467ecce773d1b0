"""`directory_simulator`: the outside catalogue and person register, as a process of its own."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from siths_portal.lib.processes.ending import Ending
from siths_portal.simulators.directory import Server


class Command(BaseCommand):
    """Serves `--data`, and `organisations.json` beside it, on `--bind` until it is told to stop."""

    help = "Serves the catalogue of posts and the person register from JSON files, as the outside would."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares the address and the file."""
        parser.add_argument("--bind", default="127.0.0.1:8013", metavar="HOST:PORT")
        parser.add_argument("--data", default="var/simulators/directory/people.json", metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serves; exit 2 if the address is not one or is taken. A file that is not there yet answers 503."""
        host, _, port = options["bind"].rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise CommandError(f"--bind: {options['bind']} är inte VÄRD:PORT", returncode=2)
        ending = Ending()  # before anybody can see that we listen
        try:
            server = Server(host, int(port), Path(options["data"]))
        except OSError as error:
            raise CommandError(f"--bind: {options['bind']}: {error.strerror}", returncode=2) from None
        self.stdout.write(f"katalog och personregister på http://{host}:{server.server_port}")
        self.stdout.flush()
        with server:
            server.serve_until(ending)
