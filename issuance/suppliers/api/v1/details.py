"""One order as suppliers see it: the body of `GET orders/{id}`, and of the calls to suppliers that are pushed to."""

from typing import Any

from issuance.orders.models.orders import CardOrder
from issuance.suppliers.api.v1 import serializers as forms
from issuance.suppliers.queries import IdAdministrator
from issuance.suppliers.services import supplier_intake
from issuance.suppliers.services.supplier_intake import Delivery


def closed(order: CardOrder) -> dict[str, Any]:
    """Returns an order whose cards are not being made: without print, delivery and officer."""
    return {**forms.OrderSerializer(order).data, "print": None, "delivery": None, "id_administrator": None}


def opened(order: CardOrder, delivery: Delivery | None, officer: IdAdministrator | None) -> dict[str, Any]:
    """Returns an order whose cards are made, with what to print, where to send it and whom the holder may ask."""
    return closed(order) | {
        "print": forms.PrintSerializer(supplier_intake.printed(order)).data,
        "delivery": forms.DeliverySerializer(delivery).data if delivery else None,
        "id_administrator": forms.IdAdministratorSerializer(officer).data if officer else None,
    }
