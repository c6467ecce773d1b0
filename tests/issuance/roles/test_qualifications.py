"""Training and person check: recorded by those above, due on a day, and no cards for others when overdue (rules/issuance 1.4)."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.db.models import Q

from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import ALLOWED, ISSUING, QUALIFIED_ROLES
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Post
from issuance.records.models.events import Event
from issuance.roles import domain as rules
from issuance.roles.domain import Held, QualificationKind, Standing
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.services import qualifications, role_assignment
from issuance.roles.services.actors import actor_of_person, issuing_in
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.at_once import run_at_once
from tests.issuance.world import SETUP, qualify

CHECK, TRAINING = QualificationKind.PERSON_CHECK, QualificationKind.TRAINING
START = dt.date(2030, 3, 1)
SOON_DAYS = 60


def day(number: int) -> dt.date:
    """So many days after START."""
    return START + dt.timedelta(days=number)


class TestTheRule:
    """A holder with these records, asked on START and on the days around the last."""

    @pytest.mark.parametrize(
        ("held", "last"),
        [
            ((), rules.NEVER),
            ((Held(CHECK, day(0), None),), rules.NEVER),
            ((Held(TRAINING, day(0), day(365)),), rules.NEVER),
            ((Held(CHECK, day(0), None), Held(TRAINING, day(-300), day(65))), day(65)),
            ((Held(CHECK, day(0), day(10)), Held(TRAINING, day(-300), day(65))), day(10)),
            ((Held(CHECK, day(0), None), Held(TRAINING, day(0), None)), None),
        ],
    )
    def test_the_first_kind_to_run_out_is_the_last_day(self, held: tuple[Held, ...], last: dt.date | None) -> None:
        assert rules.last_day(held) == last
        if last is not None and last != rules.NEVER:
            for today, blocked in ((last, False), (last + dt.timedelta(days=1), True)):
                assert (rules.standing(held, today=today, soon_days=SOON_DAYS) is Standing.BLOCKED) is blocked

    @pytest.mark.parametrize(
        ("held", "expected"),
        [
            ((), Standing.BLOCKED),
            ((Held(CHECK, day(0), None),), Standing.BLOCKED),
            ((Held(CHECK, day(0), None), Held(TRAINING, day(0), day(61))), Standing.HOLDS),
            ((Held(CHECK, day(0), None), Held(TRAINING, day(0), day(60))), Standing.DUE_SOON),
            ((Held(CHECK, day(0), None), Held(TRAINING, day(-365), day(0))), Standing.DUE_SOON),
            ((Held(CHECK, day(0), None), Held(TRAINING, day(-366), day(-1))), Standing.BLOCKED),
        ],
    )
    def test_how_a_holder_stands(self, held: tuple[Held, ...], expected: Standing) -> None:
        assert rules.standing(held, today=START, soon_days=SOON_DAYS) is expected

    def test_every_role_that_issues_needs_them(self) -> None:
        assert {role for role in Role if ALLOWED[role] & ISSUING} <= QUALIFIED_ROLES
        assert not QUALIFIED_ROLES & {Role.READER, Role.REVOKER, Role.GLOBAL_READER, Role.GLOBAL_REVOKER}


@pytest.fixture
def later() -> Iterator[None]:
    """The first day after the last of a training that was recorded today."""
    with clock.moved_to(clock.start_of_day(clock.today() + dt.timedelta(days=366)) + dt.timedelta(hours=9)):
        yield


class TestOverdue:
    def test_a_new_role_issues_nothing_before_both_are_recorded(self, world: Any) -> None:
        """There is no grace period (ADR 0187): not on the first day of the first role, and not with one of the two."""
        world.qualifies = False
        post, clerk = world.post(), world.officer()
        reach = Q(person=clerk.person_id)
        for kind in (None, TRAINING, CHECK):
            if kind is not None:
                qualifications.record(actor=SETUP, person_id=clerk.person_id, kind=kind, passed_on=clock.today())
            complete = kind is CHECK
            assert policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, post) is complete
            assert (world.region.scope_path in issuing_in(reach)) is complete

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
        assert policy.is_dormant(overdue, Action.ORDER_ORDINARY_CARD) is (Action.ORDER_ORDINARY_CARD in ALLOWED[role])

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
        assert policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, post)

    def test_a_year_later_it_stops_again(self, world: Any) -> None:
        post, clerk, today = world.post(), world.officer(), clock.today()
        for days, may in ((365, True), (366, False)):
            with clock.moved_to(clock.start_of_day(today + dt.timedelta(days=days)) + dt.timedelta(hours=12)):
                assert policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, post) is may

    def test_the_settings_decide(self, world: Any, settings: Any) -> None:
        settings.TRAINING_VALID_DAYS = settings.PERSON_CHECK_VALID_DAYS = 10
        post, clerk, today = world.post(), world.officer(), clock.today()
        assert set(Qualification.objects.values_list("due_on", flat=True)) == {today + dt.timedelta(days=10)}
        for days, may in ((10, True), (11, False)):
            with clock.moved_to(clock.start_of_day(today + dt.timedelta(days=days)) + dt.timedelta(hours=12)):
                assert policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, post) is may

    def test_readers_need_neither(self, world: Any, request: Any) -> None:
        reader = world.officer(role=Role.READER)
        request.getfixturevalue("later")
        assert actor_of_person(reader.person_id) == reader


class TestRecords:
    @pytest.fixture
    def world(self, world: Any) -> Any:
        """A region whose officers have no records."""
        world.qualifies = False
        return world

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
            (Role.MASTER_DATA_ADMIN, Role.RESPONSIBLE_ISSUER, True),
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
        """A deputy of the clinic gives somebody over him, or beside him, a role there: that opens no way to vouch (ADR 0187)."""
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
        upper = world.officer(role=Role.MASTER_DATA_ADMIN if above is Role.RESPONSIBLE_ISSUER else Role.RESPONSIBLE_ISSUER)
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
