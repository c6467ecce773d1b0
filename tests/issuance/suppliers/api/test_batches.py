"""Batches: a result for each entry, no entry's fault stops another, one Idempotency-Key, certificates signed together."""

import json
from typing import Any
from uuid import uuid4

import pytest

from siths_portal.simulators.card import PROFILES
from tests.issuance.suppliers.api.test_certificates import events, puk, state
from tests.issuance.suppliers.api.test_clients import code
from tests.issuance.suppliers.api.test_orders import accept
from tests.issuance.suppliers.api.world import World, today

pytestmark = pytest.mark.django_db(transaction=True)
UNKNOWN = "01938f5c-7d40-7c3e-9a51-2f6d8b1c0e44"


def send(client, call: str, entries: list[Any], key: str | None = None):
    return client("POST", f"batch/{call}", key=key or uuid4().hex, json={"entries": entries})


def results(response) -> list[tuple[int, str]]:
    """The status of each entry, with the code of a problem or what was done."""
    assert response.status_code == 200, response.text
    found = [(result["status"], result["body"]) for result in response.json()["results"]]
    return [(status, body.get("code") or body.get("outcome") or body["status"]) for status, body in found]


def test_orders_are_accepted_and_the_faults_of_others_stop_none(world: World, a, b) -> None:
    first, second, withdrawn = (world.order(number) for number in range(3))
    from issuance.orders.models.orders import CardOrder

    CardOrder.objects.filter(pk=withdrawn).update(state="cancelled")
    entries = [{"order": first}, {"order": UNKNOWN}, {"order": withdrawn}, {"order": "x"}, "x", {"order": second, "more": 1}]
    response = send(a, "accept", [*entries, {"order": second}, {"order": first}], "k")
    assert results(response) == [
        (200, "accepted"), (404, "not-found"), (409, "order-withdrawn"), (422, "invalid"), (422, "invalid"), (422, "invalid"),
        (200, "accepted"), (200, "accepted"),
    ]  # fmt: skip
    shown, detail = a("GET", f"orders/{first}").json(), ("print", "delivery", "id_administrator")
    assert response.json()["results"][0]["body"] == {name: shown[name] for name in shown if name not in detail}
    again = send(a, "accept", [*entries, {"order": second}, {"order": first}], "k")
    assert (again.content, again.headers["Idempotency-Replayed"]) == (response.content, "true")
    assert code(send(a, "accept", [{"order": first}], "k")) == "idempotency-key-reused"
    assert results(send(b, "accept", [{"order": first}])) == [(404, "not-found")]
    assert events("order", "order.accepted") == 2


@pytest.mark.parametrize("entries", [[], [{"order": UNKNOWN}] * 51, {}, "x", None])
def test_a_batch_has_1_to_50_entries(a, entries: Any) -> None:
    response = a("POST", "batch/accept", key="k", json={"entries": entries})
    assert (response.status_code, code(response)) == (422, "invalid")


def test_a_problem_in_a_batch_is_in_the_language_that_the_client_accepts(a) -> None:
    response = a("POST", "batch/accept", key="k", json={"entries": [{"order": UNKNOWN}]}, headers={"Accept-Language": "en"})
    assert response.json()["results"][0]["body"]["detail"].startswith("It does not exist")


def test_cards_are_certified_together_and_a_repeat_reads_their_certificates_again(worker, world: World, a, paper_card) -> None:
    from authn.models import IdempotencyRecord
    from issuance.orders.models.orders import CardOrder
    from issuance.revocation.services.revocation import revoke_carrier

    orders = [world.order(number) for number in range(3)]
    for order in orders[:2]:
        accept(a, order)
    cards = [paper_card() for _ in orders]
    entries = [{"order": order, "body": card.request()} for order, card in zip(orders, cards, strict=True)]
    entries += [{"order": UNKNOWN, "body": cards[2].request()}, {"order": orders[2], "body": {"card_serial": "x"}}]
    response = send(a, "certificates", entries, "k")
    assert [status for status, _ in results(response)] == [201, 201, 409, 404, 422]
    for order, result in zip(orders[:2], response.json()["results"], strict=False):
        assert result["body"] == a("GET", f"orders/{order}/certificates").json()
        assert set(result["body"]["certificates"]) == set(PROFILES)
        assert state(order) == "in_production"
    stored = json.loads(IdempotencyRecord.objects.get(key="k").body)
    assert [entry["body"] is None for entry in stored] == [True, True, False, False, False], "no certificate is kept"
    again = send(a, "certificates", entries, "k")
    assert (again.content, again.headers["Idempotency-Replayed"]) == (response.content, "true")
    revoke_carrier(actor=world.clerk, carrier_id=CardOrder.objects.get(pk=orders[0]).carrier_id, reason="lost_or_stolen")
    assert results(send(a, "certificates", entries, "k"))[:2] == [(409, "certificates-revoked"), (201, "issued")]


