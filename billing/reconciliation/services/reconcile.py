"""Reconciliation: the thirteen differences of a month (rules/billing 4.1). Each must be 0, before review and after issue."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, F, Max, Q, Sum
from django.db.models.functions import Coalesce

from billing import ports
from billing.customers.models import BillingCustomer, CustomerState
from billing.documents import sie
from billing.documents.domain.invoices import DocumentType, total
from billing.invoices.models import (
    Counter,
    Invoice,
    InvoiceLine,
    InvoiceState,
    LineEvent,
    SeriesCorrection,
    live_links,
    without_document,
)
from billing.invoices.services import frozen, integrity
from billing.ledger.domain import line_kinds
from billing.ledger.domain.line_kinds import Reconciliation
from billing.ledger.models import LedgerEntry, SubscriptionSnapshot, billable
from billing.records.domain import money
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun
from billing.runs.services.runs import STORED_EVIDENCE_HASH, snapshot_hash
from siths_portal.lib import clock
from siths_portal.lib import ports as connected
from siths_portal.lib.errors import NotFound

_NAMED = 5


@dataclass(frozen=True)
class Difference:
    """One of the thirteen differences. `named` holds up to five numbers or keys of what differs, never a person's name."""

    number: int
    title: str
    value: Decimal
    named: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True if there is no difference."""
        return self.value == 0


def reconcile(month: Month) -> list[Difference]:
    """Returns all thirteen differences of the month's run. Reads only. Raises NotFound if the month has no run."""
    run = InvoiceRun.objects.filter(period=month.first_day).first()
    if run is None:
        raise NotFound("no-run", f"Det finns ingen körning för {month}.")
    checks = [
        _entries_without_line(run),
        _entries_on_two_lines(),
        _ledger_against_lines(run),
        *_invoices(run),
        _subscriptions(run),
        _cards(month),
        _numbers(),
        _chain(),
        *_files(run),
        _customers_without_item(run),
    ]
    return sorted(checks, key=lambda check: check.number)


def _difference(number: int, title: str, named: list[str], value: Decimal | None = None) -> Difference:
    return Difference(number, title, Decimal(len(named)) if value is None else value, tuple(named[:_NAMED]))


def _documents(run: InvoiceRun) -> Q:
    """Returns the condition of the run's invoices and of the credit notes that credit them."""
    return Q(run=run) | Q(corrects__run=run)


def _entries_without_line(run: InvoiceRun) -> Difference:
    """Finds entries that were never on a line. One that a credit note released waits for the next run, as its adjustment does."""
    never = billable().filter(period=run.period, line_events=None)
    keys = never.exclude(adjusts__line_events__isnull=False).order_by("id")
    named = list(keys.values_list("source_key", flat=True)[:_NAMED])
    return _difference(1, "Händelser i månaden utan fakturarad", named, Decimal(keys.count()))


def _entries_on_two_lines() -> Difference:
    """Finds entries with two links that no credit note has released."""
    twice = live_links().values("entry_id").annotate(lines=Count("line_id")).filter(lines__gt=1).order_by("entry_id")
    named = [str(entry) for entry in twice.values_list("entry_id", flat=True)[:_NAMED]]
    return _difference(2, "Händelser på två fakturarader", named, Decimal(twice.count()))


def _ledger_against_lines(run: InvoiceRun) -> Difference:
    priced = Coalesce(Sum(F("events__entry__quantity") * F("events__entry__unit_price")), Decimal(0))
    lines = InvoiceLine.objects.filter(invoice__run=run).annotate(ledger_net=priced).select_related("invoice")
    value, named = _credits_against_lines(run)
    read = lines.only("net", "quantity", "unit_price", "position", "invoice__number")
    for line in read.order_by("invoice_id", "position").iterator(chunk_size=1000):
        wrong = abs(line.net - money.to_ore(line.ledger_net)) + abs(line.net - money.to_ore(line.quantity * line.unit_price))
        if wrong:
            value += wrong
            named.append(f"{_name(line.invoice)} rad {line.position}")
    return _difference(3, "Liggarens antal gånger pris mot raderna", named, value)


