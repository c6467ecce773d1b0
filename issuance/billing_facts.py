"""Facts for billing: sent cards and letters as a feed, subscriptions at a moment, and the names on invoices."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import CharField, Count, F, OuterRef, QuerySet, Subquery, UUIDField
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from issuance.articles.models import Article
from issuance.carriers.domain import kinds
from issuance.offices.models import Office
from issuance.orders.domain import items as item_kinds
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import order_checks
from issuance.organisations.models import FormerIssuer, FormerPlace, IssuingArea
from issuance.records.models.events import Event
from issuance.suppliers.domain import Failed
from issuance.suppliers.models import SupplierEvent
from siths_portal.lib.database import feeds

_SUBSCRIPTIONS = """
    WITH fee AS (
        SELECT DISTINCT ON (organisation_id) organisation_id, charged FROM issuance_subscriptionfee
        WHERE valid_from < %(at)s ORDER BY organisation_id, valid_from DESC
    ), former_place AS (
        SELECT DISTINCT ON (organisation_id) organisation_id, area_id, top_id FROM issuance_formerplace
        WHERE until >= %(at)s ORDER BY organisation_id, until, id
    ), former_issuer AS (
        SELECT DISTINCT ON (area_id) area_id, organisation_id FROM issuance_formerissuer
        WHERE until >= %(at)s ORDER BY area_id, until, id
    ), placed AS (
        SELECT o.id, COALESCE(former.top_id, above.id) AS top_id, COALESCE(former.area_id, o.area_id) AS area_id
        FROM issuance_organisation o
        JOIN issuance_organisation above
            ON above.scope_path = '/' || split_part(o.scope_path, '/', 2) || '/' || split_part(o.scope_path, '/', 3) || '/'
        LEFT JOIN former_place former ON former.organisation_id = o.id
    ), issuer AS (
        SELECT a.id AS area_id, COALESCE(former.organisation_id, a.issuing_organisation_id) AS party_id
        FROM issuance_issuingarea a LEFT JOIN former_issuer former ON former.area_id = a.id
    ), top AS (
        SELECT o.id, o.name, issuer.party_id
        FROM placed
        JOIN issuance_organisation o ON o.id = placed.id
        JOIN issuer ON issuer.area_id = placed.area_id AND issuer.party_id IS NOT NULL
        JOIN fee ON fee.organisation_id = o.id AND fee.charged
        WHERE placed.top_id = placed.id AND (%(party)s::uuid IS NULL OR issuer.party_id = %(party)s)
            AND (%(organisation)s::uuid IS NULL OR placed.id = %(organisation)s)
    ), holder AS (
        {holders}
        FROM issuance_eid e
        JOIN issuance_carrier c ON c.id = e.carrier_id AND c.kind = ANY(%(kinds)s)
        JOIN placed ON placed.id = e.organisation_id
        JOIN top ON top.id = placed.top_id
        WHERE e.activated_at < %(at)s AND e.valid_to >= %(at)s AND (e.ended_at IS NULL OR e.ended_at >= %(at)s)
        {newest}
    )
    SELECT top.party_id, top.id, top.name, count(*), {eids}
    FROM holder JOIN top ON top.id = holder.top_id
    GROUP BY top.party_id, top.id, top.name
    ORDER BY top.party_id, top.name, top.id
