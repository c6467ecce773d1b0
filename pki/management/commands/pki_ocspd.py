"""`pki_ocspd`: the OCSP responder as its own process."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from siths_portal.lib.processes.commands import CheckedCommand

# The public OCSP process gets no environment variable for the database, the queue or the token.
KEPT = ("HOME", "LANG", "LC_ALL", "PATH", "PROMETHEUS_MULTIPROC_DIR", "PYTHONPATH", "SITHS_HOUSE", "SITHS_PROGRAM", "TMPDIR")


class Command(CheckedCommand):
    """Replaces this process by the supervisor of `pki.ocspd`."""

    help = "OCSP-svararen som egen process: utan databas och nycklar, ur de filer som pki_ocsp_publish skriver."
    requires_system_checks = []  # it has no key, no database and no site

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares --bind and --workers."""
        parser.add_argument("--bind", metavar="ADRESS:PORT", default="127.0.0.1:8003")
        parser.add_argument("--workers", metavar="N", type=int, default=2)

    def handle(self, *args: Any, **options: Any) -> None:
        """Replaces this process by the server."""
        host, _, port = options["bind"].rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise CommandError("--bind ska vara ADRESS:PORT", returncode=2)
        if options["workers"] < 1:
            raise CommandError("--workers ska vara minst 1", returncode=2)
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {"PYTHONPATH": str(settings.BASE_DIR)}
        command = [
            sys.executable, "-m", "pki.ocspd", "--store", str(settings.PKI_OCSP_STORE_DIR), "--bind", options["bind"],
            "--workers", str(options["workers"]), "--memo", str(settings.PKI_OCSPD_MEMO),
        ]  # fmt: skip
        os.execve(sys.executable, command, environment)  # noqa: S606  (no shell)
