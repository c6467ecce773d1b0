"""The base of the commands that serve a simulator over HTTP."""

from collections.abc import Callable

from django.core.management.base import BaseCommand, CommandError

from siths_portal.lib.processes.ending import Ending
from siths_portal.simulators.http_server import Server


class ServerCommand(BaseCommand):
    """Serves until a signal ends it."""

    requires_system_checks = []

    def address(self, bind: str) -> tuple[str, int]:
        """Returns host and port of `--bind`. Raises CommandError with exit status 2 if it is not HOST:PORT."""
        host, _, port = bind.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise CommandError(f"--bind: {bind} är inte VÄRD:PORT", returncode=2)
        return host, int(port)

    def serve[S: Server](self, bind: str, make: Callable[[str, int], S], greeting: Callable[[S], str]) -> None:
        """Runs the server that `make` returns for host and port. Raises CommandError with exit status 2 if it is taken."""
        host, port = self.address(bind)
        ending = Ending()  # before the server listens, so that a signal right after cannot be missed
        try:
            server = make(host, port)
        except OSError as error:
            raise CommandError(f"--bind: {bind}: {error.strerror}", returncode=2) from None
        self.stdout.write(greeting(server))
        self.stdout.flush()
        with server:
            server.serve_until(ending)
