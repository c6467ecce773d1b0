"""The pages that order and withdraw an eID for the holder to fetch, and where the order waits (rules/issuance 3.6)."""

import datetime as dt
from typing import Any

import pytest
from django.urls import reverse

from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.orders.models.eid_orders import EidOrder
from issuance.people.models.persons import Person
from issuance.person_page.queries.person_view import person_view
from siths_portal.lib import clock
from tests.issuance.activation.test_pages import text_of
from tests.issuance.orders.test_eid_orders import card_of, further_post, ordered
from tests.portal import portal_client

pytestmark = pytest.mark.usefixtures("authorities")


def client_of(actor: Any) -> Any:
    return portal_client(Person.objects.get(pk=actor.person_id))


def test_an_extra_eid_is_ordered_for_another_assignment_and_waits_on_the_persons_page_and_dagen(world: Any) -> None:
    carrier, clerk = card_of(world), client_of(world.officer())
    person, address = reverse("person", args=[carrier.person_id]), reverse("eid_order", args=[carrier.pk])
    assert "inget uppdrag inom din behörighet" in text_of(clerk.get(person))
    assert "inget uppdrag inom din behörighet" in text_of(clerk.get(address))
    assert clerk.post(address, {"post": str(carrier.eids.get().post_id)}).status_code == 409
    post = further_post(world, carrier)
    assert f'href="{address}"' in clerk.get(person).content.decode()
    page = clerk.get(address).content.decode()
    assert f'value="{post.pk}" checked' in page
    assert 'data-key="1"' in page
    assert clerk.post(address, {}).status_code == 422
    done = clerk.post(address, {"post": str(post.pk)}, follow=True)
    order = EidOrder.objects.get()
    withdraw = reverse("eid_order_withdraw", args=[order.pk])
    assert (order.post, order.kind, order.state) == (post, "additional", "ordered")
    assert "SITHS eID är beställt" in text_of(done)
    assert f'href="{withdraw}"' in done.content.decode()
    assert clerk.post(address, {"post": str(post.pk)}, follow=True).status_code == 200
    assert EidOrder.objects.count() == 1, "a second click orders nothing"
    assert "SITHS eID:t väntar på att hämtas på Mina sidor senast" in text_of(clerk.get(reverse("day")))
    assert order.hsa_id in text_of(clerk.get(reverse("day_to_fetch")))
    assert "Vill du ta bort" in text_of(clerk.get(withdraw))
    assert "borttagen" in text_of(clerk.post(withdraw, follow=True))
    assert "redan borttagen" in text_of(clerk.post(withdraw, follow=True))
    assert EidOrder.objects.get().state == "cancelled"


def test_a_renewal_shows_what_changes_and_is_the_next_step_when_the_eid_ends(world: Any) -> None:
    carrier, clerk = card_of(world), client_of(world.officer())
    eid = carrier.eids.get()
    carrier.eids.update(valid_to=clock.now() + dt.timedelta(days=20), mail="gammal@example.org")
    address, person = reverse("eid_renew", args=[eid.pk]), reverse("person", args=[carrier.person_id])
    assert "Uppdatera SITHS eID:t" in text_of(clerk.get(person))
    assert "(nu gammal@example.org)" in text_of(clerk.get(address))
    assert "SITHS eID är beställt" in text_of(clerk.post(address, follow=True))
    assert EidOrder.objects.get().replaces == eid
    assert "redan beställt" in text_of(clerk.post(address, follow=True))
    assert "En uppdatering är redan beställd." in text_of(clerk.get(person))
    assert "redan beställt" in text_of(clerk.get(address))


def test_each_function_that_is_off_has_its_reason(world: Any, settings: Any) -> None:
    carrier = card_of(world)
    further_post(world, carrier)

    def reasons(actor: Any = None) -> dict[str, str]:
        page = person_view(actor=actor or world.officer(), person_id=carrier.holder_id)
        functions = [*page.carriers[0].functions, *page.carriers[0].eids[0].functions]
        return {each.address: each.reason for each in functions if each.address in ("eid_order", "eid_renew")}

    assert reasons() == {"eid_order": "", "eid_renew": ""}
    assert set(reasons(world.officer(role=Role.REVOKER)).values()) == {"Din behörighetsroll tillåter inte åtgärden här."}
    settings.ADDITIONAL_EIDS_PER_CARRIER = 0
    assert "rymmer inte fler" in reasons()["eid_order"]
    Person.objects.filter(pk=carrier.person_id).update(deceased=True)
    assert all("avliden" in reason for reason in reasons().values())
    Person.objects.filter(pk=carrier.person_id).update(deceased=False)
    Carrier.objects.filter(pk=carrier.pk).update(card_key_sha256="")
    assert all("tidigare portalen" in reason for reason in reasons().values())


def test_a_fetched_order_is_not_withdrawn(world: Any) -> None:
    order, clerk = ordered(world), client_of(world.officer())
    EidOrder.objects.filter(pk=order.pk).update(state="expired", ended_at=clock.now())
    assert "redan gått ut" in text_of(clerk.post(reverse("eid_order_withdraw", args=[order.pk]), follow=True))
