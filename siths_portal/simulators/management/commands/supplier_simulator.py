"""`supplier_simulator`: a card supplier, as a separate process that uses only the portal's API."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from cryptography import x509
from django.core.management.base import BaseCommand, CommandError

from siths_portal.lib.processes.ending import Ending
from siths_portal.simulators.supplier import Records, Supplier
from siths_portal.simulators.supplier_client import Api

P256_ARTICLES = ("610",)


class Command(BaseCommand):
    """Pulls orders and makes cards every `--interval` seconds until a signal ends it, or once with `--once`."""

    help = "Pulls card orders over mTLS, makes software cards, and reports them produced and sent."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares the portal's URL, the client certificate, and the folders of records and cards."""
        simulators = Path(os.environ.get("SITHS_VAR_DIR", "var")) / "simulators"
        home = simulators / "supplier"
        port = int(os.environ.get("PORT_BASE", "8000")) + 443
        parser.add_argument("--once", action="store_true", help="one round; exit 1 if an order is left undone")
        parser.add_argument("--order", metavar="ID", help="this order only")
        parser.add_argument("--interval", type=float, default=10.0, metavar="S")
        parser.add_argument("--base-url", default=os.environ.get("SUPPLIER_API_URL", f"https://localhost:{port}"))
        parser.add_argument("--folder", type=Path, default=home, help="the supplier's own records")
        parser.add_argument("--cards", type=Path, default=simulators / "cards")
        parser.add_argument("--client-cert", type=Path, default=home / "client.pem")
        parser.add_argument("--client-key", type=Path, default=home / "client.key")
        parser.add_argument("--ca", type=Path, default=home / "ca.pem", help="issuer of the portal's TLS certificate")
        parser.add_argument(
            "--p256-article", action="append", metavar="NUMBER",
            help="article whose cards get P-256 keys, others RSA-2048; repeatable (default: 610, portrait with photo)",
        )  # fmt: skip
        parser.add_argument("--spoil", action="store_true", help="spoil the first card of each order and make another")
        parser.add_argument("--root", type=Path, help="root that the card certificates must lead to (default: root.pem if there)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs. Exit 2 if a file is missing; 1 after `--once` if an order is not finished."""
        for name in ("client_cert", "client_key", "ca"):
            if not options[name].is_file():
                raise CommandError(f"--{name.replace('_', '-')}: {options[name]} saknas", returncode=2)
        ending = None if options["once"] else Ending()  # before anything visible, to miss no signal
        supplier = Supplier(
            api=Api(options["base_url"], options["client_cert"], options["client_key"], options["ca"]),
            records=Records(options["folder"]),
            cards=options["cards"],
            root=self._root(options["root"], options["folder"] / "root.pem"),
            report=self._say,
            spoils=options["spoil"],
            p256_articles=frozenset(P256_ARTICLES if options["p256_article"] is None else options["p256_article"]),
        )
        if ending is None:
            if not supplier.round(options["order"]):
                raise CommandError("En beställning blev inte klar.")
            return
        supplier.round(options["order"])
        while not ending.wait(options["interval"]):
            supplier.round(options["order"])

    def _root(self, given: Path | None, default: Path) -> x509.Certificate | None:
        path = given or default
        if given is None and not default.exists():
            return None
        try:
            return x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError):
            raise CommandError(f"--root: {path} är inget PEM-certifikat", returncode=2) from None

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
