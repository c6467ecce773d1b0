"""History (Historik) of a carrier, an eID and a person: its events as text, newest first, paged by keyset."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Coalesce
from django.utils.translation import gettext as _

from authn import service as authn
from issuance.activation.models import EidAppTransaction, Identification, IdentificationWithdrawal
from issuance.activation.services import identifications
from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier, Eid
from issuance.mobile.models import MobileEnrolment
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.models.orders import OrderItem
from issuance.people.models.persons import Person, Post
from issuance.people.queries import officers
from issuance.records.domain.event_groups import COVERS
from issuance.records.models.events import Event
from issuance.records.queries import event_words, words
from issuance.register_care.domain import kinds as work_kinds
from issuance.register_care.models import WorkItem
from issuance.roles.queries import role_places
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.lists import ByKey, Key, keyset

BY_TIME = Key("at")
"""The order of events, of those of one moment by number. A query selects few events by subject, and then sorts them: no index has
this order.
"""

type Subjects = Mapping[tuple[str, str], str]
"""The display name of each subject of events, by its type and id."""


@dataclass(frozen=True)
class HistoryEntry:
    """An event as the page shows it.

    `is_withdrawn` marks an identification that no longer counts. `withdraws` is the identification's id if the reader may
    withdraw it.
    """

    id: int
    at: dt.datetime
    what: str
    subject: str
    who: str
    facts: tuple[tuple[str, str], ...]
    is_withdrawn: bool = False
    withdraws: UUID | None = None


@dataclass(frozen=True)
class PersonHistory(ByKey[Event, HistoryEntry]):
    """The source of the list of the events of a person, a carrier or an eID, without those that another event of the same
    transaction stands for (ADR 0212).

    `carrier` is the name of the carrier or eID, empty in the history of a person. `since` and `until` bound when the events
    happened: from `since` on, before `until`. `kinds` are the types of the subjects whose events are read; empty for all.
    """

    model = Event

    actor: Actor
    person_id: UUID
    carrier: str
    subjects: Subjects
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    kinds: Collection[str] = ()

    @property
    def _references(self) -> list[list[str]]:
        wanted = self.kinds or _SUBJECTS
        return [[ref for kind, ref in self.subjects if kind == each and each in wanted] for each in _SUBJECTS]

    def read(self, last: int | None, most: int, *, descending: bool) -> Sequence[Event]:
        """See `ByKey`."""
        numbers = [] if last is None else [last]
        moment = next(iter(_moments(numbers, *self._references)), None) if numbers else None
        return _events(most, descending, numbers, moment, self.since, self.until, *self._references)

    def lines(self, rows: Sequence[Event]) -> Sequence[HistoryEntry]:
        """See `ByKey`."""
        return _entries(self.actor, self.subjects, self._references, rows)

    def count(self, most: int) -> int:
        """See `Source`."""
        return _uncovered(self.since, self.until, self._references)[:most].count()


def carrier_history(*, actor: Actor, carrier_id: UUID | str) -> PersonHistory:
    """Returns the events of a carrier and of those of its eIDs that the actor sees. Raises NotFound, Forbidden."""
    carrier = policy.get(actor, Action.VIEW_HISTORY, _unread_carriers, carrier_id)
    return PersonHistory(actor, carrier.holder_id, _carrier_name(carrier), _carrier_subjects(actor, [carrier]))


def eid_history(*, actor: Actor, eid_id: UUID | str) -> PersonHistory:
    """Returns the events of an eID, and of the orders that made or replace it that the actor sees. Raises NotFound, Forbidden."""
    eid = policy.get(actor, Action.VIEW_HISTORY, Eid.objects.select_related("carrier").defer("carrier__card_key_spki"), eid_id)
    name = f"SITHS eID {eid.hsa_id}"
    orders = EidOrder.objects.visible_to(actor, Action.VIEW_HISTORY).filter(Q(eid=eid) | Q(replaces=eid))
    subjects = {(EidOrder.subject, str(pk)): name for pk in orders.values_list("pk", flat=True)}
    return PersonHistory(actor, eid.carrier.holder_id, name, {(Eid.subject, str(eid.pk)): name, **subjects})


def person_history(*, actor: Actor, person_id: UUID | str) -> PersonHistory:
    """Returns the events of a person and of those of their assignments, carriers, eIDs and rows of Registervård that the actor
    sees.

    Raises NotFound, Forbidden.
    """
    person = policy.get(actor, Action.VIEW_HISTORY, Person.objects, person_id)
    subjects = {
        ("person", str(person.id)): _("Personen"),
        **{(kind, str(pk)): _post_or_work(kind, name) for kind, pk, name in _posts_and_work(actor, person.id)},
        **_carrier_subjects(actor, _carriers(actor, person.id)),
    }
    return PersonHistory(actor, person.id, "", subjects)


def _carrier_name(carrier: Carrier) -> str:
    ending = f" …{carrier.card_serial[-4:]}" if carrier.card_serial else f" {carrier.device}" if carrier.device else ""
    return f"{words.carrier_type(carrier.kind)}{ending}"


def _carrier_subjects(actor: Actor, carriers: list[Carrier]) -> dict[tuple[str, str], str]:
    names = {carrier.id: _carrier_name(carrier) for carrier in carriers}
    ids = list(names)
    return {
        **{("carrier", str(pk)): name for pk, name in names.items()},
        **{
            (kind, str(pk)): f"SITHS eID {label}" if kind in _NAMED_BY_HSA_ID else names[UUID(label)]
            for kind, pk, label in _parts(actor, ids)
        },
    }


def _unread_carriers(_actor: Actor) -> QuerySet[Carrier]:
    return Carrier.objects.defer("card_key_spki")


@prepared
def _carriers(actor: Actor, person_id: UUID) -> QuerySet[Carrier]:
    return Carrier.objects.visible_to(actor, Action.VIEW_HISTORY).filter(person=person_id).defer("card_key_spki")


@prepared
def _posts_and_work(actor: Actor, person_id: UUID) -> QuerySet[Post, Any]:
    """Returns type, id and name of the person's assignments, of mobile eIDs that no device has begun or that were refused, and of
    the rows of work about the person, that the actor sees.
    """
    posts = Post.objects.visible_to(actor, Action.VIEW_HISTORY).filter(person=person_id)
    enrolments = MobileEnrolment.objects.visible_to(actor, Action.VIEW_HISTORY).filter(person=person_id, carrier=None)
    named = posts.values_list(Value("post"), "id", "hsa_id").union(
        enrolments.values_list(Value(MobileEnrolment.subject), "id", "state"), all=True
    )
    if not policy.holds(actor, Action.KEEP_REGISTER):
        return named
    work = WorkItem.objects.visible_to(actor, Action.KEEP_REGISTER).filter(person=person_id)
    return named.union(work.values_list(Value(WorkItem.subject), "id", "kind"), all=True)


def _post_or_work(kind: str, name: str) -> str:
    if kind == MobileEnrolment.subject:
        return _("Mobilt SITHS")
    if kind == "post":
        return _("Uppdrag {hsa_id}").format(hsa_id=name)
    return _("Registervård: {kind}").format(kind=_(work_kinds.kind_of(name).name))


_NAMED_BY_HSA_ID = (Eid.subject, EidOrder.subject)


@prepared
def _parts(actor: Actor, carrier_ids: list[UUID]) -> QuerySet[Eid, Any]:
    """Returns type, id and label of what belongs to carriers: the eIDs and orders of eIDs that the actor sees, labelled by their
    HSA-id, and the orders of carriers and of letters with their PUKs, transactions and identifications, by their carrier's id.
    """
    eids = Eid.objects.visible_to(actor, Action.VIEW_HISTORY).filter(carrier__in=carrier_ids)
    eid_orders = EidOrder.objects.visible_to(actor, Action.VIEW_HISTORY).filter(carrier__in=carrier_ids)
    items = OrderItem.objects.filter(Q(carrier__in=carrier_ids) | Q(puk_of__in=carrier_ids))
    carrier_of_item = Cast(Coalesce("carrier_id", "puk_of_id"), TextField())
    of_carriers = (
        rows.filter(carrier__in=carrier_ids).values_list(Value(kind), "id", Cast("carrier_id", TextField()))
        for kind, rows in (
            ("transaction", EidAppTransaction.objects),
            ("identification", Identification.objects),
            (MobileEnrolment.subject, MobileEnrolment.objects),
        )
    )
    return eids.values_list(Value(Eid.subject), "id", "hsa_id").union(
        eid_orders.values_list(Value(EidOrder.subject), "id", "hsa_id"),
        items.values_list(Value("order"), "order_id", carrier_of_item),
        *of_carriers,
        all=True,
    )


_SUBJECTS = (
    "person", "post", "carrier", Eid.subject, EidOrder.subject, "order", "transaction", "identification", WorkItem.subject,
    MobileEnrolment.subject,
)  # fmt: skip
"""Types of subjects in the history of a person."""


def _entries(actor: Actor, subjects: Subjects, references: Sequence[list[str]], shown: Sequence[Event]) -> list[HistoryEntry]:
    who, places = names_of(actor, {row.actor_ref for row in shown}), role_places.places_of_events(actor, shown)
    identified = [UUID(row.subject_ref) for row in shown if row.action == "holder.identified"]
    withdrawn = set(IdentificationWithdrawal.objects.filter(pk__in=identified).values_list("pk", flat=True)) if identified else ()
    offered = identifications.withdrawable_of(actor, identified) if identified else ()
    further = _facts_of_covered(references, shown)
    return [
        HistoryEntry(
            id=row.id,
            at=row.at,
            what=event_words.what(row.action),
            subject=subjects[row.subject_type, row.subject_ref],
            who=who[row.actor_ref],
            facts=event_words.facts_of(
                {**_facts(row), "role_place": places.get(str(row.facts.get("grant")))},
                further.get(row.id, []),
                subject_type=row.subject_type,
            ),
            is_withdrawn=row.action == "holder.identified" and UUID(row.subject_ref) in withdrawn,
            withdraws=UUID(row.subject_ref) if row.action == "holder.identified" and UUID(row.subject_ref) in offered else None,
        )
        for row in shown
    ]


def _facts(row: Event) -> dict[str, Any]:
    """Returns the event's facts. The form for withdrawing an identification labels its text as a reason, so the key differs."""
    if row.action != "holder.identification_withdrawn":
        return dict(row.facts)
    return {name: value for name, value in row.facts.items() if name != "justification"} | {
        "withdrawal_reason": row.facts.get("justification")
    }


