"""What the eID app API refuses before any rule of activation is asked, and in which form."""

import base64
import json
from typing import Any

import pytest
import requests

from issuance.activation.api.v1.views import BODY_LIMIT
from issuance.activation.models import EidAppTransaction
from tests.issuance.activated import identify, sent_card
from tests.issuance.activation.api.wire import Wire

pytestmark = pytest.mark.django_db(transaction=True)
STEPS = ("start", "code-set", "complete", "cancel")
HANDLE = "act." + "A" * 22


def is_problem(response: requests.Response, status: int, code: str = "") -> bool:
    problem = response.json()
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "code"} <= set(problem)
    assert problem["status"] == status
    assert problem["detail"].endswith((".", "?"))
    assert not code or problem["code"] == code
    return True


@pytest.fixture
def wire(portal: Any, demo_pki: Any, world: Any) -> Wire:
    """A transaction that waits for its app."""
    made = sent_card(world)
    return Wire(portal, made, identify(world, made))


def test_who_shows_nothing_is_unknown(wire: Wire, portal: Any) -> None:
    bodies = {"start": wire.body(), "complete": {"signature": base64.b64encode(b"x" * 256).decode()}}
    for step in STEPS:
        for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}, {"Authorization": f"bearer  {HANDLE}"}):
            response = portal.post(step, None, bodies.get(step), headers=headers)
            assert is_problem(response, 401)
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="eidapp"'
        for bearer in (HANDLE, wire.opened.handle if step != "start" else HANDLE, "x" * 100, "x" * 9000):
            assert is_problem(portal.post(step, bearer, bodies.get(step)), 401)
    assert EidAppTransaction.objects.get().state == "created"


def test_the_handle_in_an_address_or_a_cookie_opens_nothing(wire: Wire, portal: Any) -> None:
    body, handle = wire.body(), wire.opened.handle
    assert is_problem(portal.post(f"start?handle={handle}", None, body), 401, "handle-unknown")
    assert is_problem(portal.post("start", None, body, cookies={"Authorization": f"Bearer {handle}"}), 401)
    assert is_problem(portal.post("start", None, body | {"handle": handle}), 422)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods(portal: Any, method: str) -> None:
    for step in STEPS:
        response = requests.request(method, f"{portal.url}/api/eidapp/v1/transaction/{step}", timeout=30)
        assert is_problem(response, 405)
        assert response.headers["Allow"] == "POST"


def test_addresses_that_are_not(portal: Any) -> None:
    for path in ("transaction/start/", "transaction", "transaction/reveal", "", "x"):
        assert is_problem(requests.post(f"{portal.url}/api/eidapp/v1/{path}", json={}, timeout=30), 404)


def _without(name: str) -> Any:
    return lambda body: {key: value for key, value in body.items() if key != name}


BODIES: list[Any] = [
    *(_without(name) for name in ("card_serial", "certificates", "ephemeral_key", "origin", "signature")),
    lambda body: [body],
    lambda body: "text",
    lambda body: body | {"card_serial": int(body["card_serial"])},
    lambda body: body | {"card_serial": body["card_serial"][:-1]},
    lambda body: body | {"card_serial": body["card_serial"] + "\n"},
    lambda body: body | {"card_serial": "٩" * 19},
    lambda body: body | {"certificates": {}},
    lambda body: body | {"certificates": body["certificates"] | {"function": body["certificates"]["person-id-sign"]}},
    lambda body: body | {"certificates": body["certificates"] | {"person-id-sign": "no certificate"}},
    lambda body: body | {"certificates": body["certificates"] | {"person-id-sign": "x" * 9000}},
    lambda body: body | {"ephemeral_key": body["ephemeral_key"] | {"crv": "P-384"}},
    lambda body: body | {"ephemeral_key": body["ephemeral_key"] | {"d": "AAAA"}},
    lambda body: body | {"ephemeral_key": body["ephemeral_key"] | {"x": "A" * 44}},
    lambda body: body | {"ephemeral_key": "text"},
    lambda body: body | {"origin": ""},
    lambda body: body | {"origin": "x" * 201},
    lambda body: body | {"origin": "\x00"},
    lambda body: body | {"signature": body["signature"].replace("=", "") + "*"},
    lambda body: body | {"signature": body["signature"] + "A"},
    lambda body: body | {"signature": "A" * 200},
    lambda body: body | {"signature": None},
    lambda body: body | {"extra": 1},
]


