"""Issued documents reach the buyers once, whatever the access point does; only the receiver's verdict ends it."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from billing.delivery.adapters.folder import FolderAccessPoint
from billing.delivery.models import Delivery, DeliveryAttempt, DeliveryState
from billing.delivery.ports import AccessPoint
from billing.delivery.services import measures, outbox, sending
from billing.invoices.models import FileFormat, Invoice, InvoiceFile
from billing.records.models import Event
from billing.runs.models import InvoiceRun
from billing.runs.services import issuing
from billing.service import run_month
from billing.tasks import deliver
from issuance.authz import Role
from siths_portal.lib import clock, ports
from siths_portal.lib.database import leases
from tests.billing.delivery.conftest import Point
from tests.billing.facts import Facts
from tests.billing.page_world import PageWorld
from tests.billing.world import APRIL, IN_MAY
from tests.faults.tally import Tally

pytestmark = pytest.mark.django_db(transaction=True)


def later(minutes: float) -> Any:
    return clock.moved_to(IN_MAY + dt.timedelta(minutes=minutes))


def states() -> set[str]:
    return set(Delivery.objects.values_list("state", flat=True))


def ubl(invoice: Invoice) -> bytes:
    return InvoiceFile.objects.get(invoice=invoice, file_format=FileFormat.PEPPOL).document.read()


def count(tally: Tally, issued: list[Invoice], point: Point) -> None:
    """Compares the issued invoices with what the access point keeps."""
    there = [point.kept(path.stem)["number"] for path in point.folder.glob("*.xml")]
    tally.run([invoice.number for invoice in issued], there, "invoices at the access point")


def test_the_receiver_gets_the_stored_bytes_and_answers(issued: list[Invoice], point: Point) -> None:
    assert sending.send_due() == 2
    assert states() == {"delivered"}
    for invoice in issued:
        kept = point.kept(invoice.delivery.message_id)
        assert kept["document"] == ubl(invoice)
        assert kept["receiver"] == {"scheme": invoice.buyer["endpoint_scheme"], "id": invoice.buyer["endpoint_id"]}
        assert kept["sender"] == {"scheme": "0007", "id": invoice.seller["organisation_number"]}
        assert (kept["number"], kept["document_type"]) == (invoice.number, "380")
        event = Event.objects.get(action="invoice.delivered", subject_ref=str(invoice.pk))
        assert event.facts["number"] == invoice.number
    assert sending.send_due() == 0, "nothing more is due"


def test_the_outbox_row_comes_with_the_number(small_sketches: Any, point: Point, monkeypatch: pytest.MonkeyPatch) -> None:
    run_month(APRIL, actor_ref="user:test")
    monkeypatch.setattr(outbox, "clock", None)  # the transaction fails after the numbers are given
    with pytest.raises(AttributeError):
        issuing.issue(InvoiceRun.objects.get(), actor_ref="user:test")
    assert not Invoice.objects.exclude(number=None).exists()
    monkeypatch.undo()
    issuing.issue(InvoiceRun.objects.get(), actor_ref="user:test")
    assert Delivery.objects.filter(state="waiting").count() == 2
    assert sending.send_due() == 0, "there is no file yet"


def test_a_day_without_the_access_point_loses_nothing(issued: list[Invoice], point: Point, tally: Tally) -> None:
    point.behave(down=True)
    deliver()
    assert states() == {"waiting"}
    with later(1):
        assert sending.send_due() == 0, "not due yet"
    with later(24 * 60 + 1):
        deliver()
        waited = measures._WAITING._value.get()
        assert waited > 86400, "the alarm's metric"
    assert DeliveryAttempt.objects.filter(outcome="unavailable").count() == 4
    point.behave()
    with later(26 * 60):
        deliver()
        assert measures._WAITING._value.get() == 0
    assert (states(), point.count()) == ({"delivered"}, 2)
    count(tally, issued, point)


def test_a_clock_that_was_ahead_delays_nothing_and_hides_nothing(issued: list[Invoice], point: Point, tally: Tally) -> None:
    point.behave(down=True)
    with later(-60 * 24 * 60):  # the invoices were issued two months ahead of this clock
        deliver()
        assert measures._WAITING._value.get() > 86400, "the alarm's metric"
        assert DeliveryAttempt.objects.count() == 2
        point.behave()
    with later(-60 * 24 * 60 + 5):
        deliver()
    assert (states(), point.count()) == ({"delivered"}, 2)
    count(tally, issued, point)


def test_waits_grow_to_an_hour() -> None:
    waits = [leases.wait_after(attempts).total_seconds() for attempts in (1, 2, 5, 6, 50)]
    assert waits == [120, 240, 1920, 3600, 3600]


def test_an_answer_lost_after_storing_sends_the_same_again(issued: list[Invoice], point: Point, tally: Tally) -> None:
    point.behave(fail_after_storing=True)
    sending.send_due()
    assert (states(), point.count()) == ({"waiting"}, 2)
    point.behave()
    with later(5):
        sending.send_due()
    assert (states(), point.count()) == ({"delivered"}, 2)
    assert point.kept(issued[0].delivery.message_id)["puts"] == 2
    count(tally, issued, point)


def test_a_worker_killed_after_the_call_sends_the_same_again(
    issued: list[Invoice], facts: Facts, point: Point, tmp_path: Path, tally: Tally
) -> None:
    (tmp_path / "billing.deliver").touch()
    environment = os.environ | {
        "SITHS_FAULT_DIR": str(tmp_path),
        "ACCESS_POINT_BACKEND": "billing.delivery.adapters.rest.RestAccessPoint",
        "ACCESS_POINT_URL": point.url,
    }
    command = [sys.executable, "-m", "tests.billing.worker", "deliver", str(facts.save(tmp_path / "facts"))]
    assert subprocess.run(command, cwd=settings.BASE_DIR, env=environment, check=False).returncode == -signal.SIGKILL
    assert (states(), point.count()) == ({"waiting"}, 1)
    with later(1):
        assert sending.send_due() == 1, "the other one; the first is leased"
    with later(11):
        assert sending.send_due() == 1
    assert (states(), point.count()) == ({"delivered"}, 2)
    count(tally, issued, point)


def test_a_lost_document_and_an_answer_about_other_bytes_are_handed_over_again(issued: list[Invoice], point: Point) -> None:
    point.behave(other_digest=True)
    sending.send_due()
    assert states() == {"waiting"}, "what it says of other bytes is no verdict"
    for file in point.folder.glob("*-*"):
        file.unlink()
    point.behave()
    with later(2):
        sending.send_due()
    assert (states(), point.count()) == ({"delivered"}, 2)


def test_a_late_verdict_is_asked_for(issued: list[Invoice], point: Point) -> None:
    Delivery.objects.update(state="submitted")
    sending.send_due()
    assert states() == {"waiting"}, "the access point has none of them"
    with later(2):
        sending.send_due()
    assert states() == {"delivered"}


def test_refusals_and_rejections_are_told(issued: list[Invoice], point: Point, page_world: PageWorld) -> None:
    point.behave(refuse="mottagaren är okänd")
    deliver()
    assert (states(), measures._REFUSED._value.get()) == ({"stopped"}, 2)
    finance = page_world.client(Role.FINANCE_ADMIN)
    assert "2 fakturor kommer inte fram" in finance.get("/dagen/").content.decode()
    assert "2 fakturor kommer inte fram" in finance.get("/fakturor/leveranser/").content.decode()
    point.behave(reject="fel referens")
    with later(6 * 60 + 1):
        deliver()
    assert states() == {"rejected"}
    page = finance.get(f"/fakturor/leveranser/{issued[0].number}/").content.decode()
    assert "fel referens" in page
    assert "Skicka fakturan igen" not in page, "the verdict is final"
    for statement in (
        "UPDATE billing_delivery SET state = 'waiting', settled_at = NULL, next_at = now()",
        "DELETE FROM billing_deliveryattempt",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_finance_sends_again_or_notes_another_way(issued: list[Invoice], point: Point, page_world: PageWorld) -> None:
    point.behave(refuse="okänd")
    sending.send_due()
    finance = page_world.client(Role.FINANCE_ADMIN)
    first, second = (f"/fakturor/leveranser/{invoice.number}/" for invoice in issued)
    point.behave()
    assert finance.post(first, {"skicka": "1"}).status_code == 302
    assert sending.send_due() == 1
    assert finance.post(second, {"reason": ""}).status_code == 422
    assert finance.post(second, {"reason": "Mejlad till kunden"}).status_code == 302
    assert states() == {"delivered", "outside"}
    assert finance.post(first, {"skicka": "1"}).status_code == 409
    assert Event.objects.get(action="invoice.sent_outside").facts["reason"] == "Mejlad till kunden"
    for role in (Role.CUSTOMER_FINANCE, Role.GLOBAL_READER):
        assert page_world.client(role).get("/fakturor/leveranser/").status_code == 403


def test_a_folder_is_an_access_point_too(issued: list[Invoice], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings, "ACCESS_POINT_FOLDER", str(tmp_path))
    before = ports.get(AccessPoint)
    ports.connect(AccessPoint, FolderAccessPoint())
    try:
        sending.send_due()
        assert states() == {"submitted"}
        first, second = issued
        name = f"{first.delivery.message_id}"
        assert (tmp_path / "out" / f"{name}.xml").read_bytes() == ubl(first)
        head = json.loads((tmp_path / "out" / f"{name}.json").read_text())
        answers = tmp_path / "answers"
        (answers / f"{name}.json").write_text(json.dumps({"status": "delivered", "sha256": head["sha256"]}))
        (answers / f"{second.delivery.message_id}.json").write_text("{")
        with later(5):
            sending.send_due()
    finally:
        ports.connect(AccessPoint, before)
    assert Delivery.objects.get(invoice=first).state == DeliveryState.DELIVERED
    assert Delivery.objects.get(invoice=second).state == DeliveryState.SUBMITTED
