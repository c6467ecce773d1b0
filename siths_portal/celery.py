"""Celery application and its static schedule.

Queues: `default`, `pki` for everything that needs the token, `suppliers` for everything that needs the client key for suppliers.
"""

import os
import sys
from typing import Any

from celery import Celery, signals

from siths_portal.lib.monitoring import logging as portal_logging
from siths_portal.lib.monitoring import task_metrics

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
# Celery would run Django's checks, which load every page of the portal, and ignore their result. `refuse_unsafe` runs the checks
# that must stop a worker.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("siths_portal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Name of the entry: task, seconds between runs, queue. Every task is a sweeper: it may run twice or be missed. A test allows
# at most an hour: each start of beat restarts the period, so a longer one might never end. A daily task looks each hour.
SCHEDULE: dict[str, tuple[str, float, str]] = {
    "audit.seal": ("audit.seal", 5, "default"),
    "audit.mac": ("audit.mac", 5, "pki"),
    # The task has its own period; it runs every minute so that a missed run delays it by a minute only.
    "audit.head": ("audit.head", 60, "pki"),
    "audit.verify": ("audit.verify", 3600, "pki"),  # once a day; looking often makes a missed run cost an hour
    "ops.retention": ("ops.retention", 3600, "default"),  # once a day
    "pki.settle": ("pki.settle", 3, "pki"),
    "pki.presign_due": ("pki.presign_due", 2, "pki"),
    "pki.sign_unknown": ("pki.sign_unknown", 5, "pki"),
    "pki.keep_whole": ("pki.keep_whole", 5, "default"),
    "pki.revoke_compromised": ("pki.revoke_compromised", 3600, "default"),
    # Each run works for a minute at most; all keys of a day are compared within some.
    "pki.compare_moduli": ("pki.compare_moduli", 300, "default"),
    "pki.lint_sample": ("pki.lint_sample", 3600, "default"),
    "pki.open_secrets": ("pki.open_secrets", 10, "pki"),
    "pki.deliver_secrets": ("pki.deliver_secrets", 2, "pki"),
    "pki.release_holds": ("pki.release_holds", 2, "pki"),
    "pki.release_overdue_holds": ("pki.release_overdue_holds", 300, "pki"),
    "pki.renew_responders": ("pki.renew_responders", 3600, "pki"),
    "pki.rotate_keks": ("pki.rotate_keks", 3600, "pki"),
    "pki.hsm.inventory": ("pki.hsm.inventory", 3600, "pki"),  # once a day; looking often makes a missed run cost an hour
    # Once a day; a run works for a minute at most, and 4.8 million certificates take some.
    "pki.reconcile_cards": ("pki.reconcile_cards", 300, "pki"),
    "pki.mass_revoke_due": ("pki.mass_revoke_due", 15, "pki"),
    # CRLs have their own period, and follow a revocation after half a minute.
    "pki.publish_due_crls": ("pki.publish_due_crls", 10, "pki"),
    "pki.sign_import_reports": ("pki.sign_import_reports", 3600, "pki"),
    "pki.measure_status": ("pki.measure_status", 15, "pki"),
    "pki.measure_health": ("pki.measure_health", 300, "pki"),
    "pki.expire_approvals": ("pki.expire_approvals", 3600, "default"),
    "issuance.replay_reports": ("issuance.replay_reports", 60, "default"),
    "issuance.add_remade_items": ("issuance.add_remade_items", 30, "default"),
    "issuance.push_due": ("issuance.push_due", 10, "suppliers"),
    "issuance.end_transactions": ("issuance.end_transactions", 60, "default"),
    "issuance.forget_searches": ("issuance.forget_searches", 3600, "default"),
    "issuance.housekeeping": ("issuance.housekeeping", 3600, "default"),
    # Each holder once a night; a run works for a minute at most.
    "issuance.read_role_holders": ("issuance.read_role_holders", 300, "default"),
    # Once a night, from REGISTER_CARE_HOUR; a run works for a minute at most.
    "issuance.register_care": ("issuance.register_care", 300, "default"),
    "issuance.count_outcome": ("issuance.count_outcome", 3600, "default"),  # once a night
    "issuance.measure_stock": ("issuance.measure_stock", 300, "default"),
    # Once a year; a run works for a minute at most, and a million receipts take some days.
    "issuance.validate_receipts": ("issuance.validate_receipts", 300, "default"),
    "issuance.remind": ("issuance.remind", 60, "default"),
    "billing.collect": ("billing.collect", 300, "default"),
    # The month is due on the second at 06:00; looking often makes a missed run cost minutes.
    "billing.open_month": ("billing.open_month", 300, "default"),
    "billing.continue_runs": ("billing.continue_runs", 60, "default"),
    "billing.forget_files": ("billing.forget_files", 3600, "default"),
    "billing.deliver": ("billing.deliver", 60, "default"),
    "billing.render_credit_notes": ("billing.render_credit_notes", 30, "default"),
    "authn.prune_idempotency": ("authn.prune_idempotency", 3600, "default"),
    "authn.end_sessions": ("authn.end_sessions", 60, "default"),
    "authn.prune_log_ins": ("authn.prune_log_ins", 3600, "default"),
}