def _credits_against_lines(run: InvoiceRun) -> tuple[Decimal, list[str]]:
    """Compares the lines of credit notes with the lines that they credit: price, amount, and quantity up to the line's."""
    value, named = Decimal(0), []
    credited = InvoiceLine.objects.filter(invoice__corrects__run=run).select_related("invoice", "credits")
    spent: dict[int, Decimal] = defaultdict(Decimal)
    for line in credited.order_by("invoice_id", "position").iterator(chunk_size=1000):
        original = line.credits
        wrong = abs(line.net - money.to_ore(line.quantity * line.unit_price))
        if original is None or original.invoice_id != line.invoice.corrects_id or original.unit_price != line.unit_price:
            wrong += line.net
        else:
            spent[original.pk] += line.quantity
            wrong += max(spent[original.pk] - original.quantity, Decimal(0)) * line.unit_price
        if wrong:
            value += wrong
            named.append(f"{_name(line.invoice)} rad {line.position}")
    return value, named


def _invoices(run: InvoiceRun) -> Iterator[Difference]:
    sums, totals = [], []
    sum_value = total_value = Decimal(0)
    for invoice in (
        Invoice.objects.filter(_documents(run))
        .select_related("corrects")
        .prefetch_related("lines")
        .order_by("series", "sequence")
        .iterator(chunk_size=100)
    ):
        content = frozen.content_of(invoice)
        computed = total(content.lines, round_to_krona=content.buyer.round_to_krona)
        if computed.net != invoice.net:
            sum_value += abs(computed.net - invoice.net)
            sums.append(_name(invoice))
        wrong = abs(invoice.gross - invoice.net - invoice.vat) + abs(computed.vat - invoice.vat)
        wrong += abs(invoice.payable - invoice.gross - invoice.rounding) + abs(computed.rounding - invoice.rounding)
        if wrong:
            total_value += wrong
            totals.append(_name(invoice))
    yield _difference(4, "Radernas summa mot fakturans nettobelopp", sums, sum_value)
    yield _difference(5, "Brutto minus netto minus moms", totals, total_value)


def _name(invoice: Invoice) -> str:
    return f"faktura {invoice.number}" if invoice.number else f"utkast {invoice.pk}"


def _subscriptions(run: InvoiceRun) -> Difference:
    counted = line_kinds.reconciled_by(Reconciliation.SUBSCRIPTION_COUNT)
    on_invoices = InvoiceLine.objects.filter(kind__in=counted, period=run.period, credits=None).values_list("organisation_id")
    pieces = dict(on_invoices.annotate(pieces=Sum("quantity")).order_by())
    # Pieces that were billed again after a credit note released them, also at a corrected price, are on two invoices.
    repeated_links = Q(generation__gt=1) | Q(entry__adjustments__line_events__isnull=False)
    again = LineEvent.objects.filter(repeated_links, entry__kind__in=counted, entry__period=run.period)
    for organisation, repeated in again.values_list("entry__organisation_id").annotate(pieces=Sum("entry__quantity")).order_by():
        pieces[organisation] -= repeated
    value, named = Decimal(0), []
    false_evidence = _false_evidence(run)
    for row in SubscriptionSnapshot.objects.filter(period=run.period).order_by("organisation_id").iterator(chunk_size=1000):
        difference = abs(pieces.pop(row.organisation_id, Decimal(0)) - row.persons)
        if difference or snapshot_hash(row) != row.sha256 or row.pk in false_evidence:
            value += difference or Decimal(1)
            named.append(f"organisation {row.organisation_id}")
    value += sum(pieces.values(), Decimal(0))
    named += [f"organisation {organisation}" for organisation in pieces]
    return _difference(6, "Räknade abonnemang mot fakturerade", named, value)


def _false_evidence(run: InvoiceRun) -> set[int]:
    """Returns the snapshots whose stored list of eIDs is missing, has another number of them, or does not have its hash."""
    counted = SubscriptionSnapshot.objects.filter(period=run.period).exclude(evidence_sha256="")
    stored = counted.filter(evidence__isnull=False).annotate(found=STORED_EVIDENCE_HASH)
    right = stored.filter(found=F("evidence_sha256"), evidence__eids__len=F("persons"))
    return set(counted.exclude(pk__in=right.values("pk")).values_list("pk", flat=True))


