"""The stock of reserve cards for pages: offices, an office's cards, bundles on their way, and counts (rules/issuance 3.13)."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet

from issuance.authz import Action, Actor
from issuance.offices.models import Office
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.people.queries import officers
from issuance.records.domain import wording
from issuance.records.models.events import Event
from issuance.records.queries import event_words, history, words
from issuance.revocation.models import HeldRevocation, HeldRevocationState
from issuance.stock.domain import LostPart, StockState, actions_in
from issuance.stock.models import StockCard, StockCount, StockLevel
from issuance.stock.services import cards, losing, offices, receiving
from siths_portal.lib import clock
from siths_portal.lib.lists import Rows

AWAITED_FOR = dt.timedelta(days=365)
"""Bundles are awaited for this long after their order."""

ENDS_SOON = dt.timedelta(days=180)
"""Cards that end within this time are marked, so that they are handed out first."""


RATE_DAYS = 90
"""How long a stock lasts is reckoned from the cards that holders activated in these days."""

MOST_EVENTS = 100
"""The events of a card on its page; a card in stock has some ten."""


@dataclass(frozen=True)
class StockFigures:
    """The stock of an office: usable cards, missing ones, those on their way, the last day of the oldest, the level, and the
    cards of the office that were activated in the last RATE_DAYS.
    """

    in_stock: int = 0
    missing: int = 0
    awaited: int = 0
    oldest: dt.date | None = None
    least: int = 0
    used: int = 0

    @property
    def lasts_days(self) -> int | None:
        """For how many days the cards last if they are used as in the last RATE_DAYS, or None if none was."""
        return self.in_stock * RATE_DAYS // self.used if self.used else None

    @property
    def short(self) -> bool:
        """True if the office has fewer usable cards than its level."""
        return self.in_stock < self.least

    @property
    def oldest_soon(self) -> bool:
        """True if the oldest usable card ends soon."""
        return self.oldest is not None and self.oldest <= (clock.now() + ENDS_SOON).date()


@dataclass(frozen=True)
class StockOffice:
    """An office in the list of stocks. `most`: the cards in stock of the page's office that has the most.

    `receives_bundles` means that it is open and has a delivery address.
    """

    id: UUID
    name: str
    figures: StockFigures
    most: int = 0
    receives_bundles: bool = False


@dataclass(frozen=True)
class StockHead:
    """An office for the head of its stock's pages. `area_id` is the area's."""

    id: UUID
    name: str
    area_id: UUID
    figures: StockFigures


@dataclass(frozen=True)
class AwaitedBundle:
    """A bundle of which cards were sent and not received: `left` of `quantity`."""

    id: UUID
    office_id: UUID
    office: str
    article: str
    ordered_on: dt.date | None
    sent_on: dt.date | None
    left: int
    quantity: int


@dataclass(frozen=True)
class StockLine:
    """A card in stock. `state` is that of the stock, or `waits` if its revocation waits for a second officer. `ended` means that
    its last day has passed while it is in stock, and `soon` that this day comes soon. `level` is the assurance level of a card
    that is handed out; None for the others, of which the hand-out decides.
    """

    id: UUID
    serial: str
    article: str
    level: int | None
    last_day: dt.date | None
    received_on: dt.date | None
    state: str
    soon: bool
    ended: bool
    waits: bool
    actions: tuple[str, ...]


@dataclass(frozen=True)
class CountLine:
    """A stock-taking, with the name of who took it as far as the reader may see it."""

    at: dt.datetime
    who: str
    expected: int
    found: int
    missing: int
    returned: int


@dataclass(frozen=True)
class StockEvent:
    """Something that happened to a card in stock."""

    at: dt.datetime
    what: str
    who: str


def offices_with_stock(*, actor: Actor) -> Rows[Office, StockOffice]:
    """Returns the offices whose stock the actor keeps and that hold reserve cards or can receive them."""
    held = StockCard.objects.filter(office=OuterRef("pk"))
    rows = Office.objects.visible_to(actor, Action.KEEP_STOCK).filter(Exists(held) | ~Q(city="") & Q(closed_at=None))
    return Rows(rows, _office_lines)


def stock_head(*, actor: Actor, office_id: UUID) -> StockHead:
    """Returns the head of an office's stock. Raises NotFound, Forbidden."""
    office = offices.require_office(actor, office_id)
    return StockHead(office.pk, office.name, office.area_id, figures([office.pk]).get(office.pk, StockFigures()))


