"""The day around which an ordered card arrives: measured by supplier, and told on pages."""

import datetime as dt
from typing import Any

import pytest
from django.urls import reverse

from issuance.authz import Role
from issuance.orders.models.delivery_times import DeliveryTime
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.queries import delivery_times as days
from issuance.orders.services import delivery_times
from issuance.people.models.persons import Person
from issuance.tasks import count_outcome
from siths_portal.lib import clock, workdays
from siths_portal.lib.pages.dates import weekday_in_words
from tests.issuance.day.test_day import client_of, shown

MONDAY = dt.datetime(2026, 11, 30, 9, tzinfo=dt.UTC)


def sent(world: Any, *, ordered: str, sent_on: str) -> CardOrder:
    """An order whose card was left to the post on a day."""
    order = world.order(world.post())
    CardOrder.objects.filter(pk=order.pk).update(ordered_at=dt.datetime.fromisoformat(f"{ordered}T12:00+01:00"))
    at = dt.datetime.fromisoformat(f"{sent_on}T15:00+01:00")
    OrderItem.objects.filter(order=order).update(sent_on=at.date(), dispatched_at=at)
    return order


def test_half_of_the_cards_of_a_supplier_tell_its_delivery_time(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards that were sent long ago, and pieces that are made again, do not count. A supplier with few cards has no row."""
    monkeypatch.setattr(delivery_times, "FEWEST", 3)
    with clock.moved_to(MONDAY):
        sent(world, ordered="2026-11-09", sent_on="2026-11-20")  # nine working days
        sent(world, ordered="2026-11-13", sent_on="2026-11-24")  # seven
        again = sent(world, ordered="2026-11-02", sent_on="2026-11-27")
        first = sent(world, ordered="2026-11-16", sent_on="2026-11-17")
        OrderItem.objects.filter(order=again).update(replaces=first.items.get(), fault="supplier")
        sent(world, ordered="2026-10-01", sent_on="2026-10-02")
        count_outcome()
        row = DeliveryTime.objects.get()
        assert (row.supplier_ref, row.working_days, row.cards) == (first.supplier_ref, 7, 3)
        assert delivery_times.count_due() == 0, "once a day"
    monkeypatch.setattr(delivery_times, "FEWEST", 4)
    with clock.moved_to(MONDAY + dt.timedelta(days=1)):
        count_outcome()
    assert not DeliveryTime.objects.exists()


def test_pages_tell_the_day(world: Any, settings: Any) -> None:
    """By the measured time or else the default, late from the day after, and never of a protected person."""
    clerk = world.officer(protected=True)
    client = client_of(clerk)
    default = weekday_in_words(workdays.after(clock.today(), settings.CARD_WORKING_DAYS + settings.POST_WORKING_DAYS))
    dagen = shown(client)
    assert f"framme omkring<br><strong>{default}</strong>" in dagen
    assert "Hälften" not in dagen
    order = world.order(world.post(), actor=clerk)
    DeliveryTime.objects.create(supplier_ref=order.supplier_ref, working_days=7, cards=20, counted_on=clock.today())
    soon = weekday_in_words(workdays.after(clock.today(), 7 + settings.POST_WORKING_DAYS))
    dagen = shown(client)
    assert f"framme omkring<br><strong>{soon}</strong>" in dagen
    assert "Hälften av korten de senaste 30 dagarna skickades inom 7 arbetsdagar. Räkna med 2 dagar i posten." in dagen
    assert "Leveranstid" not in shown(client_of(world.officer(role=Role.REVOKER)))
    address = reverse("person", args=[order.person_id])
    assert f"<dd>{soon}</dd>" in shown(client, address)
    CardOrder.objects.filter(pk=order.pk).update(ordered_at=clock.now() - dt.timedelta(days=60))
    assert "Försenat" in shown(client, address)
    CardOrder.objects.filter(pk=order.pk).update(restarted_at=clock.now())
    assert f"<dd>{soon}</dd>" in shown(client, address), "made again"
    Person.objects.filter(pk=order.person_id).update(is_protected=True, protected_person_indicator=True)
    assert "Framme omkring" not in shown(client, address)
    Person.objects.filter(pk=order.person_id).update(is_protected=False, protected_person_indicator=False)
    CardOrder.objects.filter(pk=order.pk).update(state="sent")
    assert "Framme omkring" not in shown(client, address)
    assert days.arrival_of(CardOrder.objects.get(pk=order.pk), 7) is None