def _cards(month: Month) -> Difference:
    """Compares the pieces of each kind, since a card too few and a letter too many are two differences."""
    sent = dict(connected.get(ports.IssuanceFacts).sent_pieces(month.start, month.end))
    events = LedgerEntry.objects.filter(period=month.first_day, reverses=None, adjusts=None)
    entered = dict(events.values_list("kind").annotate(pieces=Sum("quantity")).order_by())
    value, named = Decimal(0), []
    for code in line_kinds.reconciled_by(Reconciliation.SENT_PIECES):
        reported, found = Decimal(sent.pop(code, 0)), entered.get(code, Decimal(0))
        if reported != found:
            value += abs(reported - found)
            named.append(f"{line_kinds.of(code).name_in_text}: skickade {reported:.0f}, i liggaren {found:.0f}")
    value += sum(sent.values())  # of a kind that no line kind bills
    named += [f"{code}: skickade {count}, kan inte faktureras" for code, count in sent.items()]
    return _difference(7, "Skickade kort och brev mot liggaren", named, value)


def _numbers() -> Difference:
    """Compares counters, numbers and dates of all series, so that a gap in any of them is found."""
    issued = Invoice.objects.filter(state=InvoiceState.ISSUED)
    counted = {
        row["series"]: row for row in issued.values("series").annotate(highest=Max("sequence"), invoices=Count("pk")).order_by()
    }
    # Numbers of before a restore explain their gaps.
    lost = {
        row["series"]: row
        for row in without_document().values("series").annotate(highest=Max("sequence"), lost=Count("pk")).order_by()
    }
    named = []
    for counter in Counter.objects.order_by("series"):
        row = counted.pop(counter.series, {"highest": 0, "invoices": 0})
        gaps = lost.get(counter.series, {"highest": 0, "lost": 0})
        if not counter.last == max(row["highest"], gaps["highest"]) == row["invoices"] + gaps["lost"]:
            named.append(f"serie {counter.series}: räknare {counter.last}, högsta {row['highest']}, antal {row['invoices']}")
    named += [f"serie {series}: räknare saknas" for series in counted]
    steps = set(SeriesCorrection.objects.filter(approved_at__isnull=False).values_list("series", "after_sequence"))
    before: tuple[str | None, dt.date] = (None, dt.date.min)
    rows = issued.only("series", "sequence", "number", "issue_date").order_by("series", "sequence")
    for invoice in rows.iterator(chunk_size=1000):
        day = invoice.issue_date or dt.date.min
        stepped = (invoice.series, (invoice.sequence or 0) - 1) in steps
        if before[0] == invoice.series and day < before[1] and not stepped:
            named.append(f"faktura {invoice.number}: datum före föregående nummer")
        before = (invoice.series, day)
    return _difference(8, "Luckor och datumordning i nummerserien", named)


def _chain() -> Difference:
    """Checks content, chain and sealed events of all series, and finds events whose invoice row does not exist."""
    named = [_name(invoice) for invoice in integrity.broken_chain(integrity.issued(files=False))]
    named += [f"faktura {number} saknas" for number in integrity.events_without_invoice()]
    return _difference(9, "Fakturornas kedja mot raderna och de förseglade händelserna", named)


def _files(run: InvoiceRun) -> Iterator[Difference]:
    stored, shown, vouchers = [], [], []
    booked = payable = Decimal(0)
    for evidence in integrity.issued(_documents(run)):
        invoice = evidence.invoice
        stored += [f"{_name(invoice)} {name}" for name in integrity.wrong_files(evidence)]
        shown += [f"{_name(invoice)} {name}" for name in integrity.wrong_texts(evidence)]
        voucher = sie.voucher(evidence.numbered)
        payable += DocumentType(invoice.document_type).sign * invoice.payable
        booked += sum((amount for account, amount in voucher.amounts if account == sie.RECEIVABLES), Decimal(0))
        if sum(amount for _, amount in voucher.amounts) != 0:
            vouchers.append(f"verifikation {invoice.number}")
    yield _difference(10, "Lagrade filer mot kontrollsummor, förseglade händelser och ny framställning", stored)
    yield _difference(11, "SIE-verifikationer mot fakturorna", vouchers, abs(booked - payable) + len(vouchers))
    yield _difference(12, "Parter, datum och belopp i e-faktura och belopp i PDF mot fakturan", shown)


def _customers_without_item(run: InvoiceRun) -> Difference:
    now = clock.now()
    in_force = BillingCustomer.objects.filter(Q(valid_until=None) | Q(valid_until__gt=now), valid_from__lte=now)
    active = in_force.filter(state=CustomerState.ACTIVE).exclude(party_id__in=run.items.values("party_id"))
    named = [f"kund {party}" for party in active.order_by("party_id").values_list("party_id", flat=True)]
    return _difference(13, "Aktiva kunder utan plats i körningen", named)
