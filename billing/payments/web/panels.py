"""What the page of an invoice shows of its payments."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from billing.payments.queries import balances, overdue, payments
from billing.records.domain import money
from billing.records.web.page import actor_of
from issuance.authz import policy


def settlement(request: HttpRequest, number: str) -> Mapping[str, Any] | None:
    """Returns what is paid and what remains; None for a credit note."""
    invoice = balances.issued_invoices().filter(number=number).first()
    if invoice is None:
        return None
    found = balances.of([invoice])[invoice.pk]
    sums = [(_("Betalt"), found.paid), (_("Krediterat"), found.credited)]
    rows = [{"label": label, "value": _kronor(value)} for label, value in sums if value or label == _("Betalt")]
    left = (_("Kvar att betala"), found.remaining) if found.remaining >= 0 else (_("Kunden har till godo"), -found.remaining)
    return {
        "rows": [*rows, {"label": left[0], "value": _kronor(left[1])}],
        "number": number,
        "overdue": found.overdue,
        "disputed": found.disputed,
        "due_date": invoice.due_date,
        "payments": payments.of_invoice(number),
        "reminded": overdue.sent_on(invoice.pk),
        "opens": policy.holds(actor_of(request), payments.ACTION),
    }


def _kronor(value: Any) -> str:
    return f"{money.swedish(value)}{money.NO_BREAK_SPACE}kr"