def figures(office_ids: Sequence[UUID]) -> dict[UUID, StockFigures]:
    """Returns the figures of offices. Three queries."""
    counted = StockCard.objects.filter(office__in=office_ids).order_by().values("office")
    missing = Q(state=StockState.MISSING.value)
    used = Q(carrier__activated_at__gte=clock.now() - dt.timedelta(days=RATE_DAYS))
    found = counted.annotate(
        usable=Count("pk", filter=cards.usable()),
        missing=Count("pk", filter=missing),
        oldest=Min("valid_to", filter=cards.usable()),
        used=Count("pk", filter=used),
    )
    rows = {row["office"]: row for row in found}
    awaited: dict[UUID, int] = {}
    for bundle in _awaited(CardOrder.objects.filter(office__in=office_ids)):
        awaited[bundle.office_id] = awaited.get(bundle.office_id, 0) + bundle.left
    levels = dict(StockLevel.objects.filter(office__in=office_ids).values_list("office", "least"))
    return {pk: _figures(rows.get(pk), awaited.get(pk, 0), levels.get(pk, 0)) for pk in office_ids}


def awaited_of(office_id: UUID) -> list[AwaitedBundle]:
    """Returns the bundles on their way to an office, the first ordered first. The caller has checked the office."""
    return _awaited(CardOrder.objects.filter(office=office_id))


def awaited_bundle(*, actor: Actor, order_id: UUID) -> AwaitedBundle | None:
    """Returns what is left of a bundle, or None if nothing is. Raises NotFound, Forbidden."""
    order = receiving.bundle_of(actor, order_id)
    return next(iter(_awaited(CardOrder.objects.filter(pk=order.pk))), None)


def losable(*, actor: Actor, order_id: UUID) -> dict[LostPart, int]:
    """Returns how many cards of a bundle can be reported lost, by part. Raises NotFound, Forbidden."""
    order = receiving.bundle_of(actor, order_id)
    return {part: losing.losable(order, part).count() for part in (LostPart.NOT_ARRIVED, LostPart.EVERYTHING)}


def awaited_by(*, actor: Actor) -> list[AwaitedBundle]:
    """Returns the bundles on their way to offices whose stock the actor keeps."""
    kept = Office.objects.visible_to(actor, Action.KEEP_STOCK)
    return _awaited(CardOrder.objects.filter(office__in=kept.values("pk")))


def short_offices(*, actor: Actor) -> list[StockOffice]:
    """Returns the open offices with fewer usable cards than their level, whose stock the actor keeps, by name."""
    rows = (
        Office.objects.visible_to(actor, Action.KEEP_STOCK)
        .filter(stock_level__least__gt=0, closed_at=None)
        .order_by("name", "pk")
    )
    return [line for line in _office_lines(list(rows)) if line.figures.short]


def cards_of(*, office_id: UUID) -> Rows[StockCard, StockLine]:
    """Returns the cards of an office. The caller has checked the office."""
    rows = StockCard.objects.filter(office=office_id).select_related("carrier__article").defer("carrier__card_key_spki")
    return Rows(rows, card_lines)


def card_line(*, actor: Actor, card_id: UUID) -> tuple[StockLine, StockCard]:
    """Returns a card in words, and its row with its office. Raises NotFound, Forbidden."""
    card = cards.card_of(actor, card_id)
    return card_lines([card])[0], card


