"""`pki_with_shares COMMAND …`: runs an operator's command that needs the token, after two custodians entered their shares."""

import argparse
from typing import Any

from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import CommandError, CommandParser

from pki.custodians import held
from pki.custodians.entering import Entry, Refused
from pki.health import starting
from pki.management import arguments, shares
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Holds the shares for one command, in this process, and forgets them afterwards. The worker's PIN never leaves the worker.

    Both custodians sit at one terminal. The events name the user who logged in there.
    """

    help = "Kör ett kommando som behöver token, efter att två nyckelhållare har angett sina delar."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declares the command and its arguments."""
        shares.add(parser)
        parser.add_argument("command", metavar="KOMMANDO", help="till exempel pki_check")
        parser.add_argument("arguments", metavar="ARGUMENT", nargs=argparse.REMAINDER, help="kommandots egna argument")

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Exits with 1 if a share is refused, 2 for a command that does not exist, else as the command does."""
        if options["command"] not in get_commands():
            raise CommandError(f"kommandot {options['command']} finns inte", returncode=2)
        if not settings.PKI_START_BY_TWO:
            raise CommandError("PKI_START_BY_TWO är av här: kör kommandot som det är", returncode=2)
        user = arguments.operator_ref().removeprefix("operator:")
        held.shield()
        entry = Entry(verify=starting.token_takes_pin, two_users=False)
        try:
            for share in shares.secrets(options["descriptor"], "Första nyckelhållarens del", "Andra nyckelhållarens del"):
                entry.enter(share, user)
        except Refused as refused:
            raise CommandError(str(refused), returncode=1) from None
        if not held.is_complete():
            raise CommandError(entry.progress().text, returncode=1)
        try:
            call_command(options["command"], *options["arguments"], stdout=self.stdout, stderr=self.stderr)
        finally:
            held.forget()
