"""A portal and a worker that die in the middle of a transaction: repeating the call loses nothing and doubles nothing."""

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from celery import current_app
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.db import connections

from issuance.activation.services import card_requests, fetching
from issuance.authz import holder
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Receipt
from issuance.orders.services import eid_orders
from issuance.records.models.events import Event
from pki.models import Certificate, SecretDelivery
from siths_portal.dev.private_services import PrivatePostgres
from tests.faults.tally import Tally
from tests.issuance.activated import PUK, activated_card, identify, sent_card
from tests.issuance.activation.api.wire import Wire
from tests.issuance.activation.fetched import Fetching
from tests.issuance.carriers.agreeing import said
from tests.waiting import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.soak]
REPEATS = 10 if os.environ.get("SITHS_LONG") else 1
STORY = ["transaction.created", "transaction.started", "transaction.code_set", "transaction.completed"]


@pytest.fixture
def armed(tmp_path: Path) -> Path:
    folder = tmp_path / "faults"
    folder.mkdir()
    return folder


def csr_pem(der: bytes) -> str:
    """A certificate request as PEM."""
    return x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM).decode()


def check_activated_once(wire: Wire, tally: Tally) -> None:
    carrier = wire.made.fresh()
    assert (carrier.state, carrier.eids.get().state) == ("active", "active")
    receipts = Receipt.objects.filter(carrier=carrier).values_list("carrier__pk", flat=True)
    tally.run([carrier.pk], receipts, "signed receipts")
    told = Event.objects.filter(subject_type="transaction", subject_ref=str(wire.opened.transaction.pk)).order_by("id")
    assert list(told.values_list("action", flat=True)) == STORY
    assert Event.objects.filter(subject_type="carrier", subject_ref=str(carrier.pk)).count() == carrier.seq


def test_a_portal_killed_at_a_named_point(portals: Any, world: Any, worker: Any, tally: Tally) -> None:
    """A visit in which the portal dies at each named point: each call is repeated until it is answered."""
    for _ in range(REPEATS):
        activate_with_deaths(portals, world, tally)
    assert SecretDelivery.objects.count() == REPEATS


def activate_with_deaths(portals: Any, world: Any, tally: Tally) -> None:
    portals.ensure()
    made = sent_card(world)
    wire = Wire(portals, made, identify(world, made))
    body = wire.body()

    def dies(point: str, call: Callable[[], Any]) -> None:
        """Lets the portal die in this call, and starts it again."""
        trap = portals.faults / point
        trap.touch()
        with pytest.raises(requests.ConnectionError):
            call()
        assert not trap.exists(), point
        portals.ensure()

    dies("issuance.start.after-commit", lambda: portals.post("start", wire.opened.handle, body))
    wire.start(body)
    assert wire.secrets["puk"] == PUK
    dies("issuance.code-set.before-commit", wire.set_code)
    dies("issuance.code-set.after-commit", wire.set_code)
    assert wire.set_code().json() == {"state": "code_set"}
    dies("issuance.complete.before-commit", wire.complete)
    dies("issuance.complete.after-commit", wire.complete)
    assert wire.complete().json()["state"] == "completed"
    check_activated_once(wire, tally)


FETCH_POINTS = (
    ("certificates", "issuance.fetch.certificates.after-commit"),
    ("complete", "issuance.fetch.complete.before-commit"),
    ("complete", "issuance.fetch.complete.after-commit"),
)