"""
_COUNTS = _SUBSCRIPTIONS.format(holders="SELECT DISTINCT placed.top_id, c.person_id", newest="", eids="ARRAY[]::uuid[]")
_COUNTS_WITH_EIDS = _SUBSCRIPTIONS.format(
    holders="SELECT DISTINCT ON (placed.top_id, c.person_id) placed.top_id, e.id AS eid_id",
    newest="ORDER BY placed.top_id, c.person_id, e.activated_at DESC, e.id",
    eids="array_agg(holder.eid_id ORDER BY holder.eid_id)",
)


REPRODUCTION = "reproduction"
_FACT_KINDS = {
    item_kinds.CARD.code: "card",
    item_kinds.RESERVE_CARD.code: "reserve_card",
    item_kinds.LETTER.code: "puk_letter",
}
_failed = SupplierEvent.objects.filter(item=OuterRef("pk"), kind=Failed.kind)
_spoilt_for = Subquery(_failed.annotate(text=KT("payload__reason")).values("text")[:1], output_field=CharField())
"""The reason with which the supplier reported an item as failed, or None."""


@dataclass(frozen=True)
class BillableFact:
    """What a supplier reported as sent: a card, the reserve cards of a bundle, letters, or a piece that was made again.

    It is charged at the price of `ordered_at`, in the month of `occurred_at`. A piece that was spoilt and made again costs
    nothing: `item` is its number in the order, `reason` the supplier's code.
    """

    cursor: feeds.Cursor
    event_id: int
    kind: str
    order_id: UUID
    organisation_id: UUID
    party_id: UUID
    office_id: UUID
    article_code: str
    ordered_at: dt.datetime
    occurred_at: dt.datetime
    quantity: int = 1
    item: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class SubscriptionCount:
    """The number of persons with a valid e-legitimation in an organisation with a fee. `direct` means that the organisation is
    the party. `eids` are the ids of the counted e-legitimations, ascending, one for each person; empty unless they are asked for.
    """

    party_id: UUID
    organisation_id: UUID
    organisation_name: str
    direct: bool
    persons: int
    eids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class BillingParty:
    """A directly connected organisation that issues in an area, and is invoiced for the complete area."""

    id: UUID
    name: str
    organisation_number: str
    invoice_reference: str


@dataclass(frozen=True)
class OfficeView:
    """An office with its invoice comment."""

    id: UUID
    name: str
    invoice_comment: str


@dataclass(frozen=True)
class ArticleView:
    """An article; `code` is its number, with `-REK` for the registered-mail variant."""

    code: str
    number: str
    name: str
    registered_mail: bool


def billable_facts(after: feeds.Cursor, *, limit: int) -> list[BillableFact]:
    """Returns the facts of at most `limit` sent orders after `after`, in feed order and older than any running transaction, so
    that none is skipped. An order of several kinds of items has a fact for each. The party is the issuer, when the order was
    sent, of the area in which the organisation was then (ADR 0037).
    """
    events = list(feeds.after(Event.objects.filter(action="order.sent"), after)[:limit])
    orders = _with_party(CardOrder.objects.all()).in_bulk([event.subject_ref for event in events])
    found = {str(order_id): order for order_id, order in orders.items()}
    pieces = _pieces(orders)
    facts = []
    for event in events:
        order = found[event.subject_ref]
        party_id = order.party_id
        if order.sent_at is None:
            raise LookupError(f"order {order.id} was reported sent and has no moment of it")
        if party_id is None:  # submit_order refuses such an area, so it was changed afterwards
            raise LookupError(f"the issuing area of order {order.id} has no issuing organisation to charge")
        if order.id not in pieces:
            raise LookupError(f"order {order.id} was reported sent and has no items")
        for piece in pieces[order.id]:
            facts.append(
                BillableFact(
                    cursor=feeds.cursor_of(event),
                    event_id=event.id,
                    kind=piece.kind,
                    order_id=order.id,
                    organisation_id=order.organisation_id,
                    party_id=party_id,
                    office_id=order.office_id,
                    article_code=order.article_id,
                    ordered_at=order.ordered_at,
                    occurred_at=order.sent_at,
                    quantity=piece.quantity,
                    item=piece.item,
                    reason=piece.reason,
                )
            )
    return facts


@dataclass(frozen=True)
class _Piece:
    kind: str
    quantity: int = 1
    item: int | None = None
    reason: str = ""


def _pieces(order_ids: Iterable[UUID]) -> dict[UUID, list[_Piece]]:
    """Returns what each order is charged for, by order. Runs one query.

    The card of an order is its latest. Items before it, and items of other kinds that the supplier reported as failed, were
    spoilt and made again.
    """
    rows = OrderItem.objects.filter(order__in=order_ids).annotate(reason=_spoilt_for).order_by("order", "number")
    found: dict[UUID, list[_Piece]] = {}
    for order_id, of_order in groupby(rows.values_list("order", "number", "kind", "reason"), key=itemgetter(0)):
        items = list(of_order)
        card = max((number for _, number, kind, _ in items if kind == item_kinds.CARD.code), default=None)
        spoilt, good = [], Counter[str]()
        for _order, number, kind, reason in items:
            if number < card if kind == item_kinds.CARD.code and card else reason is not None:
                spoilt.append(_Piece(REPRODUCTION, item=number, reason=reason or ""))
            else:
                good[_FACT_KINDS[kind]] += 1
        found[order_id] = [*(_Piece(kind, quantity) for kind, quantity in good.items()), *spoilt]
    return found


def _with_party(orders: QuerySet[CardOrder]) -> QuerySet[Any]:
    """Returns the orders annotated with `party_id`, the party to charge at `sent_at`, or None for an area without issuer."""
    place = FormerPlace.objects.filter(organisation=OuterRef("organisation"), until__gt=OuterRef("sent_at"))
    issuer = FormerIssuer.objects.filter(area=OuterRef("area_then"), until__gt=OuterRef("sent_at"))
    issues_now = IssuingArea.objects.filter(pk=OuterRef("area_then")).values("issuing_organisation")
    return orders.annotate(
        area_then=Coalesce(
            Subquery(place.order_by("until", "id").values("area")[:1]), F("organisation__area"), output_field=UUIDField()
        ),
    ).annotate(
        party_id=Coalesce(
            Subquery(issuer.order_by("until", "id").values("organisation")[:1]), Subquery(issues_now), output_field=UUIDField()
        ),
    )


def sent_pieces(start: dt.datetime, end: dt.datetime) -> dict[str, int]:
    """Returns how many pieces of each kind of fact suppliers reported as sent in [start, end). Counts the items of the orders
    themselves, not events.
    """
    sent = OrderItem.objects.filter(order__sent_at__gte=start, order__sent_at__lt=end).annotate(reason=_spoilt_for)
    counts = sent.values("kind").annotate(items=Count("pk"), orders=Count("order", distinct=True), failed=Count("reason"))
    found = Counter[str]()
    for row in counts.order_by():
        good = row["orders"] if row["kind"] == item_kinds.CARD.code else row["items"] - row["failed"]
        found[_FACT_KINDS[row["kind"]]] += good
        found[REPRODUCTION] += row["items"] - good
    return {kind: count for kind, count in found.items() if count}


def subscription_counts(
    at: dt.datetime, party_id: UUID | None = None, *, organisation_id: UUID | None = None, with_eids: bool = False
) -> list[SubscriptionCount]:
    """Returns the number of persons with at least one e-legitimation valid just before `at`, the end of the charged period.

    Activation, expiry, revocation or a fee that takes effect exactly at `at` does not count yet (ADR 0037). Tree, area and
    payer are those of the same instant (ADR 0037). Counts are by organisation with a fee; a top organisation includes its
    sub-organisations. Mobile eIDs and test cards do not count. Runs one statement over the status history; with `party_id` only
    for that party's organisations, with `organisation_id` only for that one.

    `with_eids` adds the e-legitimation by which each person counts: of several the one that was activated last.
    """
    with connection.cursor() as cursor:
        subscribed = kinds.codes(lambda kind: kind.subscribed)
        values = {"at": at, "party": party_id, "organisation": organisation_id, "kinds": subscribed}
        cursor.execute(_COUNTS_WITH_EIDS if with_eids else _COUNTS, values)
        return [
            SubscriptionCount(party_id, organisation_id, name, organisation_id == party_id, persons, tuple(eids))
            for party_id, organisation_id, name, persons, eids in cursor.fetchall()
        ]


def billing_parties() -> list[BillingParty]:
    """Returns the issuing organisation of each area, by name."""
    areas = IssuingArea.objects.filter(issuing_organisation__isnull=False).select_related("issuing_organisation")
    return [
        BillingParty(party.id, party.name, party.organisation_number, area.invoice_reference)
        for area in areas.order_by("issuing_organisation__name")
        if (party := area.issuing_organisation) is not None
    ]


def offices(ids: Iterable[UUID]) -> dict[UUID, OfficeView]:
    """Returns the offices with these ids."""
    rows = Office.objects.filter(pk__in=set(ids)).only("id", "name", "invoice_comment")
    return {row.id: OfficeView(row.id, row.name, row.invoice_comment) for row in rows}


def articles() -> dict[str, ArticleView]:
    """Returns every article, ended ones included, by code."""
    return {row.code: ArticleView(row.code, row.number, row.name, row.registered_mail) for row in Article.objects.all()}


def offered_articles(party_id: UUID) -> frozenset[str]:
    """Returns the codes of the articles that organisations may order today in the areas where the party issues."""
    offered = order_checks.offers().filter(organisation__area__issuing_organisation=party_id, organisation__closed_at=None)
    return frozenset(offered.order_by().values_list("article__code", flat=True).distinct())
