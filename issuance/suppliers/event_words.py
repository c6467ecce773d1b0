"""Labels of the suppliers' events."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "suppliers",
    actions={
        "supplier.delivery_stopped": _("En leverans till kortleverantören stoppades"),
        "supplier.deliveries_replayed": _("Stoppade leveranser skickades igen"),
        "supplier.paused": _("Anropen till kortleverantören pausades"),
        "supplier.resumed": _("Anropen till kortleverantören återupptogs"),
    },
    rules={
        "system:supplier-push": _("Systemet: leveranser till kortleverantörer"),
        "system:puk": _("Systemet: läsning av upplåsningskoden"),
        "system:remake": _("Systemet: kort som görs om"),
    },
)
