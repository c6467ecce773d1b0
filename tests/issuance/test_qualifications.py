"""Training and person check: recorded by those above, due on a day, and no cards for others when overdue (domain.md 11.2)."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models import Q

from issuance.authz import Action, Actor, Grant, Role, policy, user
from issuance.authz.roles import ALLOWED, ISSUING, QUALIFIED_ROLES
from issuance.domain import qualifications as rules
from issuance.domain.ids import PersonId, PersonIdKind
from issuance.domain.qualifications import Held, Limits, QualificationKind, Standing
from issuance.models import CardOrder, Carrier, Event, Person, Post, Qualification, RoleGrant
from issuance.services import qualifications, role_assignment
from issuance.services.actors import actor_of_person, issuing_in
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.issuance.test_activation import run_at_once
from tests.issuance.world import SETUP

CHECK, TRAINING = QualificationKind.PERSON_CHECK, QualificationKind.TRAINING
START = dt.date(2030, 3, 1)
LIMITS = Limits(grace_days=30, soon_days=60)


def day(number: int) -> dt.date:
    """So many days after START."""
    return START + dt.timedelta(days=number)


class TestTheRule:
    """A holder whose issuing role began on START, asked on days after it."""

    @pytest.mark.parametrize(
        ("held", "last"),
        [
            ((), 30),
            ((Held(CHECK, day(0), None),), 30),
            ((Held(CHECK, day(0), None), Held(TRAINING, day(-300), day(65))), 95),
            ((Held(CHECK, day(0), day(10)), Held(TRAINING, day(-300), day(65))), 40),
            ((Held(CHECK, day(-900), day(-500)), Held(TRAINING, day(-900), day(-535))), 30),  # the role is younger
            ((Held(CHECK, day(0), None), Held(TRAINING, day(0), None)), None),
        ],
    )
    def test_the_grace_counts_from_the_later_of_due_date_and_start(self, held: tuple[Held, ...], last: int | None) -> None:
        end = rules.last_day(held, role_since=START, limits=LIMITS)
        assert end == (None if last is None else day(last))
        if end is not None:
            for moment, blocked in ((end, False), (end + dt.timedelta(days=1), True)):
                found = rules.standing(held, role_since=START, today=moment, limits=LIMITS)
                assert (found is Standing.BLOCKED) is blocked

    @pytest.mark.parametrize(
        ("held", "expected"),
        [
            ((), Standing.DUE),
            ((Held(CHECK, day(0), None), Held(TRAINING, day(0), day(61))), Standing.HOLDS),
            ((Held(CHECK, day(0), None), Held(TRAINING, day(0), day(60))), Standing.DUE_SOON),
            ((Held(CHECK, day(0), None), Held(TRAINING, day(-365), day(0))), Standing.DUE_SOON),
            ((Held(CHECK, day(0), None), Held(TRAINING, day(-366), day(-1))), Standing.DUE),
        ],
    )
    def test_how_a_holder_stands(self, held: tuple[Held, ...], expected: Standing) -> None:
        assert rules.standing(held, role_since=START, today=START, limits=LIMITS) is expected

    def test_every_role_that_issues_needs_them(self) -> None:
        assert {role for role in Role if ALLOWED[role] & ISSUING} <= QUALIFIED_ROLES
        assert not QUALIFIED_ROLES & {Role.READER, Role.REVOKER, Role.GLOBAL_READER, Role.GLOBAL_REVOKER}


def number_of(person: Person) -> PersonId:
    return PersonId(PersonIdKind.PERSONNUMMER, person.identifiers.get().value)


def qualify(person_id: UUID, *, on: dt.date | None = None) -> None:
    for kind in QualificationKind:
        qualifications.record(actor=SETUP, person_id=person_id, kind=kind, passed_on=on or clock.today())


@pytest.fixture
def later() -> Iterator[None]:
    """The first day on which those who began today and have nothing recorded issue nothing."""
    with clock.moved_to(clock.start_of_day(clock.today() + dt.timedelta(days=31)) + dt.timedelta(hours=9)):
        yield


class TestOverdue:
    def test_until_the_grace_is_over_all_is_as_before(self, world: Any) -> None:
        post, clerk = world.post(), world.officer()
        with clock.moved_to(clock.start_of_day(clock.today() + dt.timedelta(days=30))):
            assert policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, post)

    @pytest.mark.parametrize("role", sorted(QUALIFIED_ROLES))
    def test_then_issuing_stops_and_everything_else_stays(self, world: Any, role: Role, request: Any) -> None:
        order, actor = world.order(), world.officer(role=role)
        request.getfixturevalue("later")
        overdue = actor_of_person(actor.person_id)
        rows = world.targets(order)
        for action in ALLOWED[role]:
            row = rows.get(action, world.region)
            assert policy.may(actor, action, row)
            assert policy.may(overdue, action, row) is (action not in ISSUING), action
        assert policy.rests(overdue, Action.ORDER_ORDINARY_CARD) is (Action.ORDER_ORDINARY_CARD in ALLOWED[role])

    def test_lists_pages_and_acts_agree(self, world: Any, request: Any) -> None:
        order, clerk = world.order(), world.officer()
        request.getfixturevalue("later")
        overdue = actor_of_person(clerk.person_id)
        assert not Post.objects.visible_to(overdue, Action.ORDER_ORDINARY_CARD).exists()
        assert not Carrier.objects.visible_to(overdue, Action.ACTIVATE_ORDINARY_CARD).exists()
        assert not Carrier.objects.with_rights(overdue, [Action.ACTIVATE_ORDINARY_CARD]).get().may_activate_ordinary_card
        assert CardOrder.objects.visible_to(overdue).get() == order
        assert not policy.holds(overdue, Action.ORDER_ORDINARY_CARD)

    def test_an_order_is_refused_and_the_reason_told(self, world: Any, request: Any) -> None:
        post, clerk = world.post(), world.officer()
        request.getfixturevalue("later")
        with pytest.raises(Forbidden, match="training-overdue"):
            world.order(post, actor=actor_of_person(clerk.person_id))
        assert not CardOrder.objects.exists()

    def test_what_is_recorded_opens_at_once(self, world: Any, request: Any) -> None:
        post, clerk = world.post(), world.officer()
        request.getfixturevalue("later")
        qualifications.record(actor=SETUP, person_id=clerk.person_id, kind=TRAINING, passed_on=clock.today())
        assert not policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, post)  # the person check is missing
        qualifications.record(actor=SETUP, person_id=clerk.person_id, kind=CHECK, passed_on=clock.today())
        assert policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, post)

    def test_a_year_and_the_grace_later_it_stops_again(self, world: Any) -> None:
        post, clerk, today = world.post(), world.officer(), clock.today()
        qualify(clerk.person_id)
        for days, may in ((365 + 30, True), (365 + 31, False)):
            with clock.moved_to(clock.start_of_day(today + dt.timedelta(days=days)) + dt.timedelta(hours=12)):
                assert policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, post) is may

    def test_the_settings_decide(self, world: Any, settings: Any) -> None:
        settings.QUALIFICATION_GRACE_DAYS = 0
        settings.TRAINING_VALID_DAYS = settings.PERSON_CHECK_VALID_DAYS = 10
        post, clerk, today = world.post(), world.officer(), clock.today()
        qualify(clerk.person_id)
        assert set(Qualification.objects.values_list("due_on", flat=True)) == {today + dt.timedelta(days=10)}
        for days, may in ((10, True), (11, False)):
            with clock.moved_to(clock.start_of_day(today + dt.timedelta(days=days)) + dt.timedelta(hours=12)):
                assert policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, post) is may

    def test_a_second_role_gives_no_second_grace(self, world: Any, request: Any) -> None:
        post, clerk = world.post(world.city), world.officer()
        request.getfixturevalue("later")
        RoleGrant.objects.create(
            person_id=clerk.person_id, role=Role.ID_ADMINISTRATOR.value, organisation=world.city, valid_from=clock.now()
        )
        actor = actor_of_person(clerk.person_id)
        assert policy.may(actor, Action.VIEW, post)
        assert not policy.may(actor, Action.ORDER_ORDINARY_CARD, post)

    @pytest.mark.parametrize("role", [Role.ID_ADMINISTRATOR, Role.DEPUTY_ISSUER])
    @pytest.mark.parametrize("where", ["region", "city", "stranger"])
    def test_a_role_given_anew_gives_no_new_grace(self, world: Any, role: Role, where: str) -> None:
        """Ended and given again, as this role or another, here or elsewhere: whose days are spent has none (ADR 0246)."""
        clerk, place, today = world.officer(), getattr(world, where), clock.today()
        post = world.post(place)
        world.post(place, person_id=number_of(Person.objects.get(pk=clerk.person_id)))
        held = RoleGrant.objects.get(person_id=clerk.person_id)
        with clock.moved_to(clock.start_of_day(today + dt.timedelta(days=29))):
            role_assignment.end_role(actor=self.above(world, world.region), grant_id=held.pk)
            new = role_assignment.assign_role(
                actor=self.above(world, place), person_id=clerk.person_id, role=role, organisation_id=place.id
            )
            assert policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, post)
        with clock.moved_to(clock.start_of_day(today + dt.timedelta(days=31))):
            actor = actor_of_person(clerk.person_id)
            assert policy.may(actor, Action.VIEW, post)
            assert not policy.may(actor, Action.ORDER_ORDINARY_CARD, post)
            assert place.scope_path not in issuing_in(Q(pk=new.pk))
            qualify(clerk.person_id)
            assert policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, post)
            assert place.scope_path in issuing_in(Q(pk=new.pk))

    @staticmethod
    def above(world: Any, place: Any) -> Actor:
        """The responsible issuer of the place's area."""
        return user(uuid4(), (Grant(Role.RESPONSIBLE_ISSUER, place.area.scope_path, protected_persons=True),))

    def test_a_role_that_never_began_spends_no_grace(self, world: Any) -> None:
        post, person, today = world.post(), world.post().person, clock.today()
        first = today + dt.timedelta(days=5)
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        wanted = {"actor": issuer, "person_id": person.id, "role": Role.ID_ADMINISTRATOR, "organisation_id": world.region.id}
        early = role_assignment.assign_role(**wanted, period=role_assignment.Period(first))
        role_assignment.end_role(actor=issuer, grant_id=early.pk)
        with clock.moved_to(clock.start_of_day(today + dt.timedelta(days=60))):
            role_assignment.assign_role(**wanted)
            assert policy.may(actor_of_person(person.id), Action.ORDER_ORDINARY_CARD, post)

    def test_a_reader_who_begins_to_issue_has_his_grace(self, world: Any, request: Any) -> None:
        post, reader = world.post(), world.officer(role=Role.READER)
        request.getfixturevalue("later")
        assert reader.person_id is not None
        role_assignment.assign_role(
            actor=self.above(world, world.region), person_id=reader.person_id, role=Role.ID_ADMINISTRATOR,
            organisation_id=world.region.id,
        )  # fmt: skip
        assert policy.may(actor_of_person(reader.person_id), Action.ORDER_ORDINARY_CARD, post)

    def test_readers_need_neither(self, world: Any, request: Any) -> None:
        reader = world.officer(role=Role.READER)
        request.getfixturevalue("later")
        assert actor_of_person(reader.person_id) == reader


