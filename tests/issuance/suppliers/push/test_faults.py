"""The suppliers' worker is killed at each named point, and the supplier forgets what it took: one order there, nothing lost."""

import datetime as dt
import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from issuance.orders.models.orders import CardOrder
from issuance.orders.services import ordering
from issuance.records.models.events import Event
from issuance.suppliers.push.domain import Difference, difference
from issuance.suppliers.push.models import PushDelivery, SupplierConnection
from issuance.suppliers.push.services import reconciliation, sending
from issuance.suppliers.services import supplier_intake
from issuance.tasks import reconcile_supplier
from siths_portal.lib import clock
from tests.faults.tally import Tally
from tests.issuance.suppliers.push.conftest import Receiver
from tests.issuance.suppliers.push.test_push import ME, make_due, state_of, states
from tests.waiting import advisory_locks, wait_for

LONG_AGO = dt.timedelta(hours=3)
POINTS = ("suppliers.before-call", "suppliers.after-call", "suppliers.before-commit", "suppliers.reconcile")


def test_these_are_the_points_of_the_worker() -> None:
    folder = Path(settings.BASE_DIR) / "issuance" / "suppliers" / "push"
    found = {name for path in folder.rglob("*.py") for name in re.findall(r'faults\.point\("([^"]+)"\)', path.read_text())}
    assert found == set(POINTS)


def killed_at(point: str, task: str, world: Any, folder: Path) -> None:
    """Runs the worker until the point, where it is killed as by a power cut."""
    (folder / point).touch()
    outside = folder / "outside.pickle"
    outside.write_bytes(pickle.dumps(world.outside))
    told = {
        "SITHS_FAULT_DIR": str(folder),
        "SUPPLIER_PUSH_HOSTS": ",".join(settings.SUPPLIER_PUSH_HOSTS),
        "SUPPLIER_PUSH_FOLDER": settings.SUPPLIER_PUSH_FOLDER,
    }
    command = [sys.executable, "-m", "tests.issuance.suppliers.push.worker", task, str(outside)]
    done = subprocess.run(command, cwd=settings.BASE_DIR, env=os.environ | told, check=False)
    assert done.returncode == -signal.SIGKILL
    wait_for(lambda: not advisory_locks(), "the end of the dead worker's session, which holds the supplier")


@pytest.mark.parametrize("point", POINTS[:3])
def test_a_killed_worker_makes_one_order_and_loses_none(
    world: Any, receiver: Receiver, tmp_path: Path, point: str, tally: Tally
) -> None:
    order, withdrawn = world.order(), world.order()
    ordering.cancel_order(actor=world.officer(), order_id=withdrawn.id)
    killed_at(point, "push", world, tmp_path)
    assert state_of(order) == "queued", "nothing of the call was recorded"
    assert sending.push_to(ME) >= 1, "the other deliveries; the first is leased"
    make_due()
    sending.push_to(ME)
    assert (state_of(order), receiver.orders()) == ("accepted", [str(order.id)])
    assert states() == {"delivered": 2, "needless": 1}
    assert [change["order"] for change in receiver.changes()] == [str(withdrawn.id)]
    assert Event.objects.filter(action="order.accepted").count() == 1
    assert receiver.calls(order.push_deliveries.get().pk) == (1 if point == "suppliers.before-call" else 2), "with one key"
    tally.run([str(order.id)], receiver.taken(), "orders of the supplier")


def accepted_long_ago(order: CardOrder, receiver: Receiver) -> None:
    """Makes both sides believe that they have had the order for some hours."""
    then = clock.now() - LONG_AGO
    CardOrder.objects.filter(pk=order.pk).update(accepted_at=then)
    file = receiver.folder / "orders" / f"{order.pk}.json"
    if file.exists():
        os.utime(file, (then.timestamp(), then.timestamp()))


