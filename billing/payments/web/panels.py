"""What the page of an invoice shows of its payments, dispute and reminders."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _

from billing.invoices.queries.invoices import InvoiceView
from billing.payments.queries import overdue, payments
from billing.records.domain import money
from billing.records.web.page import actor_of
from issuance.authz import policy
from siths_portal.lib import clock


def settlement(request: HttpRequest, view: InvoiceView) -> Mapping[str, Any] | None:
    """Returns what is paid and what remains; None for a credit note."""
    found, number, due_date = view.settlement, view.invoice.number, view.invoice.due_date
    if found is None:
        return None
    rows = [(_("Betalt"), found.paid)]
    if found.credited:
        rows.append((_("Krediterat"), found.credited))
    rows.append(
        (_("Kvar att betala"), found.remaining) if found.remaining >= 0 else (_("Kunden har till godo"), -found.remaining)
    )  # fmt: skip
    return {
        "rows": [{"label": label, "value": f"{money.swedish(value)}{money.NO_BREAK_SPACE}kr"} for label, value in rows],
        "number": number,
        "overdue": found.overdue,
        "disputed": found.disputed,
        "payments": payments.of_invoice(number) if found.paid else [],
        "reminded": overdue.sent_on(number) if due_date < clock.today() else [],
        "opens": policy.holds(actor_of(request), payments.ACTION),
    }
