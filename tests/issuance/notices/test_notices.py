"""E-mail about eIDs: reminders before the end, notices of what is new or unlocked, and rows of work without an address."""

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from issuance.carriers.models import Carrier, Eid
from issuance.notices.models import EidNotice, NoticeAbout
from issuance.notices.services import notices, reminding, sending
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.records.services import steps
from siths_portal.lib import clock
from tests.issuance.orders.test_eid_orders import further_post
from tests.issuance.register_care.works import Mails, active, found, later, night


def ending(world: Any, post: Post, *, days_left: int = 100, since: int = 400) -> Eid:
    """An eID in use whose last day is so many days from now."""
    card, now = active(world, post), clock.now()
    end = clock.start_of_day(clock.today() + dt.timedelta(days=days_left + 1))
    begun = now - dt.timedelta(days=since)
    Eid.objects.filter(carrier=card).update(state="active", activated_at=begun, valid_from=begun, valid_to=end)
    return Eid.objects.get(carrier=card)


def plan_and_send() -> int:
    reminding.plan_due()
    EidNotice.objects.filter(state="waiting").update(next_at=clock.now())
    return sending.send_due()


def test_a_holder_is_reminded_on_three_days_once_each(world: Any, mails: Mails) -> None:
    post = world.post(given_name="Hjalmar", surname="Almgren")
    eid = ending(world, post)
    last, days = clock.today() + dt.timedelta(days=100), []
    for day in (9, 10, 11, 39, 40, 69, 70, 99, 100, 101):
        with later(day):
            days += [day] * plan_and_send()
    assert days == [10, 40, 70]
    told = Event.objects.filter(action="eid.reminder_sent").order_by("id")
    assert [(each.subject_ref, each.facts["days"]) for each in told] == [(str(eid.pk), day) for day in (90, 60, 30)]
    message = mails.sent[0]
    assert message.recipient == "prov@example.org"
    assert f"till och med {last}" in message.text
    for secret in ("Hjalmar", "Almgren", post.hsa_id, post.person.identifiers.get().value, post.organisation.name):
        assert secret not in message.text + message.subject + message.message_id


def test_missed_nights_cost_one_reminder_and_days_before_the_holder_got_it_none(world: Any, mails: Mails, settings: Any) -> None:
    ending(world, world.post(), days_left=20)
    ending(world, world.post(), days_left=50, since=5)
    assert [plan_and_send(), plan_and_send()] == [1, 0]
    assert list(EidNotice.objects.values_list("days", "state")) == [(30, "sent")]
    settings.EID_REMINDER_DAYS = []
    with later(30):
        assert plan_and_send() == 0


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda eid: Eid.objects.filter(pk=eid.pk).update(state="revoked", ended_at=clock.now(), revocation_reason="renewed"),
        lambda eid: Person.objects.filter(pk=eid.carrier.person_id).update(deceased=True),
    ],
)
def test_a_renewal_or_a_death_stops_a_planned_reminder(world: Any, mails: Mails, meanwhile: Any) -> None:
    eid = ending(world, world.post(), days_left=60)
    assert reminding.plan_due() == 1
    meanwhile(eid)
    assert (plan_and_send(), mails.sent, EidNotice.objects.get().state) == (1, [], "not-needed")


def test_an_eid_of_the_same_assignment_that_ends_later_and_a_reserve_card_need_no_reminder(world: Any, mails: Mails) -> None:
    post = world.post()
    ending(world, post, days_left=60)
    ending(world, post, days_left=900)
    reserve = ending(world, world.post(), days_left=60)
    Carrier.objects.filter(pk=reserve.carrier_id).update(kind="reserve_card")
    assert plan_and_send() == 0


def test_without_an_address_and_for_the_protected_the_office_has_a_row_until_a_renewal(world: Any, mails: Mails) -> None:
    without, hidden = ending(world, world.post(), days_left=60), ending(world, world.post(), days_left=60)
    Post.objects.filter(pk=without.post_id).update(mail="")
    Person.objects.filter(pk=hidden.carrier.person_id).update(is_protected=True, protected_person_indicator=True)
    assert (plan_and_send(), mails.sent) == (2, [])
    night()
    rows = found("eid_not_reminded")
    assert {row.carrier_id for row in rows} == {without.carrier_id, hidden.carrier_id}
    assert {(row.office_id, row.due) for row in rows} == {(world.office.pk, clock.today() + dt.timedelta(days=60))}
    Eid.objects.filter(pk=hidden.pk).update(state="revoked", ended_at=clock.now(), revocation_reason="renewed")
    with later(30):
        plan_and_send()
        night()
        (row,) = found("eid_not_reminded")
        assert (row.carrier_id, row.subject_id) == (without.carrier_id, EidNotice.objects.get(days=30).pk)


def ending_mobile(post: Post, *, days_left: int) -> Carrier:
    """A mobile eID in use whose last day is so many days from now."""
    begun = clock.now() - dt.timedelta(days=400)
    carrier = Carrier(
        kind="mobile_eid", origin="migrated", person=post.person, organisation=post.organisation, device="Hjalmars telefon",
        state="active", activated_at=begun, valid_from=begun, created_at=begun,
        valid_to=clock.start_of_day(clock.today() + dt.timedelta(days=days_left + 1)),
    )  # fmt: skip
    with transaction.atomic():
        steps.begin([carrier], "migrated", actor_ref="system:migration", facts={})
    return carrier


