"""Drafts of invoices: one transaction for each customer. If a worker dies, the item stays pending for the next worker."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet, Sum, Window

from billing import ports
from billing.customers.models import BillingCustomer, CustomerState
from billing.customers.services.customers import buyer_of, references_of, wrong_references
from billing.documents import seller
from billing.documents.domain import composition
from billing.invoices.models import Invoice
from billing.invoices.models import unbilled as on_no_live_line
from billing.invoices.services import drafts
from billing.ledger.domain import line_kinds
from billing.ledger.domain.grouping import Group, Labels, Subscriber
from billing.ledger.models import LedgerEntry, SubscriptionSnapshot, UnpricedFact, billable
from billing.records.domain.periods import Month
from billing.records.models import Event
from billing.runs.models import InvoiceRun, ItemState, RunItem
from siths_portal.lib import clock, faults
from siths_portal.lib import ports as connected

PRICE_MISSING = "price-missing"


@dataclass(frozen=True)
class ArticleWords:
    """By article code: the printed name, which is the article's number, and what the article is in words."""

    labels: Mapping[str, str]
    descriptions: Mapping[str, str]


def draft_items(run: InvoiceRun, *, actor_ref: str, seconds: float | None = None) -> int:
    """Drafts every pending item of the run and returns how many this worker drafted. Any number of workers may run at once.

    Returns when no item is pending: it waits for items that other workers hold, and drafts them if those workers die. With
    `seconds` it waits for nobody, and begins no item after that time.
    """
    printed = article_words()
    until = None if seconds is None else time.monotonic() + seconds
    done = 0
    for skip_locked in (True, False) if until is None else (True,):
        while until is None or time.monotonic() < until:
            with transaction.atomic(durable=True):
                if not draft_next(run, actor_ref=actor_ref, articles=printed, skip_locked=skip_locked):
                    break
                done += 1
    return done


def draft_next(run: InvoiceRun, *, actor_ref: str, articles: ArticleWords, skip_locked: bool = True) -> bool:
    """Drafts or blocks one pending item in the caller's transaction. Returns False if it finds none to lock."""
    pending = RunItem.objects.select_for_update(skip_locked=skip_locked, of=("self",)).filter(run=run, state=ItemState.PENDING)
    item = pending.order_by("party_id").first()
    if item is None:
        return False
    before, item.tried_at = item.reasons, clock.now()
    try:
        item.state, item.reasons = _draft(run, item, actor_ref, articles), []
    except drafts.Blocked as blocked:
        item.state, item.reasons = ItemState.BLOCKED, [list(reason) for reason in blocked.reasons]
        if item.reasons != before:
            _record(actor_ref, "item.blocked", item, {"rules": [rule for rule, _ in blocked.reasons]})
    item.save(update_fields=["state", "reasons", "tried_at"])
    return True


def _draft(run: InvoiceRun, item: RunItem, actor_ref: str, articles: ArticleWords) -> ItemState:
    month = Month.of_day(run.period)
    entries = unbilled(item.party_id, month).filter(id__lte=item.cutoff)
    groups = grouped(entries)
    customer = customer_of(item.party_id, month, groups)
    if customer is None:
        return ItemState.EMPTY
    labels = labels_of(groups, articles, snapshot_subscribers(groups))
    content = composition.compose(month=month, seller=seller.configured(), buyer=buyer_of(customer), groups=groups, labels=labels)
    drafts.require_valid(content)
    invoice = drafts.store(content, customer, run_id=run.pk)
    faults.point("billing.draft")
    _link(invoice, item)
    _record(actor_ref, "invoice.drafted", item, {"invoice": str(invoice.pk), "payable": str(invoice.payable)})
    return ItemState.DRAFTED


def _record(actor_ref: str, action: str, item: RunItem, facts: dict[str, Any]) -> None:
    facts = {"party_id": str(item.party_id), "run": str(item.run_id), **facts}
    Event.record(actor_ref=actor_ref, action=action, subject_type="run_item", subject_ref=str(item.pk), facts=facts)


def unbilled(party_id: UUID, month: Month) -> QuerySet[LedgerEntry]:
    """Returns the party's entries of `month` and earlier months that are on no live line."""
    return on_no_live_line(billable().filter(party_id=party_id, period__lte=month.first_day))


