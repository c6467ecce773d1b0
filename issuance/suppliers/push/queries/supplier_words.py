"""Swedish words of the pages that show suppliers."""

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.records.domain import wording
from issuance.suppliers.push.domain import Difference, Outcome
from issuance.suppliers.push.queries.overview import SupplierLine, Trouble

GRAVE = frozenset({Trouble.STOPPED, Trouble.INTERRUPTED, Trouble.SILENT})
"""Troubles that are errors. The others are to be looked at."""

TROUBLES: Mapping[str, str] = {
    Trouble.STOPPED.value: _("Stoppade leveranser"),
    Trouble.INTERRUPTED.value: _("Svarar inte"),
    Trouble.SILENT.value: _("Hörs inte av"),
    Trouble.LATE.value: _("Beställningar väntar"),
    Trouble.PAUSED.value: _("Pausad"),
    Trouble.DIFFERENT.value: _("Skillnader"),
    Trouble.PUK_REFUSED.value: _("Nekade PUK"),
    Trouble.CERTIFICATE.value: _("Certifikat går ut"),
}

REMEDIES: Mapping[str, str] = {
    Trouble.STOPPED.value: _("Öppna leveransen och läs koden. Fråga leverantören, och skicka igen när felet är rättat."),
    Trouble.INTERRUPTED.value: _("Fråga leverantören. Portalen försöker igen minst var tionde minut, och inget går förlorat."),
    Trouble.SILENT.value: _("Fråga leverantören. Kontrollera också certifikatet, och att api och suppliers-worker är igång."),
    Trouble.LATE.value: _("Leverantören har inte tagit emot den äldsta beställningen i tid. Fråga leverantören."),
    Trouble.PAUSED.value: _("Inget skickas till leverantören. Återuppta när hindret är borta."),
    Trouble.DIFFERENT.value: _("Portalen och leverantören har olika uppgifter. Se skillnaderna längre ner."),
    Trouble.PUK_REFUSED.value: _("Leverantören ska skicka upplåsningskoden igen. Annars kan kortet inte skickas."),
    Trouble.CERTIFICATE.value: _(
        "Be leverantören om ett nytt certifikat. Skriv in det i klientfilen och kör authn_sync_clients."
    ),
}

OUTCOMES: Mapping[str, str] = {
    Outcome.TAKEN.value: _("Leverantören tog emot leveransen."),
    Outcome.REFUSED.value: _("Leverantören nekade leveransen."),
    Outcome.NO_ANSWER.value: _("Leverantören svarade inte."),
    Outcome.BAD_ANSWER.value: _("Svaret gick inte att lita på."),
    Outcome.HELD.value: _("Inget skickades."),
}

DIFFERENCES: Mapping[str, str] = {
    Difference.MISSING_THERE.value: _("Saknas hos leverantören. Skickas igen."),
    Difference.ENDED_HERE.value: _("Avslutad i portalen, pågår hos leverantören. Meddelas igen."),
    Difference.UNKNOWN_HERE.value: _("Finns hos leverantören, är inte leverantörens beställning."),
    Difference.NOT_TAKEN_HERE.value: _("Finns hos leverantören, portalen väntar på svar. Skickas igen."),
    Difference.OTHER_STATE.value: _("Olika status. Be leverantören skicka sina rapporter igen."),
}


def tag(line: SupplierLine, troubles: Sequence[Trouble]) -> dict[str, str]:
    """Returns the kind and the text of a supplier's tag: that of the gravest of its troubles. One that was never heard and
    has nothing to do is neither right nor wrong.
    """
    if not line.active:
        return {"kind": "cancelled", "text": gettext("Avstängd")}
    if not troubles and line.heard_at is None:
        return {"kind": "info", "text": gettext("Har inte hörts av")}
    if not troubles:
        return {"kind": "active", "text": gettext("Som den ska")}
    return {"kind": "failed" if troubles[0] in GRAVE else "missing", "text": wording.label(TROUBLES, troubles[0])}


def certificate_end(line: SupplierLine) -> str:
    """Returns the day on which the supplier's last certificate ends, in words if there is none or its end is unknown."""
    if not line.certificate_ends:
        return gettext("inget certifikat")
    last = line.certificate_ends[0]
    return str(wording.day(last)) if last else gettext("okänt")
