"""Labels of events of receipt texts."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "receipt_texts",
    actions={
        "organisation.receipt_text_set": _("Kvittenstext ändrades"),
    },
)
