"""Labels of revocation's events."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "revocation",
    actions={
        "revocation.held": _("Spärren väntar på en kollegas beslut"),
        "revocation.approved": _("En kollega godkände spärren"),
        "revocation.rejected": _("En kollega avslog spärren"),
    },
    rules={
        "system:certificate-revoked": _("Systemet: certifikaten spärrades av certifikatutfärdaren"),
        "system:replacement": _("Systemet: det nya kortet aktiverades"),
        "system:renewal": _("Systemet: det nya SITHS eID:t hämtades"),
        "system:eid-not-fetched": _("Systemet: SITHS eID:t hämtades inte klart"),
    },
)
