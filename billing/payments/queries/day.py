"""What waits for finance persons: payments that name no invoice or pay too much, and overdue invoices. Lines of Dagen."""

from collections.abc import Iterator

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.payments.queries import overdue
from billing.payments.queries.payments import ACTION, unallocated_count
from issuance.authz import Actor, policy
from siths_portal.lib.pages.day import Line, Urgency


def lines(actor: Actor) -> Iterator[Line]:
    """Yields the number of payments to allocate, and of overdue invoices."""
    if not policy.holds(actor, ACTION):
        return
    if count := unallocated_count():
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=ngettext("{n} betalning att fördela", "{n} betalningar att fördela", count).format(n=count),
            url=f"{reverse('payments')}?status=att-fordela",
            text=_("Betalningen saknar rätt OCR-nummer eller är större än fakturan."),
            icon="warning",
            action=_("Visa vilka"),
        )
    if count := overdue.count():
        yield Line(
            urgency=Urgency.THIS_WEEK,
            title=ngettext("{n} förfallen faktura", "{n} förfallna fakturor", count).format(n=count),
            url=reverse("invoices_overdue"),
            text=_("Skicka en påminnelse, eller spara att kunden inte godtar fakturan."),
            icon="invoice",
            action=_("Visa vilka"),
        )
