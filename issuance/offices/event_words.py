"""Labels of events of offices."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "offices",
    actions={
        "office.created": _("Kontoret skapades"),
        "office.changed": _("Uppgifter ändrades"),
        "office.connected": _("Kontoret kopplades till en organisation"),
        "office.disconnected": _("Kontoret kopplades bort från en organisation"),
        "office.closed": _("Kontoret stängdes"),
        "office.reopened": _("Kontoret öppnades igen"),
    },
)
