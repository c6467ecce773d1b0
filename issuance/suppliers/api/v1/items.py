"""Items of orders: what the supplier makes, and the calls on one item. The calls without an item mean the only one."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import (
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    extend_schema_serializer,
)
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from issuance.carriers.domain import kinds
from issuance.carriers.domain.kinds import Stage
from issuance.orders.domain.items import ITEM_KINDS, ItemState
from issuance.orders.models.orders import OrderItem
from issuance.suppliers import queries
from issuance.suppliers.api.v1 import problems, views
from issuance.suppliers.api.v1 import serializers as forms
from issuance.suppliers.api.v1.base import SupplierView
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.fields import Closed, Pem
from siths_portal.lib.rest.json_views import client_ref, idempotent, tagged, valid
from siths_portal.lib.rest.openapi import CLOSED

_MADE = [kinds.kind_of(code) for code in kinds.codes(lambda kind: bool(kind.article_kinds))]
PROFILES = list(dict.fromkeys(profile for kind in _MADE for profile in kind.profiles(stage=Stage.PERSONALISATION)))
"""Every profile that a supplier requests for some item."""

LAST = 9999


class ItemQuery(serializers.Serializer[Any]):
    """Query parameters of `GET items`."""

    after = serializers.IntegerField(
        min_value=0, max_value=LAST, default=0, help_text="The number of the last item that was read."
    )
    limit = serializers.IntegerField(min_value=1, max_value=200, default=100, help_text="The most items on a page.")


class ItemSerializer(serializers.Serializer[Any]):
    """One thing to make: a card, a reserve card of a bundle, or a PUK letter."""

    number = serializers.IntegerField(min_value=1, max_value=LAST, help_text="The item's number in its order, from 1.")
    kind = serializers.SerializerMethodField()
    state = serializers.ChoiceField(
        choices=[state.value for state in ItemState],
        help_text="The order has the state that all its items have reached; failed and returned items do not count.",
    )
    profiles = serializers.SerializerMethodField()
    puk = forms.PukField()
    puk_refusal = forms.PukRefusalField()
    card_revoked = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string", "enum": [kind.name for kind in ITEM_KINDS.values()]})
    def get_kind(self, row: OrderItem) -> str:
        """The kind of item."""
        return ITEM_KINDS[row.kind].name

    @extend_schema_field({"type": "array", "maxItems": 10, "items": {"type": "string", "enum": PROFILES}})
    def get_profiles(self, row: OrderItem) -> list[str]:
        """The profiles whose certificates the supplier requests for the item, all in one call. Empty for a letter."""
        return list(kinds.kind_of(row.carrier.kind).profiles(stage=Stage.PERSONALISATION)) if row.carrier else []

    def get_card_revoked(self, row: OrderItem) -> bool:
        """True if the card is revoked. Make or send no such card; report it failed if it is not sent."""
        return forms.card_is_revoked(row)


class ItemPage(serializers.Serializer[Any]):
    """A page of items, by number."""

    items = ItemSerializer(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="Read on after it; null on the last page.")


@extend_schema_serializer(extensions=CLOSED)
class ItemCsrs(Closed):
    """A certificate request for each profile of the item, each signed by its key on the card. Their subject is not used."""

    def get_fields(self) -> dict[str, Any]:
        """Returns one optional field for each profile; the item says which it needs."""
        return {profile: forms.csr_field(profile, required=False) for profile in PROFILES}


class ItemPems(serializers.Serializer[Any]):
    """PEM by profile of the item."""

    def get_fields(self) -> dict[str, Any]:
        """Returns one optional field for each profile."""
        return {profile: Pem(required=False) for profile in PROFILES}


class ItemCertificateRequest(forms.CardForm):
    """The card of an item: its serial number, its card key, which needs no code, and a request for each profile of the item."""

    csrs = ItemCsrs()


class ItemCertificates(serializers.Serializer[Any]):
    """The certificates of an item, and for each its chain: the issuing CA first, the root last."""

    status = serializers.ChoiceField(choices=forms.ISSUED)
    certificates = ItemPems()
    chains = ItemPems()


class Items(SupplierView):
    """The items of an order."""

    @extend_schema(
        operation_id="list_items",
        summary="What an order asks for: a card, the reserve cards of a bundle, or a PUK letter",
        parameters=[ItemQuery, openapi.IF_NONE_MATCH, openapi.ETAG],
        responses={200: ItemPage, **openapi.not_modified(), **problems.responses("not-found", "invalid")},
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        """Returns a page of items after the item number `after`."""
        query = valid(ItemQuery, request.query_params.dict())
        limit = query["limit"]
        found = queries.items_after(client_ref=client_ref(request), order_id=order_id, number=query["after"], limit=limit + 1)
        last = found[limit - 1].number if len(found) > limit else None
        return tagged(request, ItemPage({"items": found[:limit], "next": last}).data)


class OneItemCertificates(SupplierView):
    """The certificates of an item."""

    @extend_schema(
        operation_id="read_item_certificates",
        summary="The certificates of an item, once all are signed",
        responses={
            200: ItemCertificates,
            202: OpenApiResponse(forms.Pending, description="They are being signed; ask again."),
            **problems.responses(*problems.ORDER, "certificates-not-requested", *problems.SETTLED),
        },
    )
    def get(self, request: Request, order_id: UUID, item: int) -> Response:
        """Returns 200 with the certificates, 202 while they are being signed, 404 before they were requested."""
        return views.read_certificates(request, order_id, item, ItemCertificates)

    @extend_schema(
        operation_id="request_item_certificates",
        summary="Bind the card to an item and have the item's certificates signed",
        parameters=[openapi.IDEMPOTENCY_KEY, openapi.LOCATION],
        request=ItemCertificateRequest,
        responses={
            201: ItemCertificates,
            202: OpenApiResponse(forms.Pending, description="They are being signed; read them at Location."),
            **problems.responses(*problems.ORDER, *openapi.WITH_KEY, *problems.CARD),
        },
    )
    @idempotent(read_again=get)
    def post(self, request: Request, order_id: UUID, item: int) -> Response:
        """Returns 201 with the certificates if they are signed within the time that a request may wait, else 202 with a
        Location.
        """
        given = valid(ItemCertificateRequest, request.data)
        return views.request_certificates(request, order_id, item, given, ItemCertificates)


class ItemReports(SupplierView):
    """Reports of the supplier on an item."""

    @extend_schema(
        operation_id="report_item_event",
        summary="Report an item produced, sent, failed or returned",
        parameters=[openapi.IDEMPOTENCY_KEY],
        request=views.REPORT,
        responses=views.REPORT_RESPONSES,
    )
    @idempotent()
    def post(self, request: Request, order_id: UUID, item: int) -> Response:
        """Returns the outcome: applied, repeated (nothing changed), parked (waits for an earlier report or the PUK), noted
        (came too late and changes nothing).
        """
        return views.report_event(request, order_id, item)
