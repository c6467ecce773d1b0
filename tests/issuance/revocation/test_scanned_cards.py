"""Who only revokes comes from a card's complete number to its revocation, and gives the last yes on a page of its own."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.search.models import Search
from issuance.search.services.card_searches import RECENT
from siths_portal.lib import clock
from tests.issuance.person_page.test_pages import client_of, text_of
from tests.issuance.revocation.test_pages import fields
from tests.issuance.revocation.test_revocation import active
from tests.pressing import ENTER

pytestmark = pytest.mark.usefixtures("authorities")
LAST = "Vill du spärra kortet"


@pytest.fixture
def card(world: Any) -> Carrier:
    return active(world)


@pytest.fixture
def revoker(world: Any) -> Client:
    return client_of(world.officer(role=Role.REVOKER))


def scan(client: Client, text: str) -> str:
    """Returns where the search of a scanned number leads."""
    return str(client.post(reverse("search"), {"text": text, "sok": "1"})["Location"])


def is_active(card: Carrier) -> bool:
    return Carrier.objects.get(pk=card.pk).state == "active"


def test_the_number_takes_the_place_of_its_last_digits(revoker: Client, card: Carrier) -> None:
    address = scan(revoker, card.card_serial)
    assert address.startswith(reverse("carrier_revoke", args=[card.pk]))
    assert card.card_serial not in address
    page = revoker.get(address)
    assert "confirm" not in page.context["form"].fields
    assert page.context["form"]["channel"].value() == "phone"
    asked = revoker.post(address, fields(justification="{{ 7*7 }}<script>"))
    assert LAST in text_of(asked)
    assert "{{ 7*7 }}&lt;script&gt;" in asked.content.decode()
    assert is_active(card)
    assert LAST not in text_of(revoker.post(address, fields() | {"kontrollerad": "1"} | ENTER))
    assert is_active(card)
    changed = revoker.post(address, fields(reason="damaged") | {"kontrollerad": "1", "andra": "1"} | ENTER)
    assert changed.context["form"]["reason"].value() == "damaged"
    assert is_active(card)
    done = revoker.post(address, fields() | {"kontrollerad": "1"})
    assert done["Location"] == reverse("carrier_revoked", args=[card.pk])
    assert not is_active(card)


def test_without_a_search_of_ones_own_for_this_card_the_digits_are_needed(world: Any, revoker: Client, card: Carrier) -> None:
    own, other = scan(revoker, card.card_serial), active(world)
    search = own.rpartition("=")[2]
    anothers = scan(client_of(world.officer(world.region, Role.GLOBAL_REVOKER)), card.card_serial).rpartition("=")[2]
    revoke = reverse("carrier_revoke", args=[card.pk])
    of_other = f"{reverse('carrier_revoke', args=[other.pk])}?sokning={search}"
    for address in (revoke, f"{revoke}?sokning={anothers}", f"{revoke}?sokning=x", of_other):
        answer = revoker.post(address, fields() | {"kontrollerad": "1"})
        assert answer.status_code == 422, address
        assert "Skriv kortets 4 sista siffror." in text_of(answer)
    Search.objects.update(created_at=clock.now() - RECENT - dt.timedelta(seconds=1))
    assert revoker.post(own, fields() | {"kontrollerad": "1"}).status_code == 422
    assert is_active(card)
    assert is_active(other)


def test_others_and_cards_that_have_ended_lead_to_the_person(world: Any, revoker: Client, card: Carrier) -> None:
    person = f"{reverse('person', args=[card.person_id])}?barare={card.pk}"
    assert scan(client_of(world.officer()), card.card_serial) == person
    assert scan(client_of(world.officer(role=Role.READER)), card.card_serial) == person
    assert scan(revoker, card.holder.identifiers.get().value) == reverse("person", args=[card.person_id])
    Carrier.objects.update(state="expired")
    assert scan(revoker, card.card_serial) == person


def test_a_faulty_answer_is_said_before_the_last_question(revoker: Client, card: Carrier) -> None:
    answer = revoker.post(scan(revoker, card.card_serial), fields(reason="other"))
    assert answer.status_code == 422
    assert "Beskriv orsaken när du väljer Annan orsak." in text_of(answer)
    assert LAST not in text_of(answer)
