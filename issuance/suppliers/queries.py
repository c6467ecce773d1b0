"""A card supplier's view of its orders and changes, scoped by `visible_to` with the supplier's actor."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Max, OuterRef, Q, Subquery

from issuance.articles.models import Article
from issuance.authz import Action, client, policy
from issuance.authz.scope import ScopedQuerySet
from issuance.customisations.models import CardCustomisation
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.people.queries import officers
from issuance.suppliers.models import SupplierChange
from issuance.suppliers.services import puks
from siths_portal.lib import clock
from siths_portal.lib.database import feeds
from siths_portal.lib.errors import Invalid

_SHOWN = ("article", "customisation", "photo")
_COUNT = (
    OrderItem.objects.current()
    .filter(order=OuterRef("pk"))
    .order_by()
    .values("order")
    .annotate(count=Count("pk"))
    .values("count")
)


def with_items(*related: str) -> ScopedQuerySet[CardOrder]:
    """Returns all orders as `CardOrder.objects.with_card`, annotated with `item_count`, without items that were made again."""
    return CardOrder.objects.with_card("puk_of", *related).annotate(item_count=Subquery(_COUNT))


def only_item(order: CardOrder) -> OrderItem | None:
    """Returns the item of an order of `with_items` if a single one is to be made, else None. Runs no query."""
    items = list(order.items.all())
    return items[-1] if order.item_count == 1 else None  # type: ignore[attr-defined]


def show_present_puks(orders: Iterable[CardOrder]) -> None:
    """Sets the PUK states of the only items of orders to `pki`'s present decision, in memory. Runs one query."""
    puks.show_present_state(item for order in orders if (item := only_item(order)) is not None)


def own_orders(*, client_ref: str, state: OrderState, after: UUID | None, limit: int) -> list[CardOrder]:
    """Returns at most `limit` of the supplier's orders in `state`, the oldest first, after the id `after`, with their PUKs'
    present states.
    """
    rows = with_items().visible_to(client(client_ref), Action.SUPPLY).filter(state=state.value)
    if after is not None:
        rows = rows.filter(pk__gt=after)
    found = list(rows.select_related(*_SHOWN).order_by("pk")[:limit])
    show_present_puks(found)
    return found


@dataclass(frozen=True)
class IdAdministrator:
    """The officer who ordered (behörig ID-administratör): name, and HSA-id of the present assignment."""

    name: str
    service_id: str


def id_administrator(*, client_ref: str, order: CardOrder) -> IdAdministrator | None:
    """Returns the officer who ordered. None for one with protected identity, and for an order that no person placed."""
    actor, ref = client(client_ref), order.ordered_by_ref
    service_id = officers.hsa_ids(actor, [ref]).get(ref)
    return IdAdministrator(officers.names(actor, [ref])[ref], service_id) if service_id is not None else None


def items_after(*, client_ref: str, order_id: UUID, number: int, limit: int) -> list[OrderItem]:
    """Returns at most `limit` items of the supplier's order after the item `number`, with their PUKs' present states. Raises
    NotFound.
    """
    order = policy.get(client(client_ref), Action.SUPPLY, CardOrder.objects, order_id)
    rows = OrderItem.objects.filter(order=order, number__gt=number).select_related("carrier", "puk_of")
    found = list(rows.order_by("number")[:limit])
    puks.show_present_state(found)
    return found


def newest_items(*, client_ref: str, order_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Returns the number of the newest item of each of the supplier's orders that has or had several items, by the order's id."""
    rows = CardOrder.objects.visible_to(client(client_ref), Action.SUPPLY).filter(pk__in=order_ids, items__number__gt=1)
    return dict(rows.order_by().values_list("pk").annotate(newest=Max("items__number")))


def changes_after(*, client_ref: str, number: int, limit: int) -> list[SupplierChange]:
    """Returns at most `limit` of the supplier's changes after the change `number` (0: from the first), in feed order and older
    than any running transaction, so that none is skipped. Raises Invalid if the supplier has no such change.
    """
    own = SupplierChange.objects.filter(supplier_ref=client_ref)
    cursor = feeds.START
    if number:
        last = own.filter(pk=number).first()
        if last is None:
            message = "Ange numret på en ändring ur ett tidigare svar, eller 0."
            raise Invalid("change-unknown", message, fields={"after": [message]})
        cursor = feeds.cursor_of(last)
    return list(feeds.after(own.select_related("customisation"), cursor)[:limit])


def articles(*, after: str | None, limit: int) -> list[Article]:
    """Returns at most `limit` articles that can be ordered today or later, by code, after the code `after`."""
    rows = Article.objects.filter(Q(valid_to=None) | Q(valid_to__gte=clock.today()))
    if after is not None:
        rows = rows.filter(code__gt=after)
    return list(rows.order_by("code")[:limit])


def customisations(*, client_ref: str, after: str | None, limit: int) -> list[CardCustomisation]:
    """Returns at most `limit` card customisations that the supplier makes or has orders for, by id, after the id `after`."""
    rows = CardCustomisation.objects.visible_to(client(client_ref), Action.READ_SUPPLIED)
    if after is not None:
        rows = rows.filter(customisation_id__gt=after)
    return list(rows.order_by("customisation_id")[:limit])
