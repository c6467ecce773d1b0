"""Pages of the stock of reserve cards: the offices, one office, a bundle to receive, a card, the count, the level, Dagen."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from issuance.articles.services.articles import offer_article
from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.offices.models import Office
from issuance.orders.models.orders import CardOrder
from issuance.stock.models import StockCard, StockCount, StockLevel
from siths_portal.lib import clock
from tests.issuance.authorities import serial_of
from tests.issuance.orders.bundles import ARTICLE, bundle
from tests.issuance.organisations.test_pages import client_of, issuer
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.stock.stocks import received_bundle, sent_bundle, states, with_stock
from tests.issuance.world import SETUP

MOST_QUERIES = 18


@pytest.fixture
def ready(world: Any, authorities: Any) -> Any:
    with_stock(world)
    return world


def keeper(world: Any) -> Client:
    return client_of(world.officer(world.clinic, Role.RESERVE_CARD_ADMIN_LOA2))


def at(name: str, row: Any) -> str:
    return reverse(name, args=[row.pk])


def test_the_stock_of_each_office_is_listed_with_its_needs(ready: Any, django_assert_max_num_queries: Any) -> None:
    client = issuer(ready)
    assert "Kontor A" in text_of(client.get(reverse("stock"))), "an office that can receive"
    received_bundle(ready, 2)
    sent_bundle(ready, 3, first=10)
    StockLevel.objects.create(office=ready.office, least=5)
    with django_assert_max_num_queries(MOST_QUERIES):
        page = client.get(reverse("stock"))
    (line,) = page.context["list"].lines
    assert (line.figures.in_stock, line.figures.awaited, line.figures.short) == (2, 3, True)
    assert "Lågt, gräns 5" in text_of(page)
    (way,) = page.context["on_the_way"]
    assert [each.state for each in way.stages] == ["done", "done", "done", "now"]
    assert way.stages[-1].url == reverse("stock_receive", args=[way.line.id])
    assert (way.line.quantity, "På väg till Kontor A: 3 kort" in text_of(page)) == (3, True)
    hand_out, order = page.context["acts"]
    assert (hand_out.url, order.url) == (reverse("search"), at("bundle_new", ready.region))
    assert f"{at('office_stock', ready.office)}#pa-vag" in page.content.decode(), "the act of the row"
    kept = keeper(ready).get(reverse("stock"))
    assert [act.allowed for act in kept.context["acts"]] == [True, False]
    assert "Beställ bunt Ansvarig eller biträdande utgivare beställer buntar." in text_of(kept)
    offer_article(actor=SETUP, organisation_id=ready.city.id, article_code=ARTICLE, orderable=True)
    ordered = bundle(ready.region, ready.office, 4)
    page = client.get(reverse("stock"))
    assert [each.line.id for each in page.context["on_the_way"]] == [way.line.id, ordered.id]
    assert [each.state for each in page.context["on_the_way"][1].stages] == ["done", "now", "later", "later"]
    issuer_of_bundle = ready.officer(role=Role.RESPONSIBLE_ISSUER)
    CardOrder.objects.filter(pk=ordered.id).update(ordered_by_ref=issuer_of_bundle.ref)
    Office.objects.filter(pk=ready.office.pk).update(invoice_comment="Lindby")
    assert "573 Reservkort. Beställd av Handläggare Provsson. Rad på fakturan: RESERV, Lindby (Reservkort)." in text_of(
        client.get(reverse("stock"))
    )
    assert page.context["acts"][1].url == "#bestall"
    assert f'href="{at("bundle_new", ready.city)}"' in page.content.decode()
    assert client.get(f"{reverse('stock')}?fil=csv").status_code == 200
    assert f'href="{at("office_stock", ready.office)}"' in client.get(at("office", ready.office)).content.decode()


def test_each_office_has_an_act_in_its_row(ready: Any) -> None:
    """The page of a new bundle proposes the office that it was opened for."""
    client, (received, _other) = issuer(ready), received_bundle(ready, 2)
    address = f"{at('bundle_new', ready.region)}?kontor={received.office_id}"
    assert f'href="{address}">Beställ bunt' in client.get(reverse("stock")).content.decode()
    assert client.get(address).context["form"]["office"].value() == str(received.office_id)
    assert client.get(f"{at('bundle_new', ready.region)}?kontor=x").status_code == 200
    assert f'href="{at("stock_count", received.office)}">Räkna lagret' in keeper(ready).get(reverse("stock")).content.decode()


def test_dagen_tells_of_bundles_and_of_few_cards(ready: Any) -> None:
    client = keeper(ready)
    assert "Kontor A" not in text_of(client.get(reverse("day")))
    order = sent_bundle(ready, 2)
    StockLevel.objects.create(office=ready.office, least=5)
    page = client.get(reverse("day"))
    assert "2 reservkort till Kontor A" in text_of(page)
    assert at("stock_receive", order) in page.content.decode()
    assert "Få reservkort på Kontor A Lagret har 0 kort, och gränsen är 5." in text_of(page)
    assert "Kontor A" not in text_of(client_of(ready.officer(ready.clinic, Role.REVOKER)).get(reverse("day")))


def test_a_bundle_is_received_whole_or_as_scanned(ready: Any, django_assert_max_num_queries: Any) -> None:
    client = keeper(ready)
    whole, partly = sent_bundle(ready, 2), sent_bundle(ready, 3, first=10)
    with django_assert_max_num_queries(MOST_QUERIES):
        page = client.get(at("stock_receive", whole))
    assert "Ta emot alla 2 kort" in text_of(page)
    assert client.post(at("stock_receive", whole))["Location"] == at("office_stock", ready.office)
    again = client.post(at("stock_receive", whole), follow=True)
    assert "Bunten är redan mottagen." in text_of(again)
    assert "Inget kvar att ta emot" in text_of(client.get(at("stock_receive", whole)))
    address = at("stock_receive", partly)
    wrong = client.post(address, {"serials": serial_of(1), "lagg_till": "1"})
    assert (wrong.status_code, "rad 1. Inget kort togs emot" in text_of(wrong)) == (422, True)
    assert client.post(address, {"serials": serial_of(10), "lagg_till": "1"})["Location"] == address
    assert client.post(address, {"bekrafta": "1"})["Location"] == at("office_stock", ready.office)
    assert states(partly) == [("in_stock", "in_stock"), ("sent", "missing"), ("sent", "missing")]
    page = client.get(f"{at('office_stock', ready.office)}?status=missing")
    assert len(page.context["list"].lines) == 2
    assert len(client.get(f"{at('office_stock', ready.office)}?status=alla").context["list"].lines) == 5


def test_the_list_begins_with_the_cards_to_hand_out(ready: Any) -> None:
    """A card that is handed out is out of the way, and only its level is known. So is one that has ended."""
    client = keeper(ready)
    first, ended, _last = received_bundle(ready, 3)
    StockCard.objects.filter(pk=first.pk).update(state="handed_out", valid_to=clock.now())
    StockCard.objects.filter(pk=ended.pk).update(valid_to=clock.now())
    office = at("office_stock", ready.office)
    page = client.get(office)
    assert [line.state for line in page.context["list"].lines] == ["in_stock"]
    assert "Tillitsnivå" not in text_of(page)
    (line,) = client.get(f"{office}?status=handed_out").context["list"].lines
    assert (line.id, line.level) == (first.pk, Carrier.objects.get(pk=first.carrier_id).assurance_level)
    page = client.get(f"{office}?status=utgangna")
    assert [line.id for line in page.context["list"].lines] == [ended.pk]
    assert "Har gått ut" in text_of(page).split("Giltigt till")[1]
    assert "Lämna ut det först" not in text_of(page)


def test_a_scanned_card_leads_to_its_page_and_is_reported_there(ready: Any, django_assert_max_num_queries: Any) -> None:
    client = keeper(ready)
    card, other = received_bundle(ready, 2)
    office, address = at("office_stock", ready.office), at("stock_card", card)
    with django_assert_max_num_queries(MOST_QUERIES):
        assert len(client.get(office).context["list"].lines) == 2
    assert client.post(office, {"serial": serial_of(1), "sok": "1"})["Location"] == address
    for serial in (serial_of(7), "x", ""):
        missed = client.post(office, {"serial": serial, "sok": "1"})
        assert (missed.status_code, "Kortet finns inte i kontorets lager" in text_of(missed)) == (422, True)
    page = client.get(address)
    assert "Kortet togs emot på kontoret" in text_of(page)
    assert serial_of(1) not in page.request["PATH_INFO"]
    for fields, status in (
        ({}, 422), ({"action": "ended"}, 422), ({"action": "lost"}, 422), ({"action": "lost", "confirm": "0000"}, 422),
    ):  # fmt: skip
        assert client.post(address, fields).status_code == status, fields
    assert Carrier.objects.get(pk=card.carrier_id).state == "in_stock"
    client.post(address, {"action": "missing"})
    client.post(address, {"action": "lost", "confirm": serial_of(1)[-4:]})
    assert Carrier.objects.get(pk=card.carrier_id).state == "revoked"
    shown = client.get(address)
    assert "Kortet är förlorat och spärrat." in text_of(shown)
    assert 'name="action"' not in shown.content.decode()
    assert client.post(address, {"action": "lost", "confirm": serial_of(1)[-4:]}).status_code == 422
    assert StockCard.objects.get(pk=other.pk).state == "in_stock"


def test_a_lost_parcel_is_reported_on_one_page(ready: Any) -> None:
    client, order = keeper(ready), sent_bundle(ready, 3)
    address = at("stock_lost", order)
    assert address in client.get(at("stock_receive", order)).content.decode()
    assert "De som inte är mottagna (3)" in text_of(client.get(address))
    for fields in ({}, {"part": "alla"}, {"part": "alla", "confirm": "2"}, {"part": "skannade", "confirm": "1"}):
        assert client.post(address, fields).status_code == 422, fields
    done = client.post(address, {"part": "inte-mottagna", "confirm": "3"}, follow=True)
    assert "3 kort är förlorade och spärrade." in text_of(done)
    assert states(order) == [("revoked", "lost")] * 3
    assert "Inget kort att rapportera" in text_of(client.get(address))
    assert "Reservkort i en bunt rapporterades förlorade" in text_of(issuer(ready).get(at("office_history", ready.office)))


def test_a_count_shows_the_difference_and_is_kept(ready: Any, django_assert_max_num_queries: Any) -> None:
    client = keeper(ready)
    received_bundle(ready, 3)
    address = at("stock_count", ready.office)
    assert "Enligt lagret ska 3 kort finnas" in text_of(client.get(address))
    wrong = client.post(address, {"serials": f"{serial_of(1)}\n12"})
    assert (wrong.status_code, "Rätta rad 2" in text_of(wrong)) == (422, True)
    long = client.post(address, {"serials": "1" * 70_000})
    assert long.status_code == 422
    assert not StockCount.objects.exists()
    done = client.post(address, {"serials": f"{serial_of(1)}\n{serial_of(2)}"}, follow=True)
    assert "Lagret är räknat: 2 kort fanns. 1 kort saknas." in text_of(done)
    assert f'href="{at("office_stock", ready.office)}?status=missing#kort"' in done.content.decode()
    with django_assert_max_num_queries(MOST_QUERIES):
        page = client.get(address)
    (line,) = page.context["list"].lines
    assert (line.who, line.expected, line.found, line.missing) == ("Handläggare Provsson", 3, 2, 1)
    history = issuer(ready).get(at("office_history", ready.office))
    assert "Lagret av reservkort räknades" in text_of(history)


@pytest.mark.parametrize(("typed", "status", "least"), [("30", 302, 30), ("", 302, None), ("-1", 422, None), ("x", 422, None)])
def test_the_level_is_a_number_or_none(ready: Any, typed: str, status: int, least: int | None) -> None:
    client = keeper(ready)
    assert client.post(at("stock_level", ready.office), {"least": typed}).status_code == status
    assert StockLevel.objects.values_list("least", flat=True).first() == least
