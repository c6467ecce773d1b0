"""`demo_sandbox [--new]`: queues orders with every failure case for a supplier under test, and judges how they ended."""

import textwrap
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from siths_portal.demo import sandbox, sandbox_api, tls
from siths_portal.demo.ordering import NobodyLeft
from siths_portal.demo.sandbox_letters import PukFault
from siths_portal.lib.errors import DomainError
from siths_portal.lib.processes.commands import CheckedCommand

_MARGIN = " " * 8


class Command(CheckedCommand):
    """Can be repeated: does what is due in the round under way, or queues the next round once all its cases are decided."""

    help = "Queues an order of each case for a supplier under test, and says what its client is expected to do with each."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declares --new."""
        parser.add_argument("--new", action="store_true", help="queue another round, also if cases of this one are open")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prints the cases. Exit 2 with DEBUG off, 1 if a service refuses, the API is another's or there are no people left."""
        if not settings.DEBUG:
            raise CommandError("The sandbox runs in development only (DEBUG).", returncode=2)
        try:
            delivery = sandbox_api.require_answer()
            sandbox.load()
            clerk, last = sandbox.clerk(), sandbox.last_round()
            number = sandbox.open_round(clerk, new=options["new"])
            done = sandbox.act(clerk, number)
        except DomainError as error:
            raise CommandError(f"{error.code}: {error.message}", returncode=1) from None
        except (NobodyLeft, PukFault, sandbox_api.ApiFault) as error:
            raise CommandError(str(error), returncode=1) from None
        self.stdout.write(f"GET {tls.supplier_api()}/me answers as {tls.SANDBOX_REF}, which takes {delivery}.")
        if last not in (0, number):
            self._judge(last)
        self._show(number)
        for code in done:
            self.stdout.write(f"{code}: the customer acted")

    def _judge(self, number: int) -> None:
        self.stdout.write(f"Round {number} ended.")
        for one in sandbox.outcomes(number):
            self.stdout.write(f"{one.verdict:<8}{one.case.code:<17}{one.order.pk}  {one.order.state}  {one.note}".rstrip())
        self.stdout.write("")

    def _show(self, number: int) -> None:
        identity = tls.sandbox_identity()
        self.stdout.write(f"Sandbox, round {number}. The supplier under test is {tls.SANDBOX_REF}.\n")
        for name, value in (
            ("Address", tls.supplier_api()),
            ("Its file", identity.folder / "api"),
            ("Certificate", identity.certificate_file),
            ("Key", identity.key_file),
            ("Key of the letter certificate", identity.folder / "letter.key"),
            ("CA of the portal's certificate", identity.folder / "ca.pem"),
            ("Root of cards' certificates", identity.folder / "root.pem"),
            ("Portal's public key, for push", identity.folder / "portal.keys"),
        ):
            self.stdout.write(f"  {name:<32}{value}")
        self.stdout.write(f"\nFor the shell: export API={tls.supplier_api()} ID={identity.folder}")
        for one in sandbox.outcomes(number):
            self.stdout.write(f"\n{one.verdict:<8}{one.case.code:<17}{one.order.pk}  {one.order.state}, ends as {one.case.ends}")
            for text in filter(None, (one.case.happens, one.case.expected, one.note)):
                self.stdout.write(textwrap.fill(text, 100, initial_indent=_MARGIN, subsequent_indent=_MARGIN))
        self.stdout.write(
            "\nRun it again after each step of your client: it does what the customer does then, and judges the ends. "
            "The portal runs on until you say make stop."
        )
