"""Revokes a certificate."""

import datetime as dt
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pki import revoking
from pki.management import arguments
from pki.models import RevocationReason
from siths_portal.lib import clock
from siths_portal.lib.errors import DomainError


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=clock.STOCKHOLM)


class Command(BaseCommand):
    """Final. The OCSP answer follows within seconds, the CRL at its next publication."""

    help = "Spärrar ett certifikat. Går inte att ta tillbaka."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the arguments."""
        parser.add_argument("--ca", required=True, metavar="NAMN", help="utfärdaren, till exempel person-hsaid-3")
        parser.add_argument("--serial", required=True, metavar="HEX", type=arguments.serial, help="certifikatets serienummer")
        parser.add_argument("--reason", required=True, choices=RevocationReason.values, help="spärrorsak enligt RFC 5280")
        parser.add_argument("--justification", default="", metavar="TEXT", help="varför, för dem som granskar")
        parser.add_argument("--received-at", type=_moment, metavar="TID", help="när begäran kom in, om inte nu")
        parser.add_argument("--invalidity-date", type=_moment, metavar="TID", help="när nyckeln kan ha kommit i orätta händer")

    def handle(self, *args: Any, **options: Any) -> None:
        """Revokes."""
        ca = arguments.authority(options["ca"])
        try:
            row = revoking.revoke_serial(
                ca,
                options["serial"],
                reason=options["reason"],
                actor_ref=arguments.operator_ref(),
                received_at=options["received_at"] or clock.now(),
                channel="command",
                justification=options["justification"],
                invalidity_date=options["invalidity_date"],
            )
        except DomainError as error:
            raise CommandError(error.message, returncode=1) from error
        when = row.revoked_at.astimezone(clock.STOCKHOLM).strftime("%Y-%m-%d %H:%M:%S") if row.revoked_at else ""
        self.stdout.write(f"{ca.slug} {row.serial}: {row.status} {when} {row.reason}".rstrip())
