"""Swedish labels and tag colours for codes of the PKI on the operators' pages."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from issuance.records.domain import wording
from pki.operators.certificate_search import CertificateLine
from pki.operators.certificates import CertificateRecord
from siths_portal.lib import clock
from siths_portal.lib.ordering import swedish_key

_NAMED_CAS = 4


class StateWords(NamedTuple):
    """How pages show a state: its label, the kind of its tag, and what it means, if a page explains it."""

    label: str
    tag: str
    means: str = ""


CA_STATES: Mapping[str, StateWords] = {
    "planned": StateWords(
        _("Planerad"), "ordered", _("Finns i en ceremoni som inte är klar. Utfärdar inget och publicerar inget.")
    ),
    "active": StateWords(_("Utfärdar"), "active", _("Utfärdar certifikat och publicerar spärrlistor och OCSP-svar.")),
    "status_only": StateWords(_("Bara status"), "info", _("Utfärdar inget. Spärrlistor och OCSP-svar publiceras som förut.")),
    "offline": StateWords(_("Frånkopplad"), "info", _("Nyckeln är frånkopplad. Spärrlistor och svar görs vid ceremonier.")),
    "external": StateWords(
        _("Extern"),
        "info",
        _("Drivs av någon annan. Portalen publicerar spärrlistan, och OCSP-svar om utfärdaren har en svarare här."),
    ),
    "retired": StateWords(
        _("Avvecklad"), "expired", _("Utfärdar inget mer. Status publiceras tills det sista certifikatet har gått ut.")
    ),
    "compromised": StateWords(
        _("Röjd"),
        "revoked",
        _("Nyckeln är röjd. Inget utfärdas och ingen status publiceras, eftersom ingen kan lita på utfärdaren."),
    ),
}
CA_STATE_STAYS: Mapping[str, str] = {
    "external": _("Utfärdaren drivs av någon annan och styrs inte härifrån."),
    "compromised": _("En röjd utfärdare kan inte få ett annat tillstånd. En ny generation får ta över."),
}
"""Why a CA in this state is given no other one."""
CERTIFICATE_STATES: Mapping[str, StateWords] = {
    "reserved": StateWords(_("Utfärdas"), "ordered"),
    "issued": StateWords(_("Giltigt"), "active"),
    "held": StateWords(_("Vilande"), "ordered"),
    "expired": StateWords(_("Utgånget"), "expired"),
    "revoked": StateWords(_("Spärrat"), "revoked"),
    "failed": StateWords(_("Utfärdades aldrig"), "failed"),
}
STATUS_COUNTED: Mapping[str, str] = {
    "reserved": _("Utfärdas nu"),
    "issued": _("Utfärdade, ej spärrade"),
    "revoked": _("Spärrade"),
    "failed": _("Utfärdades aldrig"),
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
    "revoke": _("Spärras"),
}
"""The ways in which an import may handle certificates on hold."""
PURPOSE: Mapping[str, str] = {
    "ca": _("Utfärdares nyckel"),
    "ocsp": _("OCSP-svarares nyckel"),
    "kek": _("Försegling av koder"),
    "secret-derive": _("Mottagning av koder"),
    "audit-mac": _("Loggens kedja"),
    "audit-head": _("Loggens signerade huvuden"),
    "health": _("Prov av modulen"),
}
FINDINGS: Mapping[str, StateWords] = {
    "": StateWords(_("Inte kontrollerad än"), "info"),
    "as-recorded": StateWords(_("Som den ska vara"), "active"),
    "missing": StateWords(_("Saknas i modulen"), "missing"),
    "drifted": StateWords(_("Ändrad i modulen"), "revoked"),
}
PROVENANCE: Mapping[str, str] = {"generated": _("Skapad i modulen"), "imported": _("Inläst vid en ceremoni")}
APPROVAL_ACTION: Mapping[str, str] = {
    "ceremony": _("Nyckelceremoni"),
    "ca-state": _("Ändring av utfärdare"),
    "mass-revocation": _("Masspärr"),
    "import": _("Import av utfärdare"),
}
APPROVAL_STATES: Mapping[str, StateWords] = {
    "open": StateWords(_("Väntar på beslut"), "queued"),
    "approved": StateWords(_("Godkänt, ej utfört"), "sent"),
    "used": StateWords(_("Utfört"), "active"),
    "rejected": StateWords(_("Avslaget"), "failed"),
    "withdrawn": StateWords(_("Återtaget"), "cancelled"),
    "expired": StateWords(_("Tiden gick ut"), "expired"),
}
MASS_STATES: Mapping[str, StateWords] = {
    "requested": StateWords(
        _("Väntar på beslut"), "queued", _("Inget är spärrat. Ärendet väntar på att andra personer beslutar.")
    ),
    "approved": StateWords(_("Godkänd, ej startad"), "sent", _("Inget är spärrat. Masspärren kan startas.")),
    "rejected": StateWords(_("Avslagen"), "failed", _("Inget är spärrat.")),
    "withdrawn": StateWords(_("Återtagen"), "cancelled", _("Inget är spärrat.")),
    "expired": StateWords(_("Tiden gick ut"), "expired", _("Inget är spärrat. Begäran hann inte godkännas och startas.")),
    "running": StateWords(_("Spärrar"), "in_production", _("Certifikaten spärras i omgångar. Spärren kan inte hävas.")),
    "stopped": StateWords(
        _("Stoppad"), "missing", _("Spärrade certifikat förblir spärrade. Resten spärras om masspärren fortsätter.")
    ),
    "publishing": StateWords(
        _("Publicerar"), "in_production", _("Alla certifikat är spärrade. Spärrlistor och OCSP-svar görs nu.")
    ),
    "finished": StateWords(_("Klar"), "active", _("Alla certifikat i urvalet är spärrade och det är publicerat.")),
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
    "certificate.imported": _("Lästes in från ett annat system"),
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
    "system:journal": _("Systemet: återläsningen av journalen"),
    "system:imports": _("Systemet: rapporter om importer"),
    "system:audit": _("Systemet: händelseloggen"),
    "system:kek-rotation": _("Systemet: byte av förseglingsnyckel"),
    "system:approvals": _("Systemet: tiden gick ut"),
    "system:key-inventory": _("Systemet: nyckelinventering"),
    "system:card-reconciliation": _("Systemet: jämförelsen av certifikat med beställningar"),
    "system:pki": _("Systemet"),
}
CEREMONY_STATES: Mapping[str, StateWords] = {
    "running": StateWords(
        _("Pågår"),
        "queued",
        _("Ceremonin har börjat och är inte avslutad. Följ samma fil igen för att fortsätta."),
    ),
    "finished": StateWords(_("Genomförd"), "active", _("Allt i filen är gjort och protokollet är skrivet.")),
    "failed": StateWords(
        _("Avbruten av ett fel"),
        "failed",
        _("Ett fel avbröt ceremonin. Steg som är gjorda finns kvar. Följ samma fil igen när felet är rättat."),
    ),
}
CEREMONY_EVENT: Mapping[str, str] = {
    "ceremony.proposed": _("Filen laddades upp för underskrift"),
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
TOKEN_STATES: Mapping[str, StateWords] = {
    "read": StateWords(_("Läst"), "active"),
    "offline": StateWords(_("Frånkopplad, som den ska"), "info"),
    "unreachable": StateWords(_("Gick inte att läsa"), "failed"),
}
KEY_PROBLEM: Mapping[str, str] = {
    "unknown": _("Okänt objekt i modulen"),
    "missing": _("Saknas i modulen"),
    "drifted": _("Ändrad i modulen"),
    "unreachable": _("Modulen gick inte att läsa"),
}
PROFILE: Mapping[str, str] = {
    "person-hsaid-auth": _("Legitimering med tjänste-id"),
    "person-hsaid-sign": _("Underskrift med tjänste-id"),
    "person-id-auth": _("Legitimering med person-id"),
    "person-id-sign": _("Underskrift med person-id"),
    "mobile-auth": _("Legitimering med mobilt SITHS"),
    "mobile-sign": _("Underskrift med mobilt SITHS"),
    "transport": _("Transport av reservkort"),
    "function": _("Funktion"),
    "seal": _("Elektronisk stämpel"),
    "time-stamp": _("Tidsstämpel"),
    "letter": _("Brev med upplåsningskod"),
    "ocsp-signer": _("OCSP-svarare"),
    "root-ca": _("Rotutfärdare"),
    "issuing-ca": _("Utfärdare"),
}
"""What certificates with a profile are for. Pages show the profile's own name after it, which files and commands use."""
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


