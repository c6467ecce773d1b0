"""F03: PostgreSQL restarts during an invoice run. The worker ends with an error, and the repeated run makes each invoice once."""

import contextlib
import os
from pathlib import Path

import psycopg2
import pytest
from django.db import connection

from billing.invoices.models import Invoice, LineEvent
from billing.ledger.models import LedgerEntry
from billing.service import run_month
from tests.billing.invoices.test_issuing import FEW, ME, everything_is_there_once, few
from tests.billing.world import APRIL
from tests.faults.tally import Tally
from tests.forking import working
from tests.pki.ocsp import outages
from tests.waiting import sessions_waiting, wait_for

__all__ = ["few"]

pytestmark = pytest.mark.django_db(transaction=True)
TABLES = ("billing_ledgerentry", "billing_invoice", "billing_counter", "billing_invoicefile")
STOPPED = TABLES if os.environ.get("SITHS_LONG") else TABLES[1:2]
"""The table at whose first write the run stands still when the server goes: one for each step of a run."""


def run() -> None:
    run_month(APRIL, actor_ref=ME, issue=True)


@pytest.mark.parametrize("table", STOPPED)
def test_a_database_that_restarts_during_a_run_costs_a_repeat_and_nothing_else(few: Path, table: str, tally: Tally) -> None:
    options = connection.settings_dict
    holder = psycopg2.connect(dbname=options["NAME"], user="postgres", host=options["OPTIONS"]["host"])
    holder.cursor().execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
    with contextlib.closing(holder), working(run) as worker:
        wait_for(lambda: sessions_waiting() > 0, "the run at the table")
        with outages.database_stopped():
            pass
        worker.join(120)
        assert worker.exitcode == 1, "the run ended with an error"
    run()
    everything_is_there_once(FEW)
    tally.run(range(1, FEW + 1), Invoice.objects.values_list("sequence", flat=True), "invoice numbers")
    tally.run(
        LedgerEntry.objects.values_list("pk", flat=True), LineEvent.objects.values_list("entry_id", flat=True), "ledger entries"
    )