def test_a_portal_killed_at_each_named_point_of_a_fetch(portals: Any, world: Any, worker: Any, tally: Tally) -> None:
    """A renewal: OCSP says then that the new certificates are good and that the old ones are revoked."""
    portals.ensure()
    made = activated_card(world)
    old = made.carrier.eids.get()
    order = eid_orders.order_renewed_eid(actor=world.officer(), eid_id=old.pk)
    wire = Wire(portals, made, fetching.open_for(actor=holder(made.carrier.holder_id), order_id=order.pk))
    wire.start()
    fetch = Fetching(made, order, opened=wire.opened)
    csrs = {profile: fetch.csr(profile) for profile in wire.answer["profiles"]}
    proof = made.keys.prove(card_requests.message(wire.opened.transaction, csrs))
    sent = {"csrs": {profile: csr_pem(der) for profile, der in csrs.items()}, "signature": base64.b64encode(proof).decode()}
    bodies: dict[str, Any] = {"certificates": sent}
    answered: list[requests.Response] = []

    def ask(step: str) -> requests.Response:
        return portals.post(step, wire.token, bodies[step])

    for step, point in FETCH_POINTS:
        if step == "complete" and step not in bodies:
            wait_for(lambda: _asked(ask, answered).status_code == 201)
            statement = base64.b64decode(answered[-1].json()["statement"])
            bodies[step] = {"signature": base64.b64encode(fetch.sign(statement)).decode()}
        (portals.faults / point).touch()
        with pytest.raises(requests.ConnectionError):
            ask(step)
        assert not (portals.faults / point).exists(), point
        portals.ensure()
    assert ask("complete").json()["state"] == "completed"
    assert sorted(made.carrier.eids.values_list("state", flat=True)) == ["active", "revoked"]
    assert Event.objects.filter(action="eid_order.fetched").count() == 1
    rows = Certificate.objects.select_related("ca").filter(carrier_ref=carrier_ref(made.carrier.pk))
    wait_for(lambda: sorted(said(row) for row in rows) == ["GOOD"] * 4 + ["REVOKED"] * 4)
    tally.run(["active", "revoked"], made.carrier.eids.values_list("state", flat=True), "eIDs")


def _asked(ask: Callable[[str], requests.Response], answered: list[requests.Response]) -> requests.Response:
    answered.append(ask("certificates"))
    return answered[-1]


def _repeated(call: Callable[[], requests.Response], answered: list[requests.Response]) -> requests.Response:
    """Calls again, as the app does. Beat's sweeper, which this worker lacks, finds a release that the worker lost."""
    current_app.send_task("pki.release_holds", queue="pki")
    answered.append(call())
    return answered[-1]


def test_a_database_that_is_away_is_said_and_the_repeat_has_one_effect(
    portal: Any, world: Any, start_worker: Any, tally: Tally
) -> None:
    start_worker()
    root = Path(os.environ["SITHS_TEST_ROOT"])
    postgres = PrivatePostgres(root / "pg" / "data", root / "pg", fsync=False)
    made = sent_card(world)
    wire = Wire(portal, made, identify(world, made))
    wire.start()
    answered: list[requests.Response] = []
    for call in (wire.set_code, wire.complete):
        connections.close_all()
        postgres.psql("CHECKPOINT")  # the tests' cluster commits before it writes
        postgres.stop()
        try:
            refused = call()
        finally:
            postgres.start()
        assert (refused.status_code, refused.json()["code"]) == (503, "database-unavailable")
        assert refused.headers["Content-Type"] == "application/problem+json"
        wait_for(lambda call=call: _repeated(call, answered).status_code != 503)
        assert answered[-1].status_code == 200
    check_activated_once(wire, tally)


@pytest.mark.parametrize("point", ["pki.deliver.after-claim", "pki.deliver.after-encryption"])
def test_a_worker_killed_at_a_named_point(
    portal: Any, world: Any, start_worker: Any, demo_pki: Any, armed: Path, point: str, tally: Tally
) -> None:
    from celery import current_app

    made = sent_card(world)
    wire = Wire(portal, made, identify(world, made))
    body = wire.body()
    (armed / point).touch()
    start_worker(SITHS_FAULT_DIR=str(armed))
    assert portal.post("start", wire.opened.handle, body).status_code == 202
    wait_for(lambda: not (armed / point).exists())  # the worker may come to it after the portal has answered
    assert SecretDelivery.objects.get().state == "requested"
    start_worker()
    SecretDelivery.objects.update(claimed_at=None)  # as it is when the dead worker's claim has run out
    current_app.send_task("pki.deliver_secrets", queue="pki", ignore_result=True)  # as beat does
    wire.start(body)
    assert wire.set_code().status_code == 200
    assert wire.complete().status_code == 200
    check_activated_once(wire, tally)
