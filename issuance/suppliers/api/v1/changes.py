"""`GET changes`: what changed for the supplier without a call of its own."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from issuance.orders.domain.puk_states import REFUSALS
from issuance.suppliers import queries
from issuance.suppliers.api.v1 import problems
from issuance.suppliers.api.v1.base import SupplierView
from issuance.suppliers.api.v1.serializers import DIGITS_10
from issuance.suppliers.domain import REASONS, ChangeKind
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.fields import Text
from siths_portal.lib.rest.json_views import client_ref, tagged, valid

_LARGEST = 2**63 - 1
_KINDS = (
    "cancelled: the order is withdrawn; make no card. revoked: a card that is not sent is revoked; make or send no such card, "
    "and report it failed. puk_refused: if it is still refused, report produced again with a new puk_jwe. "
    "customisation_changed: read the card customisation again."
)
_REASONS = (
    "; ".join(f"{reason.value}: {text}" for reason, text in REASONS.items())
    + ". Of puk_refused: "
    + "; ".join(f"{code}: {text}" for code, text in REFUSALS.items())
    + "."
)


class ChangeQuery(serializers.Serializer[Any]):
    """Query parameters of `GET changes`."""

    after = serializers.IntegerField(
        min_value=0, max_value=_LARGEST, default=0, help_text="The number of the last change that was read; 0 for all."
    )
    limit = serializers.IntegerField(min_value=1, max_value=200, default=100, help_text="The most changes on a page.")


class ChangeSerializer(serializers.Serializer[Any]):
    """A change of an order, of one item of it, or of a card customisation."""

    number = serializers.IntegerField(source="pk", help_text="Numbers need not rise; read on after the last one.")
    kind = serializers.ChoiceField(choices=[kind.value for kind in ChangeKind], help_text=_KINDS)
    order = serializers.UUIDField(source="order_id", allow_null=True, help_text="Beställnings-id.")
    item = serializers.IntegerField(allow_null=True, help_text="The item's number in the order; null for the order.")
    customisation = Text(
        source="customisation.customisation_id",
        default=None,
        allow_null=True,
        max_length=10,
        pattern=DIGITS_10,
        help_text="Kortanpassnings-id, 10 digits.",
    )
    reason = Text(max_length=40, pattern=r"^[a-z0-9-]*$", help_text=_REASONS)
    at = serializers.DateTimeField(source="occurred_at")


class ChangePage(serializers.Serializer[Any]):
    """A page of changes, in the order in which they are read."""

    changes = ChangeSerializer(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="Read on after it; null if there is no more now.")


class Changes(SupplierView):
    """The supplier's changes."""

    @extend_schema(
        operation_id="list_changes",
        summary="What changed without a call of yours: withdrawn orders, revoked cards, refused PUKs, card customisations",
        parameters=[ChangeQuery, openapi.IF_NONE_MATCH, openapi.ETAG],
        responses={200: ChangePage, **openapi.not_modified(), **problems.responses("invalid", "change-unknown")},
    )
    def get(self, request: Request) -> Response:
        """Returns a page of changes after `after`. Keep the number of the last one, and read on after it. Each change is
        returned once.
        """
        query = valid(ChangeQuery, request.query_params.dict())
        limit = query["limit"]
        found = queries.changes_after(client_ref=client_ref(request), number=query["after"], limit=limit + 1)
        last = found[limit - 1].pk if len(found) > limit else None
        return tagged(request, ChangePage({"changes": found[:limit], "next": last}).data)