def events_of(*, actor: Actor, card: StockCard) -> list[StockEvent]:
    """Returns what happened to a card, the newest first. The caller has checked the card."""
    subjects = Q(subject_type="carrier", subject_ref=str(card.carrier_id)) | Q(
        subject_type="stock_card", subject_ref=str(card.pk)
    )
    rows = list(Event.objects.filter(subjects).order_by("-pk")[:MOST_EVENTS])
    who = history.names_of(actor, {row.actor_ref for row in rows})
    return [StockEvent(row.at, event_words.what(row.action), who[row.actor_ref]) for row in rows]


def card_by_serial(*, office_id: UUID, serial: str) -> UUID | None:
    """Returns the id of an office's card with this serial number, or None. The caller has checked the office."""
    return StockCard.objects.filter(office=office_id, carrier__card_serial=serial).values_list("pk", flat=True).first()


def counts_of(*, actor: Actor, office_id: UUID) -> Rows[StockCount, CountLine]:
    """Returns the stock-takings of an office. The caller has checked the office."""

    def lines(found: Sequence[StockCount]) -> Sequence[CountLine]:
        who = officers.names(actor, {row.counted_by_ref for row in found})
        return [
            CountLine(row.counted_at, who.get(row.counted_by_ref, ""), row.expected, row.found, row.missing, row.returned)
            for row in found
        ]

    return Rows(StockCount.objects.filter(office=office_id), lines)


def card_lines(rows: Sequence[StockCard]) -> Sequence[StockLine]:
    """Returns cards that were read with carrier and article in words. One query."""
    waits = HeldRevocation.objects.filter(carrier__in=[row.carrier_id for row in rows], state=HeldRevocationState.OPEN)
    waiting = set(waits.values_list("carrier", flat=True))
    now = clock.now()
    return [
        StockLine(
            id=row.pk,
            serial=row.carrier.card_serial,
            article=words.article(row.carrier.card_article.number, row.carrier.card_article.title),
            level=row.carrier.assurance_level if row.state == StockState.HANDED_OUT else None,
            last_day=wording.last_day(row.valid_to),
            received_on=wording.day(row.received_at),
            state=row.state,
            soon=row.state == StockState.IN_STOCK and now < row.valid_to <= now + ENDS_SOON,
            ended=row.state == StockState.IN_STOCK and row.valid_to <= now,
            waits=row.carrier_id in waiting,
            actions=tuple(action.value for action in actions_in(row.state)),
        )
        for row in rows
    ]


def _office_lines(rows: Sequence[Office]) -> list[StockOffice]:
    found = figures([row.pk for row in rows])
    most = max((each.in_stock for each in found.values()), default=0)
    return [StockOffice(row.pk, row.name, found[row.pk], most, bool(row.city) and row.closed_at is None) for row in rows]


def _figures(row: Mapping[str, Any] | None, awaited: int, least: int) -> StockFigures:
    if row is None:
        return StockFigures(awaited=awaited, least=least)
    return StockFigures(row["usable"], row["missing"], awaited, wording.last_day(row["oldest"]), least, row["used"])


def _awaited(orders: QuerySet[CardOrder]) -> list[AwaitedBundle]:
    """Returns the bundles among the orders of which cards wait to be received. Two queries, and one if there are none."""
    since = clock.now() - AWAITED_FOR
    recent = orders.filter(person=None, ordered_at__gte=since).exclude(state=OrderState.CANCELLED.value)
    left = receiving.awaited().filter(order__in=recent.values("pk")).order_by().values("order").annotate(cards=Count("pk"))
    counts = {row["order"]: row["cards"] for row in left}
    if not counts:
        return []
    rows = CardOrder.objects.filter(pk__in=counts).select_related("article", "office").annotate(cards=Count("items"))
    return [
        AwaitedBundle(
            id=row.pk,
            office_id=row.office_id,
            office=row.office.name,
            article=words.article(row.article.number, row.article.title),
            ordered_on=wording.day(row.ordered_at),
            sent_on=row.sent_on,
            left=counts[row.pk],
            quantity=row.cards,
        )
        for row in rows.order_by("pk")
    ]
