"""Swedish labels and tag colours for codes of the PKI on the pages of imports and status services."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

from issuance.operators.queries.pki_words import StateWords

IMPORT_STATES: Mapping[str, StateWords] = {
    "open": StateWords(_("Väntar på beslut"), "queued", _("Inget är inläst. Provkörningen nedan är underlag för beslutet.")),
    "approved": StateWords(
        _("Godkänd, ej påbörjad"), "sent", _("Inget är inläst. Importen påbörjas med pki_import där mappen finns.")
    ),
    "rejected": StateWords(_("Avslagen"), "failed", _("Inget är inläst.")),
    "withdrawn": StateWords(_("Återtagen"), "cancelled", _("Inget är inläst.")),
    "expired": StateWords(_("Tiden gick ut"), "expired", _("Inget är inläst. Begäran hann inte godkännas och påbörjas.")),
    "certificates": StateWords(
        _("Läser certifikat"),
        "in_production",
        _("Certifikaten läses in i omgångar. Utfärdaren publicerar inget förrän alla är inlästa."),
    ),
    "lists": StateWords(
        _("Jämför listor"),
        "in_production",
        _("Certifikaten är inlästa. Gamla spärrlistor och begäran på papper jämförs med dem."),
    ),
    "finished": StateWords(_("Klar"), "active", _("Allt är inläst. Spärrlistor och OCSP-svar görs här om nyckeln finns här.")),
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
    "certificates.imported": _("En omgång lästes in"),
    "import.finished": _("Importen blev klar; rapporten sparades"),
    "import.report_signed": _("Rapporten skrevs under"),
    "import.compared": _("Jämfördes med den gamla tjänstens spärrlista"),
}
LIST_STATES: Mapping[str, StateWords] = {
    "current": StateWords(_("Aktuell"), "active"),
    "late": StateWords(_("Försenad"), "missing"),
    "ended": StateWords(_("Har gått ut"), "revoked"),
    "missing": StateWords(_("Saknas"), "revoked"),
    "last": StateWords(_("Den sista"), "expired"),
}