def _concerning(references: Iterable[Sequence[str]]) -> QuerySet[Event]:
    """Returns the events of these subjects; `references` holds one list for each type in `_SUBJECTS`."""
    concerned = Q(pk__in=[])
    for subject_type, of_type in zip(_SUBJECTS, references, strict=True):
        if of_type:
            concerned |= Q(subject_type=subject_type, subject_ref__in=of_type)
    return Event.objects.filter(concerned)


def _uncovered(since: dt.datetime | None, until: dt.datetime | None, references: Sequence[list[str]]) -> QuerySet[Event]:
    covered = Q(pk__in=[])
    for action, others in COVERS.items():
        covering = _concerning(references).filter(xid=OuterRef("xid"), action=action)
        covered |= Q(Exists(covering), action__in=others)
    events = _concerning(references).exclude(covered)
    if since is not None:
        events = events.filter(at__gte=since)
    return events if until is None else events.filter(at__lt=until)


@prepared
def _moments(numbers: list[int], *references: list[str]) -> QuerySet[Event, Any]:
    """Returns when those of these events happened that belong to the history."""
    return _concerning(references).filter(pk__in=numbers).values_list("at", flat=True)


def beyond_event(at: dt.datetime, number: int, *, descending: bool) -> Q:
    """Returns the condition for events after the one of this time and number, in the order of histories."""
    side = "lt" if descending else "gt"
    return Q(**{f"at__{side}": at}) | Q(**{"at": at, f"id__{side}": number})


