"""Pulling, accepting and reading orders; what another supplier sees of them; repeated calls."""

import json
import threading
from uuid import uuid4

import pytest

from tests.issuance.suppliers.api.cards import PaperCard, p256_keys
from tests.issuance.suppliers.api.test_clients import code
from tests.issuance.suppliers.api.world import ADDRESS, World

pytestmark = pytest.mark.django_db(transaction=True)


def ids(response) -> list[str]:
    assert response.status_code == 200, response.text
    return [order["id"] for order in response.json()["orders"]]


def accept(client, order: str, key: str | None = None):
    return client("POST", f"orders/{order}/accept", key=key or uuid4().hex, json={})


def test_the_queue_shows_orders_without_personal_data(world: World, a) -> None:
    order = world.order(1)
    response = a("GET", "orders?status=queued")
    (shown,) = response.json()["orders"]
    assert shown["id"] == order
    assert shown["status"] == "queued"
    assert shown["customisation_id"] == "7837803902"
    assert shown["article"]["code"] == "631"
    assert shown["article"]["registered_mail"] is False
    for private in ("Demosson", "Anna", "TST2321000131-P", "Storgatan", "50630"):
        assert private not in response.text
    detail = a("GET", f"orders/{order}")
    assert detail.json() == shown | {"print": None, "delivery": None, "id_administrator": None}


def test_pages_hold_every_order_once(world: World, a) -> None:
    expected = [world.order(number) for number in range(5)]
    found: list[str] = []
    cursor = ""
    for _ in range(3):
        page = a("GET", f"orders?status=queued&limit=2{cursor}")
        found += ids(page)
        cursor = f"&cursor={page.json()['next_cursor']}"
    assert page.json()["next_cursor"] is None
    assert found == expected


