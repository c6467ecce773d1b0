"""Events in words: what was done, by whom, and the facts that a reader understands."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.activation.domain.card_reports import CardReport
from issuance.activation.queries import transaction_ends
from issuance.authz.role_names import ROLE
from issuance.records.queries import words
from issuance.revocation.domain import SWEDISH, RevocationReason
from issuance.roles.domain import SWEDISH as QUALIFICATION
from siths_portal.lib import clock

WHAT: Mapping[str, str] = {
    "person.registered": _("Personen lades upp från katalogen"),
    "person.changed": _("Uppgifter ändrades efter personregister eller katalog"),
    "post.registered": _("Uppdraget lades upp från katalogen"),
    "post.changed": _("Uppdraget ändrades efter katalogen"),
    "post.ended": _("Uppdraget avslutades i katalogen"),
    "catalogue.losses_held": _("Inga uppdrag avslutades: för många rollinnehavare saknade uppdrag i HSA-katalogen"),
    "catalogue.losses_accepted": _("Förluster i katalogen godtogs"),
    "catalogue.imported": _("Katalogen lästes in från en fil"),
    "role.assigned": _("Behörighetsroll tilldelades"),
    "role.changed": _("Behörighetsroll ändrades"),
    "role.ended": _("Behörighetsroll avslutades"),
    "role_request.made": _("Behörighetsroll begärdes"),
    "role_request.approved": _("Begäran om behörighetsroll godkändes"),
    "role_request.rejected": _("Begäran om behörighetsroll avslogs"),
    "role_request.withdrawn": _("Begäran om behörighetsroll togs tillbaka"),
    "role_request.expired": _("Begäran om behörighetsroll löpte ut utan beslut"),
    "qualification.recorded": _("Utbildning eller personkontroll registrerades"),
    "qualification.withdrawn": _("Utbildning eller personkontroll återtogs"),
    "carrier.ordered": _("Kortet beställdes"),
    "carrier.migrated": _("Kortet fördes in från den tidigare portalen"),
    "carrier.serial_bound": _("Kortets serienummer registrerades"),
    "carrier.produced": _("Kortet tillverkades"),
    "carrier.sent": _("Kortet skickades"),
    "carrier.received": _("Kortet togs emot på kontoret"),
    "carrier.holder_bound": _("Kortet knöts till innehavaren"),
    "holder.identified": _("Innehavaren identifierades vid besök"),
    "holder.identification_withdrawn": _("Identifieringen togs tillbaka"),
    "carrier.code_set": _("Innehavaren valde legitimeringskod"),
    "carrier.code_blocked": _("Koden spärrades efter tre felaktiga försök"),
    "carrier.code_reset": _("Innehavaren valde en ny legitimeringskod"),
    "carrier.activated": _("Innehavaren skrev under kvittensen och kortet aktiverades"),
    "carrier.revoked": _("Kortet spärrades"),
    "revocation.held": _("Spärren väntar på en andra handläggare"),
    "revocation.approved": _("En andra handläggare godkände spärren"),
    "revocation.rejected": _("En andra handläggare avslog spärren"),
    "carrier.expired": _("Kortets giltighet gick ut"),
    "carrier.cancelled": _("Kortet avbröts"),
    "transaction.created": _("Aktivering påbörjades"),
    "transaction.handle_renewed": _("Ny länk till eID-appen gavs"),
    "transaction.started": _("Innehavaren öppnade eID-appen med kortet"),
    "transaction.code_set": _("eID-appen meddelade att koden är satt"),
    "transaction.card_reported": _("eID-appen rapporterade från kortet"),
    "transaction.completed": _("eID-appen lämnade underskriften"),
    "transaction.cancelled": _("Aktiveringen avbröts"),
    "transaction.expired": _("Tiden för aktiveringen gick ut"),
    "transaction.failed": _("Aktiveringen misslyckades"),
    "transaction.superseded": _("Aktiveringen ersattes av en ny"),
    "transaction.proof_refused": _("eID-appens bevis för kortet godtogs inte"),
    "eid.ordered": _("SITHS eID beställdes"),
    "eid.migrated": _("SITHS eID fördes in från den tidigare portalen"),
    "eid.certificates_planned": _("Certifikat beställdes av certifikatutfärdaren"),
    "eid.activated": _("SITHS eID aktiverades"),
    "eid.revoked": _("SITHS eID spärrades"),
    "eid.expired": _("SITHS eID gick ut"),
    "eid.cancelled": _("SITHS eID avbröts"),
    "order.submitted": _("Beställningen lades i kö till kortleverantören"),
    "order.accepted": _("Kortleverantören tog emot beställningen"),
    "order.production_started": _("Produktionen startade"),
    "order.produced": _("Kortleverantören rapporterade kortet tillverkat"),
    "order.sent": _("Kortleverantören rapporterade kortet skickat"),
    "order.puk_sealed": _("Portalen tog emot kortets upplåsningskod (PUK)"),
    "order.puk_refused": _("Kortets upplåsningskod (PUK) togs inte emot"),
    "order.failed": _("Produktionen misslyckades"),
    "order.returned": _("Försändelsen kom i retur"),
    "order.cancelled": _("Beställningen togs bort"),
    "order.address_read": _("Kortleverantören läste leveransadressen"),
    "order.photo_read": _("Kortleverantören läste fotot"),
    "order.report_noted": _("En rapport från kortleverantören noterades"),
}

_SYSTEM: Mapping[str, str] = {
    "system:not-activated-in-time": _("Systemet: kortet aktiverades inte i tid"),
    "system:receipt-not-signed": _("Systemet: kvittensen skrevs inte under i tid"),
    "system:certificate-revoked": _("Systemet: certifikaten spärrades av certifikatutfärdaren"),
    "system:expiry": _("Systemet: giltigheten gick ut"),
    "system:migration": _("Systemet: införing från den tidigare portalen"),
    "system:eid-app": _("Systemet: eID-appens anrop"),
    "system:wrong-proofs": _("Systemet: för många fel bevis"),
    "system:receipts": _("Systemet: den underskrivna kvittensen klarade inte kontrollen"),
    "system:delivery": _("Systemet: kortets upplåsningskod kunde inte lämnas till appen"),
    "system:puk": _("Systemet: läsning av upplåsningskoden"),
    "system:setup": _("Systemet: uppsättning"),
    "system:register-reading": _("Systemet: läsning i katalog och personregister"),
    "system:directory-import": _("Systemet: inläsning av katalogen från en fil"),
    "system:role-request-expiry": _("Systemet: begäran var för gammal"),
    "system:role-ended": _("Systemet: handläggarens roll har upphört"),
}
_FIELDS: Mapping[str, str] = {
    "given_names": _("förnamn"),
    "given_name_in_use": _("tilltalsnamn"),
    "surname": _("efternamn"),
    "protected_person_indicator": _("sekretessmarkering"),
    "protected_population_record": _("skyddad folkbokföring"),
    "deceased": _("avliden"),
    "title": _("titel"),
    "mail": _("e-post"),
    "upn": _("UPN"),
    "valid_to": _("slutdatum"),
    "hsa_id": _("Tjänste-id"),
}


def what(action: str) -> str:
    """What was done."""
    return words.said(WHAT, action)


def who(ref: str) -> str:
    """A rule of the system, or the holder himself; other references as they are."""
    return gettext("Innehavaren") if ref.startswith("holder:") else words.said(_SYSTEM, ref)


def facts_of(facts: Mapping[str, Any], further: Iterable[Mapping[str, Any]] = ()) -> tuple[tuple[str, str], ...]:
    """Labels and values of those facts of an event that people read; ids and what the event's name says already are left out.

    `further` are the facts of events that it tells of too, of which each is told once.
    """
    found = []
    before, after = facts.get("from"), facts.get("to")
    if before and before != after and before in words.STATE:
        change = f"{words.said(words.STATE, before)} → {words.said(words.STATE, str(after))}"
        found.append((gettext("Status"), change))
    found += plain(facts)
    found += [(label, f"{earlier} → {later}") for label, earlier, later in changes(facts)]
    found += [fact for each in further for fact in plain(each)]
    return tuple(dict.fromkeys(found))


def plain(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Those that are told by one value."""
    return [(gettext(label), written(facts[name])) for name, (label, written) in _FACTS.items() if facts.get(name)]


