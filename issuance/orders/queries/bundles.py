"""Bundles of reserve cards for pages: what an organisation can order, and what it has ordered (rules/issuance 3.9)."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from issuance.articles.models import Article
from issuance.articles.ports import ArticlePrices
from issuance.authz import Action, Actor, policy
from issuance.carriers.domain.kinds import RESERVE_CARD
from issuance.offices.models import Office
from issuance.orders.domain import items
from issuance.orders.domain.items import ItemState
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import bundles, order_checks
from issuance.organisations.models import Organisation
from issuance.records.queries import words
from siths_portal.lib import clock, ports
from siths_portal.lib.lists import Rows
from siths_portal.lib.pages.dates import in_words

_REACHED = {
    OrderState.QUEUED: 1,
    OrderState.ACCEPTED: 1,
    OrderState.IN_PRODUCTION: 1,
    OrderState.PRODUCED: 2,
    OrderState.SENT: 3,
}
"""The stage of its way at which a bundle is, by the state of its order."""


@dataclass(frozen=True)
class BundleChoices:
    """The choices of an order: articles, open offices with a delivery address, and prices by article code, in SEK without VAT.

    `without_address` is the number of further offices that receive no bundles.
    """

    articles: Sequence[Article] = ()
    offices: Sequence[Office] = ()
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    without_address: int = 0


@dataclass(frozen=True)
class BundleLine:
    """An ordered bundle. `quantity` is the number of cards, `last_day` the day on which it is sent at the latest, and
    `invoiced_as` the invoice comment of its office.
    """

    id: UUID
    organisation_id: UUID
    ordered_on: dt.date
    article: str
    quantity: int
    office_id: UUID
    office: str
    state: str
    last_day: dt.date
    sent_on: dt.date | None
    ordered_by_ref: str
    invoiced_as: str
    failed: int = 0

    @property
    def removable(self) -> bool:
        """True while no supplier has accepted the order."""
        return self.state == OrderState.QUEUED


@dataclass(frozen=True)
class BundleStage:
    """A stage of a bundle's way: `state` is done, now or later (`components/track.html`)."""

    state: str
    text: str
    note: str = ""
    url: str = ""


def stages(line: BundleLine, *, receive_url: str = "") -> Sequence[BundleStage]:
    """Returns the way of a bundle from the order to the office, as far as it has come; none if it came to nothing.

    `receive_url` is the page where the office receives it, for actors who may.
    """
    reached = _REACHED.get(OrderState(line.state))
    if reached is None:
        return ()
    sent = in_words(line.sent_on) or _("senast {day}").format(day=in_words(line.last_day))
    way = (
        (_("Beställd"), in_words(line.ordered_on), ""),
        (_("Korten tillverkas"), "", ""),
        (_("Korten skickas"), sent, ""),
        (_("Kontoret tar emot bunten"), "", receive_url if line.state == OrderState.SENT else ""),
    )
    return tuple(
        BundleStage("done" if place < reached else "now" if place == reached else "later", *texts)
        for place, texts in enumerate(way)
    )


def ordering_organisations(*, actor: Actor, most: int) -> list[tuple[UUID, str]]:
    """Returns ids and names of organisations for which the actor may order bundles, and that have an article for them today: by
    name, at most `most`.
    """
    if not policy.holds(actor, Action.ORDER_RESERVE_BUNDLE):
        return []
    offered = order_checks.offers(RESERVE_CARD.article_kinds).filter(organisation=OuterRef("pk"))
    rows = Organisation.objects.visible_to(actor, Action.ORDER_RESERVE_BUNDLE).filter(Exists(offered), closed_at=None)
    return list(rows.order_by("name", "pk").values_list("pk", "name")[:most])


def choices(*, actor: Actor, organisation_id: UUID) -> BundleChoices:
    """Returns what the organisation can order today. Raises NotFound, Forbidden."""
    rows = Organisation.objects.select_related("area")
    organisation = policy.get(actor, Action.ORDER_RESERVE_BUNDLE, rows, organisation_id)
    articles = list(bundles.articles_of(organisation_id))
    offices = order_checks.open_offices(organisation_id)
    receiving = [office for office in offices if bundles.receives(office)]
    party_id = organisation.area.issuing_organisation_id
    codes = [article.code for article in articles]
    prices = ports.get(ArticlePrices).prices(party_id, codes) if party_id is not None and codes else {}
    return BundleChoices(articles, receiving, prices, len(offices) - len(receiving))


def bundles_of(*, actor: Actor, organisation_id: UUID) -> Rows[CardOrder, BundleLine]:
    """Returns the bundles that were ordered for an organisation, if the actor sees its configuration."""
    rows = CardOrder.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(organisation=organisation_id)
    return Rows(read(rows), lines)


def bundle(*, actor: Actor, order_id: UUID) -> BundleLine:
    """Returns a bundle. Raises NotFound, Forbidden."""
    return lines([policy.get(actor, Action.VIEW_CONFIGURATION, read(CardOrder.objects.get_queryset()), order_id)])[0]


def lines(orders: Sequence[CardOrder]) -> Sequence[BundleLine]:
    """Returns the lines of bundles that were read with article and office. One query."""
    current = OrderItem.objects.current().filter(order__in=orders).order_by()
    counts = current.values("order").annotate(cards=Count("pk"), failed=Count("pk", filter=Q(state=ItemState.FAILED.value)))
    found = {row["order"]: row for row in counts}
    return [_line(order, found[order.pk]["cards"], found[order.pk]["failed"]) for order in orders]


def read(orders: QuerySet[CardOrder]) -> QuerySet[CardOrder]:
    """Returns the bundles among the orders: their first item is a reserve card, and they name no person."""
    rows = orders.filter(person=None, items__number=1, items__kind=items.RESERVE_CARD.code)
    return rows.select_related("article", "office")


def _line(order: CardOrder, cards: int, failed: int) -> BundleLine:
    ordered_on = order.ordered_at.astimezone(clock.STOCKHOLM).date()
    return BundleLine(
        id=order.pk,
        organisation_id=order.organisation_id,
        ordered_on=ordered_on,
        article=words.article(order.article.number, order.article.title),
        quantity=cards,
        office_id=order.office_id,
        office=order.office.name,
        state=order.state,
        last_day=bundles.last_day_sent(ordered_on),
        sent_on=order.sent_on,
        ordered_by_ref=order.ordered_by_ref,
        invoiced_as=order.office.invoice_comment,
        failed=failed,
    )
