"""Labels of events of people."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "people",
    actions={
        "person.registered": _("Personen lades till från HSA-katalogen"),
        "person.changed": _("Uppgifter ändrades enligt personregistret eller HSA-katalogen"),
        "post.registered": _("Uppdraget lades till från HSA-katalogen"),
        "post.changed": _("Uppdraget ändrades enligt HSA-katalogen"),
        "post.ended": _("Uppdraget avslutades i HSA-katalogen"),
        "catalogue.losses_held": _("Inga uppdrag avslutades: för många rollinnehavare saknade uppdrag i HSA-katalogen"),
        "catalogue.losses_accepted": _("Förluster i HSA-katalogen godtogs"),
        "catalogue.imported": _("HSA-katalogen lästes in från en fil"),
    },
    rules={
        "system:register-reading": _("Systemet: läsning i katalog och personregister"),
        "system:directory-import": _("Systemet: inläsning av katalogen från en fil"),
    },
)
