"""Labels of events of articles."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "articles",
    actions={
        "organisation.fee_set": _("Abonnemangsavgift bestämdes"),
        "organisation.article_set": _("Beställningsbar artikel ändrades"),
        "article.registered": _("Artikeln skapades"),
        "article.changed": _("Uppgifter ändrades"),
    },
)
