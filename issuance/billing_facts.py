"""Facts for billing: sent cards and letters as a feed, subscriptions at a moment, and the names on invoices."""

import contextlib
import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import BooleanField, Case, CharField, Count, F, OuterRef, Q, QuerySet, Subquery, UUIDField, When
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from issuance.articles.models import Article
from issuance.carriers.domain import kinds
from issuance.offices.models import Office
from issuance.orders.domain import items as item_kinds
from issuance.orders.domain.items import Fault, ItemState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import order_checks
from issuance.organisations.models import FormerIssuer, FormerPlace, IssuingArea
from issuance.records.models.events import Event
from issuance.suppliers.domain import Failed, Remade
from issuance.suppliers.models import SupplierEvent
from siths_portal.lib.database import feeds, plans

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
_SPOILT = Q(state__in=[ItemState.FAILED.value, ItemState.REMADE.value])
_AFTER_RETURN = Q(replaces__state=ItemState.RETURNED.value)
_FREE = (_SPOILT & (Q(remade_as=None) | ~Q(remade_as__fault=Fault.OTHER.value))) | (
    ~_SPOILT & _AFTER_RETURN & Q(fault=Fault.SUPPLIER.value)
)
"""Pieces that cost nothing: spoilt ones, and those that replace a returned one, unless the fault is not the supplier's."""

_SINGLE = _SPOILT | _AFTER_RETURN
"""Pieces that are facts of their own. The others of one kind and order are one fact together."""

_reports = SupplierEvent.objects.filter(item=OuterRef("pk"), kind__in=[Failed.kind, Remade.kind]).order_by("-received_at")
_spoilt_for = Subquery(_reports.annotate(text=KT("payload__reason")).values("text")[:1], output_field=CharField())
"""The reason with which the supplier reported an item as spoilt, or None."""


def _charged(items: QuerySet[OrderItem]) -> QuerySet[Any]:
    """Returns items annotated with `free`, `single` and `why`."""
    return items.annotate(
        free=Case(When(_FREE, then=True), default=False, output_field=BooleanField()),
        single=Case(When(_SINGLE, then=True), default=False, output_field=BooleanField()),
        why=Coalesce(_spoilt_for, "remake_reason"),
    )


@dataclass(frozen=True)
class BillableFact:
    """What a supplier reported as sent: a card, the reserve cards of a bundle, letters, or a piece that was made again.

    It is charged at the price of `ordered_at`, in the month of `occurred_at`. A piece that was made again is a fact of its own:
    `item` is its number in the order. It is a `reproduction`, which costs nothing and has a `reason`, unless the fault was not
    the supplier's.
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
    """Returns the facts of at most `limit` dispatches of orders after `after`, in feed order and older than any running
    transaction, so that none is skipped. An order of several kinds of items has a fact for each. The party is the issuer, when
    the order was sent, of the area in which the organisation was then (ADR 0037).
    """
    events = list(feeds.after(Event.objects.filter(action="order.sent"), after)[:limit])
    orders = _with_party(CardOrder.objects.all()).in_bulk([event.subject_ref for event in events])
    found = {str(order_id): order for order_id, order in orders.items()}
    dispatches = _dispatches(orders)
    return [
        fact
        for event in events
        for order in [found[event.subject_ref]]
        for fact in _facts_of(event, order, dispatches.get(order.id, {}))
    ]


@dataclass(frozen=True)
class _Piece:
    kind: str
    quantity: int = 1
    item: int | None = None
    reason: str = ""


type _Dispatches = dict[dt.datetime | None, list[_Piece]]


def _facts_of(event: Event, order: Any, dispatches: _Dispatches) -> Iterator[BillableFact]:
    """Yields the facts of one dispatch. Raises LookupError for an order that cannot be charged."""
    if order.sent_at is None:
        raise LookupError(f"order {order.id} was reported sent and has no moment of it")
    if order.party_id is None:  # submit_order refuses such an area, so it was changed afterwards
        raise LookupError(f"the issuing area of order {order.id} has no issuing organisation to charge")
    if not dispatches:
        raise LookupError(f"order {order.id} was reported sent and has no items")
    # Events before remakes do not record the moment: their order was sent once.
    recorded = event.facts.get("dispatched_at")
    moment = dt.datetime.fromisoformat(recorded) if recorded else next(iter(dispatches))
    for piece in dispatches[moment]:
        yield BillableFact(
            cursor=feeds.cursor_of(event),
            event_id=event.id,
            kind=piece.kind,
            order_id=order.id,
            organisation_id=order.organisation_id,
            party_id=order.party_id,
            office_id=order.office_id,
            article_code=order.article_id,
            ordered_at=order.ordered_at,
            occurred_at=moment or order.sent_at,
            quantity=piece.quantity,
            item=piece.item,
            reason=piece.reason,
        )


def _dispatches(order_ids: Iterable[UUID]) -> dict[UUID, _Dispatches]:
    """Returns what each order is charged for, by order and moment of dispatch, the earliest first. Runs one query."""
    rows = _charged(OrderItem.objects.filter(order__in=order_ids)).order_by("order", "dispatched_at", "number")
    values = rows.values_list("order", "dispatched_at", "number", "kind", "free", "single", "why")
    found: dict[UUID, _Dispatches] = {}
    for (order_id, moment), items in groupby(values, key=itemgetter(0, 1)):
        single, together = [], Counter[str]()
        for _order, _moment, number, kind, free, alone, why in items:
            if alone:
                single.append(_Piece(REPRODUCTION if free else _FACT_KINDS[kind], item=number, reason=why if free else ""))
            else:
                together[_FACT_KINDS[kind]] += 1
        pieces = [*(_Piece(kind, quantity) for kind, quantity in together.items()), *single]
        found.setdefault(order_id, {})[moment] = pieces
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
    sent = _charged(OrderItem.objects.filter(dispatched_at__gte=start, dispatched_at__lt=end)).order_by()
    found = Counter[str]()
    for kind, free, count in sent.values("kind", "free").annotate(count=Count("pk")).values_list("kind", "free", "count"):
        found[REPRODUCTION if free else _FACT_KINDS[kind]] += count
    return dict(found)


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
    subscribed = kinds.codes(lambda kind: kind.subscribed)
    # A count of everything joins whole tables, which may have no statistics yet. One party's count follows the indexes.
    of_everything = party_id is None and organisation_id is None
    with plans.without_loops() if of_everything else contextlib.nullcontext(), connection.cursor() as cursor:
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
