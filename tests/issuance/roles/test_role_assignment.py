"""Roles are given, changed and ended by those above, in their scope, for a time, and by one at a time (rules/issuance 1.3)."""

import datetime as dt
from typing import Any

import pytest

from issuance.authz import Action, Role, policy
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.records.services.editing import Outdated
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment, role_periods
from issuance.roles.services.actors import actor_of_person
from issuance.roles.services.role_periods import Period
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.at_once import run_at_once
from tests.issuance.world import SETUP
from tests.portal import portal_client

DAY = dt.timedelta(days=1)


def give(world: Any, person: Person, role: Role = Role.ID_ADMINISTRATOR, **more: Any) -> RoleGrant:
    """The role in the region unless told otherwise, from the area's issuer."""
    reach = {} if role is Role.RESPONSIBLE_ISSUER else {"organisation_id": world.region.id}
    arguments = {"actor": world.officer(role=Role.RESPONSIBLE_ISSUER), "person_id": person.id, "role": role, **reach, **more}
    return role_assignment.assign_role(**arguments)


def events(action: str) -> list[Event]:
    return list(Event.objects.filter(action=action, actor_ref__startswith="user:"))


class TestPlaces:
    def test_several_organisations_at_once_are_all_or_none(self, world: Any) -> None:
        issuer, person = world.officer(role=Role.RESPONSIBLE_ISSUER), world.post().person
        arguments: dict[str, Any] = {"actor": issuer, "person_id": person.id, "role": Role.ID_ADMINISTRATOR}
        with pytest.raises(NotFound):
            role_assignment.assign_roles(**arguments, reach=[world.clinic.id, world.stranger.id])
        assert not person.role_grants.exists()
        given = role_assignment.assign_roles(**arguments, reach=[world.clinic.id, world.city.id])
        assert {grant.organisation for grant in given} == {world.clinic, world.city}
        assert len(events("role.assigned")) == 2
        with pytest.raises(Conflict, match="role-exists"):
            role_assignment.assign_roles(**arguments, reach=[world.region.id, world.city.id])
        assert person.role_grants.count() == 2

    @pytest.mark.parametrize("reach", [[], ["region", "region"]])
    def test_a_reach_is_named_and_named_once(self, world: Any, reach: list[str]) -> None:
        with pytest.raises(Invalid, match="role-reach"):
            role_assignment.assign_roles(
                actor=world.officer(role=Role.RESPONSIBLE_ISSUER), person_id=world.post().person_id, role=Role.READER,
                reach=[getattr(world, name).id for name in reach],
            )  # fmt: skip

    def test_a_global_role_has_no_reach(self, world: Any) -> None:
        arguments: dict[str, Any] = {"actor": SETUP, "person_id": world.post().person_id}
        with pytest.raises(Invalid, match="role-reach"):
            role_assignment.assign_roles(**arguments, role=Role.GLOBAL_READER, reach=[world.region.id])
        assert role_assignment.assign_roles(**arguments, role=Role.GLOBAL_READER, reach=[])

    def test_nobody_without_a_post_in_the_area_gets_a_role_there(self, world: Any) -> None:
        """Visible in the area by an old card, with a post in another one (rules/issuance 1.3)."""
        post = world.post(world.stranger)
        PersonScope.objects.create(organisation=world.region, person=post.person, sort_name=post.person.sort_name)
        with pytest.raises(Conflict, match="role-without-post"):
            give(world, post.person)
        person = world.post().person
        Post.objects.filter(person=person).update(valid_to=clock.today() - DAY)
        with pytest.raises(Conflict, match="role-without-post"):
            give(world, person)
        Post.objects.filter(person=person).update(valid_to=clock.today())
        assert give(world, person)

    def test_a_role_rests_while_its_holder_has_a_post_in_another_area_alone(self, world: Any) -> None:
        person = world.post().person
        give(world, person, Role.READER)
        other = world.post(world.stranger)
        Post.objects.filter(person=person).update(person=other.person)
        Post.objects.filter(pk=other.pk).update(person=person)
        assert actor_of_person(person.id).grants == ()

    def test_the_deceased_get_none(self, world: Any) -> None:
        person = world.post().person
        Person.objects.filter(pk=person.pk).update(deceased=True)
        with pytest.raises(Conflict, match="role-of-deceased"):
            give(world, person)

    def test_those_of_one_who_has_died_hold_nothing_and_can_be_ended(self, world: Any) -> None:
        person, issuer = world.post().person, world.officer(role=Role.RESPONSIBLE_ISSUER)
        grant = give(world, person)
        client = portal_client(person)
        assert client.get("/sok/").status_code == 200
        Person.objects.filter(pk=person.pk).update(deceased=True)
        assert client.get("/sok/").status_code == 403
        assert actor_of_person(person.pk).grants == ()
        role_assignment.end_role(actor=issuer, grant_id=grant.id)

    def test_what_may_be_given_where(self, world: Any) -> None:
        """What pages offer is what the policy takes."""
        deputy = world.officer(world.clinic, Role.DEPUTY_ISSUER)
        assert policy.assignable(deputy, world.region.scope_path) == frozenset()
        assert Role.DEPUTY_ISSUER not in policy.assignable(deputy, world.clinic.scope_path)
        for actor in (deputy, world.officer(role=Role.RESPONSIBLE_ISSUER), world.officer(role=Role.READER)):
            for role in Role:
                try:
                    policy.require_assignable(actor, role, world.clinic.scope_path, protected_persons=False)
                except Forbidden:
                    assert role not in policy.assignable(actor, world.clinic.scope_path)
                else:
                    assert role in policy.assignable(actor, world.clinic.scope_path)


