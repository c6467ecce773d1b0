"""Dual control: distinct persons, never the requester, one document, one use."""

import datetime as dt
import threading
import uuid

import pytest
from django.db import DatabaseError, connection, transaction

from pki.approvals import dual_control
from pki.models import Approval, ApprovalAction, ApprovalRequest, ApprovalState, Decision, Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound

DOCUMENT = {"certificates": 3, "reason": "keyCompromise"}
pytestmark = pytest.mark.django_db(transaction=True)


def ask(action=ApprovalAction.MASS_REVOCATION):
    return dual_control.request(action=action, summary="Spärra tre", document=DOCUMENT, requester_ref="user:1")


def approve(row, who, **changes):
    values = {"decision": Decision.APPROVED, "document_sha256": row.document_sha256} | changes
    return dual_control.decide(request_id=row.id, approver_ref=who, **values)


def use(row, document=DOCUMENT, action=ApprovalAction.MASS_REVOCATION):
    return dual_control.use(request_id=row.id, action=action, document=document, actor_ref="user:1")


def test_two_others_approve_and_the_act_is_done_once():
    row = ask()
    assert approve(row, "user:2").state == ApprovalState.OPEN
    with pytest.raises(Conflict):
        use(row)
    assert approve(row, "user:3").state == ApprovalState.APPROVED
    assert dual_control.approver_refs(row) == ["user:2", "user:3"]
    assert use(row).state == ApprovalState.USED
    with pytest.raises(Conflict):
        use(row)
    assert list(Event.objects.order_by("id").values_list("action", "actor_ref")) == [
        ("approval.requested", "user:1"),
        ("approval.approved", "user:2"),
        ("approval.approved", "user:3"),
        ("approval.used", "user:1"),
    ]


def test_the_requester_is_no_approver():
    row = ask()
    with pytest.raises(Forbidden):
        approve(row, "user:1")
    assert not Approval.objects.exists()


def test_nobody_approves_twice():
    row = ask()
    approve(row, "user:2")
    with pytest.raises(Conflict):
        approve(row, "user:2")
    row.refresh_from_db()
    assert row.state == ApprovalState.OPEN


def test_an_approval_is_of_what_was_seen():
    row = ask()
    with pytest.raises(Conflict):
        approve(row, "user:2", document_sha256="0" * 64)
    approve(row, "user:2")
    approve(row, "user:3")
    with pytest.raises(Conflict):
        use(row, DOCUMENT | {"certificates": 4})
    with pytest.raises(Conflict):
        use(row, action=ApprovalAction.CEREMONY)
    assert use(row).state == ApprovalState.USED


def test_one_rejection_ends_it_and_tells_why():
    row = ask()
    with pytest.raises(Invalid):
        approve(row, "user:2", decision=Decision.REJECTED)
    assert approve(row, "user:2", decision=Decision.REJECTED, justification="Fel urval").state == ApprovalState.REJECTED
    with pytest.raises(Conflict):
        approve(row, "user:3")


def test_only_the_requester_withdraws_and_not_after_the_end():
    row = ask()
    with pytest.raises(Forbidden):
        dual_control.withdraw(request_id=row.id, requester_ref="user:2")
    dual_control.withdraw(request_id=row.id, requester_ref="user:1")
    with pytest.raises(Conflict):
        dual_control.withdraw(request_id=row.id, requester_ref="user:1")
    with pytest.raises(Conflict):
        approve(row, "user:2")


def test_what_is_too_old_is_neither_approved_nor_used(monkeypatch):
    waiting, approved = ask(), ask(ApprovalAction.CA_STATE)
    approve(approved, "user:2")
    later = clock.now() + dual_control.LIFETIME + dt.timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(Conflict):
        approve(waiting, "user:2")
    with pytest.raises(Conflict):
        use(approved, action=ApprovalAction.CA_STATE)
    assert (dual_control.expire(), dual_control.expire()) == (2, 0)
    assert set(ApprovalRequest.objects.values_list("state", flat=True)) == {"expired"}


def test_an_unknown_request():
    with pytest.raises(NotFound):
        dual_control.decide(request_id=uuid.uuid4(), approver_ref="user:2", decision=Decision.APPROVED, document_sha256="")


def test_of_two_uses_at_once_one_wins():
    row = ask(ApprovalAction.CA_STATE)
    approve(row, "user:2")
    barrier, outcomes = threading.Barrier(2), []

    def one():
        try:
            barrier.wait()
            outcomes.append(use(row, action=ApprovalAction.CA_STATE).state)
        except Conflict as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["approval-missing", "used"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE pki_approvalrequest SET document = '{}'",
        "UPDATE pki_approvalrequest SET required = 1",
        "DELETE FROM pki_approvalrequest",
        "UPDATE pki_approval SET approver_ref = 'user:9'",
        "DELETE FROM pki_approval",
    ],
)
def test_the_database_keeps_what_was_asked_and_decided(statement):
    approve(ask(), "user:2")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
