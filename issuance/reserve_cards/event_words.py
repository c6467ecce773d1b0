"""Labels of events of handing out reserve cards."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "reserve_cards",
    actions={
        "reserve_issue.bound": _("Ett reservkort lämnades ut på tillitsnivå 2"),
        "reserve_issue.proposed": _("Ett reservkort på tillitsnivå 3 förbereddes av en första person"),
        "reserve_issue.signed": _("Den första personen skrev under utlämningen av reservkortet"),
        "reserve_issue.approved": _("En andra person godkände utlämningen av reservkortet"),
        "reserve_issue.rejected": _("En andra person avvisade utlämningen av reservkortet"),
        "reserve_issue.expired": _("Utlämningen av reservkortet fick ingen andra person i tid"),
        "reserve_issue.cancelled": _("Utlämningen av reservkortet avbröts"),
    },
    rules={"system:reserve-cards": _("Systemet: tiden för en andra person gick ut")},
)
