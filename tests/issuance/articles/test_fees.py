"""Abonnemangsavgift from the day an organisation is made to what billing counts: a day set anew, its events, two people."""

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import connection

from issuance import service
from issuance.articles.models import SubscriptionFee
from issuance.articles.services.fees import fee_version, set_subscription_fee
from issuance.authz import Actor, Role
from issuance.organisations.models import Organisation
from issuance.organisations.queries.organisations import fees_of, organisation_facts
from issuance.organisations.services.organisations import create_organisation
from issuance.records.models.events import Event
from issuance.records.services.editing import Outdated
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid
from tests.issuance.test_billing_facts import active

NOON = dt.datetime(2026, 10, 14, 10, 0, tzinfo=clock.STOCKHOLM)
TODAY = NOON.date()
MONTH_END = dt.datetime(2026, 11, 1, tzinfo=clock.STOCKHOLM)


def admin(world: Any) -> Actor:
    actor: Actor = world.officer(role=Role.MASTER_DATA_ADMIN)
    return actor


def make(world: Any, *, charged: bool) -> Organisation:
    return create_organisation(
        actor=admin(world), area_id=world.area.id, name="Ny", hsa_id="TST2321000131-3000", organisation_number="2321000131",
        charged=charged,
    )  # fmt: skip


def put(
    world: Any, organisation: Organisation, *, charged: bool, day: dt.date = TODAY, version: int | None = None
) -> SubscriptionFee:
    return set_subscription_fee(
        actor=admin(world), organisation_id=organisation.id, charged=charged, valid_from=clock.start_of_day(day), version=version
    )


def charged_at(organisation: Organisation, at: dt.datetime = MONTH_END) -> bool:
    return organisation.id in {count.organisation_id for count in service.subscription_counts(at)}


def told() -> list[dict[str, Any]]:
    return [event.facts for event in Event.objects.filter(action="organisation.fee_set").order_by("id")]


@pytest.mark.parametrize("charged", [True, False], ids=["charged first", "free first"])
def test_a_fee_corrected_on_the_day_of_creation_is_what_billing_counts(world: Any, charged: bool) -> None:
    with clock.moved_to(NOON):
        made = make(world, charged=charged)
    active(world.post(made))
    assert charged_at(made) is charged
    with clock.moved_to(NOON + dt.timedelta(hours=2)):
        put(world, made, charged=not charged)
        (fee,) = fees_of(made.id)
        assert (fee.charged, fee.valid_from, fee.state) == (not charged, TODAY, "now")
    assert charged_at(made) is not charged
    first, corrected = told()
    begin = clock.start_of_day(TODAY).isoformat()
    assert first == {"charged": charged, "valid_from": begin, "before": {"charged": None}, "after": {"charged": charged}}
    assert corrected == {
        "charged": not charged, "valid_from": begin, "before": {"charged": charged}, "after": {"charged": not charged},
    }  # fmt: skip


@pytest.mark.parametrize("charged", [True, False], ids=["charged first", "free first"])
def test_a_fee_that_an_older_creation_dated_within_its_day_is_corrected_too(world: Any, charged: bool) -> None:
    """Also where a correction at the day's beginning was made in vain."""
    active(world.post(world.city))
    for moment, value in ((clock.start_of_day(TODAY), not charged), (NOON, charged)):
        SubscriptionFee.objects.create(organisation=world.city, charged=value, valid_from=moment)
    assert charged_at(world.city) is charged
    with clock.moved_to(NOON):
        put(world, world.city, charged=not charged)
        assert [(fee.charged, fee.state) for fee in fees_of(world.city.id)] == [(not charged, "now")]
    assert charged_at(world.city) is not charged


def test_what_was_invoiced_stays(world: Any) -> None:
    """After the month's end its days are closed, and what the next month sets leaves its count alone."""
    with clock.moved_to(NOON):
        made = make(world, charged=True)
    active(world.post(made))
    with clock.moved_to(MONTH_END):
        with pytest.raises(Invalid, match="fee-in-the-past"):
            put(world, made, charged=False)
        put(world, made, charged=False, day=MONTH_END.date())
    assert charged_at(made)
    assert not charged_at(made, MONTH_END + dt.timedelta(days=30))
    assert SubscriptionFee.objects.filter(organisation=made).count() == 2


@pytest.mark.parametrize(("day", "code"), [(dt.date.min, "fee-in-the-past"), (dt.date.max, "fee-far-ahead")])
def test_the_days_at_both_ends_of_the_calendar_are_refused(world: Any, day: dt.date, code: str) -> None:
    with pytest.raises(Invalid, match=code) as refused:
        put(world, world.city, charged=True, day=day)
    assert set(refused.value.fields) == {"valid_from"}


def test_an_organisation_made_on_the_first_of_a_month_is_not_charged_for_the_last(world: Any) -> None:
    with clock.moved_to(MONTH_END + dt.timedelta(minutes=30)):
        made = make(world, charged=True)
    active(world.post(made))
    assert not charged_at(made)
    assert charged_at(made, MONTH_END + dt.timedelta(days=30))


def test_a_day_to_come_is_set_anew_and_the_same_value_changes_nothing(world: Any) -> None:
    day = TODAY + dt.timedelta(days=40)
    with clock.moved_to(NOON):
        put(world, world.city, charged=True)
        for charged in (False, True, True):
            put(world, world.city, charged=charged, day=day)
        assert [(fee.charged, fee.valid_from, fee.state) for fee in fees_of(world.city.id)] == [
            (True, day, "future"), (True, TODAY, "now"),
        ]  # fmt: skip
        found = organisation_facts(actor=admin(world), organisation_id=world.city.id)
        assert (found.charged, found.charged_since, found.next_fee) == (True, TODAY, None)
    with clock.moved_to(NOON + dt.timedelta(days=45)):
        found = organisation_facts(actor=admin(world), organisation_id=world.city.id)
        assert (found.charged, found.charged_since) == (True, TODAY)
    assert [(facts["before"]["charged"], facts["charged"]) for facts in told()] == [(None, True), (True, False), (False, True)]


def test_who_sets_a_day_that_another_set_meanwhile_is_told(world: Any) -> None:
    with clock.moved_to(NOON):
        seen = fee_version(world.city.id)
        other = put(world, world.city, charged=True, version=seen)
        with pytest.raises(Outdated) as refused:
            put(world, world.city, charged=False, version=seen)
        assert refused.value.version == seen + 1
        (change,) = refused.value.changes
        assert (change.field, change.before, change.after) == ("charged", None, True)
        put(world, world.city, charged=False, day=TODAY + dt.timedelta(days=1), version=seen)  # another day is another value
        other.refresh_from_db()
        assert other.charged
        assert not put(world, world.city, charged=False, version=seen + 2).charged


def test_of_two_at_once_one_sets_the_day_and_the_other_is_told(world: Any) -> None:
    actor, start = admin(world), threading.Barrier(2, timeout=150)
    said: list[bool | None] = []

    def act(*, charged: bool) -> None:
        try:
            start.wait()
            set_subscription_fee(actor=actor, organisation_id=world.city.id, charged=charged, valid_from=clock.now(), version=0)
            said.append(charged)
        except Outdated:
            said.append(None)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, kwargs={"charged": charged}) for charged in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    (fee,) = SubscriptionFee.objects.filter(organisation=world.city)
    assert sorted(said, key=str) == sorted([fee.charged, None], key=str)
