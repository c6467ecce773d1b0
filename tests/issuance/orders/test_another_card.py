"""An order of one more card tells of the cards that there are and asks for an answer; a card without an eID is not green."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse

from issuance.authz import system
from issuance.carriers.models import Carrier, Eid
from issuance.imports.services import migration
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import drafts
from issuance.people.models.photos import Photo
from issuance.people.services.people import person_id_of
from issuance.records.models.events import Event
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from siths_portal.lib import clock
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.orders.wizard import Clerk, text_of
from tests.issuance.pictures import picture

pytestmark = pytest.mark.usefixtures("demo_pki")
ASKED = "Kryssa i rutan om personen ska ha ett kort till"


def test_one_more_card_is_told_of_and_needs_the_answer(world: Any) -> None:
    clerk = Clerk(world)
    first = world.order(clerk.post, actor=clerk.actor)
    clerk.fill()
    assert "Personen har redan ett kort" in text_of(clerk.page)
    assert "Bekräfta att personen ska ha ett kort till. Resten är ifyllt." in text_of(clerk.page)
    said = text_of(clerk.page)
    for fact in ("Ordinarie kort utan serienummer än", "Beställd", world.region.name, "av ", "Giltigt till"):
        assert fact in said, fact
    assert f"{first.ordered_at.astimezone(clock.STOCKHOLM):%Y-%m-%d}" in said
    refused = clerk.send()
    assert refused.status_code == 422
    assert ASKED in text_of(refused)
    assert Carrier.objects.count() == 1
    clerk.send(beside=[str(first.carrier_id)], another_card="on")
    assert Carrier.objects.count() == 2
    event = Event.objects.get(action="order_draft.submitted")
    assert event.facts["beside"] == [str(first.carrier_id)]


def test_a_photo_is_not_approved_before_the_answer(world: Any) -> None:
    """So the clerk may still turn and crop it, and nothing of an order that is not sent is kept."""
    clerk = Clerk(world)
    first = world.order(clerk.post, actor=clerk.actor)
    clerk.fill("610", content=picture())
    assert clerk.send().status_code == 422
    photo = Photo.objects.get()
    assert (photo.approved_at, photo.document) == (None, None)
    assert "Vrid vänster" in text_of(clerk.page)
    clerk.send(beside=[str(first.carrier_id)], another_card="on")
    assert clerk.is_done
    assert CardOrder.objects.exclude(pk=first.pk).get().photo == photo


def test_a_card_that_came_since_the_page_asks_again(world: Any) -> None:
    clerk = Clerk(world)
    first = world.order(clerk.post)
    clerk.fill()
    second = world.order(clerk.post)
    refused = clerk.send(beside=[str(first.carrier_id)], another_card="on")
    assert refused.status_code == 422
    assert ASKED in text_of(refused)
    clerk.send(beside=[str(first.carrier_id), str(second.carrier_id)], another_card="on")
    assert Carrier.objects.count() == 3


def test_a_card_that_a_colleague_orders_at_the_same_moment_asks_again(world: Any, monkeypatch: Any) -> None:
    clerk = Clerk(world)
    clerk.fill()
    draft, real = clerk.draft, drafts.ordering.submit_order

    def late(**arguments: Any) -> Any:
        world.order(clerk.post)
        return real(**arguments)

    monkeypatch.setattr(drafts, "ordering", SimpleNamespace(submit_order=late))
    with pytest.raises(drafts.AnotherCard):
        drafts.submit(actor=clerk.actor, draft_id=draft.pk, version=draft.version)
    assert Carrier.objects.count() == 1


def test_an_invalid_card_and_one_out_of_scope_are_not_told_of(world: Any) -> None:
    clerk = Clerk(world)
    revoked = world.order(clerk.post)
    revocation.revoke_carrier(
        actor=world.officer(), carrier_id=revoked.carrier_id, reason=RevocationReason.DAMAGED, requester="officer"
    )
    elsewhere = world.post(world.city, person_id=person_id_of(clerk.post.person_id))
    world.order(elsewhere, actor=world.officer(world.city))
    clerk.fill()
    assert "Personen har redan" not in text_of(clerk.page)
    clerk.send()
    assert Carrier.objects.filter(state="ordered").count() == 2


def test_an_active_card_without_a_valid_eid_is_not_green(world: Any) -> None:
    clerk = Clerk(world)
    migration.register_migrated_cards(actor=system("migration"), cards=[migrated_card(clerk.post)], ca=CA)
    carrier = Carrier.objects.get()
    address = reverse("person", args=[clerk.post.person_id])
    assert "Aktivt, utan giltigt SITHS eID" not in text_of(clerk.client.get(address))
    clerk.fill()
    assert "Personen har redan ett kort" in text_of(clerk.page)
    assert 'class="ds-tag status status-active"' in clerk.page.content.decode()
    assert ASKED in text_of(clerk.send())
    assert Carrier.objects.count() == 1, "a valid active card is asked about too"
    for eid in Eid.objects.filter(carrier=carrier):
        revocation.revoke_eid(actor=world.officer(), eid_id=eid.pk, reason=RevocationReason.OTHER, justification="x")
    page = clerk.client.get(address)
    assert "Aktivt, utan giltigt SITHS eID" in text_of(page)
    assert 'class="ds-tag status status-active"' not in page.content.decode()
    assert "Aktivt, utan giltigt SITHS eID" in text_of(clerk.start().page)
