"""Items on the wire: their list, and the calls on one of several."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.issuance.suppliers.api.cards import PaperCard, p256_keys
from tests.issuance.suppliers.api.stage import wait_for
from tests.issuance.suppliers.api.test_clients import code
from tests.issuance.suppliers.api.test_orders import accept
from tests.issuance.suppliers.api.test_walk import Bureau
from tests.issuance.suppliers.api.world import World, today

pytestmark = pytest.mark.django_db(transaction=True)
PROFILES = ["person-hsaid-auth", "person-hsaid-sign", "person-id-auth", "person-id-sign"]


def two(world: World) -> str:
    from issuance.orders.models.orders import CardOrder
    from tests.issuance.suppliers.items import add_card

    order = world.order(1)
    add_card(CardOrder.objects.get(pk=order))
    return order


def test_an_order_says_how_many_items_it_has_and_lists_them(world: World, a, b) -> None:
    order, single = two(world), world.order(2)
    accept(a, order)
    assert [a("GET", f"orders/{each}").json()["item_count"] for each in (order, single)] == [2, 1]
    first = a("GET", f"orders/{order}/items?limit=1").json()
    assert first == {
        "items": [
            {"number": 1, "kind": "card", "state": "waiting", "profiles": PROFILES, "puk": None, "puk_refusal": None,
             "card_revoked": False},
        ],
        "next": 1,
    }  # fmt: skip
    rest = a("GET", f"orders/{order}/items?after=1").json()
    assert ([item["number"] for item in rest["items"]], rest["next"]) == ([2], None)
    assert b("GET", f"orders/{order}/items").status_code == 404
    for query in ("after=-1", "after=10000", "limit=0", "limit=201"):
        assert (a("GET", f"orders/{order}/items?{query}").status_code) == 422


def test_calls_that_name_no_item_are_409_and_an_unknown_item_is_404(world: World, a) -> None:
    order = two(world)
    accept(a, order)
    failed = {"type": "failed", "reason": "misprint"}
    refused = a("POST", f"orders/{order}/events", key=uuid4().hex, json=failed)
    assert (refused.status_code, code(refused)) == (409, "order-has-items")
    unknown = a("POST", f"orders/{order}/items/3/events", key=uuid4().hex, json=failed)
    assert (unknown.status_code, code(unknown)) == (404, "item-unknown")
    for path in ("0", "10000", "-1", "x", "1" * 5000):
        assert a("POST", f"orders/{order}/items/{path}/events", key=uuid4().hex, json=failed).status_code in (404, 414)


def test_two_items_each_from_certificates_to_the_post(worker, world: World, a) -> None:
    order = two(world)
    accept(a, order)
    key = a("GET", "keys").json()["keys"][0]
    for item in (1, 2):
        card = PaperCard(keys=p256_keys())
        path = f"orders/{order}/items/{item}"
        missing = a("GET", f"{path}/certificates")
        assert (missing.status_code, code(missing)) == (404, "certificates-not-requested")
        body = card.request()
        made = a("POST", f"{path}/certificates", key=f"{item}-certificates", json=body)
        assert made.status_code == 201, made.text
        assert made.headers["Location"].endswith(f"{path}/certificates")
        assert sorted(made.json()["certificates"]) == PROFILES
        assert a("GET", f"{path}/certificates").json() == made.json()
        assert a("POST", f"{path}/certificates", key=f"{item}-certificates", json=body).json() == made.json()
        assert a("POST", f"{path}/events", key=f"{item}-produced", json=card.produced(order, key)).status_code == 202
        wait_for(
            "the PUK", lambda item=item: a("GET", f"orders/{order}/items?after={item - 1}").json()["items"][0]["puk"] == "sealed"
        )
        sent = a("POST", f"{path}/events", key=f"{item}-sent", json={"type": "sent", "sent_on": today()})
        assert sent.json() == {"outcome": "applied"}
    assert a("GET", f"orders/{order}").json()["status"] == "sent"


def test_requests_for_other_profiles_than_the_items_are_422(world: World, a) -> None:
    order = world.order(1)
    accept(a, order)
    body = PaperCard(keys=p256_keys()).request()
    for csrs in ({}, {"person-id-auth": body["csrs"]["person-id-auth"]}, {"function": body["csrs"]["person-id-auth"]}):
        refused = a("POST", f"orders/{order}/items/1/certificates", key=uuid4().hex, json=body | {"csrs": csrs})
        assert refused.status_code == 422, refused.text
        assert {each["name"].split(".")[0] for each in refused.json()["invalid-parameters"]} == {"csrs"}


def test_the_simulator_makes_a_bundle_card_by_card(worker, world: World, stage, tmp_path: Path) -> None:
    from issuance.carriers.models import Carrier
    from issuance.orders.models.orders import CardOrder
    from tests.issuance.orders.bundles import bundle, prepare

    prepare(world.organisation, world.office, supplier="a")
    order = bundle(world.organisation, world.office, 2)
    bureau = Bureau(stage, tmp_path)
    done = bureau.once()
    assert done.returncode == 0, done.stdout + done.stderr
    assert CardOrder.objects.get(pk=order.pk).state == "sent"
    assert {(row.state, len(row.card_serial)) for row in Carrier.objects.all()} == {("sent", 19)}
    assert [sorted(card.certificates()) for card in bureau.cards] == [["transport"]] * 2


def test_a_bundle_names_no_person_on_the_wire(stage, world: World, a) -> None:
    from tests.issuance.orders.bundles import bundle, prepare

    prepare(world.organisation, world.office, supplier="a")
    order = bundle(world.organisation, world.office, 2).pk
    accept(a, order)
    detail = a("GET", f"orders/{order}").json()
    assert (detail["item_count"], detail["puk"], detail["card_revoked"]) == (2, None, False)
    assert (detail["print"]["given_name"], detail["print"]["service_id"], detail["id_administrator"]) == (None, None, None)
    assert detail["delivery"]["address"]["city"] == "Provstad"
    (item,) = a("GET", f"orders/{order}/items?limit=1").json()["items"]
    assert (item["kind"], item["profiles"]) == ("reserve_card", ["transport"])
    photo = a("GET", f"orders/{order}/photo")
    assert (photo.status_code, code(photo)) == (404, "photo-none")
