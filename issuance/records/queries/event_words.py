"""Events as text: the action, the actor, and the facts that a reader understands."""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.activation.domain import identity_documents
from issuance.activation.domain.card_reports import CardReport
from issuance.activation.queries import transaction_ends
from issuance.authz.actor import CARD_PREFIX, HOLDER_PREFIX
from issuance.authz.role_names import ROLE
from issuance.mobile.domain.states import SWEDISH as REFUSALS
from issuance.orders.models.eid_orders import EidOrder
from issuance.records.domain import wording
from issuance.records.domain.event_words import WORDS, merged
from issuance.records.queries import words
from issuance.revocation.domain import SWEDISH, RevocationReason
from issuance.roles.domain import SWEDISH as QUALIFICATION
from siths_portal.lib import clock
from siths_portal.lib.pages import status_words
from siths_portal.lib.pages.status_words import Noun

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


@cache
def actions() -> Mapping[str, str]:
    """Returns the labels of all packages' actions."""
    return merged({each.package: each.actions for each in WORDS})


@cache
def _rules() -> Mapping[str, str]:
    return merged({each.package: each.rules for each in WORDS})


def what(action: str) -> str:
    """Returns the label of an action."""
    return wording.label(actions(), action)


def who(ref: str) -> str:
    """Returns the label of a system rule, of the holder, or of a log-in with a reserve card; other references are returned
    unchanged.
    """
    if ref.startswith(HOLDER_PREFIX):
        return gettext("Innehavaren")
    return gettext("Inloggad med reservkortet") if ref.startswith(CARD_PREFIX) else wording.label(_rules(), ref)


def facts_of(
    facts: Mapping[str, Any], further: Iterable[Mapping[str, Any]] = (), *, subject_type: str = ""
) -> tuple[tuple[str, str], ...]:
    """Returns labels and values of an event's facts, without ids and without facts that the event's name already expresses. A
    change of state is shown if people have words for both states; otherwise the event's name says what happened.

    `subject_type` is that of the event and decides the gender of words for states. `further` holds the facts of events that
    this one stands for (ADR 0212); duplicates appear once.
    """
    found = []
    before, after = str(facts.get("from")), str(facts.get("to"))
    states = status_words.WORDS[Noun.ORDER if subject_type == EidOrder.subject else Noun.EID]
    if before != after and before in states and after in states:
        change = f"{wording.label(states, before)} → {wording.label(states, after)}"
        found.append((gettext("Status"), change))
    found += plain(facts)
    found += [(label, f"{earlier} → {later}") for label, earlier, later in changes(facts)]
    found += [fact for each in further for fact in plain(each)]
    return tuple(dict.fromkeys(found))


def plain(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns label and value of each fact that has a single value."""
    return [(gettext(label), written(facts[name])) for name, (label, written) in _FACTS.items() if facts.get(name)]


def changes(facts: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Returns the label, the earlier and the later value of each fact that changed."""
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
    if code in REFUSALS:
        return gettext(REFUSALS[code])
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
    """Returns the last day of a period that ends at a moment (exclusive), often midnight."""
    last = dt.datetime.fromisoformat(text) - dt.timedelta(microseconds=1)
    return f"{last.astimezone(clock.STOCKHOLM):%Y-%m-%d}"


def _fields(names: list[str]) -> str:
    return ", ".join(wording.label(_FIELDS, name) for name in names)


def _from(table: Mapping[str, str]) -> Callable[[str], str]:
    return lambda code: wording.label(table, code)


_FACTS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "reason": (_("Orsak"), _reason),
    "report": (_("Vad"), _from(_REPORT)),
    "tries_left": (_("Försök kvar"), str),
    "justification": (_("Beskrivning"), str),
    "withdrawal_reason": (_("Skäl"), str),
    "until": (_("Visas igen"), str),
    "requester": (_("Begärd av"), _from(words.REQUESTER)),
    "requester_name": (_("Namn på den som begärde"), str),
    "request_channel": (_("Begäran kom genom"), _from(words.REQUEST_CHANNEL)),
    "received_at": (_("Begäran kom in"), _moment),
    "identity_document": (_("Identifiering med"), _from(identity_documents.IDENTITY_DOCUMENT)),
    "attestor_name": (_("Intygsgivare"), str),
    "attestor_relation": (_("Intygsgivarens relation"), _from(identity_documents.RELATION)),
    "attestor_document": (_("Intygsgivarens id-handling"), _from(identity_documents.IDENTITY_DOCUMENT)),
    "suspected_document": (_("Id-handling"), _from(identity_documents.IDENTITY_DOCUMENT)),
    "document_judgement": (_("Bedömning"), _from(identity_documents.JUDGEMENT)),
    "identified_at": (_("Identifieringen registrerades"), _moment),
    "card_serial": (_("Serienummer"), wording.card_serial),
    "mifare_id": (_("MIFARE-id"), str),
    "puk_refusal": (_("Skäl"), _from(words.PUK_REFUSAL)),
    "sent_on": (_("Lämnat till posten"), str),
    "registered_mail_id": (_("REK-id"), str),
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