def test_a_list_has_an_entity_tag(world: World, a) -> None:
    world.order(1)
    etag = a("GET", "orders").headers["ETag"]
    again = a("GET", "orders", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    world.order(2)
    assert a("GET", "orders", headers={"If-None-Match": etag}).status_code == 200


def test_a_wrong_query_is_422(a, subtests: pytest.Subtests) -> None:
    """One client sends all queries, since a read changes nothing."""
    for query in ("status=", "status=open", "limit=0", "limit=201", "limit=x", "status=%00"):
        with subtests.test(query=query):
            response = a("GET", f"orders?{query}")
            assert response.status_code == 422
            assert code(response) == "invalid"
            assert response.json()["invalid-parameters"][0]["name"] == query.split("=")[0]


def test_a_cursor_that_is_not_ours_is_400(a, subtests: pytest.Subtests) -> None:
    """One client sends all cursors, since a read changes nothing."""
    for cursor in ("x", "W10", "e30", "WzFd", "Wzk5OTldCg", "%FF", "a" * 150):
        with subtests.test(cursor=cursor):
            response = a("GET", f"orders?cursor={cursor}")
            assert response.status_code == 400
            assert code(response) == "cursor-invalid"


def test_accepting_binds_the_order_and_hides_it_from_others(world: World, a, b) -> None:
    order = world.order(1)
    accepted = accept(a, order)
    assert accepted.status_code == 200
    assert accepted.json()["status"] == "accepted"
    assert accept(a, order).json() == accepted.json()
    assert ids(a("GET", "orders?status=accepted")) == [order]
    assert ids(b("GET", "orders?status=queued")) == []
    assert ids(b("GET", "orders?status=accepted")) == []
    unknown = str(uuid4())
    for path in ("", "/certificates", "/photo"):
        hidden, missing = (b("GET", f"orders/{value}{path}") for value in (order, unknown))
        assert hidden.status_code == missing.status_code == 404
        assert hidden.content == missing.content
        assert set(hidden.headers) == set(missing.headers)
    for path in ("/accept", "/certificates", "/events"):
        body = {"type": "returned"} if path == "/events" else {}
        hidden, missing = (b("POST", f"orders/{value}{path}", key=uuid4().hex, json=body) for value in (order, unknown))
        assert hidden.status_code == missing.status_code, path
        assert hidden.content == missing.content


def test_an_order_is_of_its_customisations_supplier_and_hidden_from_others_from_the_start(stage, a, b) -> None:
    order = World(stage.people, supplier_ref="b").order(1)
    assert ids(a("GET", "orders")) == []
    assert a("GET", f"orders/{order}").status_code == 404
    assert accept(a, order).status_code == 404
    assert ids(b("GET", "orders")) == [order]
    assert accept(b, order).status_code == 200


def test_a_withdrawn_order_says_so_in_every_call(world: World, a) -> None:
    from issuance.orders.services import ordering

    order = world.order(1)
    early = a("GET", f"orders/{order}/photo")
    assert (early.status_code, code(early)) == (409, "order-not-accepted")
    ordering.cancel_order(actor=world.clerk, order_id=order)
    assert ids(a("GET", "orders?status=queued")) == []
    assert ids(a("GET", "orders?status=cancelled")) == [order]
    assert a("GET", f"orders/{order}").json()["status"] == "cancelled"
    answers = [accept(a, order), a("GET", f"orders/{order}/certificates"), a("GET", f"orders/{order}/photo")]
    answers.append(a("POST", f"orders/{order}/certificates", key=uuid4().hex, json=PaperCard(keys=p256_keys()).request()))
    answers.append(a("POST", f"orders/{order}/events", key=uuid4().hex, json={"type": "failed", "reason": "spoilt"}))
    assert {(answer.status_code, code(answer)) for answer in answers} == {(409, "order-withdrawn")}


def test_a_card_revoked_in_production_is_readable_without_personal_data(world: World, a) -> None:
    from issuance.orders.models.orders import CardOrder
    from issuance.revocation.services import revocation

    order = world.order(1, article="677")
    accept(a, order)
    assert a("GET", f"orders/{order}").json()["card_revoked"] is False
    carrier = CardOrder.objects.get(pk=order).carrier_id
    revocation.revoke_carrier(actor=world.clerk, carrier_id=carrier, reason="replaced")
    response = a("GET", f"orders/{order}")
    detail = response.json()
    assert response.status_code == 200
    assert (detail["status"], detail["card_revoked"], detail["puk"]) == ("accepted", True, None)
    assert (detail["print"], detail["delivery"]) == (None, None)
    (listed,) = a("GET", "orders?status=accepted").json()["orders"]
    assert listed["card_revoked"] is True
    photo = a("GET", f"orders/{order}/photo")
    assert (photo.status_code, code(photo)) == (410, "photo-gone")
    refused = a("POST", f"orders/{order}/certificates", key=uuid4().hex, json=PaperCard(keys=p256_keys()).request())
    assert (refused.status_code, code(refused)) == (409, "carrier-revoked")
    assert "rapportera beställningen som misslyckad" in refused.json()["detail"]
    failed = a("POST", f"orders/{order}/events", key=uuid4().hex, json={"type": "failed", "reason": "card-revoked"})
    assert failed.json() == {"outcome": "applied"}


def test_four_accepts_at_once_are_one_and_another_supplier_finds_no_order(world: World, a, b) -> None:
    from issuance.records.models.events import Event

    order = world.order(1)
    gate = threading.Barrier(4)
    statuses: list[int] = []

    def attempt(client) -> None:
        gate.wait(60)
        statuses.append(accept(client, order).status_code)

    threads = [threading.Thread(target=attempt, args=(client,)) for client in (a, b, a, b)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 200, 404, 404]
    assert Event.objects.filter(subject_type="order", subject_ref=order, action="order.accepted").count() == 1


def test_print_and_address_are_read_live_for_the_owner(world: World, stage, a) -> None:
    order = world.order(1)
    accept(a, order)
    detail = a("GET", f"orders/{order}").json()
    assert detail["print"]["given_name"] == "Anna"
    assert detail["print"]["surname"] == "Demosson1"
    assert detail["print"]["service_id"] == "TST2321000131-P001"
    assert detail["print"]["issuer_number"] == "1549"
    assert detail["delivery"]["address"] == ADDRESS
    assert detail["delivery"]["forwarding"] is False
    world.outside[0]["register"]["registered_address"] = ADDRESS | {"city": "Nyby"}
    world.people.write_text(json.dumps(world.outside))
    assert a("GET", f"orders/{order}").json()["delivery"]["address"]["city"] == "Nyby"


def test_a_protected_persons_address_is_never_given(world: World, a) -> None:
    order = world.order(1, protected_population_record=True)
    accept(a, order)
    response = a("GET", f"orders/{order}")
    assert response.json()["delivery"]["address"] is None
    assert response.json()["delivery"]["forwarding"] is True
    assert "Storgatan" not in response.text


def test_a_register_that_is_down_is_503_and_the_list_still_works(world: World, stage, a) -> None:
    order = world.order(1)
    accept(a, order)
    switch = stage.people.parent / "down"
    switch.touch()
    try:
        response = a("GET", f"orders/{order}")
        assert response.status_code == 503
        assert code(response)
        assert response.headers["Retry-After"]
        assert ids(a("GET", "orders?status=accepted")) == [order]
    finally:
        switch.unlink()
    assert a("GET", f"orders/{order}").status_code == 200


def test_a_dead_persons_card_is_409(world: World, a) -> None:
    order = world.order(1)
    accept(a, order)
    world.outside[0]["register"]["deceased"] = True
    world.people.write_text(json.dumps(world.outside))
    response = a("GET", f"orders/{order}")
    assert response.status_code == 409
    assert code(response) == "person-deceased"


def test_an_article_without_photo_has_none(world: World, a) -> None:
    order = world.order(1)
    accept(a, order)
    assert a("GET", f"orders/{order}").json()["print"]["photo_sha256"] is None
    response = a("GET", f"orders/{order}/photo")
    assert response.status_code == 404
    assert code(response) == "photo-none"


def test_the_photo_is_read_by_its_supplier_until_the_card_is_produced(world: World, a, b) -> None:
    from hashlib import sha256

    from issuance.orders.models.orders import CardOrder
    from issuance.records.models.events import Event

    order = world.order(1, article="677")
    for client, answer in ((a, (409, "order-not-accepted")), (b, (404, "not-found"))):
        refused = client("GET", f"orders/{order}/photo")
        assert (refused.status_code, code(refused)) == answer
    accept(a, order)
    detail = a("GET", f"orders/{order}").json()
    assert detail["article"]["photo"] is True
    response = a("GET", f"orders/{order}/photo", headers={"Accept": "image/jpeg"})
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.content == bytes(CardOrder.objects.get(pk=order).photo.document.content)
    assert sha256(response.content).hexdigest() == detail["print"]["photo_sha256"]
    assert response.headers["ETag"] == f'"{detail["print"]["photo_sha256"][:32]}"'
    assert a("GET", f"orders/{order}/photo").content == response.content  # whatever is accepted
    assert set(Event.objects.filter(action="order.photo_read").values_list("actor_ref", "subject_ref")) == {("client:a", order)}
    again = a("GET", f"orders/{order}/photo", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = b("GET", f"orders/{order}/photo", headers={"Accept": "image/jpeg"})
    assert (other.status_code, code(other)) == (404, "not-found")
    for state, status in (("in_production", 200), ("produced", 410), ("sent", 410), ("failed", 410), ("returned", 410)):
        CardOrder.objects.filter(pk=order).update(state=state)
        assert a("GET", f"orders/{order}/photo", headers={"Accept": "image/jpeg"}).status_code == status
    gone = a("GET", f"orders/{order}/photo")
    assert code(gone) == "photo-gone"
    assert gone.headers["Content-Type"] == "application/problem+json"


def test_idempotency_key_rules_on_the_wire(world: World, a, b) -> None:
    from issuance.customisations.models import CardCustomisation

    order, other = world.order(1), world.order(2)
    CardCustomisation.objects.update(supplier_ref="b")
    theirs = world.order(3)
    missing = a("POST", f"orders/{order}/accept", json={})
    assert missing.status_code == 400
    assert code(missing) == "idempotency-key-missing"
    first = accept(a, order, "one")
    again = accept(a, order, "one")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    reused = accept(a, other, "one")
    assert reused.status_code == 422
    assert code(reused) == "idempotency-key-reused"
    assert accept(b, theirs, "one").status_code == 200, "keys of two clients do not meet"


def test_eight_at_once_with_one_key_get_one_answer(world: World, a) -> None:
    from issuance.records.models.events import Event

    order = world.order(1)
    gate = threading.Barrier(8)
    answers: list[tuple[int, bytes]] = []

    def attempt() -> None:
        gate.wait(60)
        response = accept(a, order, "same")
        answers.append((response.status_code, response.content))

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _ in answers} <= {200, 409}
    assert len({content for status, content in answers if status == 200}) == 1
    assert Event.objects.filter(subject_type="order", subject_ref=order, action="order.accepted").count() == 1