class TestRecords:
    def test_who_when_what_and_until_when(self, world: Any) -> None:
        issuer, clerk = world.officer(role=Role.RESPONSIBLE_ISSUER), world.officer()
        passed = clock.today() - dt.timedelta(days=3)
        row = qualifications.record(actor=issuer, person_id=clerk.person_id, kind=TRAINING, passed_on=passed)
        assert (row.recorded_by_ref, row.due_on) == (issuer.ref, passed + dt.timedelta(days=365))
        event = Event.objects.get(action="qualification.recorded")
        assert (event.actor_ref, event.subject_ref, event.facts["passed_on"]) == (
            issuer.ref, str(clerk.person_id), passed.isoformat(),
        )  # fmt: skip
        assert qualifications.record(actor=issuer, person_id=clerk.person_id, kind=TRAINING, passed_on=passed) == row
        assert Event.objects.filter(action="qualification.recorded").count() == 1

    @pytest.mark.parametrize("days", [1, -3651])
    def test_days_that_cannot_be(self, world: Any, days: int) -> None:
        clerk = world.officer()
        with pytest.raises(Invalid) as refused:
            qualify(clerk.person_id, on=clock.today() + dt.timedelta(days=days))
        assert set(refused.value.fields) == {"passed_on"}

    @pytest.mark.parametrize(
        ("by", "of", "allowed"),
        [
            (Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, True),
            (Role.RESPONSIBLE_ISSUER, Role.ID_ADMINISTRATOR, True),
            (Role.DEPUTY_ISSUER, Role.ID_ADMINISTRATOR, True),
            (Role.DEPUTY_ISSUER, Role.RESPONSIBLE_ISSUER, False),
            (Role.ID_ADMINISTRATOR, Role.RESERVE_CARD_ADMIN_LOA2, False),
            (Role.SYSTEM_ADMIN, Role.RESPONSIBLE_ISSUER, True),
            (Role.GLOBAL_READER, Role.ID_ADMINISTRATOR, False),
        ],
    )
    def test_only_for_those_below(self, world: Any, by: Role, of: Role, allowed: bool) -> None:
        actor, holder = world.officer(role=by), world.officer(role=of)
        assert qualifications.may_record(actor, holder.person_id) is allowed
        if allowed:
            qualifications.record(actor=actor, person_id=holder.person_id, kind=CHECK, passed_on=clock.today())
        else:
            with pytest.raises(Forbidden):
                qualifications.record(actor=actor, person_id=holder.person_id, kind=CHECK, passed_on=clock.today())
        assert Qualification.objects.count() == allowed

    def test_never_for_oneself_nor_for_a_peer(self, world: Any) -> None:
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        assert not qualifications.may_record(issuer, issuer.person_id)
        with pytest.raises(Forbidden, match="own-matter"):
            qualifications.record(actor=issuer, person_id=issuer.person_id, kind=CHECK, passed_on=clock.today())
        peer = self._deputy(world, world.city), self._deputy(world, world.city)
        with pytest.raises(Forbidden):
            qualifications.record(actor=peer[0], person_id=peer[1].person_id, kind=CHECK, passed_on=clock.today())

    @pytest.mark.parametrize("above", [Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER])
    def test_nor_by_a_lower_role_that_one_gave_him_to_that_end(self, world: Any, above: Role) -> None:
        """A deputy of the clinic gives somebody over him, or beside him, a role there: that opens no way to vouch (ADR 0247)."""
        deputy = self._deputy(world, world.clinic)
        person = world.post(world.clinic).person
        where = {"area": world.area} if above is Role.RESPONSIBLE_ISSUER else {"organisation": world.city}
        RoleGrant.objects.create(person=person, role=above.value, valid_from=clock.now(), **where)
        role_assignment.assign_role(
            actor=deputy, person_id=person.pk, role=Role.ID_ADMINISTRATOR, organisation_id=world.clinic.id
        )
        assert not qualifications.may_record(deputy, person.pk)
        for act in (
            lambda: qualifications.record(actor=deputy, person_id=person.pk, kind=CHECK, passed_on=clock.today()),
            lambda: qualifications.record_of_several(
                actor=deputy, person_ids=[person.pk], kinds=[CHECK], passed_on=clock.today()
            ),
        ):
            with pytest.raises(Forbidden):
                act()
        upper = world.officer(role=Role.SYSTEM_ADMIN if above is Role.RESPONSIBLE_ISSUER else Role.RESPONSIBLE_ISSUER)
        row = qualifications.record(actor=upper, person_id=person.pk, kind=CHECK, passed_on=clock.today())
        with pytest.raises(Forbidden):
            qualifications.withdraw(actor=deputy, qualification_id=row.pk)

    def test_a_lower_role_beside_and_another_area_stand_in_no_way(self, world: Any) -> None:
        deputy, person = self._deputy(world, world.clinic), world.post(world.clinic).person
        for role, organisation in (
            (Role.ID_ADMINISTRATOR, world.clinic), (Role.ID_ADMINISTRATOR, world.city), (Role.DEPUTY_ISSUER, world.stranger),
        ):  # fmt: skip
            RoleGrant.objects.create(person=person, role=role.value, organisation=organisation, valid_from=clock.now())
        assert qualifications.record(actor=deputy, person_id=person.pk, kind=CHECK, passed_on=clock.today())

    @staticmethod
    def _deputy(world: Any, organisation: Any) -> Actor:
        person = world.post(organisation).person
        RoleGrant.objects.create(person=person, role=Role.DEPUTY_ISSUER.value, organisation=organisation, valid_from=clock.now())
        return actor_of_person(person.id)

    def test_out_of_sight_is_unknown(self, world: Any) -> None:
        deputy = world.officer(world.clinic, Role.DEPUTY_ISSUER)
        secret = world.post(world.clinic, protected=True).person
        for person_id in (world.officer(world.city).person_id, secret.id, UUID(int=5)):
            with pytest.raises(NotFound):
                qualifications.record(actor=deputy, person_id=person_id, kind=CHECK, passed_on=clock.today())

    def test_before_the_first_role(self, world: Any) -> None:
        """A person check and a training come before the role that they are for."""
        deputy, person = world.officer(role=Role.DEPUTY_ISSUER), world.post().person
        assert qualifications.may_record(deputy, person.id)
        assert qualifications.record(actor=deputy, person_id=person.id, kind=CHECK, passed_on=clock.today())

    def test_a_wrong_one_is_withdrawn_and_stays(self, world: Any) -> None:
        issuer, clerk, today = world.officer(role=Role.RESPONSIBLE_ISSUER), world.officer(), clock.today()
        row = qualifications.record(actor=issuer, person_id=clerk.person_id, kind=TRAINING, passed_on=today)
        qualifications.withdraw(actor=issuer, qualification_id=row.id)
        qualifications.withdraw(actor=issuer, qualification_id=row.id)
        row.refresh_from_db()
        assert (row.withdrawn_by_ref, Event.objects.filter(action="qualification.withdrawn").count()) == (issuer.ref, 1)
        deputy = world.officer(role=Role.DEPUTY_ISSUER)
        with pytest.raises(Conflict, match="qualification-withdrawn"):
            qualifications.withdraw(actor=deputy, qualification_id=row.id)
        again = qualifications.record(actor=issuer, person_id=clerk.person_id, kind=TRAINING, passed_on=today)
        assert again.id != row.id

    def test_one_withdraws_no_record_of_those_above_or_out_of_sight(self, world: Any) -> None:
        deputy, issuer = world.officer(role=Role.DEPUTY_ISSUER), world.officer(role=Role.RESPONSIBLE_ISSUER)
        row = qualifications.record(actor=SETUP, person_id=issuer.person_id, kind=CHECK, passed_on=clock.today())
        with pytest.raises(Forbidden):
            qualifications.withdraw(actor=deputy, qualification_id=row.id)
        other = qualifications.record(
            actor=SETUP, person_id=world.officer(world.stranger).person_id, kind=CHECK, passed_on=clock.today()
        )
        for unknown in (other.id, UUID(int=7)):
            with pytest.raises(NotFound):
                qualifications.withdraw(actor=issuer, qualification_id=unknown)

    def test_the_same_recorded_by_eight_at_once_is_one(self, world: Any) -> None:
        issuer, clerk = world.officer(role=Role.RESPONSIBLE_ISSUER), world.officer()
        raised = run_at_once(
            8,
            lambda: qualifications.record(actor=issuer, person_id=clerk.person_id, kind=CHECK, passed_on=clock.today()),
        )
        assert raised == []
        assert Qualification.objects.count() == Event.objects.filter(action="qualification.recorded").count() == 1
