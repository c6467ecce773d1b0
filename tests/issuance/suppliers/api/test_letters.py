"""PUK letters over the real connection: the PUK once, by the supplier's own key, and the simulator that prints it."""

import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.issuance.suppliers.api.stage import Stage
from tests.issuance.suppliers.api.test_walk import QUICK, Bureau
from tests.issuance.suppliers.api.world import World, today

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bureau(stage: Stage, tmp_path: Path) -> Bureau:
    return Bureau(stage, tmp_path)


@pytest.fixture
def printer(worker: Path, stage: Stage, bureau: Bureau, demo_pki: Any) -> Any:
    """Supplier a's letter certificate, registered, and its key in the simulator's folder."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from pki import service as pki
    from tests.pki.letter_printer import Printer

    made = Printer("a")
    made.certify(demo_pki)
    der = pki.certificates([made.certificate])[0].der or b""
    (stage.folder / "a-letter.pem").write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
    stage.register(stage.entry("a", "a") | {"letter_certificate": "a-letter.pem"}, stage.entry("b", "b"))
    folder = bureau.folder / "supplier"
    folder.mkdir()
    (folder / "letter.key").write_bytes(made.private_pem)
    return made


def letter_of(world: World, bureau: Bureau, number: int, **register: Any) -> str:
    """A queued letter for a card that the simulator has made. The activation is set by rows: it has tests of its own."""
    from issuance.carriers.models import Carrier
    from issuance.orders.models.orders import CardOrder
    from issuance.orders.services.letters import Letter, order_letter
    from siths_portal.lib import clock

    done = bureau.once("--order", world.order(number, **register), *QUICK)
    assert done.returncode == 0, done.stdout + done.stderr
    now = clock.now()
    card = CardOrder.objects.order_by("-id")[0].carrier
    Carrier.objects.filter(pk=card.pk).update(state="active", origin="migrated", activated_at=now, code_set_at=now)
    order = order_letter(actor=world.clerk, letter=Letter(card.pk, world.office.pk), idempotency_key=uuid.uuid4().hex)
    return str(order.pk)


def code(response: requests.Response) -> str:
    return str(response.json()["code"])


def test_a_letter_from_the_queue_to_the_post(printer: Any, world: World, bureau: Bureau, stage: Stage, worker: Path) -> None:
    order = letter_of(world, bureau, 1)
    done = bureau.once()
    assert done.returncode == 0, done.stdout + done.stderr
    steps = ["accepted", "printed", "puk-sealed", "sent"]
    assert done.stdout.splitlines() == [f"order {order}: {step}" for step in steps]
    (printed,) = (bureau.folder / "supplier" / "letters").iterdir()
    recipient, street, city, *_rest, digits, puk = printed.read_text().splitlines()
    (card,) = bureau.cards
    assert (recipient, street, city) == ("Anna Demosson1", "Storgatan 1", "50630 Borås")
    assert digits == f"Kort som slutar på {card.serial[-4:]}"
    card.unblock(puk=puk, new_code="246810")  # the letter opens the card
    kept = "".join(path.read_text() for path in (bureau.folder / "supplier" / "orders").glob("*.json"))
    told = done.stdout + done.stderr + stage.log("api") + worker.read_text()
    assert puk not in kept + told
    assert bureau.once().stdout == ""


def test_a_protected_persons_letter_is_forwarded(printer: Any, world: World, bureau: Bureau) -> None:
    letter_of(world, bureau, 1, protected_person_indicator=True, registered_address=None)
    assert bureau.once().returncode == 0
    (printed,) = (bureau.folder / "supplier" / "letters").iterdir()
    assert printed.read_text().splitlines()[:3] == ["Anna Demosson1", "Skatteverkets förmedlingsuppdrag", ""]


def test_the_puk_is_read_once_by_its_supplier(printer: Any, world: World, bureau: Bureau, a: Any, b: Any) -> None:
    order = letter_of(world, bureau, 1)
    early = a("GET", f"orders/{order}/puk")
    assert (early.status_code, code(early)) == (409, "order-not-accepted")
    a("POST", f"orders/{order}/accept", key="accept", json={})
    foreign = b("GET", f"orders/{order}/puk")
    assert (foreign.status_code, code(foreign)) == (404, "not-found")
    (item,) = a("GET", f"orders/{order}/items").json()["items"]
    assert (item["kind"], item["profiles"], item["state"]) == ("puk_letter", [], "waiting")
    refused = a("POST", f"orders/{order}/events", key="chip", json={"type": "produced", "mifare_id": "1"})
    assert (refused.status_code, code(refused)) == (422, "event")
    first = a("GET", f"orders/{order}/puk")
    assert first.status_code == 200, first.text
    assert len(printer.open(first.json()["puk_jwe"])[1]) == 8
    assert "no-store" in first.headers["Cache-Control"]
    again = a("GET", f"orders/{order}/puk")
    assert (again.status_code, code(again)) == (410, "puk-gone")
    assert a("POST", f"orders/{order}/events", key="produced", json={"type": "produced"}).json() == {"outcome": "applied"}
    sent = a("POST", f"orders/{order}/events", key="sent", json={"type": "sent", "sent_on": today()})
    assert (sent.status_code, sent.json()) == (200, {"outcome": "applied"})
    assert a("GET", f"orders/{order}").json()["status"] == "sent"


def test_a_letter_that_takes_its_time_is_asked_for_again(
    printer: Any, world: World, bureau: Bureau, stage: Stage, a: Any
) -> None:
    """202 with Retry-After until the worker has made it."""
    order = letter_of(world, bureau, 1)
    stage.need_api(CERTIFICATE_WAIT_SECONDS="0")
    a("POST", f"orders/{order}/accept", key="accept", json={})
    answer = a("GET", f"orders/{order}/puk")
    while answer.status_code == 202:
        assert (answer.json(), int(answer.headers["Retry-After"]) > 0) == ({"status": "pending"}, True)
        answer = a("GET", f"orders/{order}/puk")
    assert answer.status_code == 200
