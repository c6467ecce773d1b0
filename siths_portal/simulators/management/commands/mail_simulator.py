"""`mail_simulator`: a mail server that keeps messages in a folder, as a separate process."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from siths_portal.lib.processes.ending import Ending
from siths_portal.simulators.mail import Server
from siths_portal.simulators.management.base import ServerCommand


class Command(ServerCommand):
    """Serves SMTP on `--bind` and keeps messages in `--folder`, until a signal ends it."""

    help = "Serves a mail server that keeps what it gets and delivers nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares the address and the folder."""
        base = int(os.environ.get("PORT_BASE", "8000"))
        folder = Path(os.environ.get("SITHS_VAR_DIR", "var")) / "simulators" / "mail"
        parser.add_argument("--bind", default=f"127.0.0.1:{base + 15}", metavar="HOST:PORT")
        parser.add_argument("--folder", type=Path, default=folder, metavar="FOLDER")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serves. Exit 2 if the address is malformed or taken."""
        host, port = self.address(options["bind"])
        ending = Ending()  # before the server listens, so that a signal right after cannot be missed
        try:
            server = Server(host, port, options["folder"])
        except OSError as error:
            raise CommandError(f"--bind: {options['bind']}: {error.strerror}", returncode=2) from None
        self.stdout.write(f"e-postserver på {host}:{server.port}")
        self.stdout.flush()
        server.serve_until(ending)