class TestReconciliation:
    """Each night both sides compare what they believe."""

    def test_an_order_that_the_supplier_forgot_is_sent_again(self, world: Any, receiver: Receiver) -> None:
        receiver.behave(forget=True)
        forgotten = world.order()
        sending.push_to(ME)
        receiver.behave()
        kept = world.order()
        sending.push_to(ME)
        assert (state_of(forgotten), receiver.orders()) == ("accepted", [str(kept.id)]), "it lied"
        for order in (forgotten, kept):
            accepted_long_ago(order, receiver)
        assert reconciliation.reconcile(ME) == 1
        assert SupplierConnection.objects.get().differences == [
            {"order": str(forgotten.id), "kind": "missing-there", "here": "accepted", "there": ""}
        ]
        sending.push_to(ME)
        assert receiver.orders() == sorted([str(forgotten.id), str(kept.id)])
        accepted_long_ago(forgotten, receiver)
        assert reconciliation.reconcile(ME) == 0
        assert Event.objects.filter(action="order.accepted").count() == 2

    def test_a_killed_comparison_is_made_again(self, world: Any, receiver: Receiver, tmp_path: Path, tally: Tally) -> None:
        receiver.behave(forget=True)
        order = world.order()
        sending.push_to(ME)
        receiver.behave()
        accepted_long_ago(order, receiver)
        killed_at("suppliers.reconcile", "reconcile", world, tmp_path)
        assert reconciliation.is_due(ME)
        reconcile_supplier(ME)
        assert not reconciliation.is_due(ME)
        sending.push_to(ME)
        assert receiver.orders() == [str(order.id)]
        tally.run([str(order.id)], receiver.taken(), "orders of the supplier")

    def test_a_withdrawal_that_did_not_arrive_is_told_again(self, world: Any, receiver: Receiver) -> None:
        order = world.order()
        sending.push_to(ME)
        accepted_long_ago(order, receiver)
        with connection.cursor() as cursor:  # as if the acceptance was never recorded
            cursor.execute("UPDATE issuance_cardorder SET state = 'queued', accepted_at = NULL WHERE id = %s", [order.pk])
        ordering.cancel_order(actor=world.officer(), order_id=order.id)
        sending.push_to(ME)
        for file in (receiver.folder / "changes").glob("*.json"):
            file.unlink()
        assert reconciliation.reconcile(ME) == 1
        assert SupplierConnection.objects.get().differences[0]["kind"] == "ended-here"
        sending.push_to(ME)
        assert [change["kind"] for change in receiver.changes()] == ["cancelled"]

    def test_an_order_that_is_not_the_suppliers_is_shown(self, world: Any, receiver: Receiver) -> None:
        order = world.order()
        sending.push_to(ME)
        accepted_long_ago(order, receiver)
        CardOrder.objects.filter(pk=order.pk).update(supplier_ref="another")
        assert reconciliation.reconcile(ME) == 1
        (found,) = SupplierConnection.objects.get().differences
        assert found == {"order": str(order.id), "kind": "unknown-here", "here": "", "there": "accepted"}

    def test_what_changed_lately_is_not_compared(self, world: Any, receiver: Receiver) -> None:
        order = world.order()
        supplier_intake.accept(client_ref=ME, order_id=order.id)
        assert reconciliation.reconcile(ME) == 0, "it may be on its way"

    def test_an_answer_that_cannot_be_believed_is_none(self, world: Any, receiver: Receiver) -> None:
        for lie in ("unsigned", "stranger", "old", "another", "used", "used"):
            receiver.behave(lie=lie)
            found = reconciliation.reconcile(ME)
            assert found is None or lie == "used"
        assert found is None, "the same answer a second time"
        receiver.behave(down=True)
        assert reconciliation.reconcile(ME) is None
        assert reconciliation.reconcile("another") is None

    def test_a_paused_supplier_is_not_compared(self, world: Any, receiver: Receiver) -> None:
        assert reconciliation.is_due(ME)
        SupplierConnection.objects.update_or_create(supplier_ref=ME, defaults={"paused_at": clock.now()})
        assert not reconciliation.is_due(ME)
        ahead = clock.now() + dt.timedelta(days=30)
        SupplierConnection.objects.update(paused_at=None, reconciled_at=ahead)
        assert reconciliation.is_due(ME), "a clock ahead of time compared it"

    def test_every_order_of_more_pages_is_compared(self, world: Any, receiver: Receiver) -> None:
        """The simulator answers a hundred orders a page."""
        order = world.order()
        sending.push_to(ME)
        accepted_long_ago(order, receiver)
        file = receiver.folder / "orders" / f"{order.pk}.json"
        for number in range(1, 151):
            name = f"00000000-0000-0000-0000-{number:012}"
            copy = file.with_name(f"{name}.json")
            copy.write_text(file.read_text().replace(str(order.pk), name))
            os.utime(copy, (file.stat().st_mtime, file.stat().st_mtime))
        assert reconciliation.reconcile(ME) == 150
        assert len(SupplierConnection.objects.get().differences) == reconciliation.DIFFERENCES_KEPT


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        (None, None, None), (None, "accepted", "unknown-here"), ("accepted", None, "missing-there"), ("queued", None, None),
        ("sent", None, None), ("cancelled", None, None), ("accepted", "in_production", None), ("produced", "produced", None),
        ("queued", "accepted", "not-taken-here"), ("cancelled", "accepted", "ended-here"), ("failed", "cancelled", None),
        ("cancelled", "sent", "other-state"), ("produced", "sent", "other-state"), ("sent", "produced", "other-state"),
    ],
)  # fmt: skip
def test_how_two_beliefs_differ(here: Any, there: Any, expected: str | None) -> None:
    from issuance.orders.domain.order_states import OrderState

    found = difference(OrderState(here) if here else None, OrderState(there) if there else None)
    assert found == (Difference(expected) if expected else None)


def test_a_delivery_of_the_outbox_holds_no_personal_data() -> None:
    """Its columns are ids, times, counts and codes: what is sent is read for each call."""
    names = {field.name for field in PushDelivery._meta.concrete_fields}
    assert names == {
        "id", "supplier_ref", "order", "change", "state", "attempts", "next_at", "queued_at", "settled_at", "reason",
    }  # fmt: skip
