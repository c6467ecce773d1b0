"""`billing_reconcile --month YYYY-MM`: the thirteen differences; exit 1 unless all are 0."""

from decimal import Decimal
from typing import Any

from billing.management.base import BillingCommand
from billing.reconciliation.services import reconcile
from billing.records.domain import money
from billing.records.domain.periods import Month


class Command(BillingCommand):
    """Prints one line for each difference, with what differs."""

    help = "Stämmer av en månads fakturering: tretton differenser som alla ska vara 0."

    def act(self, month: Month, options: dict[str, Any]) -> None:
        """Reconciles the month."""
        differences = reconcile.reconcile(month)
        for each in differences:
            value = money.swedish(each.value, decimals=0 if each.value == each.value.to_integral_value() else 2)
            named = f" ({'; '.join(each.named)})" if each.named else ""
            self.stdout.write(f"{each.number:2}. {each.title}: {value}{named}")
        wrong = [each for each in differences if each.value != Decimal(0)]
        if wrong:
            self.refuse(f"{month}: {len(wrong)} av {len(differences)} differenser är inte 0.", code=1)
        self.stdout.write(f"{month}: alla {len(differences)} differenser är 0.")
