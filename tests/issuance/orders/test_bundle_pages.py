"""Pages of bundles of reserve cards: form, preview, order, list, withdrawal, and reasons why nothing can be ordered."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from billing.prices.models import PriceItem
from issuance.articles.models import OrganisationArticle
from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.offices.models import Office
from issuance.orders.models.orders import CardOrder
from issuance.orders.services.bundles import last_day_sent
from issuance.organisations.models import Organisation
from issuance.suppliers.services import supplier_intake
from siths_portal.lib import clock
from tests.issuance.orders.bundles import ARTICLE, bundle, prepare
from tests.issuance.organisations.test_pages import at, client_of, issuer
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.world import SUPPLIER

CONFIRM = {"bekrafta": "1"}
MOST_QUERIES = 16


@pytest.fixture
def ready(world: Any) -> Any:
    prepare(world.region, world.office)
    PriceItem.objects.create(
        article_code=ARTICLE, unit_price=Decimal("62.50"), vat_rate=Decimal(25), valid_from=dt.date(2020, 1, 1)
    )
    return world


def answers(world: Any, **changes: Any) -> dict[str, Any]:
    given = {"article": ARTICLE, "quantity": "100", "office": str(world.office.pk)}
    return given | {"key": "7d1c1f0e-0000-7000-8000-000000000001"} | changes


class TestOrdering:
    """Beställa bunt reservkort."""

    def test_it_is_shown_before_it_is_ordered_and_ordered_once(self, ready: Any, django_assert_max_num_queries: Any) -> None:
        client, address = issuer(ready), at("bundle_new", ready.region)
        assert f'href="{address}"' in client.get(at("organisation", ready.region)).content.decode()
        with django_assert_max_num_queries(MOST_QUERIES):
            form = client.get(address)
        for expected in ("62,50 kr, artikel 573, tillitsnivå 2", "Kontor A, Lagergatan 1, Provstad"):
            assert expected in text_of(form), expected
        preview = client.post(address, answers(ready))
        for expected in (
            "Antal kort 100", "Kortrummet, Lagergatan 1, 123 45 Provstad", f"Skickas senast {last_day_sent(clock.today())}",
            "Pris för ett kort 62,50 kr utan moms", "Pris för bunten 6 250,00 kr utan moms", "Inget är beställt än",
        ):  # fmt: skip
            assert expected in text_of(preview).replace("\xa0", " "), expected
        assert not CardOrder.objects.exists()
        back = client.post(address, answers(ready) | {"valj": "andra"})
        assert 'value="100"' in back.content.decode()
        for _ in range(2):  # a second click leads to the same order
            done = client.post(address, answers(ready) | CONFIRM)
            order = CardOrder.objects.get()
            assert done["Location"] == reverse("bundle", args=[order.pk])
        assert Carrier.objects.filter(item__order=order, state="ordered").count() == 100
        assert "I kö till kortleverantören" in text_of(client.get(done["Location"]))

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"quantity": "0"}, "Ange ett antal från 1 till 2000."),
            ({"quantity": "många"}, "Ange ett antal från 1 till 2000."),
            ({"article": ""}, "Välj vilken artikel"),
            ({"article": "631"}, "Välj ett alternativ i listan"),
            ({"office": ""}, "Välj vilket kontor"),
            ({"office": "x"}, "Välj ett alternativ i listan"),
            ({"key": "x"}, ""),
        ],
    )
    @pytest.mark.parametrize("button", [{}, CONFIRM])
    def test_a_wrong_answer_is_told_and_nothing_is_ordered(
        self, ready: Any, changed: dict[str, str], said: str, button: dict[str, str]
    ) -> None:
        response = issuer(ready).post(at("bundle_new", ready.region), answers(ready, **changed) | button)
        assert response.status_code == 422
        assert said in text_of(response)
        assert not CardOrder.objects.exists()

    def test_an_order_without_its_key_is_refused(self, ready: Any) -> None:
        response = issuer(ready).post(at("bundle_new", ready.region), answers(ready, key="") | CONFIRM)
        assert response.status_code == 422
        assert not CardOrder.objects.exists()

    def test_what_is_missing_is_told_with_the_way_to_it(self, ready: Any) -> None:
        client, address = issuer(ready), at("bundle_new", ready.region)
        Office.objects.update(city="")
        page = client.get(address)
        assert "Inget kontor kan ta emot bunten" in text_of(page)
        assert at("organisation_offices", ready.region) in page.content.decode()
        OrganisationArticle.objects.update(orderable=False)
        page = client.get(address)
        assert "Ingen artikel att beställa" in text_of(page)
        assert at("organisation_articles", ready.region) in page.content.decode()
        late = client.post(address, answers(ready) | CONFIRM)
        assert (late.status_code, "Inget är beställt" in text_of(late)) == (422, True)

    def test_nobody_orders_for_a_closed_organisation(self, ready: Any) -> None:
        client, address = issuer(ready), at("bundle_new", ready.region)
        Organisation.objects.filter(pk=ready.region.pk).update(closed_at=clock.now())
        assert client.get(address).status_code == 409
        assert client.post(address, answers(ready) | CONFIRM).status_code == 409
        assert f'href="{address}"' not in client.get(at("organisation", ready.region)).content.decode()
        assert not CardOrder.objects.exists()


class TestOrdered:
    """Reservkort: an organisation's bundles, and the withdrawal."""

    def test_the_list_has_each_bundle_of_the_organisation_and_no_other_order(
        self, ready: Any, django_assert_max_num_queries: Any
    ) -> None:
        client, address = issuer(ready), at("organisation_bundles", ready.region)
        empty = client.get(address)
        assert "Ingen bunt är beställd" in text_of(empty)
        ready.order()
        orders = [bundle(ready.region, ready.office, quantity) for quantity in (2, 30)]
        with django_assert_max_num_queries(MOST_QUERIES):
            page = client.get(address)
        assert [(line.id, line.quantity) for line in page.context["list"].lines] == [
            (order.pk, quantity) for order, quantity in zip(reversed(orders), (30, 2), strict=True)
        ]
        assert '"573 Reservkort";"30";"Kontor A"' in client.get(f"{address}?fil=csv").getvalue().decode()
        reader = client_of(ready.officer(role=Role.READER))
        assert "Beställa bunt reservkort" not in text_of(reader.get(address))
        page = text_of(reader.get(reverse("bundle", args=[orders[0].pk])))
        assert "Beställd av" in page
        assert "Rad på fakturan RESERV, A (Reservkort)" in page

    def test_a_queued_bundle_is_withdrawn_and_an_accepted_one_is_not(self, ready: Any) -> None:
        client = issuer(ready)
        queued, accepted = (bundle(ready.region, ready.office, 2) for _ in range(2))
        address = reverse("bundle_withdraw", args=[queued.pk])
        assert f'href="{address}"' in client.get(reverse("bundle", args=[queued.pk])).content.decode()
        assert "Inga kort tillverkas" in text_of(client.get(address))
        for _ in range(2):
            assert client.post(address)["Location"] == reverse("bundle", args=[queued.pk])
        queued.refresh_from_db()
        assert queued.state == "cancelled"
        supplier_intake.accept(client_ref=SUPPLIER, order_id=accepted.id)
        address = reverse("bundle_withdraw", args=[accepted.pk])
        assert address not in client.get(reverse("bundle", args=[accepted.pk])).content.decode()
        for response in (client.get(address), client.post(address)):
            assert "redan tagit emot beställningen" in text_of(response)
        accepted.refresh_from_db()
        assert accepted.state == "accepted"

    def test_an_order_of_a_person_is_no_bundle(self, ready: Any) -> None:
        order = ready.order()
        for name in ("bundle", "bundle_withdraw"):
            assert issuer(ready).get(reverse(name, args=[order.pk])).status_code == 404
