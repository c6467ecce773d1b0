"""Labels of events of mobile eIDs."""

from django.utils.translation import gettext_noop as _

from issuance.records.domain.event_words import EventWords

WORDS = EventWords(
    "mobile",
    actions={
        "mobile_enrolment.accepted": _("Innehavaren godkände villkoren för Mobilt SITHS"),
        "mobile_enrolment.refused": _("Mobilt SITHS nekades för en enhet som flera använder"),
        "mobile_enrolment.offered": _("Startkod för Mobilt SITHS visades efter en ny inloggning"),
        "mobile_enrolment.started": _("En enhet läste av startkoden för Mobilt SITHS"),
        "mobile_enrolment.certificates_requested": _("Certifikat för Mobilt SITHS beställdes av certifikatutfärdaren"),
        "mobile_enrolment.code_set": _("Innehavaren valde kod för Mobilt SITHS"),
        "mobile_enrolment.completed": _("Ärendet om Mobilt SITHS slutfördes"),
        "mobile_enrolment.cancelled": _("Ärendet om Mobilt SITHS avbröts"),
        "mobile_enrolment.expired": _("Tiden för ärendet om Mobilt SITHS gick ut"),
        "mobile_enrolment.failed": _("Ärendet om Mobilt SITHS stoppades"),
        "mobile_enrolment.superseded": _("Ärendet om Mobilt SITHS ersattes av ett nytt"),
        "mobile_enrolment.proof_refused": _("Enhetens bevis för Mobilt SITHS godtogs inte"),
        "mobile_enrolment.second_device": _("En annan enhet läste av samma startkod"),
        "carrier.confirmed": _("Innehavaren bekräftade Mobilt SITHS med den nya koden"),
        "carrier.renamed": _("Innehavaren bytte namn på enheten"),
    },
    rules={
        "system:mobile-not-completed": _("Systemet: Mobilt SITHS blev inte klart i tid"),
    },
)
