"""Queries return the rows that the rules allow: for every scoped model, caller, action and place.

`walker.sees` states the rules independently of `issuance.authz`. Each row's place comes from its own organisations, not from the
scope rule of its model. Because of this proof, the walk of the pages can ask fewer questions.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.apps import apps
from django.core.exceptions import EmptyResultSet
from django.db.models import Model

from issuance.activation.models import DocumentSuspicion, EidAppTransaction, Identification
from issuance.authz import Action, Role, policy
from issuance.authz.roles import ALLOWED, GLOBAL_ROLES, READING
from issuance.carriers.models import Carrier, Eid
from issuance.customisations.models import CardCustomisation
from issuance.mobile.models import MobileEnrolment
from issuance.offices.models import Office
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import IssuingArea, Organisation
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, Post
from issuance.register_care.models import WorkItem
from issuance.reserve_cards.models import ReserveCardIssue
from issuance.roles.models.extended_reach import ExtendedReach
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden, NotFound
from tests.access import targets
from tests.access.walker import sees
from tests.access.world import CALLERS, AccessWorld, Who, undone

WITH_ROLE = [who for who in CALLERS if who.role is not None]


@dataclass(frozen=True)
class Lies:
    """How a row is placed: the ways to its organisations, or to its area; to its person; to organisations that only show it,
    for reading or for `shown_for`.
    """

    organisations: tuple[str, ...] = ()
    area: str = ""
    person: str = ""
    shown_in: str = ""
    shown_for: frozenset[Action] = READING


LIES: dict[type[Model], Lies] = {
    Person: Lies(("posts__organisation", "carriers__organisation", "carriers__eids__organisation"), person="id"),
    PersonScope: Lies(("organisation",), person="person"),
    Post: Lies(("organisation",), person="person"),
    Carrier: Lies(("organisation",), person="person", shown_in="eids__organisation"),
    Eid: Lies(("organisation",), person="carrier__person"),
    CardOrder: Lies(("organisation",), person="person"),
    EidOrder: Lies(("organisation",), person="carrier__person"),
    Identification: Lies(("carrier__organisation",), person="carrier__person"),
    DocumentSuspicion: Lies(("carrier__organisation",), person="carrier__person"),
    EidAppTransaction: Lies(("carrier__organisation",), person="carrier__person"),
    MobileEnrolment: Lies(("organisation",), person="person"),
    ReserveCardIssue: Lies(("post__organisation",), person="person"),
    Organisation: Lies(("id",)),
    CardCustomisation: Lies(("organisations", "pending_at")),
    IssuingArea: Lies(area="id"),
    WorkItem: Lies(("organisation",), person="person"),
    Office: Lies(area="area", shown_in="organisations", shown_for=READING | {Action.KEEP_STOCK}),
}


@dataclass
class Placed:
    """Where one row lies."""

    person_id: UUID | None = None
    places: set[str] = field(default_factory=set)
    shown_in: set[str] = field(default_factory=set)
    shown_for: frozenset[Action] = READING


class Everything:
    """Rows of every scoped model at every place, of protected persons and others; half of those outside were found by each
    caller's extended search."""

    def __init__(self, access: AccessWorld) -> None:
        self.access = access
        clerk = Who(Role.ID_ADMINISTRATOR)
        for place in ("parent", "child", "beside", "outside"):
            access.order(access.places[place], protected=True)
        for number, place in enumerate(("inside", "parent", "child", "beside", "outside")):
            targets.office(access, clerk, place, number=f"100000000{number}")
            if place in ("inside", "child"):  # where others have one of their own
                targets.customisation(access, clerk, place, number=f"100000000{number}")
        for carrier in Carrier.objects.values_list("pk", flat=True):
            targets.open_transaction(carrier, "user:x")
            DocumentSuspicion.objects.create(
                carrier_id=carrier, officer_ref="user:x", identity_document="passport", observed="Lösa skikt", at=clock.now()
            )
        for eid in Eid.objects.select_related("carrier"):
            targets.eid_order(eid)
        WorkItem.objects.bulk_create(
            WorkItem(
                kind="ended", subject_id=card.pk, organisation_id=card.organisation_id, person_id=card.person_id, carrier=card,
                due=access.moment.date(), found_at=access.moment, state="open", seq=1,
            )
            for card in Carrier.objects.all()
        )  # fmt: skip
        MobileEnrolment.objects.bulk_create(
            MobileEnrolment(
                person_id=card.person_id, organisation_id=card.organisation_id, logged_in_with=card, session_id=uuid4(),
                logged_in_at=access.moment, created_at=access.moment, expires_at=access.moment, state="refused", seq=1,
            )
            for card in Carrier.objects.all()
        )  # fmt: skip
        for post in Post.objects.filter(eids__isnull=False).distinct():
            targets.hand_out(post)
        place_of = {organisation.pk: place for place, organisation in access.places.items() if place != "protected"}
        place_of_area = {access.places["parent"].area_id: "parent", access.places["outside"].area_id: "outside"}
        self.protected = set(Person.objects.filter(is_protected=True).values_list("pk", flat=True))
        outside = Person.objects.filter(scopes__organisation=access.places["outside"]).order_by("is_protected", "pk")
        self.found = frozenset(outside.distinct().values_list("pk", flat=True)[::2])
        self.rows = {model: _placed(model, lies, place_of, place_of_area) for model, lies in LIES.items()}

    def actor(self, who: Who) -> Any:
        """The caller, who has searched."""
        ref, until = self.access.actors[who].ref, clock.now() + dt.timedelta(minutes=30)
        ExtendedReach.objects.bulk_create(
            ExtendedReach(person_id=pk, owner_ref=ref, reason="Prov", until=until) for pk in self.found
        )
        person_id = self.access.actors[who].person_id
        assert person_id
        return actor_of_person(person_id)

    def gives(self, who: Who, action: Action, row: Placed) -> bool:
        """Whether the rules let the caller do this to the row."""
        if action not in ALLOWED[who.role or Role.READER] or (row.person_id in self.protected and not who.add_on):
            return False
        places = row.places | (row.shown_in if action in row.shown_for else set())
        places |= {"opened"} if row.person_id in self.found else set()
        return action is Action.EXTENDED_SEARCH or any(sees(who, place, action) for place in places)

    def unlike(self, model: type[Model], *, besides: UUID | None) -> list[tuple[Any, Placed]]:
        """A row of each kind of place, of other people than `besides`, who does much for others and not for himself."""
        found = {}
        for pk, row in self.rows[model].items():
            if row.person_id is None or row.person_id != besides:
                flags = row.person_id in self.protected, row.person_id in self.found
                found[frozenset(row.places), frozenset(row.shown_in), flags] = pk, row
        return list(found.values())


