"""`POST remake`: a spoilt item is made again."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from issuance.orders.domain.items import Fault
from issuance.suppliers.api.v1 import problems
from issuance.suppliers.api.v1.base import SupplierView
from issuance.suppliers.api.v1.serializers import REASON
from issuance.suppliers.services import remakes
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.fields import Text
from siths_portal.lib.rest.json_views import client_ref, idempotent, valid

_LAST = 9999


class RemakeRequest(serializers.Serializer[Any]):
    """The spoilt item, and why it is made again. It is free only where the fault is the supplier's."""

    item = serializers.IntegerField(min_value=1, max_value=_LAST, help_text="The number of the spoilt item.")
    reason = Text(pattern=REASON, max_length=40, help_text="The supplier's code.")
    fault = serializers.ChoiceField(
        choices=[fault.value for fault in Fault], help_text="supplier: not charged. other: the spoilt piece is charged too."
    )


class Remade(serializers.Serializer[Any]):
    """The item that replaces the spoilt one."""

    item = serializers.IntegerField(help_text="Its number. It is among the items in a moment.")


class Remakes(SupplierView):
    """Items that are made again."""

    @extend_schema(
        operation_id="remake_item",
        summary="Give up a spoilt item that is not sent, and make another in its place",
        parameters=[openapi.IDEMPOTENCY_KEY],
        request=RemakeRequest,
        responses={
            202: OpenApiResponse(Remade, description="The certificates of the spoilt card are revoked; the item is being added."),
            **problems.responses(*problems.ORDER, *openapi.WITH_KEY, *problems.REMAKE),
        },
    )
    @idempotent()
    def post(self, request: Request, order_id: UUID) -> Response:
        """Returns 202 with the number of the new item, which has a card of its own. Read it at `items`."""
        given = valid(RemakeRequest, request.data)
        number = remakes.request_remake(
            client_ref=client_ref(request),
            order_id=order_id,
            item=given["item"],
            reason=given["reason"],
            fault=Fault(given["fault"]),
        )
        return Response({"item": number}, status=202)