def changes(facts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Labels of facts that an event tells with their values before and after, and these."""
    before, after = facts.get("before"), facts.get("after")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    return [
        (gettext(label), written(before.get(name)), written(after[name]))
        for name, (label, written) in _CHANGED.items()
        if name in after and before.get(name) != after[name]
    ]


_REPORT: Mapping[str, str] = {
    CardReport.WRONG_CARD: _("Fel kort i läsaren"),
    CardReport.WRONG_CODE: _("Fel kod"),
    CardReport.CODE_BLOCKED: _("Koden spärrad"),
    CardReport.WRONG_PUK: _("Upplåsningskoden (PUK) togs inte emot"),
    CardReport.PUK_BLOCKED: _("Kortet kan inte låsas upp mer"),
}


def _reason(code: str) -> str:
    if code in RevocationReason:
        return gettext(SWEDISH[RevocationReason(code)])
    if code in _REPORT:
        return gettext(_REPORT[code])
    return transaction_ends.failure(code) or gettext("kod {code}").format(code=code)


def _yes_or_no(value: Any) -> str:
    return gettext("Ja") if value else gettext("Nej")


def _moment(text: str) -> str:
    return f"{dt.datetime.fromisoformat(text).astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M}"


def _day(text: str) -> str:
    return f"{dt.datetime.fromisoformat(text).astimezone(clock.STOCKHOLM):%Y-%m-%d}"


def _last_day(text: str) -> str:
    """The last day of what ends at a moment, which is a day's first where a day was chosen."""
    last = dt.datetime.fromisoformat(text) - dt.timedelta(microseconds=1)
    return f"{last.astimezone(clock.STOCKHOLM):%Y-%m-%d}"


def _fields(names: list[str]) -> str:
    return ", ".join(words.said(_FIELDS, name) for name in names)


def _from(table: Mapping[str, str]) -> Callable[[str], str]:
    return lambda code: words.said(table, code)


_FACTS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "reason": (_("Orsak"), _reason),
    "report": (_("Vad"), _from(_REPORT)),
    "tries_left": (_("Försök kvar"), str),
    "justification": (_("Beskrivning"), str),
    "withdrawal_reason": (_("Skäl"), str),
    "requester": (_("Begärd av"), _from(words.REQUESTER)),
    "requester_name": (_("Namn på den som begärde"), str),
    "request_channel": (_("Begäran kom genom"), _from(words.REQUEST_CHANNEL)),
    "received_at": (_("Begäran kom in"), _moment),
    "identity_document": (_("Identifiering med"), _from(words.IDENTITY_DOCUMENT)),
    "identified_at": (_("Identifieringen registrerades"), _moment),
    "card_serial": (_("Serienummer"), words.card_serial),
    "mifare_id": (_("MIFARE-id"), str),
    "puk_refusal": (_("Skäl"), _from(words.PUK_REFUSAL)),
    "sent_on": (_("Lämnat till posten"), str),
    "hsa_id": (_("Tjänste-id"), str),
    "article": (_("Artikel"), str),
    "fields": (_("Ändrade uppgifter"), _fields),
    "role": (_("Roll"), _from(ROLE)),
    "role_place": (_("Omfång"), str),
    "protected_persons": (_("Sekretess"), _yes_or_no),
    "valid_from": (_("Gäller från"), _day),
    "valid_to": (_("Gäller till"), _last_day),
    "qualification_kind": (_("Vad"), _from({kind.value: text for kind, text in QUALIFICATION.items()})),
    "passed_on": (_("Godkänd"), str),
    "due_on": (_("Gäller till"), str),
}
_CHANGED: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "protected_persons": (_("Sekretess"), _yes_or_no),
    "valid_to": (_("Gäller till"), lambda text: _last_day(text) if text else gettext("tills vidare")),
}
