"""Labels of the suppliers' events."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "suppliers",
    rules={
        "system:puk": _("Systemet: läsning av upplåsningskoden"),
        "system:remake": _("Systemet: kort som görs om"),
    },
)
