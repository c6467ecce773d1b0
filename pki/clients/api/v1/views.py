"""The PKI API, version 1: a registered service orders, revokes, reads and searches certificates."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from pki.authorities import certificates
from pki.authorities import queries as authorities
from pki.clients import operations
from pki.clients.api.v1 import description
from pki.clients.api.v1 import serializers as forms
from pki.clients.api.v1.renderers import DerRenderer, PemChainRenderer
from pki.domain.orders import CertificateOrder
from pki.domain.proof_of_possession import SignedKey, order_document
from pki.models import Certificate, CertificateStatus
from siths_portal.lib.errors import Conflict
from siths_portal.lib.rest import idempotency, openapi
from siths_portal.lib.rest.fields import ASCII_LINES
from siths_portal.lib.rest.json_views import (
    ApiError,
    JsonView,
    client_ref,
    cursor_position,
    cursor_text,
    idempotent,
    tagged,
    tagged_bytes,
    valid,
)
from siths_portal.lib.rest.throttles import ClientThrottle

BODY_LIMIT = 65_536
_PEM: Any = {"type": "string", "maxLength": 32_768, "pattern": ASCII_LINES}


def _problems(*codes: str) -> Any:
    return openapi.problems(description.TEXTS, *codes)


class IsService(BasePermission):
    """Allows registered services and no other machine client; the operations check each client's permissions."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """True for clients of kind service; a caller without a certificate is unauthenticated."""
        return getattr(request.user, "kind", None) == "service"


class PkiView(JsonView):
    """Base of the views of this API."""

    permission_classes = [IsService]
    throttle_classes = [ClientThrottle]
    body_limit = BODY_LIMIT
    problem_texts = description.TEXTS


def _ordered_again(_view: JsonView, request: Request) -> Response:
    row = operations.ordered_certificate(client_ref=client_ref(request), key=request.headers["Idempotency-Key"])
    return _ordered(row)


class Certificates(PkiView):
    """Ordering a certificate."""

    rate_setting = "PKI_API_ORDERS_PER_MINUTE"

    @extend_schema(
        operation_id="order_certificate",
        summary="Have a key certified; the same Idempotency-Key never makes two certificates",
        parameters=[openapi.IDEMPOTENCY_KEY, openapi.LOCATION, openapi.RETRY_AFTER],
        request=forms.CertificateOrderForm,
        responses={
            201: forms.CertificateDetail,
            202: OpenApiResponse(forms.PendingCertificate, description="It is being signed; read it at Location."),
            **_problems(*description.ORDER),
        },
    )
    @idempotent(read_again=_ordered_again)
    def post(self, request: Request) -> Response:
        """201 with the certificate if it is signed within the time that a request may wait, else 202 with a Location."""
        given = valid(forms.CertificateOrderForm, request.data)
        key, caller = request.headers["Idempotency-Key"], client_ref(request)
        planned = operations.order_certificate(
            client_ref=caller,
            key=key,
            request_sha256=idempotency.request_hash("POST", request.path, request.body),
            order=_certificate_order(given, request.data, key),
            registered=_registered(request),
        )
        certificates.wait_until_settled([planned], seconds=settings.CERTIFICATE_WAIT_SECONDS)
        return _ordered(operations.ordered_certificate(client_ref=caller, key=key))


def _registered(request: Request) -> dict[str, list[str]]:
    """Returns the values registered for the authenticated client, by subject attribute."""
    caller: Any = request.user
    return dict(caller.certificate_subject)


def _certificate_order(given: dict[str, Any], body: Any, key: str) -> CertificateOrder:
    signed = None
    if "public_key" in given:
        signed = SignedKey(given["public_key"], order_document(body, key), given["proof"])
    return CertificateOrder(
        ca=given["issuer"],
        profile=given["profile"],
        subject=dict(given["subject"]),
        subject_alternative={kind: ",".join(values) for kind, values in given.get("subject_alternative", {}).items()},
        csr_der=given.get("csr", b""),
        subject_ref=given["subject_ref"],
        carrier_ref=given.get("carrier_ref", ""),
        card_number=given.get("card_number"),
        not_after=given.get("not_after") or operations.longest(given["profile"]),
        signed_key=signed,
        key_field="csr" if signed is None else "public_key",
    )


def _ordered(row: Certificate) -> Response:
    """Returns 201 with the certificate or 202. Raises Conflict if the certificate failed or is revoked."""
    if row.status == CertificateStatus.FAILED:
        raise Conflict("certificate-failed", "Certifikatet kunde inte utfärdas. Beställ igen med ett nytt Idempotency-Key.")
    if row.status == CertificateStatus.REVOKED:
        raise Conflict("certificate-revoked", "Certifikatet är spärrat.")
    headers = {"Location": reverse("pki-certificate", args=[row.ca.slug, row.serial])}
    if row.status == CertificateStatus.RESERVED:
        return _pending(row, headers)
    return Response(_detail(row), status=201, headers=headers)


def _pending(row: Certificate, headers: dict[str, str]) -> Response:
    data = forms.PendingCertificate({"status": "pending", "ca": row.ca, "serial": row.serial}).data
    return Response(data, status=202, headers=headers | {"Retry-After": "1"})


