"""The texts of delivery in the history of a document."""

from django.utils.translation import gettext_lazy as _

from billing.invoices.queries.history import EventText

EVENT_TEXTS = (
    EventText("invoice.submitted", _("Skickades till kunden")),
    EventText("invoice.resubmitted", _("Skickas igen, för accesspunkten har tappat bort den")),
    EventText("invoice.delivery_stopped", _("Stoppades av accesspunkten")),
    EventText("invoice.delivered", _("Levererades till kunden")),
    EventText("invoice.rejected", _("Avvisades av mottagaren")),
    EventText("invoice.send_again", _("Skickas igen, på begäran")),
    EventText("invoice.sent_outside", _("Skickades utanför portalen")),
)
