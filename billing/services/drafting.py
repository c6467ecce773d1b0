"""Drafts: one customer, one transaction. A worker that dies leaves the item pending for the next."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet, Sum, Window

from billing import gate, ports, seller, ubl
from billing.domain import composition, identifiers, line_kinds
from billing.domain.grouping import Group, Labels, Subscriber
from billing.domain.invoices import InvoiceContent, NumberedInvoice
from billing.domain.periods import Month
from billing.models import (
    BillingCustomer,
    CustomerState,
    Event,
    Invoice,
    InvoiceLine,
    InvoiceRun,
    ItemState,
    LedgerEntry,
    RunItem,
    SubscriptionSnapshot,
    UnpricedFact,
)
from billing.services.customers import buyer_of
from siths_portal.lib import clock, faults
from siths_portal.lib import ports as connected
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import DomainError, Unavailable


class Blocked(DomainError):
    """The customer cannot be invoiced yet. `reasons` are pairs of rule and Swedish sentence."""

    def __init__(self, reasons: Sequence[tuple[str, str]]) -> None:
        super().__init__("invoice-blocked", " ".join(message for _, message in reasons))
        self.reasons = list(reasons)


def draft_items(run: InvoiceRun, *, actor_ref: str) -> int:
    """Drafts every pending item of the run and returns how many this worker did. Any number of workers may run at once.

    Returns when no item is pending: an item that another worker holds is waited for, and taken over if that worker dies.
    """
    printed = article_labels()
    done = 0
    for skip_locked in (True, False):
        while True:
            with transaction.atomic(durable=True):
                if not draft_next(run, actor_ref=actor_ref, articles=printed, skip_locked=skip_locked):
                    break
                done += 1
    return done


def draft_next(run: InvoiceRun, *, actor_ref: str, articles: dict[str, str], skip_locked: bool = True) -> bool:
    """Drafts one pending item in the caller's transaction; False if there is none to take."""
    pending = RunItem.objects.select_for_update(skip_locked=skip_locked, of=("self",)).filter(run=run, state=ItemState.PENDING)
    item = pending.order_by("party_id").first()
    if item is None:
        return False
    before = item.reasons
    try:
        item.state, item.reasons = _draft(run, item, actor_ref, articles), []
    except Blocked as blocked:
        item.state, item.reasons = ItemState.BLOCKED, [list(reason) for reason in blocked.reasons]
        if item.reasons != before:
            _record(actor_ref, "item.blocked", item, {"rules": [rule for rule, _ in blocked.reasons]})
    item.save(update_fields=["state", "reasons"])
    return True


def _draft(run: InvoiceRun, item: RunItem, actor_ref: str, articles: dict[str, str]) -> ItemState:
    month = Month.of_day(run.period)
    entries = unbilled(item.party_id, month).filter(id__lte=item.cutoff)
    groups = grouped(entries)
    customer = customer_of(item.party_id, month, groups)
    if customer is None:
        return ItemState.EMPTY
    labels = labels_of(groups, articles, snapshot_subscribers(groups))
    content = composition.compose(month=month, seller=seller.configured(), buyer=buyer_of(customer), groups=groups, labels=labels)
    pass_gate(content)
    invoice = _store(run, customer, content)
    faults.point("billing.draft")
    _link(invoice, item)
    _record(actor_ref, "invoice.drafted", item, {"invoice": str(invoice.pk), "payable": str(invoice.payable)})
    return ItemState.DRAFTED


def _record(actor_ref: str, action: str, item: RunItem, facts: dict[str, Any]) -> None:
    facts = {"party_id": str(item.party_id), "run": str(item.run_id), **facts}
    Event.record(actor_ref=actor_ref, action=action, subject_type="run_item", subject_ref=str(item.pk), facts=facts)


def unbilled(party_id: UUID, month: Month) -> QuerySet[LedgerEntry]:
    """The party's entries up to and with `month` that are on no line: late ones of earlier months are in."""
    return LedgerEntry.objects.filter(party_id=party_id, period__lte=month.first_day, line_event=None)


def grouped(entries: QuerySet[LedgerEntry]) -> list[Group]:
    """Returns the entries summed by their grouping key."""
    pieces = Window(Sum("quantity"), partition_by="grouping_key")
    firsts = entries.annotate(pieces=pieces).order_by("grouping_key").distinct("grouping_key")
    return [line_kinds.of(entry.kind).group(entry, entry.pieces) for entry in firsts]


def customer_of(party_id: UUID, month: Month, groups: Sequence[Group]) -> BillingCustomer | None:
    """The customer to be invoiced; None if there is nothing to invoice. Raises Blocked for a price or an approval missing."""
    now = clock.now()
    in_force = BillingCustomer.objects.filter(Q(valid_until=None) | Q(valid_until__gt=now), valid_from__lte=now)
    customer = in_force.filter(party_id=party_id).first()
    waiting = UnpricedFact.objects.filter(party_id=party_id, period__lte=month.first_day)
    missing = sorted(waiting.values_list("article_code", flat=True).distinct())
    if not groups and not missing:
        return None
    reasons = [price_missing(code) for code in missing]
    if customer is None:
        reasons.append(("customer-missing", "Kunduppgifter för fakturering saknas."))
    elif customer.state == CustomerState.PENDING:
        reasons.append(("customer-pending", "Kundens attestant har inte godkänt beställningen av tjänsten."))
    if reasons:
        raise Blocked(reasons)
    return customer


