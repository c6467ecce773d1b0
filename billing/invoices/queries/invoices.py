"""Issued invoices as the pages show them, limited to the parties in the actor's access scope.

A hidden invoice and one that does not exist give the same query and the same error (S09). The results contain no person's name.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Sum, When

from billing import ports
from billing.customers.models import BillingCustomer
from billing.documents.domain.invoices import DocumentType, NumberedInvoice
from billing.invoices.models import EntryRelease, Invoice, InvoiceLine, InvoiceState, LineEvent
from billing.invoices.queries.history import HistoryRow, history
from billing.invoices.queries.progress import WAYS, DocumentProgress
from billing.invoices.queries.settlement import SETTLEMENTS, Paid, Settlement
from billing.invoices.services import frozen
from billing.ledger.domain import line_kinds
from billing.ledger.domain.line_kinds import DrillDown
from billing.ledger.models import LedgerEntry
from billing.records.domain.periods import Month
from billing.records.queries.retention import retention_until
from issuance import service as issuance
from issuance.authz import Actor, policy
from siths_portal.lib import ports as connected
from siths_portal.lib.lists import Rows
from siths_portal.lib.ordering import swedish_key

_CHUNK = 2000


@dataclass(frozen=True)
class InvoiceRow:
    """An issued invoice or credit note in the list. Amounts are SEK, those of a credit note below zero.

    `credits` is the number of the invoice that a credit note credits, else empty.
    """

    number: str
    document_type: DocumentType
    credits: str
    customer: str
    month: Month
    net: Decimal
    gross: Decimal
    payable: Decimal
    due_date: dt.date | None
    state: str
    settlement: Settlement | None
    """What is paid; None for a credit note."""


@dataclass(frozen=True)
class Sums:
    """The numbers of invoices and credit notes that match a filter, and their sums, over all pages."""

    invoices: int
    credit_notes: int
    net: Decimal
    gross: Decimal
    payable: Decimal

    @property
    def count(self) -> int:
        """The number of documents."""
        return self.invoices + self.credit_notes


@dataclass(frozen=True)
class Choices:
    """The choices of the list's filters: customers sorted by name, months from the newest with the sum without VAT."""

    customers: tuple[tuple[UUID, str], ...]
    months: tuple[Month, ...]
    net: tuple[Decimal, ...]


@dataclass(frozen=True)
class MonthPieces:
    """The pieces on the invoices of a month, less those on its credit notes: cards with letters, and subscriptions."""

    month: Month
    cards: Decimal
    subscriptions: Decimal


@dataclass(frozen=True)
class InvoiceView:
    """One invoice as it was frozen, with its state and the formats of its stored files."""

    invoice: NumberedInvoice
    state: str
    formats: frozenset[str]
    before: Decimal | None
    """The sum to pay of the customer's invoice for the month before, if there is one."""
    credit_notes: tuple[str, ...]
    """The numbers of the credit notes that credit the invoice."""
    settlement: Settlement | None
    """What is paid; None for a credit note."""
    kept_until: dt.date
    """The last day on which the database refuses to delete the invoice."""
    history: tuple[HistoryRow, ...]
    progress: DocumentProgress


@dataclass(frozen=True)
class LineHead:
    """The head of the page that lists a line's events."""

    number: str
    customer: str
    position: int
    text: str
    period: Month
    quantity: Decimal
    unit_price: Decimal
    net: Decimal
    subscriber_id: UUID | None
    """The organisation whose persons the line counts, or None."""


@dataclass(frozen=True)
class LineEventRow:
    """An event behind a line: a sent card with its order id, or the month-end count of an organisation."""

    entry_id: int
    occurred_at: dt.datetime
    kind: str
    order_id: str
    office: str
    article_code: str
    quantity: Decimal
    unit_price: Decimal
    card: issuance.OrderedCard | None = None
    """The order's card, if the actor may see it. Files do not have it."""


@dataclass(frozen=True)
class OrderLine:
    """A line of an invoice or credit note that bills an order."""

    number: str
    position: int
    text: str