def test_one_card_for_two_orders_is_bound_to_one(worker, world: World, a, paper_card) -> None:
    first, second = sorted(world.order(number) for number in range(2))
    for order in (first, second):
        accept(a, order)
    body = paper_card().request()
    response = send(a, "certificates", [{"order": second, "body": body}, {"order": first, "body": body}])
    assert sorted(results(response)) == [(201, "issued"), (409, "card-already-bound")]
    from pki.models import Certificate

    assert Certificate.objects.filter(profile_version__name__in=PROFILES).count() == len(PROFILES)


def test_the_signer_is_woken_once_for_a_batch(demo_pki, world: World, a, paper_card, monkeypatch) -> None:
    """In this process, where no worker runs."""
    from issuance.suppliers.services import card_certificates
    from siths_portal.lib.processes import jobs

    woken: list[dict[str, Any]] = []
    monkeypatch.setattr(jobs, "_wake", lambda name, queue, ids: woken.append(ids))
    orders = [world.order(number) for number in range(2)]
    for order in orders:
        accept(a, order)
    requests = [_request(order, paper_card()) for order in orders]
    planned = card_certificates.request_batch(client_ref="a", requests=requests)
    assert [len(ids) for ids in planned] == [4, 4]
    assert [sorted(each["certificate_ids"]) for each in woken] == [sorted(str(id_) for ids in planned for id_ in ids)]


def _request(order: str, card):
    from uuid import UUID

    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    from issuance.suppliers.services.card_certificates import CardRequest

    body = card.request()
    key = serialization.load_pem_public_key(body["card_key"].encode())
    csrs = {
        profile: x509.load_pem_x509_csr(pem.encode()).public_bytes(serialization.Encoding.DER)
        for profile, pem in body["csrs"].items()
    }
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return CardRequest(UUID(order), body["card_serial"], spki, csrs)


def test_reports_are_taken_in_their_order(worker, world: World, a, paper_card) -> None:
    from tests.issuance.suppliers.api.stage import wait_for

    orders = [world.order(number) for number in range(2)]
    cards = [paper_card() for _ in orders]
    assert results(send(a, "accept", [{"order": order} for order in orders])) == [(200, "accepted")] * 2
    key = a("GET", "keys").json()["keys"][0]
    bodies = [{"order": order, "body": card.request()} for order, card in zip(orders, cards, strict=True)]
    assert [status for status, _ in results(send(a, "certificates", bodies))] == [201, 201]
    produced = [{"order": order, "body": card.produced(order, key)} for order, card in zip(orders, cards, strict=True)]
    sent = [{"order": order, "body": {"type": "sent", "sent_on": today()}} for order in orders]
    response = send(a, "events", [produced[0], {"order": orders[0], "body": {"type": "lost"}}, sent[1], produced[1], sent[0]])
    *first, last = results(response)
    assert first == [(202, "applied"), (422, "invalid"), (202, "parked"), (202, "applied")]
    assert last in [(202, "parked"), (200, "applied")], "by whether its PUK is sealed already"
    wait_for("the PUKs", lambda: {puk(a, order) for order in orders} == {("sealed", None)})
    assert results(send(a, "events", sent)) == [(200, "repeated")] * 2
    assert {state(order) for order in orders} == {"sent"}
