"""`POST remake` on the wire, and the simulator that spoils a card."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.issuance.suppliers.api.cards import PaperCard, p256_keys
from tests.issuance.suppliers.api.test_cases import Making
from tests.issuance.suppliers.api.test_clients import code
from tests.issuance.suppliers.api.test_orders import accept
from tests.issuance.suppliers.api.test_walk import QUICK, Bureau
from tests.issuance.suppliers.api.world import World

pytestmark = pytest.mark.django_db(transaction=True)
BODY = {"item": 1, "reason": "misprint", "fault": "supplier"}


def test_a_spoilt_card_is_made_again_with_one_request(worker, world: World, a, b) -> None:
    from issuance.suppliers.services import remakes

    order = world.order(1)
    accept(a, order)
    early = a("POST", f"orders/{order}/remake", key=uuid4().hex, json=BODY)
    assert (early.status_code, code(early)) == (409, "item-not-begun")
    a("POST", f"orders/{order}/certificates", key="c", json=PaperCard(keys=p256_keys()).request())
    assert b("POST", f"orders/{order}/remake", key=uuid4().hex, json=BODY).status_code == 404
    asked = a("POST", f"orders/{order}/remake", key="r", json=BODY)
    assert (asked.status_code, asked.json()) == (202, {"item": 2})
    again = a("POST", f"orders/{order}/remake", key="r", json=BODY)
    assert (again.content, again.headers["Idempotency-Replayed"]) == (asked.content, "true")
    pending = a("GET", f"orders/{order}/certificates")
    assert (pending.status_code, code(pending)) == (409, "item-pending")
    remakes.add_items()
    shown = [(item["number"], item["state"]) for item in a("GET", f"orders/{order}/items").json()["items"]]
    assert shown == [(1, "remade"), (2, "waiting")]
    detail = a("GET", f"orders/{order}").json()
    assert (detail["status"], detail["item_count"], detail["card_revoked"]) == ("accepted", 1, False)
    assert detail["print"]
    gone = a("GET", f"orders/{order}/items/1/certificates")
    assert (gone.status_code, code(gone)) == (409, "certificates-revoked")
    second = a("POST", f"orders/{order}/certificates", key="c2", json=PaperCard(keys=p256_keys()).request())
    assert second.status_code == 201, second.text


def test_a_key_of_a_returned_order_does_not_count_when_it_is_queued_again(worker, world: World, a) -> None:
    from issuance.orders.domain.items import Fault
    from issuance.orders.services import remaking

    order = world.order(1)
    report = {"type": "returned", "reason": "undeliverable"}
    calls: list[tuple[str, dict[str, Any]]] = [
        (f"orders/{order}/accept", {}),
        (f"orders/{order}/events", report),
        ("batch/accept", {"entries": [{"order": order}]}),
        ("batch/events", {"entries": [{"order": order, "body": report}]}),
    ]
    making = Making(a, order, lambda: None)

    def repeat() -> list[tuple[int, str | None]]:
        answers = [a("POST", path, key=path, json=body) for path, body in calls]
        return [
            (answer.status_code, answer.headers.get("Idempotency-Replayed") or answer.json().get("code")) for answer in answers
        ]

    a("POST", calls[0][0], key=calls[0][0], json={})
    making.make()
    assert repeat() == [(200, "true"), (200, None), (200, None), (200, None)]
    assert repeat() == [(200, "true")] * 4
    remaking.remake_returned(actor=world.clerk, order_id=order, number=1, fault=Fault.SUPPLIER)
    assert repeat() == [(422, "idempotency-key-reused")] * 4
    assert a("GET", f"orders/{order}").json()["status"] == "queued"
    assert accept(a, order, key="another").json()["status"] == "accepted"


WRONG: list[dict[str, Any]] = [{"item": 0}, {"item": "x"}, {"reason": "Kaffe"}, {"fault": "nobody"}, {"fault": None}]


def test_a_wrong_body_is_422(world: World, a, subtests: pytest.Subtests) -> None:
    """One order for all bodies, since none of them is acted on."""
    order = world.order(1)
    accept(a, order)
    for change in WRONG:
        with subtests.test(change=change):
            response = a("POST", f"orders/{order}/remake", key=uuid4().hex, json=BODY | change)
            assert response.status_code == 422
            assert [each["name"] for each in response.json()["invalid-parameters"]] == list(change)


def test_the_simulator_spoils_a_card_and_sends_the_next(worker, world: World, stage, tmp_path: Path) -> None:
    from issuance.carriers.models import Carrier
    from issuance.orders.models.orders import CardOrder
    from issuance.suppliers.services import remakes
    from tests.issuance.suppliers.api.stage import wait_for

    order = world.order(1)
    bureau = Bureau(stage, tmp_path)
    process = bureau.start("--once", "--spoil", *QUICK)
    wait_for("the new item", lambda: remakes.add_items() == 1)
    told, _ = process.communicate(timeout=240)
    assert process.returncode == 0, told
    assert CardOrder.objects.get(pk=order).state == "sent"
    assert sorted(Carrier.objects.values_list("state", flat=True)) == ["revoked", "sent"]
    assert len(bureau.cards) == 2
