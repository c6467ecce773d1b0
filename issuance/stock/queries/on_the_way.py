"""Bundles of reserve cards on their way to offices, from the order to the receipt (rules/issuance 3.13)."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from issuance.authz import Action, Actor
from issuance.offices.models import Office
from issuance.orders.domain.order_states import UNDER_WAY, OrderState
from issuance.orders.models.orders import CardOrder
from issuance.orders.ports import InvoiceLines
from issuance.orders.queries import bundles
from issuance.orders.queries.bundles import BundleLine, BundleStage
from issuance.people.queries import officers
from issuance.stock.queries.stock import AWAITED_FOR
from issuance.stock.services import receiving
from siths_portal.lib import clock, ports

MOST = 10
"""Bundles whose way a page shows."""


@dataclass(frozen=True)
class BundleOnTheWay:
    """A bundle and the stages of its way; the last one leads to the page where the office receives it. `ordered_by` is the name
    of the user who ordered it, empty for the portal, and `invoice_line` the line that it is invoiced on.
    """

    line: BundleLine
    stages: Sequence[BundleStage]
    ordered_by: str
    invoice_line: str


def on_the_way(*, actor: Actor) -> list[BundleOnTheWay]:
    """Returns bundles that are not sent yet, or of which cards wait to be received, to offices whose stock the actor keeps: the
    first ordered first, at most MOST. Four queries, and one if there are none.
    """
    kept = Office.objects.visible_to(actor, Action.KEEP_STOCK).values("pk")
    recent = CardOrder.objects.filter(person=None, office__in=kept, ordered_at__gte=clock.now() - AWAITED_FOR)
    unsent = CardOrder.objects.filter(person=None, office__in=kept, state__in=UNDER_WAY)
    awaited = receiving.awaited().filter(order__in=recent.exclude(state=OrderState.CANCELLED.value).values("pk"))
    ids = list(unsent.order_by().values_list("pk", flat=True).union(awaited.order_by().values_list("order", flat=True)))
    if not ids:
        return []
    rows = bundles.read(CardOrder.objects.filter(pk__in=ids)).order_by("ordered_at", "pk")[:MOST]
    found = bundles.lines(list(rows))
    names = officers.names(actor, {line.ordered_by_ref for line in found})
    invoicing = ports.get(InvoiceLines)
    return [
        BundleOnTheWay(line, _stages(line), names.get(line.ordered_by_ref, ""), invoicing.to_come(line.invoiced_as).text)
        for line in found
    ]


def _stages(line: BundleLine) -> Sequence[BundleStage]:
    return bundles.stages(line, receive_url=reverse("stock_receive", args=[line.id]))
