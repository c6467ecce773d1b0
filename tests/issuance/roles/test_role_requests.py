"""Global roles by two persons: what one administrator requests, another who was one before decides (ADR 0296)."""

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from issuance.authz import Action, Actor, Role
from issuance.authz.roles import GLOBAL_ROLES
from issuance.housekeeping.services import deadlines
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.records.services import two_persons
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.role_requests import RoleRequest
from issuance.roles.services import role_assignment, role_periods, role_requests
from issuance.roles.services.actors import actor_of_person
from issuance.roles.services.role_periods import Period
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.issuance.world import SETUP

ADMIN = Role.MASTER_DATA_ADMIN


def administrator(world: Any, *, protected: bool = False, **post: Any) -> Actor:
    """A new person who administers master data."""
    person = world.post(**post).person
    role_assignment.assign_role(actor=SETUP, person_id=person.pk, role=ADMIN, protected_persons=protected)
    return actor_of_person(person.pk)


def requested(actor: Actor, person: Person, role: Role = Role.PKI_OPERATOR, **more: Any) -> RoleRequest:
    return role_requests.request_role(actor=actor, person_id=person.pk, role=role, reason="Ny i förvaltningen", **more)


def decide(actor: Actor, row: RoleRequest, *, approve: bool = True, reason: str = "") -> RoleRequest:
    return role_requests.decide(actor=actor, request_id=row.pk, approve=approve, reason=reason)


def actions() -> list[str]:
    return list(Event.objects.filter(action__startswith="role").order_by("id").values_list("action", flat=True))


@pytest.fixture
def two(world: Any) -> tuple[Actor, Actor]:
    return administrator(world), administrator(world)


