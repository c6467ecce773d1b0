"""Labels of events of roles."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "roles",
    actions={
        "role.assigned": _("Behörighetsroll gavs"),
        "role.changed": _("Behörighetsroll ändrades"),
        "role.ended": _("Behörighetsroll avslutades"),
        "role_request.made": _("Behörighetsroll begärdes"),
        "role_request.approved": _("Begäran om behörighetsroll godkändes"),
        "role_request.rejected": _("Begäran om behörighetsroll avslogs"),
        "role_request.withdrawn": _("Begäran om behörighetsroll togs tillbaka"),
        "role_request.expired": _("Begäran om behörighetsroll löpte ut utan beslut"),
        "qualification.recorded": _("Utbildning eller personkontroll registrerades"),
        "qualification.withdrawn": _("Utbildning eller personkontroll återtogs"),
    },
    rules={
        "system:setup": _("Systemet: uppsättning"),
        "system:role-request-expiry": _("Systemet: begäran var för gammal"),
        "system:role-ended": _("Systemet: ID-administratörens roll har upphört"),
    },
)
