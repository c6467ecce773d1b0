"""What officers decide about rows of work: whose rows, all or none, and what the next night makes of it (S11)."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from issuance.authz import Role
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.people.models.persons import Post
from issuance.records.models.events import Event
from issuance.register_care.models import WorkItem
from issuance.register_care.queries import work
from issuance.register_care.services import deciding, reminding
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden, IllegalTransition, Invalid, NotFound
from tests.issuance.register_care.works import active, found, later, night


def ended(world: Any, *places: Any) -> list[WorkItem]:
    """A row for a person without assignment in each place."""
    posts = [world.post(place) for place in places]
    for place, post in zip(places, posts, strict=True):
        order = world.order(post, actor=world.officer(place))
        type(order.carrier).objects.filter(pk=order.carrier_id).update(state="active", origin="migrated")
    Post.objects.filter(pk__in=[post.pk for post in posts]).update(ended_at=clock.now())
    night()
    return found("ended")


def state(row: WorkItem) -> str:
    row.refresh_from_db()
    return row.state


def test_a_postponed_row_is_open_again_on_its_day(world: Any) -> None:
    (row,) = ended(world, world.region)
    officer, until = world.officer(), clock.today() + dt.timedelta(days=5)
    assert deciding.postpone(actor=officer, item_ids=[row.pk], until=until, reason=" Chefen är ledig. ") == 1
    assert (state(row), row.postponed_until, row.reason, row.decided_by_ref) == (
        "postponed", until, "Chefen är ledig.", officer.ref,
    )  # fmt: skip
    told = Event.objects.get(action="work_item.postponed")
    assert (told.actor_ref, told.facts["justification"], told.facts["until"]) == (officer.ref, "Chefen är ledig.", str(until))
    for days, expected in ((4, "postponed"), (5, "open")):
        with later(days):
            night()
            assert state(row) == expected
    assert row.postponed_until is None
    assert not [each for each in verify_states().wrong if "registervård" in each]


def test_a_finished_row_stays_so_while_its_cause_stands(world: Any) -> None:
    (row,) = ended(world, world.region)
    officer = world.officer()
    assert deciding.finish(actor=officer, item_ids=[row.pk], reason="Har fått ett nytt uppdrag.") == 1
    with later(1):
        night()
    assert (state(row), WorkItem.objects.count()) == ("done", 1)
    with pytest.raises(IllegalTransition):
        deciding.take_on(actor=officer, item_ids=[row.pk])
    assert deciding.reopen(actor=officer, item_ids=[row.pk]) == 1
    assert state(row) == "open"


def test_who_takes_rows_on_is_responsible(world: Any) -> None:
    rows = ended(world, world.region, world.clinic)
    officer = world.officer()
    assert deciding.take_on(actor=officer, item_ids=[row.pk for row in rows]) == 2
    assert set(WorkItem.objects.values_list("assignee_ref", "state")) == {(officer.ref, "open")}


def test_s33_a_second_click_decides_nothing_more(world: Any) -> None:
    rows = ended(world, world.region, world.clinic)
    officer, ids, until = world.officer(), [row.pk for row in rows], clock.today() + dt.timedelta(days=5)
    acts: dict[str, Callable[[], int]] = {
        "assigned": lambda: deciding.take_on(actor=officer, item_ids=ids),
        "postponed": lambda: deciding.postpone(actor=officer, item_ids=ids, until=until, reason="Ledig"),
        "finished": lambda: deciding.finish(actor=officer, item_ids=ids, reason="Nytt uppdrag"),
    }
    for action, act in acts.items():
        assert [act(), act()] == [2, 2]
        assert Event.objects.filter(action=f"work_item.{action}").count() == 2
    deciding.reopen(actor=officer, item_ids=ids)
    deciding.postpone(actor=officer, item_ids=ids, until=until, reason="Ledig")
    deciding.postpone(actor=officer, item_ids=ids, until=until + dt.timedelta(days=1), reason="Ledig")
    assert Event.objects.filter(action="work_item.postponed").count() == 6, "another day is another decision"


@pytest.mark.parametrize(
    ("until", "reason", "fields"),
    [(0, "Skäl", {"until"}), (366, "Skäl", {"until"}), (5, " ", {"reason"}), (None, "x" * 501, {"until", "reason"})],
)
def test_a_delay_needs_a_day_within_a_year_and_a_reason(world: Any, until: int | None, reason: str, fields: set[str]) -> None:
    (row,) = ended(world, world.region)
    day = None if until is None else clock.today() + dt.timedelta(days=until)
    with pytest.raises(Invalid) as refused:
        deciding.postpone(actor=world.officer(), item_ids=[row.pk], until=day, reason=reason)
    assert set(refused.value.fields) == fields
    assert state(row) == "open"


def test_s11_one_row_outside_refuses_all(world: Any) -> None:
    inside, outside = ended(world, world.region, world.city)
    if inside.organisation_id != world.region.pk:
        inside, outside = outside, inside
    officer = world.officer()
    for act in (
        lambda ids: deciding.take_on(actor=officer, item_ids=ids),
        lambda ids: deciding.finish(actor=officer, item_ids=ids, reason="Skäl"),
        lambda ids: deciding.postpone(actor=officer, item_ids=ids, until=clock.today() + dt.timedelta(days=1), reason="Skäl"),
        lambda ids: deciding.reopen(actor=officer, item_ids=ids),
        lambda ids: reminding.remind(actor=officer, item_ids=ids),
    ):
        with pytest.raises(NotFound):
            act([inside.pk, outside.pk])
    assert (state(inside), inside.assignee_ref) == ("open", "")
    with pytest.raises(Invalid, match="rows-missing"):
        deciding.take_on(actor=officer, item_ids=[])


@pytest.mark.parametrize("role", [Role.REVOKER, Role.GLOBAL_READER])
def test_other_roles_decide_nothing(world: Any, role: Role) -> None:
    (row,) = ended(world, world.region)
    with pytest.raises(Forbidden):
        deciding.take_on(actor=world.officer(role=role), item_ids=[row.pk])


def test_a_protected_person_is_a_row_for_those_who_may_see_it(world: Any) -> None:
    special = world.officer(protected=True)
    post = world.post(protected=True)
    order = world.order(post, actor=special)
    type(order.carrier).objects.filter(pk=order.carrier_id).update(state="active", origin="migrated")
    Post.objects.filter(pk=post.pk).update(ended_at=clock.now())
    night()
    (row,) = found("ended")
    for actor, seen in ((special, 1), (world.officer(), 0), (world.officer(role=Role.MASTER_DATA_ADMIN), 0)):
        assert sum(each.total for each in work.overview(actor=actor)) == seen
    with pytest.raises(NotFound):
        deciding.take_on(actor=world.officer(), item_ids=[row.pk])
    assert deciding.take_on(actor=special, item_ids=[row.pk]) == 1


def test_nobody_decides_about_themself(world: Any) -> None:
    officer = world.officer(world.clinic)
    own = Post.objects.get(person=officer.person_id)
    active(world, own)
    Post.objects.create(
        hsa_id="TST2321000131-ELSE", person_id=officer.person_id, organisation=world.city, synced_at=clock.now()
    )  # so that the role goes on
    Post.objects.filter(pk=own.pk).update(ended_at=clock.now())
    night()
    (row,) = found("ended")
    assert sum(each.total for each in work.overview(actor=officer)) == 0
    with pytest.raises(NotFound):
        deciding.finish(actor=officer, item_ids=[row.pk], reason="Jag ska ha kvar kortet.")
    assert sum(each.total for each in work.overview(actor=world.officer(world.region))) == 1
