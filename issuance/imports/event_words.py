"""Labels of imports' events."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "imports",
    actions={
        "carrier.migrated": _("Kortet lästes in från den tidigare portalen"),
        "eid.migrated": _("SITHS eID lästes in från den tidigare portalen"),
    },
    rules={
        "system:migration": _("Systemet: inläsning från den tidigare portalen"),
    },
)
