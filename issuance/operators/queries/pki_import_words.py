"""Swedish labels and tag colours for codes of the PKI on the pages of imports and status services."""

from collections.abc import Mapping

from django.utils.translation import gettext_noop as _

IMPORT_STATE: Mapping[str, str] = {
    "open": _("Väntar på beslut"),
    "approved": _("Godkänd, ej påbörjad"),
    "rejected": _("Avslagen"),
    "withdrawn": _("Återtagen"),
    "expired": _("Tiden gick ut"),
    "certificates": _("Läser certifikat"),
    "lists": _("Jämför listor"),
    "finished": _("Klar"),
}
IMPORT_TAG: Mapping[str, str] = {
    "open": "queued",
    "approved": "sent",
    "rejected": "failed",
    "withdrawn": "cancelled",
    "expired": "expired",
    "certificates": "in_production",
    "lists": "in_production",
    "finished": "active",
}
IMPORT_MEANS: Mapping[str, str] = {
    "open": _("Inget är infört. Provkörningen nedan är underlaget för dem som beslutar."),
    "approved": _("Inget är infört. Importen påbörjas med pki_import där mappen finns."),
    "rejected": _("Inget är infört."),
    "withdrawn": _("Inget är infört."),
    "expired": _("Inget är infört. Begäran hann inte godkännas och påbörjas."),
    "certificates": _("Certifikaten förs in i omgångar. Utfärdaren publicerar inget förrän allt är infört."),
    "lists": _("Certifikaten är införda. Gamla spärrlistor och begäran på papper jämförs med dem."),
    "finished": _("Allt är infört. Spärrlistor och OCSP-svar görs här om nyckeln finns här."),
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
LIST_STATE: Mapping[str, str] = {
    "current": _("Aktuell"),
    "late": _("Försenad"),
    "ended": _("Har gått ut"),
    "missing": _("Saknas"),
    "last": _("Den sista"),
}
LIST_TAG: Mapping[str, str] = {
    "current": "active",
    "late": "missing",
    "ended": "revoked",
    "missing": "revoked",
    "last": "expired",
}