def signed(name: str) -> Case:
    """Returns the amount of a document as it counts in sums: below zero for a credit note."""
    return Case(When(document_type=DocumentType.CREDIT_NOTE.value, then=-F(name)), default=F(name))


def visible(actor: Actor) -> QuerySet[Invoice]:
    """Returns the issued invoices that `actor` may read: those of the parties for which a role gives `Action.VIEW_INVOICE`
    (issuance/authz/roles.py), as `issuance/organisations/queries/invoiced_parties.py` decides. Every page and file of issued
    invoices selects its rows here. Raises Forbidden if no role of the actor has the right.
    """
    issued = Invoice.objects.filter(state=InvoiceState.ISSUED)
    reach = issuance.parties_visible_to(actor)
    return issued if reach.everyone else issued.filter(party_id__in=reach.party_ids)


def choices(actor: Actor) -> Choices:
    """Returns the customers and months of the invoices that `actor` may read."""
    shown = visible(actor)
    invoiced = BillingCustomer.objects.filter(Exists(shown.filter(customer=OuterRef("pk"))))
    parties = dict(invoiced.order_by("valid_from").values_list("party_id", "name"))
    months = list(shown.order_by("-period").values_list("period").annotate(total=Sum(signed("net"))))
    return Choices(
        customers=tuple(sorted(parties.items(), key=lambda party: (swedish_key(party[1]), str(party[0])))),
        months=tuple(Month.of_day(period) for period, _net in months),
        net=tuple(net for _period, net in months),
    )


def pieces_by_month(actor: Actor, newest: Month, count: int) -> list[MonthPieces]:
    """Returns the pieces of the `count` months up to `newest` on the invoices that `actor` may read, from the oldest invoiced.

    A month without an invoice between them has none. Raises Forbidden.
    """
    months = [newest]
    while len(months) < count:
        months.append(months[-1].previous())
    lines = InvoiceLine.objects.filter(invoice__in=visible(actor), invoice__period__gte=months[-1].first_day)
    credited = When(invoice__document_type=DocumentType.CREDIT_NOTE.value, then=-F("quantity"))
    pieces = Sum(Case(credited, default=F("quantity")))
    found: dict[Month, dict[bool, Decimal]] = {}
    for period, kind, quantity in lines.values_list("invoice__period", "kind").annotate(pieces=pieces).order_by():
        of_month = found.setdefault(Month.of_day(period), {True: Decimal(0), False: Decimal(0)})
        of_month[line_kinds.of(kind).counts_persons] += quantity
    nothing = {True: Decimal(0), False: Decimal(0)}
    shown = [month for month in reversed(months) if found and month >= min(found)]
    return [MonthPieces(each, found.get(each, nothing)[False], found.get(each, nothing)[True]) for each in shown]


@dataclass(frozen=True)
class Choice:
    """The filters of the list of invoices. Empty ones do not filter."""

    party_id: UUID | None = None
    month: Month | None = None
    paid: Paid | None = None
    order_id: UUID | None = None


EVERYTHING = Choice()


def rows(actor: Actor, choice: Choice = EVERYTHING) -> Rows[Invoice, InvoiceRow]:
    """Returns the invoices that `actor` may read and that match the filters. Raises Forbidden."""
    wanted = _wanted(actor, choice).select_related("corrects").only(*_LISTED)
    return Rows(SETTLEMENTS.get().with_sums(wanted), _invoice_rows)


def sums(actor: Actor, choice: Choice = EVERYTHING) -> Sums:
    """Returns the sums of the invoices that `rows` returns for the same arguments. Raises Forbidden."""
    wanted = _wanted(actor, choice)
    notes = Count("id", filter=Q(document_type=DocumentType.CREDIT_NOTE.value))
    amounts = {name: Sum(signed(name), default=Decimal("0.00")) for name in ("net", "gross", "payable")}
    found = wanted.aggregate(count=Count("id"), notes=notes, **amounts)
    return Sums(found["count"] - found["notes"], found["notes"], found["net"], found["gross"], found["payable"])


