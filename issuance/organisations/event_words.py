"""Labels of events of organisations."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "organisations",
    actions={
        "area.created": _("Utgivningsområdet skapades"),
        "area.changed": _("Uppgifter ändrades"),
        "organisation.created": _("Organisationen skapades"),
        "organisation.changed": _("Uppgifter ändrades"),
        "organisation.moved": _("Organisationen flyttades"),
        "organisation.closed": _("Organisationen avslutades"),
        "organisation.reopened": _("Organisationen återupptogs"),
    },
)