# No schedule file: one that a kill or a full disk damaged would stop the scheduler. So all periods restart at each start.
app.conf.beat_scheduler = "celery.beat:Scheduler"
app.conf.beat_schedule = {
    entry: {"task": task, "schedule": seconds, "options": {"queue": queue, "expires": seconds}}
    for entry, (task, seconds, queue) in SCHEDULE.items()
}


def keep_logging(**_facts: Any) -> None:
    """Prevents Celery from configuring its own logging in addition to `lib.monitoring.logging`."""


def bind_task(task_id: str, task: Any, **_facts: Any) -> None:
    """Adds the task to each log line that it writes, and notes that its queue is worked on."""
    portal_logging.begin_task(task.name, task_id)
    task_metrics.begun((task.request.delivery_info or {}).get("routing_key") or "default")


def count_failure(sender: Any, **_facts: Any) -> None:
    """Counts a task that raised an error. Its own log line has the error."""
    task_metrics.failed(sender.name)


def release_task(**_facts: Any) -> None:
    """Removes the task from log lines."""
    portal_logging.end_task()


def refuse_unsafe(**_facts: Any) -> None:
    """Stops a worker or the scheduler with unsafe settings, before it accepts work."""
    from siths_portal.lib import checks, ports

    checks.stop_if_unsafe()
    ports.wire()


def wait_for_custodians(**_facts: Any) -> None:
    """Holds the `pki` worker back until it has the token's PIN (rules/pki 7.3): before it takes work from its queue."""
    import structlog  # earlier than the log module it would load rich
    from django.conf import settings

    if settings.PKI_START_BY_TWO and "pki" in app.amqp.queues.consume_from:
        from pki.health import starting  # loads the token library, which other workers must not

        try:
            starting.wait_for_custodians()
        except Exception as error:  # noqa: BLE001  (whatever it is)
            # Celery logs the error of a signal and goes on: the worker would start without a PIN.
            structlog.get_logger(__name__).critical("custodians.not_started", fault=type(error).__name__, text=str(error))
            sys.exit(1)


def look_at_the_clock(**_facts: Any) -> None:
    """Logs a clock that has gone back or is ahead, before the worker accepts work."""
    from pki.authorities import clock_guard

    clock_guard.tell()


def answer_for_health(**_facts: Any) -> None:
    """Serves /healthz/live and /healthz/ready at WORKER_HEALTH_BIND, if it is set: in the `pki` worker."""
    from django.conf import settings

    if settings.WORKER_HEALTH_BIND:
        from pki.health import readiness  # loads the token library, which other workers must not
        from siths_portal.lib.monitoring import health_server

        health_server.start(settings.WORKER_HEALTH_BIND, readiness.CHECKS)


def sign_while_they_wait(sender: Any, **_facts: Any) -> None:
    """Starts the live OCSP signer in the worker that has the token and uses threads.

    A worker that uses processes forks, and its parent must not use the token.
    """
    from pki.custodians import held

    threads = type(sender.pool).__module__ == "celery.concurrency.thread"
    if threads and "pki" in app.amqp.queues.consume_from and held.has_pin():
        from pki.ocsp import live as ocsp_live  # loads the token library, which other workers must not

        ocsp_live.start()


signals.setup_logging.connect(keep_logging)
signals.celeryd_init.connect(refuse_unsafe)
signals.beat_init.connect(refuse_unsafe)
signals.worker_init.connect(wait_for_custodians)
signals.worker_ready.connect(look_at_the_clock)
signals.worker_ready.connect(answer_for_health)
signals.worker_ready.connect(sign_while_they_wait)
signals.task_prerun.connect(bind_task)
signals.task_postrun.connect(release_task)
signals.task_failure.connect(count_failure)
