"""What payments, disputes and reminders add to the history of an invoice."""

from collections.abc import Iterable
from uuid import UUID

from django.utils.translation import gettext as translated
from django.utils.translation import gettext_lazy as _

from billing.invoices.queries.history import EventText, HistoryRow
from billing.payments.models import PaymentAllocation
from billing.records.domain import money

EVENT_TEXTS = (
    EventText("invoice.disputed", _("Kunden bestred fakturan")),
    EventText("invoice.dispute_closed", _("Tvisten avslutades")),
    EventText("invoice.reminder_requested", _("En påminnelse begärdes")),
    EventText("invoice.reminded", _("Kunden fick en påminnelse")),
    EventText("invoice.reminder_refused", _("Påminnelsen kom inte fram")),
    EventText("invoice.reminder_not_needed", _("Påminnelsen skickades inte, för fakturan är betald eller bestridd")),
)


def payments_of(invoice_id: UUID) -> Iterable[HistoryRow]:
    """Yields what was allocated to the invoice, and what was taken back."""
    rows = PaymentAllocation.objects.filter(invoice=invoice_id).order_by("made_at", "id")
    for made_at, amount in rows.values_list("made_at", "amount"):
        text = translated("Betaldes med {amount} kr") if amount > 0 else translated("Betalning på {amount} kr togs tillbaka")
        yield HistoryRow(made_at, text.format(amount=money.swedish(abs(amount))))
