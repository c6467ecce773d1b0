"""Bundles of reserve cards on their way to offices, from the order to the receipt (rules/issuance 3.13)."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from issuance.authz import Action, Actor
from issuance.offices.models import Office
from issuance.orders.domain.order_states import UNDER_WAY, OrderState
from issuance.orders.models.orders import CardOrder
from issuance.orders.queries import bundles
from issuance.orders.queries.bundles import BundleLine, BundleStage
from issuance.stock.queries.stock import AWAITED_FOR
from issuance.stock.services import receiving
from siths_portal.lib import clock

MOST = 10
"""Bundles whose way a page shows."""


@dataclass(frozen=True)
class BundleOnTheWay:
    """A bundle and the stages of its way; the last one leads to the page where the office receives it."""

    line: BundleLine
    stages: Sequence[BundleStage]


def on_the_way(*, actor: Actor) -> list[BundleOnTheWay]:
    """Returns bundles that are not sent yet, or of which cards wait to be received, to offices whose stock the actor keeps: the
    first ordered first, at most MOST. Three queries, and one if there are none.
    """
    kept = Office.objects.visible_to(actor, Action.KEEP_STOCK).values("pk")
    recent = CardOrder.objects.filter(person=None, office__in=kept, ordered_at__gte=clock.now() - AWAITED_FOR)
    unsent = CardOrder.objects.filter(person=None, office__in=kept, state__in=UNDER_WAY)
    awaited = receiving.awaited().filter(order__in=recent.exclude(state=OrderState.CANCELLED.value).values("pk"))
    ids = list(unsent.order_by().values_list("pk", flat=True).union(awaited.order_by().values_list("order", flat=True)))
    if not ids:
        return []
    rows = bundles.read(CardOrder.objects.filter(pk__in=ids)).order_by("ordered_at", "pk")[:MOST]
    return [BundleOnTheWay(line, _stages(line)) for line in bundles.lines(list(rows))]


def _stages(line: BundleLine) -> Sequence[BundleStage]:
    return bundles.stages(line, receive_url=reverse("stock_receive", args=[line.id]))