def test_a_holder_is_reminded_of_each_mobile_eid_that_ends(world: Any, mails: Mails) -> None:
    post = world.post(given_name="Hjalmar", surname="Almgren")
    carrier, last, days = ending_mobile(post, days_left=100), clock.today() + dt.timedelta(days=100), []
    for day in (9, 10, 11, 40, 70, 101):
        with later(day):
            days += [day] * plan_and_send()
    assert days == [10, 40, 70]
    told = Event.objects.filter(action="carrier.end_reminder_sent").order_by("id")
    assert [(each.subject_ref, each.facts["days"]) for each in told] == [(str(carrier.pk), day) for day in (90, 60, 30)]
    message = mails.sent[0]
    assert message.subject == "Ditt Mobilt SITHS slutar snart gälla"
    assert f"gäller till och med {last}. Skaffa ett nytt i god tid på Mina sidor" in message.text
    for secret in ("Hjalmar", "Almgren", carrier.device, post.hsa_id, post.organisation.name):
        assert secret not in message.text + message.subject + message.message_id


def test_a_mobile_eid_that_was_revoked_meanwhile_needs_no_reminder(world: Any, mails: Mails) -> None:
    carrier = ending_mobile(world.post(), days_left=60)
    assert (reminding.plan_due(), reminding.plan_due()) == (1, 0)
    Carrier.objects.filter(pk=carrier.pk).update(state="revoked", ended_at=clock.now(), revocation_reason="damaged")
    assert (plan_and_send(), mails.sent, EidNotice.objects.get().state) == (1, [], "not-needed")


def test_the_office_reminds_a_holder_of_a_mobile_eid_without_an_address(world: Any, mails: Mails) -> None:
    post = world.post()
    carrier = ending_mobile(post, days_left=60)
    Post.objects.filter(pk=post.pk).update(mail="")
    assert (plan_and_send(), mails.sent) == (1, [])
    night()
    (row,) = found("eid_not_reminded")
    assert (row.carrier_id, row.due) == (carrier.pk, clock.today() + dt.timedelta(days=60))
    with later(30):
        plan_and_send()
        night()
        (row,) = found("eid_not_reminded")
        assert row.subject_id == EidNotice.objects.get(days=30).pk


def test_a_new_eid_is_told_at_once_by_another_address_if_its_own_is_gone(world: Any, mails: Mails) -> None:
    eid = ending(world, world.post())
    other = further_post(world, eid.carrier)
    Post.objects.filter(pk=eid.post_id).update(mail="")
    Post.objects.filter(pk=other.pk).update(mail="annan@example.org")
    notices.queue_new_eids([eid])
    assert [sending.send_due() for _ in range(2)] == [1, 0]
    (message,) = mails.sent
    assert (message.recipient, "Ett nytt SITHS eID skapades" in message.text) == ("annan@example.org", True)
    assert eid.hsa_id not in message.text
    assert Event.objects.get(action="eid.notice_sent").subject_ref == str(eid.pk)


def test_a_refused_notice_of_a_new_eid_is_a_row_at_the_office(world: Any, mails: Mails) -> None:
    eid = ending(world, world.post())
    notices.queue_new_eids([eid])
    mails.away = True
    assert (sending.send_due(), EidNotice.objects.get().state) == (1, "waiting")
    mails.away, mails.refuses = False, True
    with clock.moved_to(clock.now() + dt.timedelta(hours=2)):
        assert sending.send_due() == 1
    night()
    (row,) = found("eid_not_told")
    assert (row.carrier_id, row.organisation_id, row.facts) == (eid.carrier_id, eid.organisation_id, {"day": f"{clock.today()}"})


def test_a_new_mobile_eid_and_an_unlocking_are_told_by_what_the_carrier_is(world: Any, mails: Mails) -> None:
    eid = ending(world, world.post())
    Carrier.objects.filter(pk=eid.carrier_id).update(kind="mobile_eid")
    carrier = Carrier.objects.get(pk=eid.carrier_id)
    notices.queue_about_carrier(carrier, NoticeAbout.NEW)
    notices.queue_about_carrier(carrier, NoticeAbout.UNLOCKED)
    with pytest.raises(IntegrityError), transaction.atomic():
        notices.queue_about_carrier(carrier, NoticeAbout.NEW)
    assert sending.send_due() == 2
    assert {each.subject for each in mails.sent} == {"Du har fått ett nytt Mobilt SITHS", "Ditt SITHS-kort låses upp"}
    told = Event.objects.filter(subject_type="carrier", subject_ref=str(carrier.pk), actor_ref=sending.SENDER)
    assert {each.action for each in told} == {"carrier.notice_sent", "carrier.unlock_notice_sent"}


def test_the_office_tells_a_protected_holder_of_a_mobile_eid_and_of_an_unlocking(world: Any, mails: Mails) -> None:
    eid = ending(world, world.post())
    Person.objects.filter(pk=eid.carrier.person_id).update(is_protected=True, protected_person_indicator=True)
    for about in (NoticeAbout.NEW, NoticeAbout.UNLOCKED):
        notices.queue_about_carrier(eid.carrier, about)
    assert (sending.send_due(), mails.sent) == (2, [])
    night()
    rows = [row for kind in ("eid_not_told", "unlocking_not_told") for row in found(kind)]
    assert [(row.carrier_id, row.organisation_id) for row in rows] == [(eid.carrier_id, eid.carrier.organisation_id)] * 2
