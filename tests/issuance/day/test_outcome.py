"""What the issuing came to: counted by night for each area and organisation, and shown to those who are in charge of it."""

import datetime as dt
import re
from typing import Any

import pytest

from issuance.authz import Actor, Role
from issuance.carriers.models import Carrier, Eid
from issuance.day.models import WHOLE_COUNTRY, DailyOutcome
from issuance.day.queries import outcome
from issuance.day.services import counting_outcome
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person
from issuance.tasks import count_outcome
from siths_portal.lib import clock
from tests.issuance.day.test_day import MOST_QUERIES, card, client_of, days_ago, shown


def activated(world: Any, organisation: Organisation, *, days: int, waited: int) -> Carrier:
    """A card whose holder activated it so many days ago, after waiting."""
    at = days_ago(days)
    found = card(world, world.post(organisation), actor=world.officer(organisation), activated_at=at)
    CardOrder.objects.filter(items__carrier=found).update(ordered_at=at - dt.timedelta(days=waited))
    Eid.objects.filter(carrier=found).update(activated_at=at, valid_to=clock.now() + dt.timedelta(days=300))
    return found


def figures_of(actor: Actor) -> str:
    """The first figures of Dagen, in words."""
    first = re.findall(r'<dl class="figures.*?</dl>', shown(client_of(actor)), re.DOTALL)[:1]
    return " ".join(re.sub(r"<[^>]+>", " ", "".join(first)).split())


def offices_of(body: str) -> str:
    """What Dagen says of offices, in words."""
    return " ".join(re.sub(r"<[^>]+>", " ", body.split('id="utfall">')[1].split("</aside>")[0]).split()[4:])


def test_the_outcome_is_counted_by_night_and_shown_in_its_scope(world: Any, django_assert_max_num_queries: Any) -> None:
    """A protected person is in no number, and a day that is counted never changes."""
    hidden = activated(world, world.region, days=2, waited=1)
    Person.objects.filter(pk=hidden.person_id).update(is_protected=True, protected_person_indicator=True)
    newest = activated(world, world.region, days=3, waited=10)
    activated(world, world.clinic, days=5, waited=20)
    activated(world, world.city, days=40, waited=8)
    Carrier.objects.filter(pk=newest.pk).update(state="revoked", ended_at=days_ago(1))
    issuer, deputy = world.officer(role=Role.RESPONSIBLE_ISSUER), world.officer(world.clinic, Role.DEPUTY_ISSUER)
    assert "giltigt" not in figures_of(issuer), "nothing is counted yet"
    count_outcome()
    client = client_of(issuer)
    with django_assert_max_num_queries(MOST_QUERIES):
        body = shown(client)
    assert "Fler kort aktiverades de senaste fyra veckorna än de fyra före" in body
    assert "Aktiverade kort per vecka, senast" in body
    assert figures_of(issuer) == (
        "personer med giltigt SITHS eID 3 kort aktiverade de senaste fyra veckorna de fyra veckorna före: 1 2"
        " dagar från beställning till aktivering median, de fyra veckorna före: 8 20"
    )
    assert figures_of(deputy) == (
        "person med giltigt SITHS eID 1 kort aktiverat de senaste fyra veckorna de fyra veckorna före: 0 1"
        " dagar från beställning till aktivering median 20"
    )
    assert offices_of(body) == "De senaste fyra veckorna. 2 Kontor A 1 spärrat kort."
    assert offices_of(shown(client_of(deputy))) == "De senaste fyra veckorna. 1 Kontor A 0 spärrade kort."
    assert "giltigt" not in shown(client_of(world.officer()))
    whole = DailyOutcome.objects.filter(place=WHOLE_COUNTRY)
    before = list(whole.order_by("day").values())
    Carrier.objects.filter(pk=newest.pk).update(activated_at=None)
    assert counting_outcome.count_due() == 0
    assert list(whole.order_by("day").values()) == before
    with clock.moved_to(days_ago(-2)):
        assert counting_outcome.count_due() > 0
    assert list(whole.order_by("-day").values_list("people", flat=True))[:2] == [3, 3]
    with clock.moved_to(days_ago(-counting_outcome.KEPT_DAYS)):
        count_outcome()
        assert whole.order_by("day").values_list("day", flat=True)[0] >= clock.today() - dt.timedelta(counting_outcome.KEPT_DAYS)


@pytest.mark.parametrize("newest", [dt.date(2026, 11, 30) + dt.timedelta(days) for days in range(7)], ids=str)
def test_the_title_of_the_chart_says_what_the_figures_say_on_every_day_of_the_week(newest: dt.date) -> None:
    """The chart's weeks end on Sundays, the four weeks of the title and of the figures with the newest day."""
    days = [outcome.Outcome(newest - dt.timedelta(back), activated=cards) for back, cards in ((35, 2), (28, 1), (27, 1), (0, 3))]
    found = outcome.overview(days)
    assert found
    assert [(figure.value, figure.before) for figure in found.figures] == [("4", "de fyra veckorna före: 3")]
    assert found.chart_title == "Fler kort aktiverades de senaste fyra veckorna än de fyra före"
