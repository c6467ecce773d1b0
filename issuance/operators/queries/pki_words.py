"""Swedish labels and tag colours for codes of the PKI on the operators' pages."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from issuance.records.queries import words
from pki.operators.certificate_search import CertificateLine
from pki.operators.certificates import CertificateRecord
from siths_portal.lib import clock

_NAMED_CAS = 4

CA_STATE: Mapping[str, str] = {
    "planned": _("Planerad"),
    "active": _("Utfärdar"),
    "status_only": _("Bara status"),
    "offline": _("Frånkopplad"),
    "external": _("Extern"),
    "retired": _("Avvecklad"),
    "compromised": _("Röjd"),
}
CA_STATE_MEANS: Mapping[str, str] = {
    "planned": _("Finns i en ceremoni som inte är klar. Utfärdar inget och publicerar inget."),
    "active": _("Utfärdar certifikat och publicerar spärrlistor och OCSP-svar."),
    "status_only": _("Utfärdar inget. Spärrlistor och OCSP-svar publiceras som förut."),
    "offline": _("Nyckeln är frånkopplad. Spärrlistor och svar görs vid ceremonier."),
    "external": _("Drivs av någon annan. Här publiceras dess spärrlista, och OCSP-svar om den har en svarare här."),
    "retired": _("Utfärdar inget mer. Status publiceras tills det sista certifikatet har gått ut."),
    "compromised": _("Nyckeln är röjd. Inget utfärdas och ingen status publiceras: det som utfärdaren säger är inget värt."),
}
CA_STATE_STAYS: Mapping[str, str] = {
    "external": _("Utfärdaren drivs av någon annan och styrs inte härifrån."),
    "compromised": _("En röjd utfärdare kan inte bli något annat. En ny generation får ta över."),
}
"""Why a CA in this state is given no other one."""
CA_TAG: Mapping[str, str] = {
    "planned": "ordered",
    "active": "active",
    "status_only": "info",
    "offline": "info",
    "external": "info",
    "retired": "expired",
    "compromised": "revoked",
}
CERTIFICATE_STATUS: Mapping[str, str] = {
    "reserved": _("Utfärdas"),
    "issued": _("Giltigt"),
    "held": _("Vilande"),
    "expired": _("Utgånget"),
    "revoked": _("Spärrat"),
    "failed": _("Utfärdades aldrig"),
}
STATUS_COUNTED: Mapping[str, str] = {
    "reserved": _("Utfärdas nu"),
    "issued": _("Utfärdade, ej spärrade"),
    "revoked": _("Spärrade"),
    "failed": _("Utfärdades aldrig"),
}
CERTIFICATE_TAG: Mapping[str, str] = {
    "reserved": "ordered",
    "held": "ordered",
    "issued": "active",
    "expired": "expired",
    "revoked": "revoked",
    "failed": "failed",
}
REASON: Mapping[str, str] = {
    "unspecified": _("Ingen särskild"),
    "keyCompromise": _("Nyckeln kan vara röjd"),
    "cACompromise": _("Utfärdarens nyckel kan vara röjd"),
    "affiliationChanged": _("Anställning eller uppdrag har upphört"),
    "superseded": _("Ersatt"),
    "cessationOfOperation": _("Används inte längre"),
    "privilegeWithdrawn": _("Rätten har dragits in"),
}
HOLD: Mapping[str, str] = {
    "refuse": _("Får inte finnas i källan"),
    "revoke": _("Spärras för gott"),
}
"""The ways in which an import may handle certificates on hold."""
PURPOSE: Mapping[str, str] = {
    "ca": _("Utfärdares nyckel"),
    "ocsp": _("OCSP-svarares nyckel"),
    "kek": _("Försegling av koder"),
    "secret-derive": _("Mottagning av koder"),
    "audit-mac": _("Loggens kedja"),
    "audit-head": _("Loggens undertecknade huvuden"),
    "health": _("Prov av modulen"),
}
FINDING: Mapping[str, str] = {
    "": _("Inte kontrollerad än"),
    "as-recorded": _("Som den ska vara"),
    "missing": _("Saknas i modulen"),
    "drifted": _("Ändrad i modulen"),
}
FINDING_TAG: Mapping[str, str] = {"": "info", "as-recorded": "active", "missing": "missing", "drifted": "revoked"}
PROVENANCE: Mapping[str, str] = {"generated": _("Gjord i modulen"), "imported": _("Införd vid en ceremoni")}
APPROVAL_ACTION: Mapping[str, str] = {
    "ceremony": _("Nyckelceremoni"),
    "ca-state": _("Ändring av utfärdare"),
    "mass-revocation": _("Masspärr"),
    "import": _("Import av utfärdare"),
}
APPROVAL_STATE: Mapping[str, str] = {
    "open": _("Väntar på beslut"),
    "approved": _("Godkänt, ej utfört"),
    "used": _("Utfört"),
    "rejected": _("Avslaget"),
    "withdrawn": _("Återtaget"),
    "expired": _("Tiden gick ut"),
}
APPROVAL_TAG: Mapping[str, str] = {
    "open": "queued",
    "approved": "sent",
    "used": "active",
    "rejected": "failed",
    "withdrawn": "cancelled",
    "expired": "expired",
}
MASS_STATE: Mapping[str, str] = {
    "requested": _("Väntar på beslut"),
    "approved": _("Godkänd, ej startad"),
    "rejected": _("Avslagen"),
    "withdrawn": _("Återtagen"),
    "expired": _("Tiden gick ut"),
    "running": _("Spärrar"),
    "stopped": _("Stoppad"),
    "publishing": _("Publicerar"),
    "finished": _("Klar"),
}
MASS_TAG: Mapping[str, str] = {
    "requested": "queued",
    "approved": "sent",
    "rejected": "failed",
    "withdrawn": "cancelled",
    "expired": "expired",
    "running": "in_production",
    "stopped": "missing",
    "publishing": "in_production",
    "finished": "active",
}
MASS_MEANS: Mapping[str, str] = {
    "requested": _("Inget är spärrat. Ärendet väntar på att andra personer beslutar."),
    "approved": _("Inget är spärrat. Masspärren kan startas."),
    "rejected": _("Inget är spärrat."),
    "withdrawn": _("Inget är spärrat."),
    "expired": _("Inget är spärrat. Begäran hann inte godkännas och startas."),
    "running": _("Certifikaten spärras i omgångar. Det som är spärrat går inte att ta tillbaka."),
    "stopped": _("Det som är spärrat förblir spärrat. Resten kan spärras om masspärren fortsätter."),
    "publishing": _("Alla certifikat är spärrade. Spärrlistor och OCSP-svar görs nu."),
    "finished": _("Alla certifikat i urvalet är spärrade och det är publicerat."),
}
REVOCATION_CHANNEL: Mapping[str, str] = {
    "system": _("Ingen annan begärde: eget beslut"),
    "portal": _("I portalen"),
    "api": _("Genom ett API"),
    "phone": _("Per telefon"),
    "paper": _("På papper"),
}
DECISION: Mapping[str, str] = {"approved": _("Godkände"), "rejected": _("Avslog")}
EVENT: Mapping[str, str] = {
    "certificate.reserved": _("Serienumret reserverades och innehållet sparades"),
    "certificate.issued": _("Certifikatet signerades och sparades"),
    "certificate.failed": _("Innehållet klarade inte kontrollen; inget signerades"),
    "certificate.imported": _("Fördes in från en annan utfärdare"),
    "certificate.lint_finding": _("En granskning efteråt fann fel i innehållet"),
    "certificate.release_requested": _("Koden är vald; certifikatet ska sluta vara vilande"),
    "certificate.released": _("Blev giltigt: kortet visade att det är rätt kort"),
    "certificate.release_refused": _("Förblev vilande: begäran kom utan kortets bevis"),
    "certificate.revoked": _("Spärrades"),
    "certificate.revocation_changed": _("Spärren skärptes"),
}
PARTICIPANT = "participant:"
SYSTEM: Mapping[str, str] = {
    "system:pki-signer": _("Systemet: signeraren"),
    "system:pki-releaser": _("Systemet: frisläpparen av vilande certifikat"),
    "system:possibly-signed": _("Systemet: kan ha signerats utan att sparas"),
    "system:ocsp-responders": _("Systemet: OCSP-svarare"),
    "system:mass-revocation": _("Systemet: masspärr"),
    "system:compromised-keys": _("Systemet: nyckeln är känd som röjd"),
    "system:shared-factors": _("Systemet: nyckeln delar primtal med en annan"),
    "system:issuance-sets": _("Systemet: hela kortet kunde inte utfärdas"),
    "system:certificate-sample": _("Systemet: stickprov av certifikat"),
    "system:crl": _("Systemet: spärrlistor"),
    "system:import": _("Systemet: import"),
    "system:imports": _("Systemet: rapporter om importer"),
    "system:audit": _("Systemet: händelseloggen"),
    "system:kek-rotation": _("Systemet: byte av förseglingsnyckel"),
    "system:approvals": _("Systemet: tiden gick ut"),
    "system:key-inventory": _("Systemet: nyckelinventering"),
    "system:card-reconciliation": _("Systemet: jämförelsen av certifikat med beställningar"),
    "system:pki": _("Systemet"),
}
CEREMONY_STATE: Mapping[str, str] = {
    "running": _("Pågår"),
    "finished": _("Genomförd"),
    "failed": _("Avbruten av ett fel"),
}
CEREMONY_TAG: Mapping[str, str] = {"running": "queued", "finished": "active", "failed": "failed"}
CEREMONY_MEANS: Mapping[str, str] = {
    "running": _("Ceremonin har börjat och är inte avslutad. Den fortsätter där den slutade när samma fil följs igen."),
    "finished": _("Allt i filen är gjort och protokollet är skrivet. Att följa filen igen ändrar inget."),
    "failed": _("Ett fel avbröt ceremonin. Det som är gjort finns kvar. Följ samma fil igen när felet är åtgärdat."),
}
CEREMONY_EVENT: Mapping[str, str] = {
    "ceremony.proposed": _("Filen lades in för underskrift"),
    "ceremony.signature_registered": _("En underskrift lämnades in"),
    "ceremony.proposal_withdrawn": _("Förslaget togs tillbaka"),
    "ceremony.started": _("Ceremonin började; godkännandena förbrukades"),
    "ceremony.resumed": _("Ceremonin återupptogs"),
    "ceremony.failed": _("Ett fel avbröt ceremonin"),
    "ceremony.completed": _("Ceremonin avslutades; protokollet skrevs"),
}
CEREMONY_OUTPUT: Mapping[str, str] = {
    "key": _("Nyckel"),
    "certificate": _("Certifikat"),
    "ocsp-signer": _("OCSP-svarare"),
    "crl": _("Spärrlista"),
    "ocsp-answer": _("OCSP-svar"),
}
CEREMONY_ACT: Mapping[str, str] = {
    "renew-status": _("Ny spärrlista och nya OCSP-svar"),
    "revoke": _("Spärr av certifikat"),
    "state": _("Nytt tillstånd"),
}
TOKEN_STATE: Mapping[str, str] = {
    "read": _("Läst"),
    "offline": _("Frånkopplad, som den ska"),
    "unreachable": _("Gick inte att läsa"),
}
TOKEN_TAG: Mapping[str, str] = {"read": "active", "offline": "info", "unreachable": "failed"}
KEY_PROBLEM: Mapping[str, str] = {
    "unknown": _("Okänt objekt i modulen"),
    "missing": _("Saknas i modulen"),
    "drifted": _("Ändrad i modulen"),
    "unreachable": _("Modulen gick inte att läsa"),
}
SERIAL_MODE: Mapping[str, str] = {
    "time_random": _("48 bitar tid och 72 bitar slump"),
    "random": _("127 bitar slump"),
}


def moment(value: dt.datetime | None) -> str:
    """Formats a moment in Stockholm time to the second. Returns an empty string for None."""
    return f"{value.astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M:%S}" if value else ""


def minute(value: dt.datetime | None) -> str:
    """Formats a moment in Stockholm time to the minute. Returns an empty string for None."""
    return moment(value)[:16]


def span(length: dt.timedelta) -> str:
    """Formats a duration in days, hours or minutes, whichever is the largest unit of at least two."""
    minutes = int(length.total_seconds() // 60)
    if minutes >= 2 * 24 * 60:
        days = minutes // (24 * 60)
        return ngettext("{n} dag", "{n} dagar", days).format(n=days)
    if minutes >= 120:
        return ngettext("{n} timme", "{n} timmar", minutes // 60).format(n=minutes // 60)
    return ngettext("{n} minut", "{n} minuter", minutes).format(n=minutes)


def ago(length: dt.timedelta) -> str:
    """Formats the time since an event that happened `length` ago."""
    return gettext("nyss") if length < dt.timedelta(minutes=1) else gettext("för {span} sedan").format(span=span(length))


def shown_status(each: CertificateLine | CertificateRecord) -> str:
    """Returns the status that pages show: `expired` for an issued certificate past its end, `held` for one on hold."""
    if each.status != "issued":
        return each.status
    return "expired" if each.not_after <= clock.now() else "held" if each.held else "issued"


def matter(names: Mapping[str, str], action: str, summary: str, document: Mapping[str, Any]) -> str:
    """Returns the title of an approval, or `summary` if the action has no title of its own. `names` are the names of CAs."""
    if action == "mass-revocation" and "groups" in document:
        return mass(names, document)
    if action == "import" and "slug" in document:
        name = imported(names, document["slug"], document["generation"], document.get("common_name", ""))
        return gettext("Import av {name}").format(name=name)
    before, after = document.get("from"), document.get("to")
    if action == "ca-state" and before in CA_STATE and after in CA_STATE:
        states = {"before": gettext(CA_STATE[str(before)]).lower(), "after": gettext(CA_STATE[str(after)]).lower()}
        return gettext("{name}: från {before} till {after}").format(name=document.get("common_name", ""), **states)
    return summary


def mass(names: Mapping[str, str], document: Mapping[str, Any]) -> str:
    """Returns the title of a mass revocation: the number of certificates and the CAs, by name if they are few."""
    cas = sorted({ca(names, each["ca"], each["generation"]) for each in document["groups"]})
    if len(cas) > _NAMED_CAS:
        cas = [gettext("{n} utfärdare").format(n=len(cas))]
    count = f"{document['revocable']:,}".replace(",", "\u00a0")
    return gettext("Spärra {n} certifikat från {names}").format(n=count, names=", ".join(cas))


def ca(names: Mapping[str, str], slug: str, generation: int) -> str:
    """Returns the common name of a CA, or its slug and generation if it is not in `names`."""
    return names.get(f"{slug}:{generation}") or f"{slug} {generation}"


def imported(names: Mapping[str, str], slug: str, generation: int, common_name: str) -> str:
    """Returns the name of an imported CA. It comes from the CA's certificate, because the CA may not exist here yet."""
    return common_name or ca(names, slug, generation)


def who(names: Mapping[str, str], ref: str) -> str:
    """Returns the name behind a reference: a person's, a ceremony participant's, or the label of a rule of the system."""
    if ref.startswith(PARTICIPANT):  # the reference holds the name in lower case
        return ref.removeprefix(PARTICIPANT).title()
    return names.get(ref) or words.label(SYSTEM, ref)


def tagged(tags: Mapping[str, str], texts: Mapping[str, str], code: str) -> dict[str, str]:
    """Returns the arguments of `components/tag.html`."""
    return {"kind": tags.get(code, "info"), "text": gettext(texts[code]) if code in texts else code}
