"""Labels of events of notices to holders."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "notices",
    rules={"system:eid-notices": _("Systemet: e-post om SITHS eID")},
    actions={
        "eid.notice_sent": _("Innehavaren fick e-post om det nya SITHS eID:t"),
        "eid.notice_refused": _("Innehavarens e-postadress tog inte emot beskedet om det nya SITHS eID:t"),
        "eid.notice_unreached": _("Innehavaren fick ingen e-post om det nya SITHS eID:t"),
        "eid.reminder_sent": _("Innehavaren påmindes med e-post om att SITHS eID:t slutar gälla"),
        "eid.reminder_refused": _("Innehavarens e-postadress tog inte emot påminnelsen om SITHS eID:t"),
        "eid.reminder_unreached": _("Innehavaren fick ingen e-post om att SITHS eID:t slutar gälla"),
        "carrier.notice_sent": _("Innehavaren fick e-post om att bäraren är ny"),
        "carrier.notice_refused": _("Innehavarens e-postadress tog inte emot beskedet om den nya bäraren"),
        "carrier.notice_unreached": _("Innehavaren fick ingen e-post om att bäraren är ny"),
        "carrier.end_reminder_sent": _("Innehavaren påmindes med e-post om att bäraren slutar gälla"),
        "carrier.end_reminder_refused": _("Innehavarens e-postadress tog inte emot påminnelsen om att bäraren slutar gälla"),
        "carrier.end_reminder_unreached": _("Innehavaren fick ingen e-post om att bäraren slutar gälla"),
        "carrier.unlock_notice_sent": _("Innehavaren fick e-post om att kortet låses upp på Mina sidor"),
        "carrier.unlock_notice_refused": _("Innehavarens e-postadress tog inte emot beskedet om att kortet låses upp"),
        "carrier.unlock_notice_unreached": _("Innehavaren fick ingen e-post om att kortet låses upp på Mina sidor"),
    },
)