def _wanted(actor: Actor, choice: Choice) -> QuerySet[Invoice]:
    wanted = visible(actor)
    if choice.party_id:
        wanted = wanted.filter(party_id=choice.party_id)
    if choice.month:
        wanted = wanted.filter(period=choice.month.first_day)
    if choice.order_id:
        wanted = wanted.filter(Exists(_lines_of_order(choice.order_id).filter(invoice=OuterRef("pk"))))
    return SETTLEMENTS.get().narrow(wanted, choice.paid) if choice.paid else wanted


def lines_of_order(actor: Actor, order_id: UUID) -> list[OrderLine]:
    """Returns the lines that bill an order, or that credit and release it, of the invoices that `actor` may read."""
    lines = _lines_of_order(order_id).filter(invoice__in=visible(actor)).order_by("invoice__number", "position")
    found = lines.values_list("invoice__number", "position", "text")
    return [OrderLine(number or "", position, text) for number, position, text in found]


def card_of_order(actor: Actor, order_id: UUID) -> issuance.OrderedCard | None:
    """Returns the order's card, or None if it has none or the actor may not see it."""
    return issuance.ordered_cards(actor, [order_id]).get(order_id)


def _lines_of_order(order_id: UUID) -> QuerySet[InvoiceLine]:
    """Returns the lines with an entry of the order. An adjustment ends with the key of the entry that it corrects."""
    kinds = [kind for kind in line_kinds.declared() if kind.drill_down == DrillDown.ORDERS]
    keys = [kind.source_key(order_id) for kind in kinds]
    # Read first, from the order's own entries on: a condition on all three in one query would read the whole ledger.
    chains = LedgerEntry.objects.filter(source_key__in=keys).values_list("id", "adjustments__id", "adjustments__adjustments__id")
    entries = {entry for chain in chains for entry in chain if entry is not None}
    billed = LineEvent.objects.filter(entry_id__in=entries).values_list("line_id", flat=True)
    released = EntryRelease.objects.filter(entry_id__in=entries).values_list("credit_line_id", flat=True)
    return InvoiceLine.objects.filter(pk__in={*billed, *released})


_LISTED = (
    "number", "document_type", "corrects__number", "buyer", "period", "net", "gross", "payable", "due_date", "state",
)  # fmt: skip


def _invoice_rows(found: Sequence[Invoice]) -> list[InvoiceRow]:
    settlements = SETTLEMENTS.get()
    return [
        InvoiceRow(
            number=row.number or "",
            document_type=DocumentType(row.document_type),
            credits=row.corrects.number or "" if row.corrects else "",
            customer=row.buyer["name"],
            month=Month.of_day(row.period),
            net=DocumentType(row.document_type).sign * row.net,
            gross=DocumentType(row.document_type).sign * row.gross,
            payable=DocumentType(row.document_type).sign * row.payable,
            due_date=row.due_date,
            state=InvoiceState(row.state).label,
            settlement=settlements.of(row),
        )
        for row in found
    ]


def invoice(actor: Actor, number: str) -> InvoiceView:
    """Returns one invoice with all its lines. Raises NotFound if `actor` may read no invoice with this number."""
    shown = SETTLEMENTS.get().with_sums(visible(actor)).annotate(kept_until=retention_until("issue_date"), way=WAYS.get().state)
    row = shown.filter(number=number).select_related("corrects").prefetch_related("lines", "credit_notes").first()
    if row is None:
        raise policy.not_found()
    is_invoice = row.document_type == DocumentType.INVOICE
    before = issued_before(row.party_id, Month.of_day(row.period)) if is_invoice else None
    formats = frozenset(row.files.values_list("file_format", flat=True))
    credit_notes = tuple(sorted(note.number for note in row.credit_notes.all() if note.number))
    state = InvoiceState(row.state).label
    return InvoiceView(
        invoice=frozen.numbered(row),
        state=state,
        formats=formats,
        before=before.payable if before else None,
        credit_notes=credit_notes,
        settlement=SETTLEMENTS.get().of(row),
        kept_until=row.kept_until,
        history=tuple(history(row.pk)),
        progress=DocumentProgress.of(row.way, formats),
    )


