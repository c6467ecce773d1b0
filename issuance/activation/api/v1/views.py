"""The eID app API, version 1: a call for each step of a transaction, each one service function. No session and no cookie."""

import ssl
from io import BytesIO
from typing import Any

from django.core.exceptions import RequestDataTooBig
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from issuance.activation.api.v1 import description
from issuance.activation.api.v1 import serializers as forms
from issuance.activation.api.v1.bearer import AddressThrottle, BearerAuthentication
from issuance.activation.domain.card_reports import CardReport
from issuance.activation.services import activation_app, card_proofs, card_reports, certifying
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.json_views import JsonView, valid
from siths_portal.lib.rest.parser import StrictJSONParser

BODY_LIMIT = 40_000
"""Bytes: four certificates of at most 8 kB, and the rest of the body."""

EMPTY_BODY: Any = {"application/json": {"type": "object", "additionalProperties": False}}


class SmallJSONParser(StrictJSONParser):
    """Strict JSON; a body longer than BODY_LIMIT is refused without parsing."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Returns the value. Raises RequestDataTooBig."""
        content = stream.read(BODY_LIMIT + 1)
        if len(content) > BODY_LIMIT:
            raise RequestDataTooBig
        return super().parse(BytesIO(content), media_type, parser_context)


class AppView(JsonView):
    """The base of the views. The bearer token is the only credential; the service checks it."""

    http_method_names = ["post"]
    authentication_classes = [BearerAuthentication]
    permission_classes = []
    parser_classes = [SmallJSONParser]
    throttle_classes = [AddressThrottle]
    problem_texts = description.TEXTS

    def handle_exception(self, exc: Exception) -> Response:
        """Returns the problem; a 401 has its challenge."""
        response = super().handle_exception(exc)
        if response.status_code == 401:
            response["WWW-Authenticate"] = self.get_authenticate_header(self.request)
        return response


def require_empty(data: Any) -> None:
    """Raises ValidationError unless the body is an empty JSON object."""
    if data != {}:
        raise serializers.ValidationError({"body": ["Skicka ett tomt JSON-objekt."]})


class Start(AppView):
    """The start of a transaction."""

    @extend_schema(
        operation_id="start_transaction",
        summary="Prove the card and get what to show, what to sign, and step token and PUK for the app's key alone",
        parameters=[openapi.RETRY_AFTER],
        request=forms.StartRequest,
        responses={
            200: forms.StartAnswer,
            202: OpenApiResponse(forms.PendingAnswer, description="The answer is being made; ask again with the same body."),
            **description.problems(*description.START),
        },
    )
    def post(self, request: Request) -> Response:
        """The same body gets the same response. A wrong proof is refused and ends nothing, because the right card may follow."""
        given = valid(forms.StartRequest, request.data)
        proof = card_proofs.Proof(
            card_serial=given["card_serial"],
            certificates=dict(given["certificates"]),
            ephemeral_key=dict(given["ephemeral_key"]),
            origin=given["origin"],
            signature=given["signature"],
        )
        started = activation_app.start(handle=str(request.auth), proof=proof)
        if started is None:
            return Response({"status": "pending"}, status=202, headers={"Retry-After": "1"})
        data = {name: value for name in started.__dataclass_fields__ if (value := getattr(started, name))}
        if started.pdf:
            data["digest_algorithm"] = "sha256"
        return Response(forms.StartAnswer(data).data)


class Certificates(AppView):
    """The certificates of keys that were made on the card."""

    @extend_schema(
        operation_id="request_certificates",
        summary="Have the keys certified that the app has made on the card, and get what the new key signs",
        description=(
            "For a reserve card after start and before code-set: write the certificates on the card before the code is reported. "
            "For the kind fetch after start and before complete: write them beside those in use, which are revoked by complete."
        ),
        parameters=[openapi.RETRY_AFTER],
        request=forms.CertificatesRequest,
        responses={
            201: forms.CertificatesAnswer,
            202: OpenApiResponse(
                forms.PendingAnswer, description="The certificates are being made; ask again with the same body."
            ),
            **description.problems(*description.CERTIFICATES),
        },
    )
    def post(self, request: Request) -> Response:
        """The same keys get the same certificates. Other keys are refused once there are certificates."""
        given = valid(forms.CertificatesRequest, request.data)
        made = certifying.certify(step_token=str(request.auth), csrs=dict(given["csrs"]), signature=given["signature"])
        if made is None:
            return Response({"status": "pending"}, status=202, headers={"Retry-After": "1"})
        data = {name: value for name in made.__dataclass_fields__ if (value := getattr(made, name))}
        data |= {"digest_algorithm": "sha256"} if made.pdf else {}
        data["certificates"] = {profile: ssl.DER_cert_to_PEM_cert(der) for profile, der in made.certificates.items()}
        return Response(forms.CertificatesAnswer(data).data, status=201)


class CodeSet(AppView):
    """The holder's choice of a code."""

    @extend_schema(
        operation_id="report_code_set",
        summary="Report that the holder has set the card's code",
        request=EMPTY_BODY,
        responses={200: forms.CodeSetAnswer, **description.problems(*description.CODE_SET)},
    )
    def post(self, request: Request) -> Response:
        """A repeated call changes nothing, unless the code was reported blocked since then: that means that it was reset."""
        require_empty(request.data)
        return Response({"state": activation_app.set_code(step_token=str(request.auth))})


class CardReports(AppView):
    """Events at the card, for the clerk's page."""

    @extend_schema(
        operation_id="report_card",
        summary="Report a wrong card, a wrong or blocked code, or a PUK that the card refuses",
        description=(
            "The clerk sees the report. After code-blocked in a transaction of the kind sign the clerk opens the app again, with "
            "a transaction of the kind activate: the holder chooses a new code. With the PUK at hand, choose the new code at "
            "once and report code-set again."
        ),
        request=forms.CardReportRequest,
        responses={200: forms.CardReportAnswer, **description.problems(*description.REPORT)},
    )
    def post(self, request: Request) -> Response:
        """Repeating the latest report changes nothing."""
        given = valid(forms.CardReportRequest, request.data)
        state = card_reports.record(
            step_token=str(request.auth), report=CardReport(given["report"]), tries_left=given.get("tries_left")
        )
        return Response({"state": state})


class Complete(AppView):
    """The holder's signature."""

    @extend_schema(
        operation_id="complete_transaction",
        summary="Hand in the holder's signature; the card becomes active",
        request=forms.CompleteRequest,
        responses={200: forms.CompleteAnswer, **description.problems(*description.COMPLETE)},
    )
    def post(self, request: Request) -> Response:
        """The same signature gets the same response. Wrong signatures are counted; too many end the transaction."""
        given = valid(forms.CompleteRequest, request.data)
        carrier = activation_app.complete(step_token=str(request.auth), signature=given["signature"])
        return Response({"state": "completed", "card_serial_ending": carrier.card_serial[-4:]})


class Cancel(AppView):
    """The cancellation of a transaction."""

    @extend_schema(
        operation_id="cancel_transaction",
        summary="Cancel the transaction",
        request=EMPTY_BODY,
        responses={200: forms.CancelAnswer, **description.problems(*description.CANCEL)},
    )
    def post(self, request: Request) -> Response:
        """A repeated call changes nothing."""
        require_empty(request.data)
        return Response({"state": activation_app.cancel(step_token=str(request.auth))})
