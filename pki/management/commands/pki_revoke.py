"""`pki_revoke`: revokes a certificate."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from pki.management import arguments, grounds
from pki.revocation import revoking
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Revokes finally. The OCSP response changes within seconds, the CRL at its next publication."""

    help = "Spärrar ett certifikat. Går inte att ta tillbaka."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the arguments."""
        parser.add_argument("--ca", required=True, metavar="NAMN", help="utfärdaren, till exempel person-hsaid-3")
        parser.add_argument("--serial", required=True, metavar="HEX", type=arguments.serial, help="certifikatets serienummer")
        grounds.add(parser, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """Revokes the certificate."""
        ca = arguments.authority(options["ca"])
        try:
            request = revoking.RevocationRequest(actor_ref=arguments.operator_ref(), **grounds.given(options))
            row = revoking.revoke_serial(ca, options["serial"], request)
        except DomainError as error:
            raise CommandError(grounds.error_line(error), returncode=1) from error
        when = row.revoked_at.astimezone(clock.STOCKHOLM).strftime("%Y-%m-%d %H:%M:%S") if row.revoked_at else ""
        self.stdout.write(f"{ca.slug} {row.serial}: {row.status} {when} {row.reason}".rstrip())
