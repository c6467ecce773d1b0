"""`pki_enter_share`: a custodian enters a share of the token's PIN, so that the `pki` worker can start."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from pki.custodians import asking
from pki.management import shares


class Command(BaseCommand):
    """Gives one share to the waiting worker on this machine; exits with 1 if it is refused or no process takes it.

    Custodians run it as themselves. It needs the worker's socket and nothing else: no database, no key, no other setting.
    """

    help = "Anger en nyckelhållares del av PIN-koden till den pki-worker som väntar på den här maskinen."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the socket, and where the share comes from."""
        parser.add_argument("--socket", default=settings.PKI_SHARE_SOCKET, metavar="UTTAG", help="i stället för PKI_SHARE_SOCKET")
        parser.add_argument("--status", action="store_true", help="visa bara hur långt starten har kommit")
        shares.add(parser)

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Enters the share."""
        try:
            if options["status"]:
                self.stdout.write(asking.status(options["socket"]).text)
                return
            asking.status(options["socket"])  # before the custodian types for nobody
            (share,) = shares.secrets(options["descriptor"], "Din del")
            reply = asking.enter(options["socket"], share)
        except asking.NobodyAnswers as nobody:
            raise CommandError(str(nobody), returncode=1) from None
        if not reply.taken:
            raise CommandError(reply.text, returncode=1)
        self.stdout.write(reply.text)