def grouped(entries: QuerySet[LedgerEntry]) -> list[Group]:
    """Returns one group for each grouping key, with the sum of the entries' quantities."""
    pieces = Window(Sum("quantity"), partition_by="grouping_key")
    firsts = entries.annotate(pieces=pieces).order_by("grouping_key").distinct("grouping_key")
    return [line_kinds.of(entry.kind).group(entry, entry.pieces) for entry in firsts]


def customer_of(party_id: UUID, month: Month, groups: Sequence[Group]) -> BillingCustomer | None:
    """Returns the customer to invoice, or None if the party has nothing to invoice up to `month`.

    Raises Blocked if a price, the customer data or the attestant's approval is missing, or a reference has the wrong form.
    """
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
    if customer:
        reasons += [("customer-reference-form", text) for text in wrong_references(references_of(customer)).values()]
    if reasons:
        raise drafts.Blocked(reasons)
    return customer


def price_missing(article_code: str) -> tuple[str, str]:
    """Returns the reason to block a customer because the article has no price on the day that decides it."""
    return PRICE_MISSING, f"Pris saknas för artikel {article_code} på dagen som bestämmer priset."


def article_words() -> ArticleWords:
    """Returns the words of all articles. Registered mail adds REK to the number, and its Swedish name to the words."""
    articles = connected.get(ports.IssuanceFacts).articles()
    return ArticleWords(
        {code: f"{view.number} REK" if view.registered_mail else view.number for code, view in articles.items()},
        {code: f"{view.name}, rekommenderat brev" if view.registered_mail else view.name for code, view in articles.items()},
    )


def snapshot_subscribers(groups: Iterable[Group]) -> dict[UUID, Subscriber]:
    """Returns the subscribers of the groups by organisation id, with the names of the newest month-end count."""
    organisations = {group.organisation_id for group in groups if group.organisation_id}
    if not organisations:
        return {}
    rows = SubscriptionSnapshot.objects.filter(organisation_id__in=organisations).order_by("organisation_id", "-period")
    return {row.organisation_id: Subscriber(row.organisation_name, row.direct) for row in rows.distinct("organisation_id")}


def labels_of(groups: Sequence[Group], articles: ArticleWords, subscribers: dict[UUID, Subscriber]) -> Labels:
    """Returns the labels of the groups' lines, with the present invoice comments. Raises Blocked if an office is unknown."""
    office_ids = {group.office_id for group in groups if group.office_id}
    offices = connected.get(ports.IssuanceFacts).offices(office_ids) if office_ids else {}
    if office_ids - offices.keys():
        raise drafts.Blocked([("office-missing", "Ett kontor som kort beställdes genom finns inte längre.")])
    comments = {key: office.invoice_comment for key, office in offices.items()}
    return Labels(comments, articles.labels, subscribers, articles.descriptions)


HASH_JOINS = "SET LOCAL enable_nestloop = off"
# Both sides are read first, each by its own index, and hash-joined. The tables were just filled, so their statistics are old: the
# planner might choose a join that scans the month of all customers once for each line.
_LINK = """
WITH entry AS MATERIALIZED (
  SELECT id, grouping_key, (SELECT max(generation) FROM billing_lineevent x WHERE x.entry_id = e.id) AS generation
  FROM billing_ledgerentry e
  WHERE party_id = %(party)s AND period + 0 <= %(period)s AND id + 0 <= %(cutoff)s
    AND reverses_id IS NULL AND (SELECT true FROM billing_ledgerentry r WHERE r.reverses_id = e.id) IS NULL
), due AS MATERIALIZED (
  SELECT id, grouping_key, coalesce(generation, 0) + 1 AS generation
  FROM entry
  WHERE generation IS NULL
     OR EXISTS (SELECT FROM billing_entryrelease r WHERE r.entry_id = entry.id AND r.generation = entry.generation)
), line AS MATERIALIZED (
  SELECT id, grouping_key FROM billing_invoiceline WHERE invoice_id = %(invoice)s
)
INSERT INTO billing_lineevent (entry_id, generation, line_id)
SELECT due.id, due.generation, line.id
FROM due JOIN line ON line.grouping_key = due.grouping_key
"""


def _link(invoice: Invoice, item: RunItem) -> None:
    """Links each entry of the draft to its line, in one statement."""
    values: dict[str, Any] = {
        "invoice": invoice.pk,
        "party": item.party_id,
        "period": invoice.period,
        "cutoff": item.cutoff,
    }
    with connection.cursor() as cursor:
        cursor.execute(f"{HASH_JOINS}; {_LINK}; SET LOCAL enable_nestloop TO DEFAULT", values)
