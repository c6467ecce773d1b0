"""The face as a whole: one form of errors, strict JSON, the description, card customisations."""

import base64
import hashlib
import io
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from tests.chance import without_chance
from tests.issuance.suppliers.api.test_clients import code
from tests.issuance.suppliers.api.test_orders import accept
from tests.issuance.suppliers.api.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def png(colour: str = "navy", kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(out, kind)
    return out.getvalue()


def logotype(content: bytes, sha256: str | None = None) -> dict[str, str]:
    return {"logotype": base64.b64encode(content).decode(), "sha256": sha256 or hashlib.sha256(content).hexdigest()}


UNKNOWN = "0192b0f4-8f4e-7d7e-9c3a-5d1f4f6b7a10"


def test_unknown_addresses_are_problems(a, subtests: pytest.Subtests) -> None:
    """One client reads all of them, since a read changes nothing."""
    for path in ("", "nothing", "orders/1", "orders/", f"orders/{UNKNOWN}/x", "../../x", "card-customisations/1"):
        with subtests.test(path=path):
            response = a("GET", path)
            assert response.status_code == 404
            assert code(response) == "not-found"


def test_an_address_that_the_front_cannot_read_is_a_problem(a) -> None:
    response = a("GET", "orders/%00")
    assert (response.status_code, code(response)) == (400, "parse-error")
    assert response.headers["Content-Type"] == "application/problem+json"


UNKNOWN_METHODS = [
    ("DELETE", "orders"), ("POST", "keys"), ("PATCH", "orders"), ("OPTIONS", "orders"), ("PUT", "keys"), ("TRACE", "keys"),
]  # fmt: skip


def test_unknown_methods_are_problems(a, subtests: pytest.Subtests) -> None:
    """One client sends all requests, each with a key of its own, since none of them is acted on."""
    for method, path in UNKNOWN_METHODS:
        with subtests.test(method=method, path=path):
            response = a(method, path, key=f"{method}-{path}")
            assert response.status_code == 405
            assert code(response) == "method-not-allowed"
            assert response.headers["Allow"]


def test_other_media_types_are_refused(world: World, a) -> None:
    order = world.order(1)
    accept(a, order)
    sent = a("POST", f"orders/{order}/events", key="k", data="<x/>", headers={"Content-Type": "application/xml"})
    assert sent.status_code == 415
    assert code(sent) == "unsupported-media-type"
    wanted = a("GET", "orders", headers={"Accept": "text/html"})
    assert wanted.status_code == 406
    assert code(wanted) == "not-acceptable"


NOT_STRICT = [
    b"{",
    b"\xff",
    b'{"type": NaN}',
    b'{"type":"sent","type":"failed"}',
    b'{"type":"\\ud800"}',
    b"[" * 100_000,
    b"1" * 5000,
    b"",
]


def test_json_is_read_strictly(world: World, a, subtests: pytest.Subtests) -> None:
    """One order for all bodies, each with a key of its own, since none of them is acted on."""
    order = world.order(1)
    accept(a, order)
    for number, body in enumerate(NOT_STRICT):
        with subtests.test(number=number):
            headers = {"Content-Type": "application/json"}
            response = a("POST", f"orders/{order}/events", key=f"k{number}", data=body, headers=headers)
            assert response.status_code in (400, 422)
            assert code(response)


def test_a_body_that_is_too_large_is_a_problem(world: World, a) -> None:
    order = world.order(1)
    response = a("POST", f"orders/{order}/events", key="k", data=b"x" * (2 * 1024**2 + 1))
    assert response.status_code == 413
    assert code(response) == "too-large"


WRONG_REPORTS: list[tuple[dict[str, Any], str]] = [
    ({}, "type"),
    ({"type": "posted"}, "type"),
    ({"type": 1}, "type"),
    ({"type": "sent"}, "sent_on"),
    ({"type": "sent", "sent_on": "2026-13-01"}, "sent_on"),
    ({"type": "sent", "sent_on": "2999-01-01"}, "sent_on"),
    ({"type": "produced", "mifare_id": 123, "puk_jwe": "x"}, "mifare_id"),
    ({"type": "produced", "mifare_id": "x" * 11, "puk_jwe": "x"}, "mifare_id"),
    ({"type": "failed", "reason": "Ej Ok"}, "reason"),
    ({"type": "failed", "reason": "a\x00b"}, "reason"),
]


def test_a_report_that_breaks_a_rule_is_422_and_names_the_field(world: World, a, subtests: pytest.Subtests) -> None:
    """One order for all reports, since none of them is acted on."""
    order = world.order(1)
    accept(a, order)
    for number, (report, field) in enumerate(WRONG_REPORTS):
        with subtests.test(number=number):
            response = a("POST", f"orders/{order}/events", key=uuid4().hex, json=report)
            assert response.status_code == 422
            assert field in [entry["name"] for entry in response.json()["invalid-parameters"]]


def test_a_serial_as_number_is_refused(world: World, a) -> None:
    order = world.order(1)
    accept(a, order)
    body = {"card_serial": 9752269900000000017, "card_key": "x", "csrs": {"person-id-auth": "x"}}
    response = a("POST", f"orders/{order}/certificates", key="k", json=body)
    assert response.status_code == 422
    names = {entry["name"] for entry in response.json()["invalid-parameters"]}
    assert {"card_serial", "card_key", "csrs.person-id-auth", "csrs.person-hsaid-sign"} <= names


def test_the_description_is_served_as_committed(a) -> None:
    response = a("GET", "openapi.yaml")
    assert response.status_code == 200
    committed = Path(__file__).resolve().parents[4] / "issuance" / "suppliers" / "api" / "v1" / "openapi.yaml"
    assert response.content == committed.read_bytes()
    assert response.text.startswith("openapi: 3.1")


def test_an_unforeseen_error_is_a_problem_without_its_text(client, stage, settings, monkeypatch, capsys) -> None:
    from urllib.parse import quote

    from issuance.suppliers.services import supplier_intake

    settings.ROOT_URLCONF = "siths_portal.wiring.urls_api"
    settings.MTLS_CERTIFICATE_HEADER = "X-SSL-Client-Cert"

    def fail(**_: object) -> None:
        raise RuntimeError("18900101-9802 9752269900000000017 TST2321000131-P001")

    monkeypatch.setattr(supplier_intake, "queued_orders", fail)
    header = {"X-SSL-Client-Cert": quote(stage.identities["a"].pem.decode())}
    response = client.get("/api/supplier/v1/orders", headers=header)
    assert response.status_code == 500
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "internal-error"
    told = without_chance(response.content.decode() + "".join(capsys.readouterr()))
    for private in ("9802", "9752269900000000017", "P001"):
        assert private not in told
    assert "RuntimeError" in told


def test_logotype_needs_the_version_that_is_replaced(world: World, a) -> None:
    from issuance.customisations.models import CardCustomisation
    from issuance.records.models.events import Event

    path = "card-customisations/7837803902"
    before = a("GET", path)
    assert before.json()["logotype_sha256"] is None
    missing = a("PUT", path, json=logotype(png()))
    assert missing.status_code == 428
    assert code(missing) == "if-match-missing"
    stale = a("PUT", path, json=logotype(png()), headers={"If-Match": '"other"'})
    assert stale.status_code == 412
    assert code(stale) == "version-stale"
    put = a("PUT", path, json=logotype(png()), headers={"If-Match": before.headers["ETag"]})
    assert put.status_code == 200, put.text
    assert put.json()["logotype_sha256"] == hashlib.sha256(png()).hexdigest()
    assert put.headers["ETag"] == a("GET", path).headers["ETag"] != before.headers["ETag"]
    assert bytes(CardCustomisation.objects.get().logotype.content) == png()
    again = a("PUT", path, json=logotype(png()), headers={"If-Match": before.headers["ETag"]})
    assert again.status_code == 200
    other = a("PUT", path, json=logotype(png("red")), headers={"If-Match": before.headers["ETag"]})
    assert other.status_code == 412
    assert Event.objects.filter(action="customisation.logotype_changed").count() == 1


NO_PNG = [
    logotype(png(kind="JPEG")),
    logotype(png() + b"tail"),
    logotype(png(), "0" * 64),
    logotype(b""),
    {"logotype": "not base64!", "sha256": "0" * 64},
    {"logotype": base64.b64encode(png() + b"\0" * 300_000).decode(), "sha256": "0" * 64},
    {},
]


def test_what_is_no_png_is_refused(world: World, a, subtests: pytest.Subtests) -> None:
    """One customisation for all, since none of them may change it."""
    path = "card-customisations/7837803902"
    tag = a("GET", path).headers["ETag"]
    for number, body in enumerate(NO_PNG):
        with subtests.test(number=number):
            response = a("PUT", path, json=body, headers={"If-Match": tag})
            assert response.status_code == 422
            assert code(response)
            assert a("GET", path).headers["ETag"] == tag


def test_another_suppliers_customisation_is_404(stage, a, b) -> None:
    World(stage.people, supplier_ref="b")
    path = "card-customisations/7837803902"
    assert b("GET", path).status_code == 200
    hidden, missing = a("GET", path), a("GET", "card-customisations/0000000000")
    assert hidden.status_code == missing.status_code == 404
    assert hidden.content == missing.content
    assert a("PUT", path, json=logotype(png()), headers={"If-Match": "*"}).status_code == 404
