"""What a supplier reads of its orders, for tests."""

from typing import Any
from uuid import UUID

from issuance.suppliers.services import supplier_intake
from tests.issuance.world import SUPPLIER


def delivery_read(order_id: UUID, client_ref: str = SUPPLIER) -> Any:
    """Returns the delivery of an order as the supplier reads it, or None."""
    return supplier_intake.delivery(client_ref=client_ref, order=supplier_intake.order(client_ref=client_ref, order_id=order_id))