class TestTime:
    def test_a_role_holds_from_its_first_day_to_its_last(self, world: Any) -> None:
        person, today = world.post().person, clock.today()
        grant = give(world, person, period=Period(today + 2 * DAY, today + 4 * DAY))
        assert (grant.valid_from, role_periods.last_day_of(grant)) == (clock.start_of_day(today + 2 * DAY), today + 4 * DAY)
        for days, holds in ((0, False), (1, False), (2, True), (4, True), (5, False)):
            with clock.moved_to(clock.start_of_day(today + days * DAY) + dt.timedelta(hours=12)):
                assert bool(actor_of_person(person.id).grants) is holds, days

    @pytest.mark.parametrize(("first", "last", "field"), [(-1, None, "valid_from"), (None, -1, "valid_to"), (3, 2, "valid_to")])
    def test_a_time_that_cannot_be_is_refused_at_its_field(
        self, world: Any, first: int | None, last: int | None, field: str
    ) -> None:
        today = clock.today()
        period = Period(*(None if days is None else today + days * DAY for days in (first, last)))
        with pytest.raises(Invalid) as refused:
            give(world, world.post().person, period=period)
        assert set(refused.value.fields) == {field}

    def test_the_last_day_may_be_today(self, world: Any) -> None:
        person = world.post().person
        give(world, person, period=Period(clock.today(), clock.today()))
        assert actor_of_person(person.id).grants

    def test_the_last_day_of_the_calendar_is_written_for_no_end(self, world: Any) -> None:
        grant = give(world, world.post().person, period=Period(None, clock.today()))
        arguments: dict[str, Any] = {"grant_id": grant.id, "version": 1, "protected_persons": False, "last": dt.date.max}
        assert role_assignment.change_role(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), **arguments).valid_to is None

    def test_the_same_role_may_follow_itself_and_not_overlap(self, world: Any) -> None:
        person, today = world.post().person, clock.today()
        give(world, person, period=Period(today, today + 10 * DAY))
        for first, last in ((today, None), (today + 10 * DAY, None), (today + 3 * DAY, today + 4 * DAY)):
            with pytest.raises(Conflict, match="role-exists"):
                give(world, person, period=Period(first, last))
        give(world, person, period=Period(today + 11 * DAY))
        assert person.role_grants.count() == 2


