"""Labels of the rules of housekeeping, as actors of events. The packages of the changed rows label the events."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "housekeeping",
    rules={
        "system:not-activated-in-time": _("Systemet: kortet aktiverades inte i tid"),
        "system:receipt-not-signed": _("Systemet: kvittensen skrevs inte under i tid"),
        "system:test-person-not-booked": _("Systemet: testpersonen är inte längre bokad"),
        "system:expiry": _("Systemet: giltigheten gick ut"),
    },
)
