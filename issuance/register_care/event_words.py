"""Labels of events of register care."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "register_care",
    rules={
        "system:register-care": _("Systemet: nattens avstämning"),
        "system:card-reminders": _("Systemet: påminnelser"),
    },
    actions={
        "work_item.found": _("En rad kom till i Registervård"),
        "work_item.assigned": _("Någon tog ansvar för raden"),
        "work_item.postponed": _("Raden sköts upp"),
        "work_item.finished": _("Raden avslutades med ett skäl"),
        "work_item.reopened": _("Raden öppnades igen"),
        "work_item.woken": _("Raden som var uppskjuten är öppen igen"),
        "work_item.ended": _("Orsaken till raden finns inte längre"),
        "carrier.reminder_requested": _("En påminnelse till innehavaren beställdes"),
        "carrier.reminded": _("Innehavaren fick en påminnelse med e-post"),
        "carrier.reminder_refused": _("Innehavarens e-postadress tog inte emot påminnelsen"),
    },
)
