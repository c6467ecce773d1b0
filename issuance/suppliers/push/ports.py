"""The channel to a supplier that takes orders and changes by signed calls (docs/wire/supplier-push.openapi.yaml)."""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from siths_portal.lib.errors import Unavailable

if TYPE_CHECKING:
    from authn.service import PushEndpoint
    from issuance.orders.models.orders import CardOrder
    from issuance.suppliers.models import SupplierChange
    from issuance.suppliers.queries import IdAdministrator
    from issuance.suppliers.services.supplier_intake import Delivery


class BadAnswer(Unavailable):
    """The answer is not proved to be the supplier's, or is about something else. Nothing in it is believed."""


@dataclass(frozen=True)
class OutgoingOrder:
    """An order as it is sent: where the cards go (None if nobody knows), and the officer who ordered."""

    order: "CardOrder"
    delivery: "Delivery | None"
    officer: "IdAdministrator | None"


@dataclass(frozen=True)
class Receipt:
    """A proved answer to a delivery. The caller takes each `answer_id` for one delivery only."""

    answer_id: str


@dataclass(frozen=True)
class ChangedOrder:
    """What the supplier believes of an order: `status` is an `OrderState`'s name."""

    order_id: UUID
    status: str
    changed_at: dt.datetime


@dataclass(frozen=True)
class ChangedPage:
    """A proved page of the supplier's orders. `next` is read on from; "" on the last page."""

    answer_id: str
    orders: tuple[ChangedOrder, ...]
    next: str


class Channel(Protocol):
    """The calls to a supplier. Those that deliver may be repeated with the same `key` and have one effect.

    Each raises Unavailable if no answer came or the call cannot be made, so that nobody knows what the supplier has, BadAnswer
    if the answer cannot be believed, and those that deliver Refused, with the supplier's code, if it will not take this.
    """

    def send_order(self, endpoint: "PushEndpoint", key: UUID, order: OutgoingOrder) -> Receipt:
        """Hands over an order, with what to print and where to send it. The receipt means that the supplier accepts it."""
        ...

    def send_change(self, endpoint: "PushEndpoint", key: UUID, change: "SupplierChange") -> Receipt:
        """Tells of a change. The receipt means that the supplier acts on it, or does not have what changed."""
        ...

    def changed(self, endpoint: "PushEndpoint", *, since: dt.datetime, after: str) -> ChangedPage:
        """Returns what the supplier believes of its orders that changed since `since`, a page at a time."""
        ...