def profile(name: str) -> str:
    """Returns what certificates with a profile are for, with the profile's own name; that name alone if it is unknown."""
    return f"{wording.label(PROFILE, name)} ({name})" if name in PROFILE else name


def profile_choices(names: Iterable[str]) -> list[tuple[str, str]]:
    """Returns the choices of a field of profiles, in the order of their labels."""
    return sorted(((name, profile(name)) for name in names), key=lambda choice: swedish_key(choice[1]))


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
    if action == "ca-state" and before in CA_STATES and after in CA_STATES:
        states = {"before": label(CA_STATES, str(before)).lower(), "after": label(CA_STATES, str(after)).lower()}
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
    return names.get(ref) or wording.label(SYSTEM, ref)


def label(states: Mapping[str, StateWords], code: str) -> str:
    """Returns the label of a state; the code itself if it is unknown."""
    return gettext(states[code].label) if code in states else code


def labels(states: Mapping[str, StateWords]) -> dict[str, str]:
    """Returns the labels of all states, not translated yet."""
    return {code: each.label for code, each in states.items()}


def meaning(states: Mapping[str, StateWords], code: str) -> str:
    """Returns what a state means; the code itself if it is unknown."""
    return gettext(states[code].means) if code in states else code


def tagged(states: Mapping[str, StateWords], code: str) -> dict[str, str]:
    """Returns the arguments of `components/tag.html`."""
    return {"kind": states[code].tag if code in states else "info", "text": label(states, code)}