class TestChange:
    def test_the_add_on_and_the_last_day_with_before_and_after(self, world: Any) -> None:
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER, protected=True)
        person, secret, last = world.post().person, world.post(protected=True).person, clock.today() + 30 * DAY
        grant = give(world, person, actor=issuer)
        change: dict[str, Any] = {"actor": issuer, "grant_id": grant.id, "protected_persons": True, "last": last}
        role_assignment.change_role(**change, version=1)
        assert policy.may(actor_of_person(person.id), Action.VIEW, secret)
        (event,) = events("role.changed")
        assert (event.subject_ref, event.facts["before"]["protected_persons"], event.facts["after"]["protected_persons"]) == (
            str(person.id), False, True,
        )  # fmt: skip
        assert (event.facts["before"]["valid_to"], event.facts["after"]["valid_to"]) == (
            None,
            clock.start_of_day(last + DAY).isoformat(),
        )
        role_assignment.change_role(**change, version=1)  # the same again, by who has not seen that it is done
        assert len(events("role.changed")) == 1

    def test_an_add_on_that_is_taken_away_bites_at_once(self, world: Any) -> None:
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER, protected=True)
        person, secret = world.post().person, world.post(protected=True).person
        grant = give(world, person, actor=issuer, protected_persons=True)
        assert policy.may(actor_of_person(person.id), Action.VIEW, secret)
        role_assignment.change_role(actor=issuer, grant_id=grant.id, version=1, protected_persons=False, last=None)
        assert not policy.may(actor_of_person(person.id), Action.VIEW, secret)

    def test_the_later_of_two_is_told(self, world: Any) -> None:
        issuer, today = world.officer(role=Role.RESPONSIBLE_ISSUER), clock.today()
        grant = give(world, world.post().person)
        change: dict[str, Any] = {"actor": issuer, "grant_id": grant.id, "version": 1, "protected_persons": False}
        role_assignment.change_role(**change, last=today + DAY)
        with pytest.raises(Conflict, match="changed-meanwhile"):
            role_assignment.change_role(**change, last=today + 2 * DAY)

    def test_a_last_day_does_not_run_into_what_follows(self, world: Any) -> None:
        issuer, today, person = world.officer(role=Role.RESPONSIBLE_ISSUER), clock.today(), world.post().person
        grant = give(world, person, period=Period(today, today + DAY))
        give(world, person, period=Period(today + 5 * DAY))
        with pytest.raises(Conflict, match="role-exists"):
            role_assignment.change_role(actor=issuer, grant_id=grant.id, version=1, protected_persons=False, last=None)

    def test_only_by_those_who_may_give_it_so(self, world: Any) -> None:
        grant = give(world, world.post().person)
        change: dict[str, Any] = {"grant_id": grant.id, "version": 1, "last": None}
        with pytest.raises(Forbidden):
            role_assignment.change_role(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), **change, protected_persons=True)
        with pytest.raises(Forbidden):
            role_assignment.change_role(actor=world.officer(role=Role.READER), **change, protected_persons=False)
        with pytest.raises(NotFound):
            role_assignment.change_role(actor=world.officer(world.city, Role.DEPUTY_ISSUER), **change, protected_persons=False)
        grant.refresh_from_db()
        assert grant.version == 1

    def test_an_ended_role_is_not_brought_back(self, world: Any) -> None:
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        grant = give(world, world.post().person)
        role_assignment.end_role(actor=issuer, grant_id=grant.id)
        with pytest.raises(Conflict, match="role-ended"):
            role_assignment.change_role(actor=issuer, grant_id=grant.id, version=2, protected_persons=False, last=None)