def progress(actor: Actor, number: str) -> DocumentProgress:
    """Returns how far one document has come. Raises NotFound if `actor` may read no invoice with this number."""
    row = visible(actor).filter(number=number).annotate(way=WAYS.get().state).only("pk").first()
    if row is None:
        raise policy.not_found()
    return DocumentProgress.of(row.way, row.files.values_list("file_format", flat=True))


def issued_before(party_id: UUID, month: Month) -> Invoice | None:
    """Returns the amounts of the party's issued invoice for the month before `month`. The caller has checked the party."""
    of_party = Invoice.objects.filter(party_id=party_id, state=InvoiceState.ISSUED, document_type=DocumentType.INVOICE.value)
    return of_party.filter(period=month.previous().first_day).only("net", "payable").first()


def line(actor: Actor, number: str, position: int) -> tuple[LineHead, Rows[LedgerEntry, LineEventRow]]:
    """Returns a line and a pageable source of its events. Raises NotFound if `actor` may read no such invoice or line."""
    line = _line(actor, number, position)
    return _head(line), Rows(_entries(line), lambda entries: _with_cards(actor, list(_rows(entries))))


def _with_cards(actor: Actor, rows: list[LineEventRow]) -> list[LineEventRow]:
    """Returns the rows with the cards that the actor may see. Runs one query."""
    orders = [UUID(row.order_id) for row in rows if row.order_id]
    cards = issuance.ordered_cards(actor, orders) if orders else {}
    return [replace(row, card=cards.get(UUID(row.order_id))) if row.order_id else row for row in rows]


def line_events(actor: Actor, number: str, position: int) -> tuple[LineHead, Iterator[LineEventRow]]:
    """Returns the line and an iterator that reads all its events in chunks. Raises NotFound as `line` does."""
    line = _line(actor, number, position)
    return _head(line), _rows(_entries(line).iterator(chunk_size=_CHUNK))


def _line(actor: Actor, number: str, position: int) -> InvoiceLine:
    shown = InvoiceLine.objects.filter(invoice__in=visible(actor), invoice__number=number, position=position)
    line = shown.select_related("invoice").first()
    if line is None:
        raise policy.not_found()
    return line


def _head(line: InvoiceLine) -> LineHead:
    return LineHead(
        number=line.invoice.number or "",
        customer=line.invoice.buyer["name"],
        position=line.position,
        text=line.text,
        period=Month.of_day(line.period),
        quantity=line.quantity,
        unit_price=line.unit_price,
        net=line.net,
        subscriber_id=line.organisation_id if line_kinds.of(line.kind).counts_persons else None,
    )


def _entries(line: InvoiceLine) -> QuerySet[LedgerEntry]:
    """Returns the entries that the line bills, or those that the line of a credit note released."""
    if line.credits_id:
        released = EntryRelease.objects.filter(credit_line=line).values("entry_id")
        return LedgerEntry.objects.filter(id__in=released).order_by("id")
    on_line = LineEvent.objects.filter(line=line).values("entry_id")
    return LedgerEntry.objects.filter(id__in=on_line).order_by("id")


def _rows(entries: Iterator[LedgerEntry] | Sequence[LedgerEntry]) -> Iterator[LineEventRow]:
    """Yields the entries of one line as rows. They all have the same office, so it is read once."""
    office: str | None = None
    for entry in entries:
        if office is None:
            office = _office(entry.office_id)
        kind = line_kinds.of(entry.kind)
        yield LineEventRow(
            entry_id=entry.id,
            occurred_at=entry.occurred_at,
            kind=kind.name,
            order_id=entry.source_key.rpartition(":")[2] if kind.drill_down == DrillDown.ORDERS else "",
            office=office,
            article_code=entry.article_code,
            quantity=entry.quantity,
            unit_price=entry.unit_price,
        )


def _office(office_id: UUID | None) -> str:
    if office_id is None:
        return ""
    found = connected.get(ports.IssuanceFacts).offices([office_id]).get(office_id)
    return found.name if found else ""