@prepared
def _events(
    most: int,
    descending: bool,
    last: list[int],
    moment: dt.datetime | None,
    since: dt.datetime | None,
    until: dt.datetime | None,
    *references: list[str],
) -> QuerySet[Event]:
    """Returns the first events by time in one direction. `last` and `moment`: number and time of the one that they come after."""
    events = _uncovered(since, until, references)
    if moment is not None:
        events = events.filter(beyond_event(moment, last[0], descending=descending))
    return events.order_by(*keyset.ordering(events, (BY_TIME,), descending=descending))[:most]


@prepared
def _facts_within(xids: list[int], actions: list[str], *references: list[str]) -> QuerySet[Event, Any]:
    covered = _concerning(references).filter(xid__in=xids, action__in=actions)
    return covered.order_by("id").values_list("xid", "action", "facts")


def _facts_of_covered(references: Sequence[list[str]], shown: Sequence[Event]) -> dict[int, list[Mapping[str, Any]]]:
    """Returns the facts of the events that each of `shown` stands for, by its id.

    Leaves them out if two events of the same action in one transaction could claim them.
    """
    acts: dict[tuple[int, str], list[int]] = {}
    for row in shown:
        for action in COVERS.get(row.action, ()):
            acts.setdefault((row.xid, action), []).append(row.id)
    found: dict[int, list[Mapping[str, Any]]] = {}
    if acts:
        xids, actions = {xid for xid, _action in acts}, {action for _xid, action in acts}
        for xid, action, facts in _facts_within(sorted(xids), sorted(actions), *references):
            by = acts.get((xid, action), [])
            if len(by) == 1:
                found.setdefault(by[0], []).append(facts)
    return found


def names_of(actor: Actor, refs: Iterable[str]) -> dict[str, str]:
    """Returns a display name for each reference.

    A clerk with protected identity is named only to actors who may see that person.
    """
    refs = set(refs)
    found = officers.names(actor, refs)
    clients = {ref.removeprefix("client:") for ref in refs if ref.startswith("client:")}
    names = authn.client_names(clients) if clients else {}
    found |= {f"client:{ref}": _("Kortleverantören {name}").format(name=names.get(ref, ref)) for ref in clients}
    return {ref: found.get(ref) or event_words.who(ref) for ref in refs}
