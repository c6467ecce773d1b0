"""The supplier simulator as a process, over mutual TLS, on a software card: from the queue to a sent card. Cut off anywhere."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from siths_portal.simulators.card import PROFILES, Card, CardError
from tests.chance import without_chance
from tests.faults.tally import Tally
from tests.issuance.suppliers.api.cards import PaperCard
from tests.issuance.suppliers.api.stage import ROOT, wait_for
from tests.issuance.suppliers.api.world import World, today

pytestmark = pytest.mark.django_db(transaction=True)
LONG = bool(os.environ.get("SITHS_LONG"))
REPEATS = 10 if LONG else 1
# All in `make faults`; in the short form the one that leaves a planned row without an answer, and the last.
ALL_API_POINTS = ("api.before-receipt", "api.after-receipt", "pki.plan.before-commit", "api.after-commit")
API_POINTS = ALL_API_POINTS if LONG else ALL_API_POINTS[2:]
QUICK = ("--p256-article", "631")
"""Options for cards that are about something else than their keys: four RSA keys take most of the time that a card takes."""
STEPS = ["accepted", "made", "personalised", "produced", "puk-sealed", "sent"]


class Bureau:
    """The simulator's command with a folder of its own."""

    def __init__(self, stage, folder: Path, client: str = "a") -> None:
        self.folder, self.stage = folder, stage
        certificate, key = stage.certificates[client]
        self.command = [sys.executable, "manage.py", "supplier_simulator"]
        self.options = [
            "--base-url", stage.base_url, "--client-cert", certificate,
            "--client-key", key, "--ca", str(stage.server_ca), "--folder", str(folder / "supplier"),
            "--cards", str(folder / "cards"),
        ]  # fmt: skip

    def once(self, *options: str, killed_after: str = "") -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "tests.issuance.suppliers.api.killed", killed_after] if killed_after else self.command
        return subprocess.run(
            [*command, *self.options, "--once", *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=240
        )

    def start(self, *options: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*self.command, *self.options, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip

    def works(self) -> bool:
        """Whether a process of it has its records, and ends its round when it is told to end."""
        return (self.folder / "supplier" / "orders").is_dir()

    @property
    def cards(self) -> list[Card]:
        return [Card(path) for path in sorted((self.folder / "cards").iterdir())]


@pytest.fixture
def bureau(stage, tmp_path: Path) -> Bureau:
    return Bureau(stage, tmp_path)


def count_orders(tally: Tally) -> None:
    """Each order was sent once."""
    from issuance.orders.models.orders import CardOrder
    from issuance.records.models.events import Event

    ordered = [str(id_) for id_ in CardOrder.objects.values_list("pk", flat=True)]
    tally.run(ordered, Event.objects.filter(action="order.sent").values_list("subject_ref", flat=True), "sent orders")


def check_one_card(bureau: Bureau, order: str) -> Card:
    """One card, its four certificates, one event a step, and the PUK sealed in the portal."""
    from issuance.carriers.models import CarrierCertificate
    from issuance.orders.models.orders import CardOrder
    from issuance.records.models.events import Event
    from pki import service as pki
    from pki.models import Certificate

    row = CardOrder.objects.get(pk=order)
    assert row.state == "sent"
    (card,) = [card for card in bureau.cards if card.serial == row.carrier.card_serial]
    views = {view.profile: view for view in pki.certificates(list(CarrierCertificate.objects.filter(
        carrier=row.carrier_id).values_list("certificate_id", flat=True)))}  # fmt: skip
    assert set(views) == set(PROFILES)
    for profile, pem in card.certificates().items():
        assert x509.load_pem_x509_certificate(pem.encode()) == x509.load_der_x509_certificate(views[profile].der)
    actions = list(Event.objects.filter(subject_type="order", subject_ref=order).order_by("id").values_list("action", flat=True))
    assert [action for action in actions if action not in ("order.address_read", "order.photo_read")] == [
        "order.submitted", "order.accepted", "order.production_started", "order.produced", "order.puk_sealed", "order.sent",
    ]  # fmt: skip
    assert Certificate.objects.filter(carrier_ref=views[PROFILES[0]].carrier_ref).count() == 4
    assert pki.secret_state(row.carrier.puk_secret_id) == "sealed"
    return card


def test_a_card_from_the_queue_to_the_post(worker, world: World, bureau: Bureau, stage) -> None:
    order = world.order(1)
    done = bureau.once()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [f"order {order}: {step}" for step in STEPS]
    card = check_one_card(bureau, order)
    again = bureau.once()
    assert (again.returncode, again.stdout) == (0, "")
    assert len(bureau.cards) == 1
    # The holder's code is set with the PUK, which the supplier has forgotten.
    with pytest.raises(CardError, match="wrong-puk"):
        card.unblock(puk="00000000", new_code="246810")
    kept = "".join(path.read_text() for path in (bureau.folder / "supplier").rglob("*.json"))
    assert '"puk": ""' in kept
    assert '"transport_code": ""' in kept
    assert "CERTIFICATE" not in kept
    told = done.stdout + done.stderr + stage.log("api") + worker.read_text() + stage.log("directory")
    from issuance.carriers.models import Carrier

    for private in ("Demosson", "TST2321000131-P", "Storgatan", card.serial, Carrier.objects.get().mifare_id):
        assert private not in told
    assert not re.search(r"\b18\d{10}\b", without_chance(told))


def test_the_ordered_photo_and_no_other_comes_onto_a_card_with_p256_keys(worker, world: World, bureau: Bureau, stage, a) -> None:
    from issuance.orders.models.orders import CardOrder
    from siths_portal.simulators.supplier import BadDelivery, Supplier
    from siths_portal.simulators.supplier_client import Api
    from siths_portal.simulators.supplier_records import Job, Records

    order = world.order(1, article="677")
    assert bureau.once("--order", order, "--p256-article", "677").returncode == 0
    card = check_one_card(bureau, order)
    keys = [x509.load_pem_x509_certificate(pem.encode()).public_key() for pem in card.certificates().values()]
    assert all(isinstance(key.curve, ec.SECP256R1) for key in keys)
    printed = bureau.folder / "cards" / card.serial / "photo.jpg"
    assert printed.read_bytes() == bytes(CardOrder.objects.get(pk=order).photo.document.content)
    other = world.order(2, article="677")
    a("POST", f"orders/{other}/accept", key="other", json={})
    supplier = Supplier(
        Api(stage.base_url, *map(Path, stage.certificates["a"]), stage.server_ca), Records(bureau.folder / "other"),
        bureau.folder / "elsewhere", None, print,
    )  # fmt: skip
    with pytest.raises(BadDelivery, match="photo"):
        supplier._print_photo(Job(other, serial="1"), "0" * 64)
    assert not (bureau.folder / "elsewhere").exists()


def test_the_card_signs_with_what_it_was_given(start_worker, world: World, bureau: Bureau) -> None:
    """The codes are read from the supplier's record while it waits for certificates, since it forgets them soon after that."""
    world.order(1)
    process = bureau.start("--interval", "1")
    assert process.stdout
    for line in process.stdout:
        if line.endswith("made\n"):
            break
    records = next((bureau.folder / "supplier" / "orders").glob("*.json")).read_text()
    puk = re.search(r'"puk": "(\d{8})"', records)[1]
    start_worker()
    for line in process.stdout:
        if line.endswith("sent\n"):
            break
    process.send_signal(signal.SIGTERM)
    assert process.wait(150) == 0
    (card,) = bureau.cards
    card.unblock(puk=puk, new_code="246810")
    certificate = x509.load_pem_x509_certificate(card.certificates()["person-id-sign"].encode())
    signature = card.sign("person-id-sign", b"text", code="246810")
    certificate.public_key().verify(signature, b"text", padding.PKCS1v15(), hashes.SHA256())


def test_one_order_alone_and_an_order_that_is_not_there(worker, world: World, bureau: Bureau) -> None:
    """The one is that of a protected person, by registered mail."""
    from issuance.orders.models.orders import CardOrder

    first, second = world.order(1), world.order(2, article="631-REK", protected_person_indicator=True)
    assert bureau.once("--order", second, *QUICK).returncode == 0
    check_one_card(bureau, second)
    assert re.fullmatch(r"LA\d{2}R\d{6}SE", CardOrder.objects.get(pk=second).registered_mail_id)
    assert CardOrder.objects.get(pk=first).state == "queued"
    missing = bureau.once("--order", str(world.area.id))
    assert missing.returncode == 1
    assert "not in the queue" in missing.stdout


def test_two_bureaus_make_the_cards_of_their_own_customisations(
    worker, world: World, stage, tmp_path: Path, tally: Tally
) -> None:
    from issuance.customisations.models import CardCustomisation
    from issuance.orders.models.orders import CardOrder

    orders = []
    for number in range(4):
        CardCustomisation.objects.update(supplier_ref="ab"[number % 2])
        orders.append(world.order(number))
    bureaus = [Bureau(stage, tmp_path / name, name) for name in ("a", "b")]
    processes = [bureau.start("--interval", "1", *QUICK) for bureau in bureaus]
    wait_for("both", lambda: all(bureau.works() for bureau in bureaus))
    wait_for("all sent", lambda: CardOrder.objects.filter(state="sent").count() == 4)
    for process in processes:
        process.send_signal(signal.SIGTERM)
        assert process.wait(150) == 0
    for number, order in enumerate(orders):
        assert CardOrder.objects.get(pk=order).supplier_ref == "ab"[number % 2]
        check_one_card(bureaus[number % 2], order)
    count_orders(tally)


@pytest.mark.soak
def test_a_supplier_killed_after_every_step_makes_one_card(worker, world: World, bureau: Bureau, tally: Tally) -> None:
    for number in range(REPEATS):
        order = world.order(number)
        for step in STEPS:
            killed = bureau.once("--order", order, *QUICK, killed_after=step)
            assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, f"order {order}: {step}\n"), killed.stderr
        assert bureau.once("--order", order, *QUICK).returncode == 0
        check_one_card(bureau, order)
    assert len(bureau.cards) == REPEATS
    count_orders(tally)


@pytest.mark.soak
def test_a_supplier_killed_at_any_moment_makes_one_card(worker, world: World, bureau: Bureau, tally: Tally) -> None:
    for number in range(REPEATS):
        order = world.order(number)
        for tenths in range(5, 40, 5 if LONG else 10):
            process = bureau.start("--once", "--order", order)
            try:
                process.wait(tenths / 10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        done = bureau.once("--order", order)
        assert done.returncode == 0, done.stdout + done.stderr
        check_one_card(bureau, order)
    count_orders(tally)


@pytest.mark.soak
@pytest.mark.parametrize("point", API_POINTS)
def test_an_api_killed_at_a_named_point_loses_and_doubles_nothing(
    worker, world: World, stage, a, paper_card: Callable[[], PaperCard], point: str, tally: Tally
) -> None:
    from issuance.orders.models.orders import CardOrder
    from issuance.records.models.events import Event
    from pki.models import Certificate

    armed = stage.faults
    key = a("GET", "keys").json()["keys"][0]
    before = Certificate.objects.count()
    for number in range(REPEATS):
        order, card = world.order(number), paper_card()
        calls = [
            ("accept", {}),
            ("certificates", card.request()),
            ("events", card.produced(order, key)),
            ("events", {"type": "sent", "sent_on": today()}),
        ]
        for step, (path, body) in enumerate(calls):
            if step == 3:  # a card is sent when its PUK is sealed
                wait_for("the PUK", lambda order=order: a("GET", f"orders/{order}").json()["puk"] == "sealed")
            if point != "pki.plan.before-commit" or path == "certificates":
                (armed / point).touch()
                killed = a("POST", f"orders/{order}/{path}", key=f"{order}-{step}", json=body)
                assert killed.status_code in (502, 503, 504)
                assert not (armed / point).exists()
                stage.start_api()
            answer = a("POST", f"orders/{order}/{path}", key=f"{order}-{step}", json=body)
            assert answer.status_code in (200, 201, 202), answer.text
            assert "repeated" not in answer.text or point == "api.after-commit"
            again = a("POST", f"orders/{order}/{path}", key=f"{order}-{step}", json=body)
            assert (again.status_code, again.content) == (answer.status_code, answer.content)
        assert CardOrder.objects.get(pk=order).state == "sent"
        actions = Event.objects.filter(subject_type="order", subject_ref=order).order_by("id").values_list("action", flat=True)
        assert [action for action in actions if action != "order.address_read"] == [
            "order.submitted", "order.accepted", "order.production_started", "order.produced", "order.puk_sealed", "order.sent",
        ]  # fmt: skip
    assert Certificate.objects.count() == before + 4 * REPEATS
    count_orders(tally)


@pytest.mark.soak
@pytest.mark.parametrize("point", ["pki.sign.before-signature", "pki.sign.after-signature", "pki.sign.after-commit"])
def test_a_worker_killed_at_a_named_point_loses_and_doubles_nothing(
    start_worker, demo_pki, world: World, bureau: Bureau, tmp_path: Path, point: str, tally: Tally
) -> None:
    from pki.issuing import claiming
    from pki.models import Certificate
    from pki.models.choices import CertificateStatus
    from siths_portal.lib import clock

    armed = tmp_path / "faults"
    armed.mkdir()
    for number in range(REPEATS):
        order = world.order(number)
        (armed / point).touch()
        start_worker(SITHS_FAULT_DIR=str(armed))
        process = bureau.start("--once", "--order", order, *QUICK)
        wait_for("the worker's death", lambda: not (armed / point).exists())
        # The dead worker's claim has run out. The clock stays: whatever has signed in the future signs no more now.
        claimed = Certificate.objects.filter(status=CertificateStatus.RESERVED).exclude(signing_started_at=None)
        claimed.update(signing_started_at=clock.now() - 2 * claiming.CLAIM)
        demo_pki.settle()  # as the sweeper does
        start_worker()
        told, _ = process.communicate(timeout=240)
        assert process.returncode == 0, told
        check_one_card(bureau, order)
    count_orders(tally)