def _placed(model: Any, lies: Lies, place_of: dict[UUID, str], place_of_area: dict[UUID, str]) -> dict[Any, Placed]:
    rows = model._default_manager.all()
    placed = {pk: Placed(shown_for=lies.shown_for) for pk in rows.values_list("pk", flat=True)}
    if lies.person:
        for pk, person_id in rows.values_list("pk", lies.person):
            placed[pk].person_id = person_id
    for way in lies.organisations:
        for pk, organisation_id in rows.values_list("pk", way):
            placed[pk].places |= {place_of[organisation_id]} if organisation_id else set()
    if lies.area:
        for pk, area_id in rows.values_list("pk", lies.area):
            placed[pk].places.add(place_of_area[area_id])
    if lies.shown_in:
        for pk, organisation_id in rows.values_list("pk", lies.shown_in):
            placed[pk].shown_in |= {place_of[organisation_id]} if organisation_id else set()
    return placed


@pytest.fixture(scope="module")
def everything(access: Any) -> Iterator[Everything]:
    with undone(), clock.moved_to(access.moment):
        yield Everything(access)


def test_every_scoped_model_is_asked() -> None:
    assert set(LIES) == {model for model in apps.get_models() if hasattr(model, "scope")}


def test_rows_of_every_model_lie_everywhere(everything: Everything) -> None:
    for model, rows in everything.rows.items():
        places = {place for row in rows.values() for place in row.places}
        assert places >= ({"parent", "outside"} if LIES[model].area else {"inside", "parent", "child", "beside", "outside"}), (
            model
        )
        if LIES[model].person:
            protected = {place for row in rows.values() if row.person_id in everything.protected for place in row.places}
            assert protected >= {"inside", "parent", "child", "beside", "outside"}, model
            opened = {row.person_id in everything.protected for row in rows.values() if row.person_id in everything.found}
            assert opened == {True, False}, model


@pytest.mark.parametrize("who", WITH_ROLE, ids=str)
def test_a_caller_sees_what_the_rules_give(everything: Everything, who: Who) -> None:
    """Many actions give the same statement, which is executed once: nothing is written meanwhile."""
    answers: dict[tuple[str, str], set[Any]] = {}
    with undone():
        actor = everything.actor(who)
        for model, rows in everything.rows.items():
            for action in Action:
                query = model.objects.visible_to(actor, action).values_list("pk", flat=True)
                try:
                    sql, params = query.query.sql_with_params()
                except EmptyResultSet:
                    seen = set()
                else:
                    if (sql, repr(params)) not in answers:
                        answers[sql, repr(params)] = set(query)
                    seen = answers[sql, repr(params)]
                assert seen == {pk for pk, row in rows.items() if everything.gives(who, action, row)}, (model, action)


@pytest.mark.parametrize("who", WITH_ROLE, ids=str)
def test_one_row_is_given_forbidden_or_unknown_by_the_rules(everything: Everything, who: Who) -> None:
    """One row of each kind of place is asked for by its key, with each action in its turn."""
    actions = islice(cycle(Action), WITH_ROLE.index(who), None)
    wrong = []
    with undone():
        actor = everything.actor(who)
        for model in (model for model in everything.rows if model is not PersonScope):  # no page looks it up by its key
            for pk, row in everything.unlike(model, besides=actor.person_id):
                action = next(actions)
                wanted = "given" if everything.gives(who, action, row) else "unknown"
                if wanted == "unknown" and everything.gives(who, Action.VIEW, row):
                    wanted = "forbidden"
                answer = _answer(actor, action, model, pk)
                wrong += [f"{model.__name__} {row} {action}: {answer}, not {wanted}"] if answer != wanted else []
    assert wrong == []


def _answer(actor: Any, action: Action, model: Any, pk: Any) -> str:
    try:
        policy.get(actor, action, model.objects.all(), pk)
    except NotFound:
        return "unknown"
    except Forbidden:
        return "forbidden"
    return "given"


@pytest.mark.parametrize("who", WITH_ROLE, ids=str)
def test_the_add_on_gives_no_action(access: Any, who: Who) -> None:
    """What pages ask without a row."""
    actor = access.actors[who]
    role = who.role or Role.READER
    for action in Action:
        allowed = action in ALLOWED[role]
        assert policy.holds(actor, action) == allowed
        assert not policy.is_dormant(actor, action)
        assert (policy.held_since(actor, action) is not None) == (allowed and role in GLOBAL_ROLES)
        if allowed:
            assert policy.reach(actor, action) == policy.reach(access.actors[Who(role)], action)
            continue
        with pytest.raises(Forbidden):
            policy.reach(actor, action)
