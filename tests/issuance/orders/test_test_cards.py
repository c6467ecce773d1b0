"""Test cards: ordered only for booked test persons, with the generic look, and active when the supplier has sent them."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from issuance.articles.models import Article
from issuance.articles.services.articles import offer_article
from issuance.carriers.models import Carrier, Eid
from issuance.housekeeping.services import deadlines
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.imports.services import migration
from issuance.orders.models.orders import CardOrder
from issuance.orders.queries import order_draft
from issuance.orders.services import order_checks
from issuance.orders.web.sent import stages as errand
from issuance.people.models.persons import Post
from issuance.person_page.queries import carrier_words
from issuance.records.models.events import Event
from issuance.suppliers.domain import Produced, Returned, Sent, SupplierReport
from issuance.suppliers.services import supplier_events, supplier_intake
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid, Unavailable
from tests.database_roles import acting_as
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.orders.bundles import prepare
from tests.issuance.person_page.test_pages import client_of, text_of
from tests.issuance.world import SETUP, SUPPLIER

pytestmark = pytest.mark.usefixtures("authorities")
CODE = "790"


@pytest.fixture
def booked(world: Any, settings: Any, tmp_path: Path) -> Path:
    """The file of booked test persons of an environment that has them, and an article for their cards."""
    prepare(world.region, world.office)
    Article.objects.create(
        code=CODE, number=CODE, name="Testkort", kind="test", orientation="portrait", photo=False, valid_from=dt.date(2020, 1, 1)
    )
    offer_article(actor=SETUP, organisation_id=world.region.id, article_code=CODE, orderable=True)
    path = tmp_path / "booked.csv"
    path.write_text("")
    settings.TEST_PERSONS_FILE = str(path)
    return path


def number_of(post: Post) -> str:
    return str(post.person.identifiers.get().value)


def sent(world: Any, order: CardOrder) -> Carrier:
    """The card as the supplier has sent it, each step by the API's own database role."""
    supplier_intake.accept(client_ref=SUPPLIER, order_id=order.id)
    card = migrated_card(order.eid.post)
    migration.bind_externally_certified_card(
        client_ref=SUPPLIER, order_id=order.id, card_serial=card.card_serial, certificate_serials=card.certificate_serials, ca=CA
    )
    for event in (Produced("1", no_puk=True), Sent(clock.today())):
        report(order, event)
    return Carrier.objects.get(pk=order.carrier_id)


def report(order: CardOrder, event: SupplierReport) -> None:
    with acting_as("api"):
        supplier_events.register_event(client_ref=SUPPLIER, order_id=order.id, event=event)


def test_only_for_booked_test_persons_where_the_environment_has_them(world: Any, booked: Path, settings: Any) -> None:
    post, ended, nobody = world.post(), world.post(), world.post()
    yesterday = clock.today() - dt.timedelta(days=1)
    number = number_of(post)
    booked.write_text(f"# Testpersonbokaren\n{number[:8]}-{number[8:]};{clock.today()}\n\n{number_of(ended)};{yesterday}\n")
    ordered = world.order(post, article=CODE)
    assert ordered.carrier.kind == "test_card"
    CardOrder.objects.filter(pk=ordered.pk).update(ordered_by_ref=world.officer().ref)
    assert order_draft.last_choice(actor=world.officer(), organisation_id=ordered.organisation_id) is None
    for other in (ended, nobody):
        with pytest.raises(Invalid, match="person-not-booked"):
            world.order(other, article=CODE)
    assert world.order(nobody).carrier.kind == "ordinary_card"
    booked.write_text("inte en person;2026-12-31")
    with pytest.raises(Unavailable, match="test-persons-unreadable"):
        world.order(ended, article=CODE)
    Article.objects.filter(code=CODE).update(photo=True)
    assert CODE not in [article.code for article in order_checks.orderable_articles(world.region.id)]
    Article.objects.filter(code=CODE).update(photo=False)
    assert CODE in [article.code for article in order_checks.orderable_articles(world.region.id)]
    settings.TEST_PERSONS_FILE = ""
    assert CODE not in [article.code for article in order_checks.orderable_articles(world.region.id)]
    with pytest.raises(Invalid, match="article-not-orderable"):
        world.order(post, article=CODE)


def test_it_looks_generic_and_is_active_on_delivery_until_it_is_revoked(world: Any, booked: Path) -> None:
    post = world.post()
    booked.write_text(number_of(post))
    order = world.order(post, article=CODE)
    assert (order.customisation.generic, order.photo) == (True, None)
    carrier = sent(world, order)
    assert carrier_words.face(carrier).monogram == "", "the generic look shows no organisation"
    order.refresh_from_db()
    assert [stage["state"] for stage in errand(order)] == ["done"] * 4, "nobody activates it at a visit"
    assert (carrier.state, carrier.receipt, carrier.activated_at) == ("active", None, carrier.sent_at)
    eid = Eid.objects.get(carrier=carrier)
    assert (eid.state, eid.activated_at) == ("active", carrier.activated_at)
    assert verify_states().wrong == ()
    page = text_of(client_of(world.officer()).get(reverse("person", args=[post.person_id])))
    for said in ("Testkort i bruk", "Testkort är aktiva vid leveransen och kvitteras inte.", "Spärra kort"):
        assert said in page, said
    assert "Nytt testkort" not in page, "the one order offers all cards"
    report(order, Returned("unclaimed"))
    assert Carrier.objects.get(pk=carrier.pk).state == "revoked"
    assert Eid.objects.get(pk=eid.pk).state == "revoked"


def test_a_card_is_revoked_when_its_person_is_no_longer_booked(world: Any, booked: Path) -> None:
    stays, leaves = world.post(), world.post()
    booked.write_text(f"{number_of(stays)}\n{number_of(leaves)};{clock.today()}")
    cards = [world.order(post, article=CODE).carrier for post in (stays, leaves)]
    ordinary = world.order().carrier
    assert deadlines.run().test_cards == 0
    tomorrow = clock.now() + dt.timedelta(days=1)
    for text in ("", "inte en person"):
        booked.write_text(text)
        with clock.moved_to(tomorrow):
            assert deadlines.run().test_cards == 0, "a file that says nothing revokes nothing"
    booked.write_text(f"{number_of(stays)}\n{number_of(leaves)};{clock.today()}")
    with clock.moved_to(tomorrow):
        assert deadlines.run(dry_run=True).test_cards == 1
        assert [deadlines.run().test_cards for _ in range(2)] == [1, 0]
    states = [Carrier.objects.get(pk=card.pk).state for card in (*cards, ordinary)]
    assert states == ["ordered", "revoked", "ordered"]
    assert Event.objects.get(action="carrier.revoked").actor_ref == "system:test-person-not-booked"
