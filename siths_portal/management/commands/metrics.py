"""`metrics --bind HOST:PORT`: serves the metrics of all processes to Prometheus."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from prometheus_client import start_http_server

from siths_portal.lib.monitoring import metrics
from siths_portal.lib.processes.ending import Ending


class Command(BaseCommand):
    """Serves until a signal ends it."""

    help = "Visar vad processerna räknar (PROMETHEUS_MULTIPROC_DIR) i Prometheus textformat på /metrics."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares --bind."""
        parser.add_argument("--bind", default=f"127.0.0.1:{settings.PORT_BASE + 90}", metavar="HOST:PORT")

    def handle(self, *args: Any, **options: Any) -> None:
        """Serves. Exit 2 if the address is malformed or taken, or if PROMETHEUS_MULTIPROC_DIR is not set."""
        if not settings.METRICS_DIR:
            raise CommandError("PROMETHEUS_MULTIPROC_DIR saknas: processerna har ingen mapp att räkna i", returncode=2)
        host, _, port = options["bind"].rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise CommandError(f"--bind: {options['bind']} är inte VÄRD:PORT", returncode=2)
        metrics.forget_the_dead(Path(settings.METRICS_DIR))
        try:
            server, thread = start_http_server(int(port), host, metrics.of_all_processes(Path(settings.METRICS_DIR)))
        except OSError as error:
            raise CommandError(f"--bind: {options['bind']}: {error.strerror}", returncode=2) from None
        ending = Ending()
        self.stdout.write(f"mätvärden på http://{host}:{server.server_port}/metrics")
        self.stdout.flush()
        ending.wait()
        server.shutdown()
        server.server_close()
        thread.join()
