"""The figures above the lines of an invoice."""

from decimal import Decimal

from django.utils.translation import gettext as _

from billing.documents.domain.invoices import InvoiceContent
from billing.ledger.domain import line_kinds
from billing.records.domain import money
from billing.records.domain.periods import Month


def figures(
    content: InvoiceContent, first: tuple[Decimal, str], before: Decimal | None, left: dict[str, str] | None = None
) -> list[dict[str, str]]:
    """Returns the figures of an invoice: the sum `first` with its name, the pieces of each kind, the change of the sum.

    `before` is the same sum of the month before, or None if the customer had no invoice then. A credit note is not compared, and
    an invoice without one before it has no change.
    `left` stands in place of the sum.
    """
    amount, name = first
    found = [left or {"value": money.swedish(amount), "name": name}]
    for kind in line_kinds.declared():
        pieces = [line.quantity for line in content.lines if line.kind == kind.code]
        if pieces:
            found.append({"value": money.swedish(sum(pieces, Decimal(0)), decimals=0), "name": kind.name_in_text})
    if not content.preceding and before is not None:
        found.append(_change(amount, before, content.month.previous()))
    return found


def _change(amount: Decimal, before: Decimal, month: Month) -> dict[str, str]:
    change = amount - before
    earlier = _("{month}: {amount}").format(month=month, amount=money.swedish(before))
    if not change:
        return {"value": "±0", "name": _("kronor i skillnad"), "before": earlier}
    name = _("kronor mer än i {month}") if change > 0 else _("kronor mindre än i {month}")
    return {"value": money.swedish(abs(change)), "name": name.format(month=month), "before": earlier}