class TestEnd:
    def test_several_of_one_person_end_together(self, world: Any) -> None:
        issuer, person = world.officer(role=Role.RESPONSIBLE_ISSUER), world.post().person
        grants = role_assignment.assign_roles(
            actor=issuer, person_id=person.id, role=Role.READER, reach=[world.region.id, world.city.id]
        )
        role_assignment.end_roles(actor=issuer, grant_ids=[grant.id for grant in grants])
        assert actor_of_person(person.id).grants == ()
        assert len(events("role.ended")) == 2

    def test_roles_of_two_people_do_not(self, world: Any) -> None:
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        grants = [give(world, world.post().person) for _ in range(2)]
        with pytest.raises(NotFound):
            role_assignment.end_roles(actor=issuer, grant_ids=[grant.id for grant in grants])
        assert not events("role.ended")

    def test_none_ends_if_one_of_them_is_out_of_reach(self, world: Any) -> None:
        issuer, person = world.officer(role=Role.RESPONSIBLE_ISSUER), world.post().person
        grants = role_assignment.assign_roles(
            actor=issuer, person_id=person.id, role=Role.READER, reach=[world.clinic.id, world.city.id]
        )
        deputy = world.officer(world.clinic, Role.DEPUTY_ISSUER)
        PersonScope.objects.get_or_create(organisation=world.clinic, person=person, defaults={"sort_name": person.sort_name})
        with pytest.raises(Forbidden):
            role_assignment.end_roles(actor=deputy, grant_ids=[grant.id for grant in grants])
        assert not events("role.ended")
        role_assignment.end_roles(actor=deputy, grant_ids=[grants[0].id])
        assert [grant.scope_path for grant in actor_of_person(person.id).grants] == [world.city.scope_path]

    def test_a_role_with_a_last_day_can_end_before_it_and_one_to_come_before_it_begins(self, world: Any) -> None:
        issuer, person, today = world.officer(role=Role.RESPONSIBLE_ISSUER), world.post().person, clock.today()
        for period in (Period(None, today + 9 * DAY), Period(today + 20 * DAY)):
            grant = give(world, person, period=period)
            role_assignment.end_role(actor=issuer, grant_id=grant.id)
        with clock.moved_to(clock.start_of_day(today + 25 * DAY)):
            assert actor_of_person(person.id).grants == ()
        assert len(events("role.ended")) == 2

    def test_the_add_on_is_taken_by_who_could_not_give_it(self, world: Any) -> None:
        """Whoever is above stops a role at once, and neither prolongs nor changes what he could not give (ADR 0186)."""
        person = world.post().person
        grant = give(world, person, actor=world.officer(role=Role.RESPONSIBLE_ISSUER, protected=True), protected_persons=True)
        without = world.officer(role=Role.RESPONSIBLE_ISSUER)
        assert not without.grants[0].protected_persons
        for kept in (True, False):
            with pytest.raises(Forbidden):
                role_assignment.change_role(actor=without, grant_id=grant.id, version=1, protected_persons=kept, last=None)
        for other in (world.officer(role=Role.READER), world.officer(role=Role.MASTER_DATA_ADMIN)):
            with pytest.raises(Forbidden):
                role_assignment.end_role(actor=other, grant_id=grant.id)
        role_assignment.end_role(actor=without, grant_id=grant.id)
        assert actor_of_person(person.id).grants == ()

    def test_unknown_is_unknown(self, world: Any) -> None:
        with pytest.raises(NotFound):
            role_assignment.end_role(actor=SETUP, grant_id=world.region.id)


class TestAtOnce:
    """Real threads on the real database: whoever writes a person's roles waits for the one before him."""

    def test_one_of_eight_gives_the_role(self, world: Any) -> None:
        person, today = world.post().person, clock.today()
        world.officer(role=Role.RESPONSIBLE_ISSUER)
        raised = run_at_once(8, lambda: give(world, person, period=Period(today, today + DAY)))
        assert [type(error) for error in raised] == [Conflict] * 7
        assert person.role_grants.count() == len(events("role.assigned")) == 1

    def test_a_role_ends_once(self, world: Any) -> None:
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        grant = give(world, world.post().person)
        raised = run_at_once(8, lambda: role_assignment.end_role(actor=issuer, grant_id=grant.id))
        assert raised == []
        assert len(events("role.ended")) == 1

    def test_of_eight_changes_from_one_page_one_is_made(self, world: Any) -> None:
        issuer, today = world.officer(role=Role.RESPONSIBLE_ISSUER), clock.today()
        grant = give(world, world.post().person)
        days = iter(range(1, 9))

        def change() -> None:
            role_assignment.change_role(
                actor=issuer, grant_id=grant.id, version=1, protected_persons=False, last=today + next(days) * DAY
            )

        raised = run_at_once(8, change)
        assert [type(error) for error in raised] == [Outdated] * 7
        grant.refresh_from_db()
        assert (grant.version, len(events("role.changed"))) == (2, 1)

    def test_given_and_ended_by_two_leaves_no_half(self, world: Any) -> None:
        """Whichever comes first: events and rows tell the same."""
        issuer, person = world.officer(role=Role.RESPONSIBLE_ISSUER), world.post().person
        grant = give(world, person)
        acts = iter([lambda: role_assignment.end_role(actor=issuer, grant_id=grant.id), lambda: give(world, person)] * 4)
        raised = run_at_once(8, lambda: next(acts)())
        assert {type(error) for error in raised} <= {Conflict}
        assert person.role_grants.filter(valid_to=None).count() <= 1
        assert person.role_grants.count() == len(events("role.assigned"))
        assert person.role_grants.exclude(valid_to=None).count() == len(events("role.ended"))
