"""The supplier API, version 1: who the supplier is, the articles, and how its cards look."""

from typing import Any

from cryptography.hazmat.primitives import hashes
from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from issuance.customisations.models import CardCustomisation
from issuance.suppliers import queries
from issuance.suppliers.api.v1 import catalogue_serializers as catalogue
from issuance.suppliers.api.v1 import problems
from issuance.suppliers.api.v1 import serializers as forms
from issuance.suppliers.api.v1.base import BODY_LIMIT, SupplierView
from issuance.suppliers.services import supplier_intake
from siths_portal.lib.canonical import canonical_json
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.batches import LIMIT as BATCH_LIMIT
from siths_portal.lib.rest.json_views import (
    PngRenderer,
    client_ref,
    cursor_key,
    etag_of,
    next_cursor,
    require_match,
    required_match,
    tagged,
    tagged_bytes,
    valid,
)

VERSIONS = ["v1"]
_PAGE = (openapi.IF_NONE_MATCH, openapi.ETAG)


class Me(SupplierView):
    """The supplier, as the portal knows it."""

    @extend_schema(
        operation_id="read_me",
        summary="Who the client is, how long its certificate lasts, and its limits",
        responses={200: catalogue.Me, **problems.responses()},
    )
    def get(self, request: Request) -> Response:
        """Returns the client and the certificate of this connection."""
        caller: Any = request.user
        certificate: Any = request.auth
        data = {
            "client_ref": caller.client_ref,
            "name": caller.name,
            "certificate": {
                "serial": f"{certificate.serial_number:X}",
                "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
                "not_after": certificate.not_valid_after_utc,
            },
            "delivery": "push" if caller.is_pushed_to else "pull",
            "versions": VERSIONS,
            "limits": {
                "calls_per_minute": settings.SUPPLIER_API_CALLS_PER_MINUTE,
                "page": catalogue.PAGE_LIMIT,
                "batch": BATCH_LIMIT,
                "body_bytes": BODY_LIMIT,
            },
        }
        return Response(catalogue.Me(data).data)


class Articles(SupplierView):
    """The articles."""

    @extend_schema(
        operation_id="list_articles",
        summary="The articles that can be ordered, now or later",
        parameters=[catalogue.PageQuery, *_PAGE],
        responses={
            200: catalogue.ArticlePage,
            **openapi.not_modified(),
            **problems.responses("cursor-invalid", "invalid"),
        },
    )
    def get(self, request: Request) -> Response:
        """Returns a page of articles, by code. Articles belong to the portal, not to a supplier."""
        query = valid(catalogue.PageQuery, request.query_params.dict())
        limit = query["limit"]
        found = queries.articles(after=cursor_key(query.get("cursor")), limit=limit + 1)
        page = {"articles": found[:limit], "next_cursor": next_cursor(found, limit, lambda row: row.code)}
        return tagged(request, catalogue.ArticlePage(page).data)


class Customisations(SupplierView):
    """The card customisations of the supplier."""

    @extend_schema(
        operation_id="list_customisations",
        summary="The card customisations that the supplier makes, or has orders for",
        parameters=[catalogue.PageQuery, *_PAGE],
        responses={
            200: catalogue.CustomisationPage,
            **openapi.not_modified(),
            **problems.responses("cursor-invalid", "invalid"),
        },
    )
    def get(self, request: Request) -> Response:
        """Returns a page of card customisations, by id."""
        query = valid(catalogue.PageQuery, request.query_params.dict())
        limit, after = query["limit"], cursor_key(query.get("cursor"))
        found = queries.customisations(client_ref=client_ref(request), after=after, limit=limit + 1)
        page = {
            "customisations": found[:limit],
            "next_cursor": next_cursor(found, limit, lambda row: row.customisation_id),
        }
        return tagged(request, catalogue.CustomisationPage(page).data)


class Logotype(SupplierView):
    """The logotype of a card customisation."""

    renderer_classes = [JSONRenderer, PngRenderer]

    @extend_schema(
        operation_id="read_logotype",
        summary="The logotype of a card customisation",
        parameters=[openapi.IF_NONE_MATCH, openapi.ETAG],
        responses={
            (200, PngRenderer.media_type): OpenApiResponse(
                OpenApiTypes.BINARY, description="A PNG of at most 256 KiB and 2000 pixels a side."
            ),
            **openapi.not_modified(),
            **problems.responses("not-found", "logotype-none"),
        },
    )
    def get(self, request: Request, customisation_id: str) -> HttpResponse:
        """Returns the PNG whose SHA-256 is in the customisation. 404 without a logotype."""
        logotype = supplier_intake.logotype(client_ref=client_ref(request), customisation_id=customisation_id)
        return tagged_bytes(request, bytes(logotype.content), logotype.media_type)


class Customisation(SupplierView):
    """A card customisation and its logotype."""

    @extend_schema(
        operation_id="read_customisation",
        summary="A card customisation; its ETag is what a change must name",
        parameters=[openapi.ETAG],
        responses={200: forms.CustomisationSerializer, **problems.responses("not-found")},
    )
    def get(self, request: Request, customisation_id: str) -> Response:
        """Returns the present customisation."""
        row = supplier_intake.customisation(client_ref=client_ref(request), customisation_id=customisation_id)
        return _customisation(row)

    @extend_schema(
        operation_id="put_customisation",
        summary="Replace the logotype of a card customisation",
        parameters=[openapi.IF_MATCH, openapi.ETAG],
        request=forms.LogotypeSerializer,
        responses={200: forms.CustomisationSerializer, **problems.responses(*problems.NEW_LOGOTYPE)},
    )
    def put(self, request: Request, customisation_id: str) -> Response:
        """Replaces the logotype, which the issuer must verify, and returns the customisation. The same logotype changes
        nothing.
        """
        caller = client_ref(request)
        supplier_intake.customisation(client_ref=caller, customisation_id=customisation_id)
        condition = required_match(request)
        given = valid(forms.LogotypeSerializer, request.data)
        row = supplier_intake.put_logotype(
            client_ref=caller,
            customisation_id=customisation_id,
            png=given["logotype"],
            sha256=given["sha256"],
            check=lambda current: require_match(condition, _version(current)),
        )
        return _customisation(row)


def _customisation(row: CardCustomisation) -> Response:
    return Response(forms.CustomisationSerializer(row).data, headers={"ETag": _version(row)})


def _version(row: CardCustomisation) -> str:
    return etag_of(canonical_json(dict(forms.CustomisationSerializer(row).data)))
