"""`supplier_simulator`: a card supplier, as a separate process that uses only the portal's API."""

import os
from argparse import ArgumentParser
from pathlib import Path
from threading import Event, Thread
from typing import Any

from cryptography import x509
from django.core.management.base import CommandError

from siths_portal.lib.processes.ending import Ending
from siths_portal.simulators.management.base import ServerCommand
from siths_portal.simulators.supplier import Supplier
from siths_portal.simulators.supplier_client import Api
from siths_portal.simulators.supplier_letters import Printer
from siths_portal.simulators.supplier_push import Book, PushedSupplier, Server
from siths_portal.simulators.supplier_records import Records

P256_ARTICLES = ("610",)


class Command(ServerCommand):
    """Pulls orders and makes cards every `--interval` seconds until a signal ends it, or once with `--once`.

    With `--push` it serves the calls of docs/wire/supplier-push.openapi.yaml instead of pulling.
    """

    help = "Pulls card orders over mTLS, makes software cards, and reports them produced and sent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares the portal's URL, the client certificate, and the folders of records and cards."""
        simulators = Path(os.environ.get("SITHS_VAR_DIR", "var")) / "simulators"
        home = simulators / "supplier"
        port = int(os.environ.get("PORT_BASE", "8000")) + 443
        parser.add_argument("--once", action="store_true", help="one round; exit 1 if an order is left undone")
        parser.add_argument("--order", metavar="ID", help="this order only")
        parser.add_argument("--interval", type=float, default=10.0, metavar="S")
        parser.add_argument(
            "--base-url", default=os.environ.get("SUPPLIER_API_URL", f"https://localhost:{port}"),
            help="of the portal; empty with --push: take orders and make no cards",
        )  # fmt: skip
        parser.add_argument("--folder", type=Path, default=home, help="the supplier's own records")
        parser.add_argument("--cards", type=Path, default=simulators / "cards")
        parser.add_argument("--client-cert", type=Path, help="default: client.pem in the folder")
        parser.add_argument("--client-key", type=Path, help="default: client.key in the folder")
        parser.add_argument("--letter-key", type=Path, help="opens PUK letters (default: letter.key in the folder, if there)")
        parser.add_argument("--ca", type=Path, help="issuer of the portal's TLS certificate (default: ca.pem in the folder)")
        parser.add_argument(
            "--p256-article", action="append", metavar="NUMBER",
            help="article whose cards get P-256 keys, others RSA-2048; repeatable (default: 610, portrait with photo)",
        )  # fmt: skip
        parser.add_argument("--spoil", action="store_true", help="spoil the first card of each order and make another")
        parser.add_argument(
            "--push", metavar="HOST:PORT",
            help="take orders by signed calls there, with server.pem, server.key, signing.keys and portal.keys of --folder",
        )  # fmt: skip
        parser.add_argument("--portal-name", default="siths-portal", help="common name of the portal's client certificate")
        parser.add_argument("--root", type=Path, help="root that the card certificates must lead to (default: root.pem if there)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs. Exit 2 if a file is missing; 1 after `--once` if an order is not finished."""
        for name, file in (("client_cert", "client.pem"), ("client_key", "client.key"), ("ca", "ca.pem")):
            options[name] = options[name] or options["folder"] / file
            if not options[name].is_file():
                raise CommandError(f"--{name.replace('_', '-')}: {options[name]} saknas", returncode=2)
        records = Records(options["folder"])
        supplier = (PushedSupplier if options["push"] else Supplier)(
            api=Api(options["base_url"], options["client_cert"], options["client_key"], options["ca"]),
            records=records,
            cards=options["cards"],
            root=self._root(options["root"], options["folder"] / "root.pem"),
            report=self._say,
            spoils=options["spoil"],
            printer=self._printer(options["letter_key"], options["folder"]),
            p256_articles=frozenset(P256_ARTICLES if options["p256_article"] is None else options["p256_article"]),
        )
        if isinstance(supplier, PushedSupplier):
            self._serve_push(supplier, options)
        elif options["once"]:
            if not supplier.round(options["order"]):
                raise CommandError("En beställning blev inte klar.")
        else:
            ending = Ending()  # before anything visible, to miss no signal
            supplier.round(options["order"])
            while not ending.wait(options["interval"]):
                supplier.round(options["order"])

    def _serve_push(self, supplier: PushedSupplier, options: dict[str, Any]) -> None:
        """Serves the calls, and works on what they told in a thread of its own."""
        book = supplier.book = Book(options["folder"], supplier.records)
        stop = Event()
        worker = Thread(target=supplier.work, args=(stop, options["interval"]), daemon=True)

        def make(host: str, port: int) -> Server:
            server = Server(host, port, book, portal_name=options["portal_name"])
            if options["base_url"]:
                worker.start()
            return server

        self.serve(options["push"], make, lambda server: f"kortleverantör på https://localhost:{server.server_port}")
        stop.set()
        book.told.set()

    def _printer(self, given: Path | None, folder: Path) -> Printer | None:
        path = given or folder / "letter.key"
        if given is not None and not path.is_file():
            raise CommandError(f"--letter-key: {path} saknas", returncode=2)
        return Printer(path, folder / "letters") if path.is_file() else None

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
