"""Orders that are sent again with the same idempotency key."""

import re

from issuance.authz import Actor
from issuance.orders.models.orders import CardOrder
from siths_portal.lib.errors import Conflict, Invalid

_KEY = re.compile(r"[\x21-\x7e]{1,100}")


def require_key(idempotency_key: str) -> None:
    """Raises Invalid unless the key is 1 to 100 printable ASCII characters."""
    if not _KEY.fullmatch(idempotency_key):
        raise Invalid("idempotency-key", "Beställningen skickades inte. Ladda om sidan och försök igen.")


def earlier(actor: Actor, content_sha256: str, idempotency_key: str) -> CardOrder | None:
    """Returns the actor's order with this key, or None. Raises Conflict if its content differs."""
    order = CardOrder.objects.filter(ordered_by_ref=actor.ref, idempotency_key=idempotency_key).first()
    require_same(order, content_sha256)
    return order


def require_same(order: CardOrder | None, content_sha256: str) -> None:
    """Raises Conflict if there is an order and its content differs."""
    if order is not None and order.content_sha256 != content_sha256:
        raise Conflict("idempotency-mismatch", "Beställningen är redan skickad med andra uppgifter. Börja om från början.")


def is_repeat(error: Exception) -> bool:
    """Returns True for the database's refusal of a second order with the same key."""
    return "issuance_order_once_per_key" in str(error)
