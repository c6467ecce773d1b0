"""Labels of events of stock."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "stock",
    rules={"system:stock": _("Systemet: kortet spärrades")},
    actions={
        "stock_card.received": _("Reservkortet togs emot till lagret"),
        "stock_card.missing": _("Reservkortet saknas i lagret"),
        "stock_card.found": _("Reservkortet som saknades finns i lagret"),
        "stock_card.handed_out": _("Reservkortet lämnades ut till en innehavare"),
        "stock_card.damaged": _("Reservkortet är skadat"),
        "stock_card.lost": _("Reservkortet är förlorat"),
        "stock_card.ended": _("Reservkortet i lagret spärrades"),
        "office.stock_received": _("Reservkort togs emot till lagret"),
        "office.stock_missing": _("Reservkort i en bunt saknades när den togs emot"),
        "office.stock_lost": _("Reservkort i en bunt rapporterades förlorade"),
        "office.stock_counted": _("Lagret av reservkort räknades"),
        "office.stock_level_set": _("Gränsen för lågt lager av reservkort ändrades"),
    },
)
