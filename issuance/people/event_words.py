"""Labels of events of people."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "people",
    actions={
        "person.registered": _("Personen lades upp från katalogen"),
        "person.changed": _("Uppgifter ändrades efter personregister eller katalog"),
        "post.registered": _("Uppdraget lades upp från katalogen"),
        "post.changed": _("Uppdraget ändrades efter katalogen"),
        "post.ended": _("Uppdraget avslutades i katalogen"),
        "catalogue.losses_held": _("Inga uppdrag avslutades: för många rollinnehavare saknade uppdrag i HSA-katalogen"),
        "catalogue.losses_accepted": _("Förluster i katalogen godtogs"),
        "catalogue.imported": _("Katalogen lästes in från en fil"),
    },
    rules={
        "system:register-reading": _("Systemet: läsning i katalog och personregister"),
        "system:directory-import": _("Systemet: inläsning av katalogen från en fil"),
    },
)
