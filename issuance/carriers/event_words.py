"""Labels of events of carriers."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "carriers",
    actions={
        "carrier.ordered": _("Kortet beställdes"),
        "carrier.serial_bound": _("Kortets serienummer registrerades"),
        "carrier.produced": _("Kortet tillverkades"),
        "carrier.sent": _("Kortet skickades"),
        "carrier.received": _("Kortet togs emot på kontoret"),
        "carrier.holder_bound": _("Kortet knöts till innehavaren"),
        "carrier.code_set": _("Innehavaren valde legitimeringskod"),
        "carrier.code_blocked": _("Koden spärrades efter 3 felaktiga försök"),
        "carrier.code_reset": _("Innehavaren valde en ny legitimeringskod"),
        "carrier.activated": _("Innehavaren skrev under kvittensen och kortet aktiverades"),
        "carrier.revoked": _("Kortet spärrades"),
        "carrier.unlocked": _("Kortet låstes upp, och innehavaren valde en ny kod"),
        "carrier.expired": _("Kortets giltighet gick ut"),
        "carrier.cancelled": _("Kortet avbröts"),
        "eid.ordered": _("SITHS eID beställdes"),
        "eid.certificates_planned": _("Certifikat beställdes av certifikatutfärdaren"),
        "eid.activated": _("SITHS eID aktiverades"),
        "eid.revoked": _("SITHS eID spärrades"),
        "eid.expired": _("SITHS eID gick ut"),
        "eid.cancelled": _("SITHS eID avbröts"),
    },
)
