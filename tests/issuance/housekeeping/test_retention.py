"""Disposal: each table has one rule, nobody may delete what is kept, and what has had its time goes with a row in the log."""

import datetime as dt
import io
import uuid
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from authn.models import LastLogIn
from issuance.models import Event, OrderDraft, Search
from siths_portal.celery import SCHEDULE
from siths_portal.lib import clock
from siths_portal.ops import retention
from siths_portal.ops.retention_rules import _RULES, DISPOSALS, JOB, RULES, Outcome
from siths_portal.wiring import privileges
from tests.database_roles import acting_as

LONG_AGO = dt.timedelta(days=1200)


def test_every_model_of_the_database_has_one_rule() -> None:
    assert set(RULES) == {model._meta.label for model in apps.get_models()}
    assert sum(len(models.split()) for _rule, _app, models in _RULES) == len(RULES)
    assert all(rule.period and rule.source for rule in RULES.values())


def test_what_is_deleted_has_a_period_and_a_task() -> None:
    deleted = {label for label, rule in RULES.items() if rule.outcome is Outcome.DELETED}
    assert deleted - set(DISPOSALS) == {"issuance.PreparedReceipt"}, "which goes with its transaction"
    assert set(DISPOSALS) - deleted == {"billing.PaymentFile"}, "of which only what was not booked goes"
    assert {each.task for each in DISPOSALS.values()} <= set(SCHEDULE)


def test_no_process_may_delete_what_is_kept_and_each_task_may_delete_what_it_must(db: None) -> None:
    declared = privileges.declared(privileges.tables())
    table = {label: apps.get_model(label)._meta.db_table for label in RULES}
    kept = [name for name, rule in RULES.items() if rule.outcome in (Outcome.KEPT, Outcome.EMPTIED) and not rule.drafts]
    assert [name for name in kept for role in privileges.READ if "DELETE" in declared[table[name], role]] == []
    roles = {name: privileges.PKI if SCHEDULE[each.task][2] == "pki" else privileges.WORKER for name, each in DISPOSALS.items()}
    assert [name for name, role in roles.items() if "DELETE" not in declared[table[name], role]] == []


@pytest.fixture
def old(world: Any) -> list[Any]:
    """Old rows that nobody needs, and younger ones: a log-in and a draft of each."""
    person, other, now = world.post().person, world.post().person, clock.now()
    for number, at in enumerate((now - LONG_AGO, now)):
        LastLogIn.objects.create(subject_ref=f"person:{number}", hsa_id="TST2321000131-1001", at=at)
    return [
        OrderDraft.objects.create(person=who, owner_ref="user:x", created_at=at, updated_at=at)
        for who, at in ((person, now - LONG_AGO), (other, now - dt.timedelta(days=365)))
    ]


@pytest.mark.django_db(transaction=True)
def test_the_worker_deletes_what_has_had_its_time_once_a_day_and_logs_it(old: list[OrderDraft]) -> None:
    with acting_as("worker"):
        found = {each.table: each.deleted for each in retention.run_due() if each.deleted}
        assert found == {"authn_lastlogin": 1, "issuance_orderdraft": 1}
        assert retention.run_due() == []
    assert OrderDraft.objects.get().pk == old[1].pk
    assert LastLogIn.objects.get().subject_ref == "person:1"
    logged = {event.subject_ref: event for event in Event.objects.filter(action="retention.disposed")}
    assert {table: event.facts["rows"] for table, event in logged.items()} == found
    assert Event.objects.get(action="retention.reviewed").facts == {"deleted": found, "late": {}}
    assert SCHEDULE[JOB][2] == "default"


def test_a_dry_run_counts_and_a_late_task_is_named(old: list[OrderDraft]) -> None:
    at = clock.now() - dt.timedelta(days=3, hours=1)
    Search.objects.create(owner_ref="user:x", session_id=uuid.uuid4(), kind="name", value="x", hits=0, created_at=at)
    out = io.StringIO()
    with pytest.raises(CommandError, match="försenad: issuance_search") as refused:
        call_command("ops_retention", "--dry-run", stdout=out)
    assert refused.value.returncode == 1
    assert "issuance_orderdraft: skulle gallra 1 rader" in out.getvalue()
    assert "issuance_search: 1 rader är försenade (issuance.forget_searches)" in out.getvalue()
    assert (OrderDraft.objects.count(), Event.objects.filter(action__startswith="retention").count()) == (2, 0)
