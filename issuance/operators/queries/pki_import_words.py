"""Swedish labels and tag colours for codes of the PKI on the pages of imports and status services."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

from issuance.operators.queries.pki_words import StateWords

IMPORT_STATES: Mapping[str, StateWords] = {
    "open": StateWords(
        _("Väntar på beslut"), "queued", _("Inget är infört. Provkörningen nedan är underlaget för dem som beslutar.")
    ),
    "approved": StateWords(
        _("Godkänd, ej påbörjad"), "sent", _("Inget är infört. Importen påbörjas med pki_import där mappen finns.")
    ),
    "rejected": StateWords(_("Avslagen"), "failed", _("Inget är infört.")),
    "withdrawn": StateWords(_("Återtagen"), "cancelled", _("Inget är infört.")),
    "expired": StateWords(_("Tiden gick ut"), "expired", _("Inget är infört. Begäran hann inte godkännas och påbörjas.")),
    "certificates": StateWords(
        _("Läser certifikat"),
        "in_production",
        _("Certifikaten förs in i omgångar. Utfärdaren publicerar inget förrän allt är infört."),
    ),
    "lists": StateWords(
        _("Jämför listor"),
        "in_production",
        _("Certifikaten är införda. Gamla spärrlistor och begäran på papper jämförs med dem."),
    ),
    "finished": StateWords(_("Klar"), "active", _("Allt är infört. Spärrlistor och OCSP-svar görs här om nyckeln finns här.")),
}
IMPORT_COUNT: Mapping[str, str] = {
    "rows": _("Rader i underlaget"),
    "new": _("Nya certifikat"),
    "new_revoked": _("Av dem spärrade"),
    "new_serial_only": _("Av dem med bara serienummer"),
    "completed": _("Hade bara serienummer, fick sitt certifikat"),
    "revoked": _("Fanns här och spärrades"),
    "unchanged": _("Fanns här likadana"),
    "lists": _("Gamla spärrlistor"),
    "papers": _("Spärrade efter begäran på papper"),
    "papers_already_revoked": _("Begärda på papper, redan spärrade"),
    "findings": _("Avvikelser"),
}
IMPORT_EVENT: Mapping[str, str] = {
    "import.started": _("Importen påbörjades; godkännandet förbrukades"),
    "certificates.imported": _("En omgång infördes"),
    "import.finished": _("Importen blev klar; rapporten sparades"),
    "import.report_signed": _("Rapporten undertecknades"),
    "import.compared": _("Jämfördes med den gamla tjänstens spärrlista"),
}
LIST_STATES: Mapping[str, StateWords] = {
    "current": StateWords(_("Aktuell"), "active"),
    "late": StateWords(_("Försenad"), "missing"),
    "ended": StateWords(_("Har gått ut"), "revoked"),
    "missing": StateWords(_("Saknas"), "revoked"),
    "last": StateWords(_("Den sista"), "expired"),
}
