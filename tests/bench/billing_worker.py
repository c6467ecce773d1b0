"""One process of the billing benchmark: takes commands as lines of JSON and answers how long each phase took.

The steps are those of billing's tasks. Stop-watches are put around the official rules, the e-invoice and the PDF here, so the
product carries none. `cpu` is the processor time of the process and its children. `memory` tells the largest resident set of the
process and of the children that it ended, in MiB.
"""

import contextlib
import datetime as dt
import functools
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "siths_portal.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models import Count  # noqa: E402

from billing.customers.services.demo import load_demo_prices  # noqa: E402
from billing.documents import pdf, ubl  # noqa: E402
from billing.documents.domain.invoices import InvoiceContent  # noqa: E402
from billing.documents.official import validator  # noqa: E402
from billing.invoices.models import FileFormat, Invoice, InvoiceLine  # noqa: E402
from billing.invoices.services import drafts, frozen, rendering  # noqa: E402
from billing.ledger.models import SubscriptionSnapshot  # noqa: E402
from billing.ledger.services import ledger  # noqa: E402
from billing.reconciliation.services.reconcile import reconcile  # noqa: E402
from billing.records.domain.periods import Month  # noqa: E402
from billing.runs.models import InvoiceRun, RunItem, RunState  # noqa: E402
from billing.runs.services import drafting, issuing, runs  # noqa: E402
from siths_portal.lib import clock, ports  # noqa: E402
from siths_portal.lib.processes import jobs  # noqa: E402
from siths_portal.wiring import chains  # noqa: E402
from tests.bench.billing_country import Country  # noqa: E402
from tests.bench.crl_worker import peak  # noqa: E402
from tests.billing.documents import samples  # noqa: E402

ACTOR = "system:bench"
SPENT = {"gate": 0.0, "ubl": 0.0, "pdf": 0.0}
_LONG = 3600.0


def timed[**P, T](where: str, function: Callable[P, T]) -> Callable[P, T]:
    @functools.wraps(function)
    def wrapped(*arguments: P.args, **named: P.kwargs) -> T:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            SPENT[where] += time.perf_counter() - started

    return wrapped


def cpu() -> float:
    """Seconds of processor time of this process, and of its children, which take part in each step."""
    ended, ticks = os.times(), 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                ticks += int(fields[11]) + int(fields[12])
    return sum(ended[:4]) + ticks / os.sysconf("SC_CLK_TCK")


def watch() -> None:
    """Puts the stop-watches in place. Nobody is woken: the benchmark starts each step itself."""
    settings.DEBUG = False
    jobs._wake = lambda *_arguments: None
    validator.findings = timed("gate", validator.findings)
    rendering._ubl = timed("ubl", rendering._ubl)
    pdf.PdfRenderer.render = timed("pdf", pdf.PdfRenderer.render)  # type: ignore[method-assign]


@contextlib.contextmanager
def after(month: Month) -> Iterator[None]:
    """The clock in the morning of the second day after the month."""
    with clock.moved_to(month.end + dt.timedelta(days=1, hours=6)):
        yield


class Worker:
    """What the parent may ask for. `month` is YYYY-MM."""

    def load(self, persons: int, month: str) -> dict[str, Any]:
        """Makes the country, its customers and prices, as they are before the month."""
        country, first = Country(persons), Month.parse(month)
        country.register_articles()
        with clock.moved_to(first.start - dt.timedelta(days=30)), transaction.atomic():
            country.insert(first.start - dt.timedelta(days=90))
        with clock.moved_to(first.start - dt.timedelta(days=30)):
            load_demo_prices()
        return {"payers": country.payers, "offices": country.offices[-1].stop}

    def send(self, persons: int, month: str, number: int) -> dict[str, Any]:
        """Makes the cards that are sent in the month, which is the one with this number, from 0."""
        sent_in = Month.parse(month)
        with transaction.atomic():
            Country(persons).insert_sent(number, sent_in.start, (sent_in.end - sent_in.start).days)
        return {}

    def collect(self, month: str) -> dict[str, Any]:
        """Pulls the sent cards into the ledger."""
        with after(Month.parse(month)):
            return {"entries": ledger.collect()}

    def open(self, month: str) -> dict[str, Any]:
        """Counts the subscriptions and adds an item for each customer."""
        with after(Month.parse(month)), transaction.atomic(durable=True):
            run = runs.open_run(Month.parse(month), actor_ref=ACTOR)
        return {"customers": run.items.count()}

    def draft(self, month: str) -> dict[str, Any]:
        """Drafts what this process gets of the pending customers."""
        with after(Month.parse(month)):
            return {"drafted": drafting.draft_items(_run(month), actor_ref=ACTOR, seconds=_LONG)}

    def issue(self, month: str) -> dict[str, Any]:
        """Numbers the drafts."""
        with after(Month.parse(month)):
            return {"issued": issuing.issue(_run(month), actor_ref=ACTOR)}

    def render(self, month: str) -> dict[str, Any]:
        """Makes what this process gets of the files."""
        with after(Month.parse(month)):
            period = Month.parse(month).first_day
            return {"made": rendering.render_some(period=period, actor_ref=ACTOR, seconds=_LONG)}

    def seal(self) -> dict[str, Any]:
        """Seals all events, as a job does every few seconds."""
        return {"sealed": chains.seal_all()}

    def reconcile(self, month: str) -> dict[str, Any]:
        """Computes the thirteen differences."""
        with after(Month.parse(month)):
            return {"wrong": [f"{each.number} {each.named}" for each in reconcile(Month.parse(month)) if not each.ok]}

    def size(self, month: str) -> dict[str, Any]:
        """How many invoices and lines the month has, and the most lines of an invoice."""
        lines = InvoiceLine.objects.filter(invoice__run=_run(month))
        counts = list(lines.values_list("invoice").annotate(n=Count("pk")).values_list("n", flat=True).order_by())
        return {"invoices": len(counts), "lines": sum(counts), "longest": max(counts)}

    def fill(self, month: str, months: int) -> dict[str, Any]:
        """Copies the month to so many months before it: ledger, counts, invoices with numbers, and their files."""
        of = Month.parse(month)
        with clock.moved_to(of.end + dt.timedelta(days=2, hours=6)):
            earlier = of
            for _ in range(months):
                earlier = earlier.previous()
                _copy(of, earlier)
        return {}

    def long_invoice(self, lines: int) -> dict[str, Any]:
        """Validates and renders an invoice of so many lines."""
        row = samples.line(1, "631, Kontor 1", "3.00", "75")
        numbered = samples.invoice(
            *(
                replace(row, position=number, text=f"631, Kontor {number}", description="Liggande kort", grouping_key=str(number))
                for number in range(1, lines + 1)
            )
        )
        xml = ubl.build(numbered)
        assert validator.findings(xml) == []
        with pdf.PdfRenderer() as renderer:
            return {"size": len(renderer.render(numbered, xml)), "xml": len(xml)}

    def memory(self) -> dict[str, Any]:
        """Ends the children, so that the kernel knows their peaks."""
        validator._shared.close()
        return {"own": peak(), "child": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024}