def price_missing(article_code: str) -> tuple[str, str]:
    """The reason to block a customer whose article has no price on its day."""
    return "price-missing", f"Pris saknas för artikel {article_code} på dagen som bestämmer priset."


def article_labels() -> dict[str, str]:
    """Article code to what a line prints: the number, and REK for registered mail."""
    articles = connected.get(ports.IssuanceFacts).articles()
    return {code: f"{view.number} REK" if view.registered_mail else view.number for code, view in articles.items()}


def snapshot_subscribers(groups: Iterable[Group]) -> dict[UUID, Subscriber]:
    """The names that subscriptions are printed with, as they were when they were counted; the newest of several."""
    wanted = {group.organisation_id for group in groups if group.organisation_id}
    if not wanted:
        return {}
    rows = SubscriptionSnapshot.objects.filter(organisation_id__in=wanted).order_by("organisation_id", "-period")
    return {row.organisation_id: Subscriber(row.organisation_name, row.direct) for row in rows.distinct("organisation_id")}


def labels_of(groups: Sequence[Group], articles: dict[str, str], subscribers: dict[UUID, Subscriber]) -> Labels:
    """The texts of the groups' lines, the offices' invoice comments as they are now. Raises Blocked for an unknown office."""
    wanted = {group.office_id for group in groups if group.office_id}
    offices = connected.get(ports.IssuanceFacts).offices(wanted) if wanted else {}
    if wanted - offices.keys():
        raise Blocked([("office-missing", "Ett kontor som kort beställdes genom finns inte längre.")])
    return Labels({key: office.invoice_comment for key, office in offices.items()}, articles, subscribers)


def stand_in(content: InvoiceContent) -> bytes:
    """Returns the UBL document of an invoice that is not issued, under a number and dates of today."""
    today = clock.today()
    return ubl.build(NumberedInvoice("0", today, today, identifiers.ocr_reference(today.year, 1), content))


def pass_gate(content: InvoiceContent) -> None:
    """Judges the invoice as it will be sent, under a stand-in number of today.

    Raises Blocked with every rule it breaks, or because the official rules could not be run.
    """
    try:
        findings = gate.check(stand_in(content))
    except Unavailable as error:
        raise Blocked([(error.code, error.message)]) from error
    if findings:
        raise Blocked([(finding.rule, finding.text) for finding in findings])


def _store(run: InvoiceRun, customer: BillingCustomer, content: InvoiceContent) -> Invoice:
    totals = content.totals
    invoice = Invoice.objects.create(
        run=run,
        customer=customer,
        party_id=customer.party_id,
        period=run.period,
        seller=content.seller.as_json(),
        buyer=content.buyer.as_json(),
        net=totals.net,
        vat=totals.vat,
        gross=totals.gross,
        rounding=totals.rounding,
        payable=totals.payable,
        content_sha256=content_hash(content),
        gate_version=gate.VERSION,
        drafted_at=clock.now(),
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice,
            position=line.position,
            kind=line.kind,
            office_id=line.office_id,
            organisation_id=line.organisation_id,
            article_code=line.article_code,
            text=line.text,
            quantity=line.quantity,
            unit_price=line.unit_price,
            vat_rate=line.vat_rate,
            net=line.net,
            period=line.period.first_day,
            grouping_key=line.grouping_key,
        )
        for line in content.lines
    )
    return invoice


def content_hash(content: InvoiceContent) -> str:
    """SHA-256 of everything the invoice says but its number, dates and reference."""
    return sha256_hex(canonical_json(content.as_json()))


HASH_JOINS = "SET LOCAL enable_nestloop = off"
# Both sides are read first, each by its own index, and hashed: a join that the planner may choose by the statistics of tables
# that were just filled scans the month of all customers once for each line.
_LINK = """
WITH due AS MATERIALIZED (
  SELECT id, grouping_key
  FROM billing_ledgerentry e
  WHERE party_id = %(party)s AND period + 0 <= %(period)s AND id + 0 <= %(cutoff)s
    AND (SELECT true FROM billing_lineevent x WHERE x.entry_id = e.id) IS NULL
), line AS MATERIALIZED (
  SELECT id, grouping_key FROM billing_invoiceline WHERE invoice_id = %(invoice)s
)
INSERT INTO billing_lineevent (entry_id, line_id)
SELECT due.id, line.id
FROM due JOIN line ON line.grouping_key = due.grouping_key
"""


def _link(invoice: Invoice, item: RunItem) -> None:
    """Puts each entry of the draft on its line, in one statement whatever their number."""
    values: dict[str, Any] = {
        "invoice": invoice.pk,
        "party": item.party_id,
        "period": invoice.period,
        "cutoff": item.cutoff,
    }
    with connection.cursor() as cursor:
        cursor.execute(f"{HASH_JOINS}; {_LINK}; SET LOCAL enable_nestloop TO DEFAULT", values)
