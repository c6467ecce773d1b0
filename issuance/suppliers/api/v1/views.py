"""The supplier API, version 1: what a registered card supplier may read and do. Each call is one service function."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from issuance.orders.domain.order_states import OrderState
from issuance.suppliers import queries as supplier_orders
from issuance.suppliers.api.v1 import answers, details, problems, repeats
from issuance.suppliers.api.v1 import serializers as forms
from issuance.suppliers.api.v1.base import SupplierView
from issuance.suppliers.services import card_certificates, supplier_events, supplier_intake
from pki import service as pki
from siths_portal.lib.errors import NotFound
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.json_views import (
    ApiError,
    JpegRenderer,
    client_ref,
    cursor_position,
    cursor_text,
    idempotent,
    tagged,
    tagged_bytes,
    valid,
)


class Orders(SupplierView):
    """Orders in one status."""

    @extend_schema(
        operation_id="list_orders",
        summary="The supplier's orders in one status",
        parameters=[forms.ListQuery, openapi.IF_NONE_MATCH, openapi.ETAG],
        responses={200: forms.OrderPage, **openapi.not_modified(), **problems.responses("cursor-invalid", "invalid")},
    )
    def get(self, request: Request) -> Response:
        """Returns a page of orders, the oldest first."""
        query = valid(forms.ListQuery, request.query_params.dict())
        limit = query["limit"]
        after = _order_cursor(query["cursor"]) if query.get("cursor") else None
        caller, state = client_ref(request), OrderState(query["status"])
        if state is OrderState.QUEUED:
            found = supplier_intake.queued_orders(client_ref=caller, after=after, limit=limit + 1)
        else:
            found = supplier_orders.own_orders(client_ref=caller, state=state, after=after, limit=limit + 1)
        last = cursor_text([str(found[limit - 1].id)]) if len(found) > limit else None
        return tagged(request, forms.OrderPage({"orders": found[:limit], "next_cursor": last}).data)


def _order_cursor(text: str) -> UUID:
    try:
        (position,) = cursor_position(text)
        return UUID(str(position))
    except ValueError:
        raise ApiError("cursor-invalid", "cursor ska vara next_cursor ur ett tidigare svar.") from None


class Order(SupplierView):
    """One order."""

    @extend_schema(
        operation_id="read_order",
        summary="One order; with print and live delivery address while this supplier makes the card",
        parameters=[openapi.IF_NONE_MATCH, openapi.ETAG],
        responses={200: forms.OrderDetail, **openapi.not_modified(), **problems.responses("not-found", *problems.ADDRESS)},
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        """Returns the order. Print and delivery are null before it is accepted, once the card is sent, and if the card is
        revoked. 503 while the person register does not respond. 409 if the person is deceased or has no address.
        """
        caller = client_ref(request)
        order = supplier_intake.order(client_ref=caller, order_id=order_id)
        delivery = supplier_intake.delivery(client_ref=caller, order=order)
        if delivery is None:
            return tagged(request, details.closed(order))
        officer = supplier_orders.id_administrator(client_ref=caller, order=order)
        return tagged(request, details.opened(order, delivery, officer))


class Acceptance(SupplierView):
    """The acceptance of an order."""

    @extend_schema(
        operation_id="accept_order",
        summary="Accept a queued order; accepting it again changes nothing",
        parameters=[openapi.IDEMPOTENCY_KEY],
        request=None,
        responses={
            200: forms.OrderSerializer,
            **problems.responses("not-found", "order-withdrawn", "customisation-not-verified", "too-large", *openapi.WITH_KEY),
        },
    )
    @idempotent(about=repeats.of_order)
    def post(self, request: Request, order_id: UUID) -> Response:
        """Returns the accepted order."""
        return Response(forms.OrderSerializer(supplier_intake.accept(client_ref=client_ref(request), order_id=order_id)).data)


class OrderCertificates(SupplierView):
    """The four certificates of an order's card."""

    @extend_schema(
        operation_id="read_certificates",
        summary="The certificates, once all four are signed",
        responses={
            200: forms.Certificates,
            202: OpenApiResponse(forms.Pending, description="They are being signed; ask again."),
            **problems.responses(*problems.ORDER, "certificates-not-requested", *problems.SETTLED),
        },
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        """Returns 200 with the certificates, 202 while they are being signed, 404 before they were requested."""
        return read_certificates(request, order_id, None, forms.Certificates)

    @extend_schema(
        operation_id="request_certificates",
        summary="Bind the card to the order and have its four certificates signed",
        parameters=[openapi.IDEMPOTENCY_KEY, openapi.LOCATION],
        request=forms.CertificateRequest,
        responses={
            201: forms.Certificates,
            202: OpenApiResponse(forms.Pending, description="They are being signed; read them at Location."),
            **problems.responses(*problems.ORDER, *openapi.WITH_KEY, *problems.CARD),
        },
    )
    @idempotent(read_again=get, about=repeats.of_order)
    def post(self, request: Request, order_id: UUID) -> Response:
        """Returns 201 with the certificates if they are signed within the time that a request may wait, else 202 with a
        Location.
        """
        given = valid(forms.CertificateRequest, request.data)
        return request_certificates(request, order_id, None, given, forms.Certificates)


type Form = type[serializers.Serializer[Any]]


def read_certificates(request: Request, order_id: UUID, item: int | None, form: Form) -> Response:
    """Returns 200 with the certificates of an item (None: the only one) as `form`, or 202 while they are being signed. Raises
    NotFound before they were requested.
    """
    ids = supplier_intake.certificate_ids(client_ref=client_ref(request), order_id=order_id, item=item)
    if not ids:
        raise NotFound("certificates-not-requested", "Inga certifikat är begärda för beställningen.")
    return _certificates(pki.certificates(list(ids.values())), _location(order_id, item), form, done=200)


def request_certificates(request: Request, order_id: UUID, item: int | None, given: dict[str, Any], form: Form) -> Response:
    """Binds the card to an item (None: the only one), and returns 201 with its certificates as `form`, or 202."""
    caller = client_ref(request)
    ids = card_certificates.request_certificates(
        client_ref=caller,
        order_id=order_id,
        item=item,
        card_serial=given["card_serial"],
        card_key_spki=given["card_key"],
        csrs=given["csrs"],
        attestations=given.get("attestations", ()),
    )
    settled = pki.wait_until_settled(ids, seconds=settings.CERTIFICATE_WAIT_SECONDS)
    supplier_events.replay_reports(client_ref=caller, order_id=order_id, item=item)
    return _certificates(settled, _location(order_id, item), form, done=201)


def _location(order_id: UUID, item: int | None) -> dict[str, str]:
    name, path = ("supplier-certificates", [order_id]) if item is None else ("supplier-item-certificates", [order_id, item])
    return {"Location": reverse(name, args=path)}


def _certificates(views: list[pki.CertificateView], location: dict[str, str], form: Form, *, done: int) -> Response:
    """Returns `done` with the certificates, or 202. Raises Conflict if they failed or are revoked."""
    data = answers.certificates(views)
    if data is None:
        return Response({"status": "pending"}, status=202, headers=location)
    return Response(form(data).data, status=done, headers=location if done == 201 else None)


REPORT = PolymorphicProxySerializer("Report", {**forms.REPORTS}, resource_type_field_name="type")
"""The body of a report, on an order or on an item."""

REPORT_RESPONSES: dict[Any, Any] = {
    200: forms.ReportOutcome,
    202: OpenApiResponse(
        forms.ReportOutcome,
        description="Received; the PUK is yet to be opened, or the report waits for the one before or for the PUK.",
    ),
    **problems.responses(*problems.ORDER, *openapi.WITH_KEY, *problems.REPORT),
}


class Reports(SupplierView):
    """Reports of the supplier on an order."""

    @extend_schema(
        operation_id="report_event",
        summary="Report the card produced, sent, failed or returned",
        parameters=[openapi.IDEMPOTENCY_KEY],
        request=REPORT,
        responses=REPORT_RESPONSES,
    )
    @idempotent(about=repeats.of_order)
    def post(self, request: Request, order_id: UUID) -> Response:
        """Returns the outcome: applied, repeated (nothing changed), parked (waits for an earlier report or the PUK), noted
        (came too late and changes nothing).
        """
        return report_event(request, order_id, None)


def report_event(request: Request, order_id: UUID, item: int | None) -> Response:
    """Registers a report on an item (None: the only one). Returns its outcome, with 202 if something remains to be done."""
    report = answers.report(request.data)
    outcome = supplier_events.register_event(client_ref=client_ref(request), order_id=order_id, item=item, event=report)
    return Response({"outcome": outcome.value}, status=answers.report_status(outcome, report))


class Photo(SupplierView):
    """The photo for a card."""

    renderer_classes = [JSONRenderer, JpegRenderer]

    @extend_schema(
        operation_id="read_photo",
        summary="The photo for the card, until it is produced",
        parameters=[openapi.IF_NONE_MATCH, openapi.ETAG],
        responses={
            (200, JpegRenderer.media_type): OpenApiResponse(
                OpenApiTypes.BINARY, description="At most 600x800 pixels and 200 kB."
            ),
            **openapi.not_modified(),
            **problems.responses(*problems.ORDER, "photo-none", "photo-gone"),
        },
    )
    def get(self, request: Request, order_id: UUID) -> HttpResponse:
        """Returns the JPEG whose SHA-256 is in the order. 404 if the order has none, 410 once the card is produced."""
        photo = supplier_intake.photo(client_ref=client_ref(request), order_id=order_id)
        return tagged_bytes(request, bytes(photo.content), photo.media_type)


class Keys(SupplierView):
    """The keys to encrypt PUKs to."""

    @extend_schema(
        operation_id="read_keys",
        summary="The public keys that PUKs are encrypted to, the newest first (JWK Set)",
        parameters=[openapi.IF_NONE_MATCH, openapi.ETAG],
        responses={200: forms.JwkSet, **openapi.not_modified(), **problems.responses()},
    )
    def get(self, request: Request) -> Response:
        """Returns a JWK Set (RFC 7517 section 5)."""
        return tagged(request, pki.secret_jwks())
