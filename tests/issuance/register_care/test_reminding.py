"""Reminders to holders: on which days, to whom, once, by whom, and what the mail says."""

import datetime as dt
from typing import Any

import pytest

from issuance.carriers.models import Carrier
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.register_care.models import CardReminder
from issuance.register_care.services import reminding
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from tests.issuance.register_care.works import Mails, active, found, later, night, sent


def plan_and_send() -> int:
    reminding.plan_due()
    CardReminder.objects.filter(state="waiting").update(next_at=clock.now())
    return reminding.send_due()


def test_a_holder_is_reminded_on_three_days(world: Any, mails: Mails) -> None:
    card = sent(world, world.post(), days_left=90)
    days = []
    for day in range(0, 90, 1):
        with later(day):
            if plan_and_send():
                days.append(day)
    assert days == [30, 60, 80]
    assert list(CardReminder.objects.order_by("days").values_list("days", "state")) == [(30, "sent"), (60, "sent"), (80, "sent")]
    told = Event.objects.filter(action="carrier.reminded").order_by("id")
    assert [(each.subject_ref, each.facts["days"]) for each in told] == [(str(card.pk), day) for day in days]
    assert len({message.message_id for message in mails.sent}) == 3


def test_the_mail_says_where_and_until_when_and_names_nobody(world: Any, mails: Mails) -> None:
    post = world.post(given_name="Hjalmar", surname="Almgren")
    card = sent(world, post, days_left=60)
    Carrier.objects.filter(pk=card.pk).update(card_serial="9752000000000001530")
    plan_and_send()
    (message,) = mails.sent
    last = clock.today() + dt.timedelta(days=60)
    assert message.recipient == "prov@example.org"
    assert f"Sista dagen är {last}" in message.text
    assert "Kontor A" in message.text
    for secret in ("Hjalmar", "Almgren", "1530", post.hsa_id, post.person.identifiers.get().value):
        assert secret not in message.text + message.subject + message.message_id


def test_an_old_card_gets_one_reminder_and_not_all(world: Any, mails: Mails) -> None:
    sent(world, world.post(), days_left=5)
    plan_and_send()
    assert list(CardReminder.objects.values_list("days", flat=True)) == [80]


def test_nobody_who_is_protected_dead_or_without_address(world: Any, mails: Mails) -> None:
    protected = world.post(protected=True)
    sent(world, protected, days_left=50, actor=world.officer(protected=True))
    dead, without = world.post(), world.post()
    for post in (dead, without):
        sent(world, post, days_left=50)
    Person.objects.filter(pk=dead.person_id).update(deceased=True)
    Post.objects.filter(pk=without.pk).update(mail="")
    active(world, world.post())
    assert plan_and_send() == 0
    assert mails.sent == []


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda card: Carrier.objects.update(state="active", origin="migrated"),
        lambda card: Person.objects.filter(pk=card.person_id).update(is_protected=True, protected_person_indicator=True),
        lambda card: Post.objects.update(mail=""),
    ],
)
def test_the_worker_looks_again_before_it_sends(world: Any, mails: Mails, meanwhile: Any) -> None:
    card = sent(world, world.post(), days_left=50)
    assert reminding.plan_due() == 1
    meanwhile(card)
    CardReminder.objects.update(next_at=clock.now())
    assert (reminding.send_due(), mails.sent, CardReminder.objects.get().state) == (1, [], "not-needed")


@pytest.mark.parametrize(("hour", "waits"), [(3, 4), (22, 9)])
def test_it_is_planned_for_the_morning_and_sent_once(world: Any, mails: Mails, hour: int, waits: int) -> None:
    sent(world, world.post(), days_left=50)
    night = dt.datetime.combine(clock.today() + dt.timedelta(days=1), dt.time(hour), clock.STOCKHOLM)
    with clock.moved_to(night):
        assert [reminding.plan_due() for _ in range(2)] == [1, 0]
        assert reminding.send_due() == 0
    with clock.moved_to(night + dt.timedelta(hours=waits)):
        assert [reminding.send_due() for _ in range(2)] == [1, 0]


def test_a_server_that_is_away_is_asked_again_and_one_that_refuses_is_not(world: Any, mails: Mails) -> None:
    card = sent(world, world.post(), days_left=50)
    mails.away = True
    plan_and_send()
    assert CardReminder.objects.get().state == "waiting"
    mails.away, mails.refuses = False, True
    with clock.moved_to(clock.now() + dt.timedelta(hours=2)):
        assert reminding.send_due() == 1
    assert (CardReminder.objects.get().state, CardReminder.objects.get().attempts) == ("refused", 2)
    assert Event.objects.get(action="carrier.reminder_refused").subject_ref == str(card.pk)
    night()
    assert [row.carrier_id for row in found("not_reminded")] == [card.pk], "the office contacts the holder"


def test_an_officer_reminds_once_a_week(world: Any, mails: Mails) -> None:
    cards = [sent(world, world.post(), days_left=65) for _ in range(2)]
    night()
    officer, ids = world.officer(), [row.pk for row in found("not_activated")]
    assert reminding.remind(actor=officer, item_ids=ids) == 2
    asked = Event.objects.filter(action="carrier.reminder_requested")
    assert {(each.actor_ref, each.subject_ref) for each in asked} == {(officer.ref, str(card.pk)) for card in cards}
    assert (reminding.send_due(), len(mails.sent)) == (2, 2)
    with pytest.raises(Conflict, match="no-reminder"):
        reminding.remind(actor=officer, item_ids=ids[:1])
    with later(8):
        assert reminding.remind(actor=officer, item_ids=ids[:1]) == 1


def test_one_card_that_cannot_be_reminded_stops_all(world: Any, mails: Mails) -> None:
    sent(world, world.post(), days_left=65)
    without = world.post()
    sent(world, without, days_left=65)
    Post.objects.filter(pk=without.pk).update(mail="")
    night()
    with pytest.raises(Conflict) as refused:
        reminding.remind(actor=world.officer(), item_ids=[row.pk for row in found("not_activated")])
    assert "ingen e-postadress" in refused.value.message
    assert not CardReminder.objects.exists()