class TestTwoPersons:
    @pytest.mark.parametrize("role", sorted(GLOBAL_ROLES))
    def test_nobody_gives_a_global_role_alone(self, world: Any, two: tuple[Actor, Actor], role: Role) -> None:
        person = world.post().person
        with pytest.raises(Forbidden, match="role-needs-request"):
            role_assignment.assign_role(actor=two[0], person_id=person.pk, role=role)
        row = requested(two[0], person, role)
        assert not person.role_grants.exists()
        assert decide(two[1], row).grant == person.role_grants.get(role=role.value)

    def test_the_approval_gives_what_was_requested_and_says_so(self, world: Any, two: tuple[Actor, Actor]) -> None:
        person, last = world.post().person, clock.today() + dt.timedelta(days=90)
        before = len(actions())
        row = requested(two[0], person, protected_persons=True, period=Period(None, last))
        grant = decide(two[1], row).grant
        assert grant is not None
        assert (grant.role, grant.protected_persons, role_periods.last_day_of(grant)) == ("pki_operator", True, last)
        assert actions()[before:] == ["role_request.made", "role.assigned", "role_request.approved"]
        event = Event.objects.get(action="role.assigned", subject_ref=str(person.pk))
        assert (event.actor_ref, event.facts["role_request"]) == (two[1].ref, str(row.pk))

    def test_neither_requester_nor_receiver_nor_somebody_newer_decides(self, world: Any, two: tuple[Actor, Actor]) -> None:
        receiver = Person.objects.get(pk=two[1].person_id)
        row = requested(two[0], receiver)
        newer = administrator(world)
        for actor, why in ((two[0], two_persons.OWN), (two[1], two_persons.CONCERNED), (newer, two_persons.TOO_NEW)):
            with pytest.raises(Forbidden, match="second-person") as refused:
                decide(actor, row)
            assert refused.value.message == why == role_requests.refusal(actor, row)
        assert receiver.role_grants.count() == 1

    def test_other_roles_see_no_requests(self, world: Any, two: tuple[Actor, Actor]) -> None:
        row = requested(two[0], world.post().person)
        for role in set(Role) - {ADMIN}:
            for act in (
                lambda actor: requested(actor, world.post().person),
                lambda actor: decide(actor, row),
                lambda actor: role_requests.withdraw(actor=actor, request_id=row.pk),
            ):
                with pytest.raises(Forbidden):
                    act(world.officer(role=role))

    def test_of_a_protected_person_only_those_with_the_add_on_know(self, world: Any, two: tuple[Actor, Actor]) -> None:
        secret = world.post(protected=True).person
        row = requested(administrator(world, protected=True), secret)
        with pytest.raises(NotFound):
            decide(two[0], row)

    def test_a_rejection_needs_a_reason_and_gives_nothing(self, world: Any, two: tuple[Actor, Actor]) -> None:
        row = requested(two[0], world.post().person)
        with pytest.raises(Invalid, match="role-request-reason"):
            decide(two[1], row, approve=False)
        decide(two[1], row, approve=False, reason="Arbetar inte här längre")
        with pytest.raises(Conflict, match="role-request-closed"):
            decide(two[1], row)
        assert not row.person.role_grants.exists()

    def test_only_ones_own_is_withdrawn(self, world: Any, two: tuple[Actor, Actor]) -> None:
        row = requested(two[0], world.post().person)
        with pytest.raises(Forbidden, match="role-request-not-yours"):
            role_requests.withdraw(actor=two[1], request_id=row.pk)
        role_requests.withdraw(actor=two[0], request_id=row.pk)
        with pytest.raises(Conflict, match="role-request-closed"):
            decide(two[1], row)
        assert requested(two[0], row.person).pk != row.pk

    def test_what_is_requested_already_or_held(self, world: Any, two: tuple[Actor, Actor]) -> None:
        row = requested(two[0], world.post().person)
        with pytest.raises(Conflict, match="role-requested"):
            requested(two[1], row.person)
        decide(two[1], row)
        with pytest.raises(Conflict, match="role-exists"):
            requested(two[0], row.person)
        with pytest.raises(Invalid, match="role-not-global"):
            requested(two[0], world.post().person, Role.READER)

    def test_nobody_decides_in_time(self, world: Any, two: tuple[Actor, Actor], settings: Any) -> None:
        row = requested(two[0], world.post().person)
        with clock.moved_to(clock.now() + dt.timedelta(days=settings.ROLE_REQUEST_DAYS, minutes=1)):
            with pytest.raises(Conflict, match="role-request-closed"):
                decide(two[1], row)
            assert deadlines.run(dry_run=True).role_requests == 1
            assert deadlines.run().role_requests == 1
        row.refresh_from_db()
        assert (row.state, actions()[-1]) == ("expired", "role_request.expired")

    def test_a_global_role_is_only_narrowed_by_one_person(self, world: Any, two: tuple[Actor, Actor]) -> None:
        last = clock.today() + dt.timedelta(days=30)
        grant = decide(two[1], requested(two[0], world.post().person, period=Period(None, last))).grant
        assert grant is not None
        change = {"actor": two[0], "grant_id": grant.pk, "version": 1}
        for protected, end in ((True, last), (False, None), (False, last + dt.timedelta(days=1))):
            with pytest.raises(Forbidden, match="role-needs-request"):
                role_assignment.change_role(**change, protected_persons=protected, last=end)
        role_assignment.change_role(**change, protected_persons=False, last=last - dt.timedelta(days=1))

    def test_the_database_keeps_decisions_and_refuses_ones_own(self, world: Any, two: tuple[Actor, Actor]) -> None:
        row = requested(two[0], world.post().person)
        rows = RoleRequest.objects.filter(pk=row.pk)
        for values in (
            {"state": "rejected", "decided_by_ref": two[0].ref},
            {"state": "rejected", "decided_by_ref": f"user:{row.person_id}"},
            {"state": "rejected"},
            {"role": "master_data_admin"},
        ):
            with pytest.raises(DatabaseError), transaction.atomic():
                rows.update(**values)
        decide(two[1], row, approve=False, reason="Nej")
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(state="open")


class TestTheRule:
    """`two_persons` for any act, as billing will use it."""

    def test_the_right_is_older_than_the_request(self, world: Any) -> None:
        actor = world.officer(role=Role.FINANCE_ADMIN)
        (since,) = RoleGrant.objects.filter(person_id=actor.person_id).values_list("valid_from", flat=True)
        moment = dt.timedelta(microseconds=1)
        for requested_at, allowed in ((since + moment, True), (since, False), (since - moment, False)):
            why = two_persons.refusal(actor, Action.VIEW_INVOICE, requested_by="user:other", requested_at=requested_at)
            assert (why == "") is allowed
        two_persons.require_second(actor, Action.VIEW_INVOICE, requested_by="user:other", requested_at=since + moment)
        with pytest.raises(Forbidden, match="forbidden"):
            two_persons.require_second(actor, Action.DECIDE_PKI, requested_by="user:other", requested_at=since + moment)
