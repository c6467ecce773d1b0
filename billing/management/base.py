"""The base of the billing commands: the month argument, and a refusal as one line on standard error."""

import sys
from abc import abstractmethod
from typing import Any, NoReturn

from django.core.management.base import CommandError, CommandParser

from billing.documents.seller import TAG as SELLER_CHECKS
from billing.records.domain.periods import Month
from siths_portal.lib.errors import DomainError, Invalid
from siths_portal.lib.processes.commands import CheckedCommand


class BillingCommand(CheckedCommand):
    """Exit 0: done. 1: the command found a fault or a conflict. 2: wrong use, such as a month that is not over."""

    requires_system_checks = [*CheckedCommand.requires_system_checks, SELLER_CHECKS]

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds `--month`."""
        parser.add_argument("--month", required=True, metavar="YYYY-MM", help="månaden, till exempel 2026-10")

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs `act` with the month. A DomainError ends the command with its message and exit 1, or 2 if it is Invalid."""
        try:
            month = Month.parse(options["month"])
        except ValueError:
            self.refuse("Månaden skrivs ÅÅÅÅ-MM, till exempel 2026-10.", code=2)
        try:
            self.act(month, options)
        except DomainError as error:
            self.refuse(error.message, code=2 if isinstance(error, Invalid) else 1)

    @abstractmethod
    def act(self, month: Month, options: dict[str, Any]) -> None:
        """Does the command's work for the month. May raise DomainError."""

    def refuse(self, message: str, *, code: int) -> NoReturn:
        """Ends the command with `message` on standard error."""
        raise CommandError(message, returncode=code)

    def progress(self, done: int, total: int) -> None:
        """Shows the progress of a long step, on a terminal only."""
        if sys.stderr.isatty():
            self.stderr.write(f"\r{done} av {total}", ending="\n" if done == total else "")
