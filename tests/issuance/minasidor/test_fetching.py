"""A holder fetches an ordered eID on Mina sidor: found on the start page, opened in the app, followed to its end."""

import datetime as dt
import re
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse

from issuance.activation.models import EidAppTransaction
from issuance.activation.services.visits import Opened
from issuance.minasidor.domain import Means
from issuance.orders.services import eid_orders
from issuance.people.models.persons import Person
from siths_portal.lib import clock
from siths_portal.lib.pages import named_buttons
from tests.issuance.activated import App, Made, activated_card
from tests.issuance.activation.fetched import Fetching
from tests.issuance.minasidor.mina import card_client, holder_client
from tests.issuance.minasidor.test_pages import step, text

PRESSED = {named_buttons.BUTTON: named_buttons.ACT}
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def made(world: Any, demo_pki: Any) -> Made:
    """A card in use."""
    return activated_card(world)


def test_a_renewal_is_fetched_from_the_start_page(world: Any, made: Made, mina: None) -> None:
    made.carrier.eids.update(valid_to=clock.now() + dt.timedelta(days=20))
    holder = holder_client(Person.objects.get(pk=made.carrier.person_id))
    assert "Be en ID-administratör att förnya det." in text(holder.get("/"))
    order = eid_orders.order_renewed_eid(actor=world.officer(), eid_id=made.carrier.eids.get().pk)
    address = reverse("my_fetch", args=[order.pk])
    start = holder.get("/")
    assert f'href="{address}"' in start.content.decode()
    assert "Förnya ditt SITHS eID för Regionen" in text(start)
    assert "att förnya det" not in text(start), "a renewal that is ordered is not asked for again"
    assert "Det gamla fungerar tills det nya finns på kortet." in text(holder.get(address))
    page = holder.post(address, PRESSED, follow=True)
    row = EidAppTransaction.objects.get(kind="fetch")
    handle = re.search(r"fet\.[A-Za-z0-9_-]{22}", page.content.decode())
    assert handle is not None
    assert "data:image/svg+xml" in page.content.decode()
    state, under_way = reverse("my_fetching_state", args=[row.pk]), reverse("my_fetching", args=[row.pk])
    assert holder.get(state, {"sedan": "created"}).status_code == 204
    elsewhere = holder_client(Person.objects.get(pk=made.carrier.person_id)).get(under_way)
    assert "Länken till appen visas bara där den skapades" in step(elsewhere)

    app = Fetching(made, order, opened=Opened(row, handle[0]), app=App(made))
    app.app.start(app.opened)
    assert holder.get(state, {"sedan": "created"})["HX-Refresh"] == "true"
    assert "Kortet är hittat" in step(holder.get(under_way))
    app.certify()
    app.confirm()
    assert "Du kan ta ut kortet nu" in text(holder.get(under_way, follow=True))
    assert "finns på kortet" in text(holder.get(address, follow=True))
    both = re.sub(r"<(?!section)[^>]*>", " ", holder.get(reverse("my_carrier", args=[made.carrier.pk])).content.decode())
    assert (both.count("SITHS eID för Regionen") >= 2, both.count("<section")) == (True, 1), "no two landmarks of one name"


def test_breaking_off_leaves_the_order_and_a_lower_level_or_another_person_fetches_nothing(
    world: Any, made: Made, mina: None
) -> None:
    order = eid_orders.order_renewed_eid(actor=world.officer(), eid_id=made.carrier.eids.get().pk)
    person, address = Person.objects.get(pk=made.carrier.person_id), reverse("my_fetch", args=[order.pk])
    holder = holder_client(person)
    holder.post(address, PRESSED)
    row = EidAppTransaction.objects.get(kind="fetch")
    assert "väntar fortfarande" in text(holder.post(reverse("my_fetching_cancel", args=[row.pk]), {"avbryt": "1"}, follow=True))
    assert "inte hämtat" in step(holder.get(reverse("my_fetching", args=[row.pk])))
    other, low, card = holder_client(world.post().person), holder_client(person, Means.LOA2), card_client(made.carrier.pk)
    for path in (address, reverse("my_fetching", args=[row.pk])):
        assert other.get(path).status_code == 404
        assert low.get(path).status_code == 403
        assert card.get(path).status_code == 404
    assert f'href="{address}"' not in low.get("/").content.decode()
    eid_orders.withdraw_eid_order(actor=world.officer(), order_id=order.pk)
    holder.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    refused = holder.post(address, PRESSED)
    assert (refused.status_code, "Ask an ID administrator for a new one." in text(refused)) == (409, True)
