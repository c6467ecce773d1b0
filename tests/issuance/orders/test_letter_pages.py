"""The pages of PUK letters: what is shown and ordered, the letter among the card's orders, and its withdrawal."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from authn.models import Session
from billing.prices.services import prices
from billing.records.domain.codes import PUK_LETTER
from issuance.authz import Actor
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.suppliers.domain import Produced, Sent
from issuance.suppliers.services import supplier_events, supplier_intake
from siths_portal.lib import clock
from tests.issuance.activated import PUK, Made, activated_card, sent_card
from tests.issuance.activation.test_pages import text_of
from tests.issuance.suppliers.lettering import handed_out, ordered_letter, printing_supplier
from tests.issuance.world import SUPPLIER
from tests.portal import portal_client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def made(world: Any, demo_pki: Any) -> Made:
    """An active card, whose supplier prints letters."""
    made = activated_card(world)
    printing_supplier(demo_pki)
    return made


def client_of(actor: Actor) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


@pytest.fixture
def clerk(world: Any, made: Made) -> Client:
    return client_of(world.officer())


def address(made: Made) -> str:
    return reverse("puk_letter", args=[made.carrier.pk])


def post(clerk: Client, made: Made, world: Any, key: str = "a" * 32) -> Any:
    return clerk.post(address(made), {"office": str(world.office.pk), "key": key})


def test_a_letter_is_ordered_with_its_price_and_seen_among_the_cards_orders(world: Any, made: Made, clerk: Client) -> None:
    prices.set_price(
        actor_ref="user:x", article_code=PUK_LETTER, unit_price=Decimal("95.00"), vat_rate=Decimal("25.00"),
        valid_from=clock.today(),
    )  # fmt: skip
    person = clerk.get(reverse("person", args=[made.carrier.person_id]))
    assert f'href="{address(made)}"' in person.content.decode()
    page = clerk.get(address(made))
    assert "95,00 kr utan moms" in text_of(page)
    assert "till folkbokföringsadressen" in text_of(page)
    answer = post(clerk, made, world)
    order = CardOrder.objects.get(items__kind="letter")
    assert answer["Location"] == reverse("puk_letter_ordered", args=[order.pk])
    assert post(clerk, made, world)["Location"] == answer["Location"]
    assert OrderItem.objects.filter(kind="letter").count() == 1
    ordered = clerk.get(answer["Location"])
    assert "PUK-brevet är beställt" in text_of(ordered)
    assert ordered.content.count(b"<h1") == 1
    person = clerk.get(reverse("person", args=[made.carrier.person_id]))
    assert "I kö till kortleverantören" in text_of(person)
    assert "Ett PUK-brev är redan beställt." in text_of(person)
    assert "är redan beställt" in text_of(clerk.get(address(made)))
    assert post(clerk, made, world, "b" * 32).status_code == 409


def test_a_sent_letter_shows_its_rek_id_on_its_page_the_persons_and_in_history(world: Any, made: Made, clerk: Client) -> None:
    order = ordered_letter(world, made.carrier)
    supplier_intake.accept(client_ref=SUPPLIER, order_id=order.pk)
    jwe = handed_out(order)
    supplier_events.register_event(client_ref=SUPPLIER, order_id=order.pk, event=Produced("", ""))
    supplier_events.register_event(client_ref=SUPPLIER, order_id=order.pk, event=Sent(clock.today(), "LA00R351935SE"))
    shown = [
        clerk.get(reverse("puk_letter_ordered", args=[order.pk])),
        clerk.get(reverse("person", args=[made.carrier.person_id])),
        clerk.get(reverse("carrier_history", args=[made.carrier.pk])),
        clerk.get(reverse("person_history", args=[made.carrier.person_id])),
    ]
    assert all("LA00R351935SE" in text_of(page) for page in shown)
    assert not any(PUK in page.content.decode() or jwe in page.content.decode() for page in shown)
    assert "Skickad till innehavaren" in text_of(shown[0])
    assert f"Ett brev som beställdes {clock.today()} är redan skickat." in text_of(clerk.get(address(made)))


def test_a_queued_letter_is_withdrawn_and_an_accepted_one_is_not(world: Any, made: Made, clerk: Client) -> None:
    order = ordered_letter(world, made.carrier)
    cancel = reverse("order_cancel", args=[order.pk])
    assert f'href="{cancel}"' in clerk.get(reverse("puk_letter_ordered", args=[order.pk])).content.decode()
    assert "Inget brev skickas" in text_of(clerk.get(cancel))
    done = clerk.post(cancel, {"bekrafta": "1"}, follow=True)
    assert "Inget brev skickas" in text_of(done)
    assert Carrier.objects.get(pk=made.carrier.pk).state == "active"
    again = ordered_letter(world, made.carrier)
    supplier_intake.accept(client_ref=SUPPLIER, order_id=again.pk)
    kept = clerk.post(reverse("order_cancel", args=[again.pk]), {"bekrafta": "1"})
    assert (kept.status_code, CardOrder.objects.get(pk=again.pk).state) == (409, "accepted")
    assert "spärra det i stället" not in text_of(kept)


def test_a_protected_holders_letter_is_forwarded_and_no_page_shows_an_address(world: Any, made: Made) -> None:
    person = made.carrier.person
    world.outside.change_person(world.key_of(person), protected_population_record=True, registered_address=None)
    Person.objects.filter(pk=person.pk).update(protected_population_record=True, is_protected=True)
    clerk = client_of(world.officer(protected=True))
    assert "Genom Skatteverkets förmedlingsuppdrag" in text_of(clerk.get(address(made)))
    answer = post(clerk, made, world)
    assert "Skatteverkets förmedlingsuppdrag" in text_of(clerk.get(answer["Location"]))
    assert client_of(world.officer(world.region, protected=False)).get(answer["Location"]).status_code == 404


def test_a_log_in_of_long_ago_is_asked_for_again(world: Any, made: Made, clerk: Client) -> None:
    Session.objects.update(authenticated_at=clock.now() - dt.timedelta(days=1))
    assert post(clerk, made, world)["Location"].startswith(reverse("login"))
    assert not OrderItem.objects.filter(kind="letter").exists()


def test_wrong_answers_are_said_and_order_nothing(world: Any, made: Made, clerk: Client) -> None:
    for sent in ({}, {"office": "x", "key": "a" * 32}, {"office": str(world.office.pk), "key": "ÅÄÖ"}):
        assert clerk.post(address(made), sent).status_code == 422
    foreign = clerk.post(address(made), {"office": str(made.carrier.pk), "key": "a" * 32})
    assert foreign.status_code == 422
    waiting = sent_card(world, world.post())
    assert "aktivt kort" in text_of(clerk.get(reverse("puk_letter", args=[waiting.carrier.pk])))
    Carrier.objects.filter(pk=made.carrier.pk).update(kind="reserve_card")
    assert clerk.get(address(made)).status_code == 404
    assert not Event.objects.filter(action="carrier.puk_letter_ordered").exists()
