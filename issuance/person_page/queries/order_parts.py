"""The order of a carrier on the person's page: its state at the supplier, and what became of the card."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from issuance.carriers.models import Carrier
from issuance.orders.domain.items import ItemState
from issuance.orders.domain.order_states import UNDER_WAY, OrderState
from issuance.orders.models.orders import CardOrder
from issuance.orders.queries import delivery_times
from issuance.person_page.queries import person_functions
from issuance.person_page.queries.page_parts import Fate, OrderView, UndeliveredView
from issuance.records.domain import wording
from issuance.records.queries import words
from siths_portal.lib import clock
from siths_portal.lib.pages.dates import weekday_in_words


def undelivered(rows: Sequence[Carrier], orders: Mapping[UUID, CardOrder]) -> UndeliveredView | None:
    """Returns the newest of `rows`, the newest first, if its order ended without a card for the holder."""
    order = orders.get(rows[0].id) if rows else None
    if order is None or order.state not in (OrderState.FAILED, OrderState.RETURNED):
        return None
    return UndeliveredView(
        state=order.state,
        last=rows[0].card_serial[-4:],
        ended_on=wording.day(rows[0].ended_at),
        remake=person_functions.remake(order) if _fate(order) == Fate.RETURNED else None,
    )


def _fate(order: CardOrder) -> str:
    """Returns what became of the card of an order of `_orders`, a `Fate`, or an empty text for the usual."""
    item = ItemState(order.item_state)  # type: ignore[attr-defined]
    if item is ItemState.REMADE or order.item_remade_as is not None:  # type: ignore[attr-defined]
        return Fate.MADE_AGAIN
    if item in (ItemState.FAILED, ItemState.RETURNED):
        return Fate(item.value)
    return Fate.SECOND if order.item_remakes is not None else ""  # type: ignore[attr-defined]


def order_view(order: CardOrder) -> OrderView:
    """Returns the order of a carrier, annotated as the person's page reads orders."""
    working_days = order.working_days  # type: ignore[attr-defined]
    arrives_on = None if order.is_protected else delivery_times.arrival_of(order, working_days)  # type: ignore[attr-defined]
    return OrderView(
        id=order.id,
        state=order.state,
        state_text=wording.label(words.ORDER_STATE, order.state),
        office=order.office.name,
        ordered_at=order.ordered_at,
        sent_on=order.sent_on,
        registered_mail_id=order.registered_mail_id,
        puk_text=wording.label(words.PUK_STATE, order.item_puk) if order.item_puk else "",  # type: ignore[attr-defined]
        puk_refused=_puk_refused(order.state, order.item_refusal),  # type: ignore[attr-defined]
        replaced=order.replaced_carrier_id,
        fate=_fate(order),
        arrives=weekday_in_words(arrives_on) if arrives_on else "",
        is_late=arrives_on is not None and arrives_on < clock.today(),
    )


def _puk_refused(state: str, refusal: str) -> str:
    """Returns the reason why the PUK of a pending order was refused."""
    return wording.label(words.PUK_REFUSAL, refusal) if refusal and state in UNDER_WAY else ""
