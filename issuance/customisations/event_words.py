"""Labels of events of customisations."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "customisations",
    actions={
        "organisation.customisation_requested": _("Kortanpassning önskades"),
        "organisation.customisation_request_closed": _("Önskemålet om kortanpassning avslutades"),
        "customisation.registered": _("Kortanpassningen skapades"),
        "customisation.changed": _("Uppgifter ändrades"),
        "customisation.verified": _("Kortanpassningen verifierades"),
        "customisation.given_up": _("Kortanpassningen togs bort från organisationen"),
        "customisation.logotype_changed": _("Logotypen byttes av kortleverantören"),
    },
)
