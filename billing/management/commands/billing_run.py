"""`billing_run --month YYYY-MM [--dry-run] [--issue]`: opens and drafts a month; `--issue` numbers and freezes the invoices."""

from typing import Any

from django.core.management.base import CommandParser

from billing.management.base import BillingCommand
from billing.records.domain import money
from billing.records.domain.periods import Month
from billing.runs.models import ItemState
from billing.runs.services import months

ACTOR = "system:billing_run"
_STATE = dict(ItemState.choices)


class Command(BillingCommand):
    """Prints one line for each customer. Can be repeated.

    Exit 1 if a customer is blocked, and with `--issue` if drafts wait for two people; the others are drafted, or issued.
    """

    help = "Fakturerar en månad som är slut: utkast, och med --issue nummer och filer."

    def add_arguments(self, parser: CommandParser) -> None:
        """Adds `--dry-run` and `--issue`."""
        super().add_arguments(parser)
        parser.add_argument("--dry-run", action="store_true", help="visa vad som skulle hända och lämna inget efter")
        parser.add_argument("--issue", action="store_true", help="ge nummer, frys och gör filer")

    def act(self, month: Month, options: dict[str, Any]) -> None:
        """Runs the month."""
        if options["issue"] and options["dry_run"]:
            self.refuse("--issue och --dry-run går inte ihop.", code=2)
        result = months.run_month(
            month, actor_ref=ACTOR, issue=options["issue"], dry_run=options["dry_run"], progress=self.progress
        )
        for customer in result.customers:
            self.stdout.write(self._line(customer))
        self.stdout.write(self._summary(result, options))
        if options["issue"] and result.drafted_only:
            waiting = f"{result.drafted_only} fakturor väntar på att två personer godkänner dem på månadens sida."
            self.refuse(waiting, code=1)
        if result.blocked:
            self.refuse(f"{result.blocked} kunder är stoppade, se ovan. Övriga berörs inte.", code=1)

    def _line(self, customer: months.CustomerResult) -> str:
        state = _STATE[customer.state]
        if customer.reasons:
            return f"{customer.name}: {state}. {' '.join(customer.reasons)}"
        if not customer.lines:
            return f"{customer.name}: {state}"
        number = f" {customer.number}" if customer.number else ""
        return f"{customer.name}: {state}{number}, {customer.lines} rader, {money.swedish(customer.payable)} kr"

    def _summary(self, result: months.RunResult, options: dict[str, Any]) -> str:
        if options["dry_run"]:
            return f"{result.month}: {result.drafted} kunder prövade, inget är sparat."
        if not (result.drafted or result.issued or result.rendered):
            return f"{result.month}: redan klar, inget ändrat."
        done = f"{result.issued} fakturor utfärdade, {result.rendered} filer gjorda"
        return f"{result.month}: {result.drafted} kunder prövade, {done}."