def test_bodies_that_are_not_right(wire: Wire, portal: Any, subtests: pytest.Subtests) -> None:
    """One transaction for all, since none of them may touch it."""
    for number, change in enumerate(BODIES):
        with subtests.test(number=number):
            response = portal.post("start", wire.opened.handle, change(wire.body()))
            assert is_problem(response, 422)
            assert response.json()["invalid-parameters"]
            row = EidAppTransaction.objects.get()
            assert (row.state, row.wrong_proofs) == ("created", 0)


def test_a_point_off_the_curve_is_refused_and_changes_nothing(wire: Wire, portal: Any) -> None:
    wire.app.key = type(wire.app.key).generate_key("P-256")
    jwk = wire.app.jwk
    crooked = jwk | {"y": jwk["x"]}
    proof = wire.app.proof(wire.opened, ephemeral_key=crooked)
    body = wire.body() | {"ephemeral_key": crooked, "signature": base64.b64encode(proof.signature).decode()}
    response = portal.post("start", wire.opened.handle, body)
    assert is_problem(response, 422, "ephemeral-key")
    assert EidAppTransaction.objects.get().state == "created"


def test_what_is_no_json(wire: Wire, portal: Any, subtests: pytest.Subtests) -> None:
    for number, data in enumerate((b"", b"{", b"{}{}", b"\xff", b'{"a":1,"a":2}', b'{"signature":NaN}', b"[" * 5000)):
        for step in ("start", "complete"):
            with subtests.test(number=number, step=step):
                response = portal.post(step, wire.opened.handle, data=data, headers={"Content-Type": "application/json"})
                assert is_problem(response, 422 if not data else 400)


def test_other_content_types_and_accepts(wire: Wire, portal: Any) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        response = portal.post("start", wire.opened.handle, data=b"a=1", headers={"Content-Type": kind})
        assert is_problem(response, 415)
    assert is_problem(portal.post("start", wire.opened.handle, wire.body(), headers={"Accept": "text/html"}), 406)


def test_large_bodies_are_refused(wire: Wire, portal: Any) -> None:
    large = json.dumps(wire.body() | {"origin": "x" * BODY_LIMIT}).encode()
    for step in STEPS:
        response = portal.post(step, wire.opened.handle, data=large, headers={"Content-Type": "application/json"})
        assert is_problem(response, 413)


def test_steps_without_content_take_none(wire: Wire, portal: Any) -> None:
    for step in ("code-set", "cancel"):
        for body in ({"state": "completed"}, [], "text", 1):
            assert is_problem(portal.post(step, "x", body), 422)


def test_one_address_does_not_call_without_end(portals: Any, world: Any) -> None:
    portals.ensure(EID_APP_CALLS_PER_MINUTE="5")
    answers = [portals.post("cancel", HANDLE) for _ in range(8)]
    assert [each.status_code for each in answers].count(429) >= 3
    last = answers[-1]
    assert is_problem(last, 429)
    assert int(last.headers["Retry-After"]) > 0


def test_no_header_makes_one_address_many(portals: Any, world: Any) -> None:
    portals.ensure(EID_APP_CALLS_PER_MINUTE="5", TRUSTED_PROXIES="0")
    answers = [portals.post("cancel", HANDLE, headers={"X-Forwarded-For": f"192.0.2.{number}"}) for number in range(8)]
    assert [each.status_code for each in answers].count(429) >= 3


def test_behind_a_front_its_word_counts_and_the_callers_does_not(portals: Any, world: Any) -> None:
    portals.ensure(EID_APP_CALLS_PER_MINUTE="5", TRUSTED_PROXIES="1")

    def call(number: int, address: str) -> int:
        headers = {"X-Forwarded-For": f"192.0.2.{number}, {address}"}  # what the caller sent, and what the front added
        return int(portals.post("cancel", HANDLE, headers=headers).status_code)

    assert [call(number, "198.51.100.1") for number in range(8)].count(429) >= 3
    assert call(0, "198.51.100.2") != 429


def test_the_description_is_served(portal: Any) -> None:
    response = requests.get(f"{portal.url}/api/eidapp/v1/openapi.yaml", timeout=30)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/yaml")
    assert b"transaction/start" in response.content
