"""The items that a call means without naming them, which belong to its idempotency key.

A returned order is queued again with another item. A repeat of a call for the first item must not pass for one for the second:
its stored response would say that the order is accepted, or the card reported, which it is not.
"""

from typing import Any
from uuid import UUID

from rest_framework.request import Request

from issuance.suppliers import queries
from siths_portal.lib.rest.batches import Batch
from siths_portal.lib.rest.json_views import client_ref, valid


def of_order(_view: Any, request: Request, order_id: UUID) -> str:
    """Returns the newest item of the order, or "" for an order that has had only one."""
    return _text(request, [order_id])


def of_batch(_view: Any, request: Request) -> str:
    """Returns the newest items of the orders whose entries name no item, as `of_order`. Raises ValidationError if the body is no
    batch.
    """
    entries = [entry for entry in valid(Batch, request.data)["entries"] if isinstance(entry, dict) and entry.get("item") is None]
    return _text(request, [found for entry in entries if (found := _uuid(entry.get("order"))) is not None])


def _uuid(given: Any) -> UUID | None:
    try:
        return UUID(str(given))
    except ValueError:
        return None


def _text(request: Request, order_ids: list[UUID]) -> str:
    newest = queries.newest_items(client_ref=client_ref(request), order_ids=order_ids)
    return "#" + ",".join(f"{order_id}.{number}" for order_id, number in sorted(newest.items())) if newest else ""