def _run(month: str) -> InvoiceRun:
    return InvoiceRun.objects.get(period=Month.parse(month).first_day)


# --- earlier months ---------------------------------------------------------------------------------------------------

_ENTRIES = """
INSERT INTO billing_ledgerentry (source_key, kind, party_id, organisation_id, office_id, article_code, quantity, priced_on,
  occurred_at, period, recorded_at, price_item_id, reason, unit_price, vat_rate, grouping_key)
SELECT source_key || ':' || %(code)s, kind, party_id, organisation_id, office_id, article_code, quantity, %(day)s, %(at)s,
  %(day)s, recorded_at, price_item_id, reason, unit_price, vat_rate, replace(grouping_key, '|' || %(of)s, '|' || %(code)s)
FROM billing_ledgerentry WHERE period = %(period)s
"""
_LINKS = """
INSERT INTO billing_lineevent (entry_id, generation, line_id)
SELECT e.id, 1, l.id FROM billing_invoice i JOIN billing_invoiceline l ON l.invoice_id = i.id
JOIN billing_ledgerentry e ON e.party_id = i.party_id AND e.period = i.period AND e.grouping_key = l.grouping_key
WHERE i.run_id = %(run)s
"""


def _copy(of: Month, to: Month) -> None:
    source = InvoiceRun.objects.get(period=of.first_day)
    values = {"code": to.code(), "of": of.code(), "day": to.first_day, "at": to.start, "period": of.first_day}
    with transaction.atomic():
        run = InvoiceRun.objects.create(
            period=to.first_day, state=RunState.REVIEW, opened_at=clock.now(), snapshot_at=clock.now(), program_version="bench"
        )
        with connection.cursor() as cursor:
            cursor.execute(_ENTRIES, values)
        counts = [_count_of(row, to) for row in SubscriptionSnapshot.objects.filter(period=of.first_day)]
        SubscriptionSnapshot.objects.bulk_create(counts)
        items = [RunItem(run=run, party_id=item.party_id, state="drafted", cutoff=item.cutoff) for item in source.items.all()]
        RunItem.objects.bulk_create(items)
        for invoice in Invoice.objects.filter(run=source).select_related("customer").prefetch_related("lines"):
            drafts.store(_moved(frozen.content_of(invoice), of, to), invoice.customer, run_id=run.pk)
        with connection.cursor() as cursor:
            cursor.execute(_LINKS, {"run": run.pk})
    issuing.issue(run, actor_ref=ACTOR)
    InvoiceRun.objects.filter(pk=run.pk).update(state=RunState.ISSUED)
    papers = {invoice.party_id: rendering.stored(invoice, FileFormat.PDF) for invoice in Invoice.objects.filter(run=source)}
    for invoice in Invoice.objects.filter(run=run).prefetch_related("lines"):
        rendering._store(invoice, FileFormat.PEPPOL, ubl.build(frozen.numbered(invoice)), ubl.MEDIA_TYPE, ACTOR)
        paper = papers[invoice.party_id] + f"% {invoice.number}\n".encode()
        rendering._store(invoice, FileFormat.PDF, paper, pdf.MEDIA_TYPE, ACTOR)


def _count_of(row: SubscriptionSnapshot, to: Month) -> SubscriptionSnapshot:
    row.pk, row.period, row._state.adding = None, to.first_day, True
    row.sha256 = runs.snapshot_hash(row)
    return row


def _moved(content: InvoiceContent, of: Month, to: Month) -> InvoiceContent:
    old, new = f"|{of.code()}", f"|{to.code()}"
    lines = tuple(replace(line, period=to, grouping_key=line.grouping_key.replace(old, new)) for line in content.lines)
    return replace(content, month=to, lines=lines)


def main() -> None:
    watch()
    ports.wire()
    worker = Worker()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        SPENT.update(dict.fromkeys(SPENT, 0.0))
        started, before = time.perf_counter(), cpu()
        answer = getattr(worker, asked.pop("do"))(**asked)
        took = {"seconds": time.perf_counter() - started, "cpu": cpu() - before}
        print(json.dumps({**took, "spent": SPENT, **answer}), flush=True)


if __name__ == "__main__":
    main()
