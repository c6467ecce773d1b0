"""Labels of orders' events."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "orders",
    actions={
        "order.submitted": _("Beställningen lades i kö till kortleverantören"),
        "order.accepted": _("Kortleverantören tog emot beställningen"),
        "order.production_started": _("Produktionen startade"),
        "order.produced": _("Kortleverantören rapporterade beställningen tillverkad"),
        "order.sent": _("Kortleverantören rapporterade beställningen skickad"),
        "order.puk_sealed": _("Portalen tog emot kortets upplåsningskod (PUK)"),
        "order.puk_refused": _("Kortets upplåsningskod (PUK) togs inte emot"),
        "order.failed": _("Produktionen misslyckades"),
        "order.remade": _("Beställningen görs om"),
        "order.returned": _("Försändelsen kom i retur"),
        "order.cancelled": _("Beställningen togs bort"),
        "item.ordered": _("Beställningens del lades i kö till kortleverantören"),
        "item.recorded": _("Beställningens del fick en egen status"),
        "item.production_started": _("Produktionen av beställningens del startade"),
        "item.produced": _("Kortleverantören rapporterade beställningens del tillverkad"),
        "item.sent": _("Kortleverantören rapporterade beställningens del skickad"),
        "item.failed": _("Produktionen av beställningens del misslyckades"),
        "item.remade": _("Beställningens del görs om"),
        "item.returned": _("Beställningens del kom i retur"),
        "item.cancelled": _("Beställningens del togs bort"),
        "order.address_read": _("Kortleverantören läste leveransadressen"),
        "order.photo_read": _("Kortleverantören läste fotot"),
        "order.puk_requested": _("Kortleverantören begärde upplåsningskoden (PUK) till brevet"),
        "order.puk_delivered": _("Kortleverantören fick upplåsningskoden (PUK) till brevet, krypterad"),
        "carrier.puk_letter_ordered": _("Ett brev med kortets upplåsningskod (PUK) beställdes"),
        "carrier.puk_letter_withdrawn": _("Brevet med kortets upplåsningskod (PUK) togs bort: kortet låstes upp utan det"),
        "order.report_noted": _("En rapport från kortleverantören noterades"),
        "eid_order.ordered": _("SITHS eID beställdes, för innehavaren att hämta"),
        "eid_order.fetched": _("Innehavaren hämtade det beställda SITHS eID:t"),
        "eid_order.withdrawn": _("Beställningen av SITHS eID togs bort"),
        "eid_order.cancelled": _("Beställningen av SITHS eID avbröts"),
        "eid_order.expired": _("SITHS eID hämtades inte i tid"),
    },
)
