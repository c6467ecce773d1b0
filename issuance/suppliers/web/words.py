"""Swedish words of the suppliers' pages."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

from issuance.suppliers.push.domain import Difference, Outcome
from issuance.suppliers.push.queries.overview import Trouble

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