def _detail(row: Certificate) -> dict[str, Any]:
    return dict(forms.CertificateDetail(row, context={"chain": authorities.chain_of(row.ca)}).data)


class OneCertificate(PkiView):
    """One certificate."""

    rate_setting = "PKI_API_READS_PER_MINUTE"
    renderer_classes = [JSONRenderer, DerRenderer, PemChainRenderer]

    @extend_schema(
        operation_id="read_certificate",
        summary="A certificate, its issuers and its status; as JSON, DER, or PEM with the issuing CAs",
        parameters=[
            openapi.IF_NONE_MATCH,
            openapi.ETAG,
            openapi.RETRY_AFTER,
        ],
        responses={
            (200, JSONRenderer.media_type): forms.CertificateDetail,
            (200, DerRenderer.media_type): OpenApiResponse(OpenApiTypes.BINARY, description="DER."),
            (200, PemChainRenderer.media_type): OpenApiResponse(_PEM, description="PEM, without the root."),
            (202, JSONRenderer.media_type): OpenApiResponse(
                forms.PendingCertificate, description="It is being signed; request it again."
            ),
            **openapi.not_modified(),
            **_problems(*description.READ),
        },
    )
    def get(self, request: Request, issuer: str, serial: str) -> HttpResponse:
        """202 while it is being signed. 409 if the request is for DER or PEM and the certificate was never issued."""
        row = operations.read_certificate(client_ref=client_ref(request), ca=issuer, serial=serial)
        if row.status == CertificateStatus.RESERVED:
            return _pending(row, {})
        wanted = request.accepted_renderer.media_type
        if wanted == JSONRenderer.media_type:
            return tagged(request, _detail(row))
        blob = getattr(row, "blob", None)
        if blob is None:
            raise Conflict("certificate-never-issued", "Certifikatet blev aldrig utfärdat, så det finns inget att hämta.")
        if wanted == DerRenderer.media_type:
            return tagged_bytes(request, bytes(blob.der), wanted)
        chain = [bytes(blob.der), *authorities.chain_of(row.ca)[:-1]]
        return tagged_bytes(request, "".join(forms.pem(der) for der in chain).encode(), wanted)


class Search(PkiView):
    """Searching certificates. A POST, since search values must not be in URLs."""

    rate_setting = "PKI_API_SEARCHES_PER_MINUTE"

    @extend_schema(
        operation_id="search_certificates",
        summary="Certificates that the client may read, by subject, carrier, key, serial or time; changes nothing",
        request=forms.SearchForm,
        responses={200: forms.SearchPage, **_problems(*description.SEARCH)},
    )
    def post(self, request: Request) -> Response:
        """A page, the newest first."""
        given = valid(forms.SearchForm, request.data)
        limit, cursor, status = given.pop("limit"), given.pop("cursor", ""), given.pop("status", "")
        search = operations.CertificateQuery(
            ca=given.pop("issuer", ""),
            status=CertificateStatus.RESERVED if status == "pending" else status,
            spki_sha256=given.pop("public_key_sha256", ""),
            **given,
        )
        after = _position(cursor, search) if cursor else None
        found = operations.search_certificates(client_ref=client_ref(request), search=search, after=after, limit=limit + 1)
        last = _cursor(found[limit - 1], search) if len(found) > limit else None
        return Response(forms.SearchPage({"certificates": found[:limit], "next_cursor": last}).data)


def _cursor(row: Certificate, search: operations.CertificateQuery) -> str:
    moment = row.issued_at.isoformat() if search.by_time and row.issued_at else ""
    return cursor_text([str(row.id), moment])


def _position(text: str, search: operations.CertificateQuery) -> operations.Position:
    try:
        id_, moment = (str(part) for part in cursor_position(text))
        issued_at = dt.datetime.fromisoformat(moment) if moment else None
        if (issued_at is not None) != search.by_time or (issued_at and issued_at.tzinfo is None):
            raise ValueError
        return operations.Position(UUID(id_), issued_at)
    except (ValueError, OverflowError):
        raise ApiError("cursor-invalid", "cursor ska vara next_cursor ur ett tidigare svar på samma sökning.") from None


class Revocations(PkiView):
    """Revoking a certificate."""

    rate_setting = "PKI_API_REVOCATIONS_PER_MINUTE"

    @extend_schema(
        operation_id="revoke_certificate",
        summary="Revoke a certificate, for ever; OCSP tells it within seconds",
        parameters=[openapi.IDEMPOTENCY_KEY],
        request=forms.RevocationForm,
        responses={200: forms.RevokedCertificate, **_problems(*description.REVOKE)},
    )
    @idempotent()
    def post(self, request: Request) -> Response:
        """The revocation. A repeated request changes only to keyCompromise and to an earlier invalidity date."""
        given = valid(forms.RevocationForm, request.data)
        row = operations.revoke_certificate(client_ref=client_ref(request), ca=given.pop("issuer"), **given)
        return Response(forms.RevokedCertificate(row).data)
