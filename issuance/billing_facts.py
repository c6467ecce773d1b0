"""Facts for billing: sent cards as a feed, subscriptions at a moment, and the names on invoices."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, OuterRef, QuerySet, Subquery, UUIDField
from django.db.models.functions import Coalesce

from issuance.articles.models import Article
from issuance.carriers.domain import kinds
from issuance.offices.models import Office
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import order_checks
from issuance.organisations.models import FormerIssuer, FormerPlace, IssuingArea
from issuance.records.models.events import Event
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


@dataclass(frozen=True)
class BillableFact:
    """A card that a supplier reported as sent. It is charged at the price of `ordered_at`, in the month of `occurred_at`."""

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
    """Returns at most `limit` sent cards after `after`, in feed order and older than any running transaction, so that none is
    skipped. The party is the issuer, when the card was sent, of the area in which the organisation was then (ADR 0037).
    """
    events = list(feeds.after(Event.objects.filter(action="order.sent"), after)[:limit])
    orders = _with_party(CardOrder.objects.all()).in_bulk([event.subject_ref for event in events])
    found = {str(order_id): order for order_id, order in orders.items()}
    facts = []
    for event in events:
        order = found[event.subject_ref]
        party_id = order.party_id
        if order.sent_at is None:
            raise LookupError(f"order {order.id} was reported sent and has no moment of it")
        if party_id is None:  # submit_order refuses such an area, so it was changed afterwards
            raise LookupError(f"the issuing area of order {order.id} has no issuing organisation to charge")
        facts.append(
            BillableFact(
                cursor=feeds.cursor_of(event),
                event_id=event.id,
                kind="card",
                order_id=order.id,
                organisation_id=order.organisation_id,
                party_id=party_id,
                office_id=order.office_id,
                article_code=order.article_id,
                ordered_at=order.ordered_at,
                occurred_at=order.sent_at,
            )
        )
    return facts


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


def sent_card_count(start: dt.datetime, end: dt.datetime) -> int:
    """Returns the number of orders reported as sent in [start, end). Counts the orders themselves, not their events."""
    return CardOrder.objects.filter(sent_at__gte=start, sent_at__lt=end).count()


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
