"""The device API, version 1: a call for each step of an enrolment, each one service function. No session and no cookie."""

import ssl

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from issuance.activation.api.v1.views import EMPTY_BODY, AppView, require_empty
from issuance.mobile.api.v1 import description
from issuance.mobile.api.v1 import serializers as forms
from issuance.mobile.services import device_app, device_start
from issuance.mobile.services.device_proofs import DeviceProof
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.json_views import valid


class DeviceView(AppView):
    """The base of the views."""

    problem_texts = description.TEXTS


class Start(DeviceView):
    """The start of a device's part."""

    @extend_schema(
        operation_id="start_enrolment",
        summary="Take the start code with the first key of the device, and get the step token",
        request=forms.DeviceStartRequest,
        responses={200: forms.DeviceStartAnswer, **description.problems(*description.START)},
    )
    def post(self, request: Request) -> Response:
        """The same device gets the same response. Another device than the first gets nothing."""
        given = valid(forms.DeviceStartRequest, request.data)
        started = device_start.start(handle=str(request.auth), proof=DeviceProof(**given))
        data = {name: getattr(started, name) for name in started.__dataclass_fields__}
        return Response(forms.DeviceStartAnswer(data).data)


class Certificates(DeviceView):
    """The certificates of keys that were made on the device."""

    @extend_schema(
        operation_id="request_device_certificates",
        summary="Have the keys certified that the app has made on the device, and get what the new key signs",
        parameters=[openapi.RETRY_AFTER],
        request=forms.DeviceCertificatesRequest,
        responses={
            201: forms.DeviceCertificatesAnswer,
            202: OpenApiResponse(
                forms.DevicePendingAnswer, description="The certificates are being made; ask again with the same body."
            ),
            **description.problems(*description.CERTIFICATES),
        },
    )
    def post(self, request: Request) -> Response:
        """The same keys get the same certificates. Other keys are refused."""
        given = valid(forms.DeviceCertificatesRequest, request.data)
        made = device_app.certify(
            step_token=str(request.auth),
            csrs=dict(given["csrs"]),
            attestation=given["attestation"],
            signature=given["signature"],
        )
        if made is None:
            return Response({"status": "pending"}, status=202, headers={"Retry-After": "1"})
        pems = {profile: ssl.DER_cert_to_PEM_cert(der) for profile, der in made.certificates.items()}
        return Response(forms.DeviceCertificatesAnswer({"certificates": pems, "statement": made.statement}).data, status=201)


class CodeSet(DeviceView):
    """The holder's choice of a code."""

    @extend_schema(
        operation_id="report_device_code_set",
        summary="Report that the holder has chosen the code that protects the keys",
        request=EMPTY_BODY,
        responses={200: forms.DeviceCodeSetAnswer, **description.problems(*description.CODE_SET)},
    )
    def post(self, request: Request) -> Response:
        """A repeated call changes nothing."""
        require_empty(request.data)
        return Response({"state": device_app.set_code(step_token=str(request.auth))})


class Complete(DeviceView):
    """The holder's confirmation."""

    @extend_schema(
        operation_id="complete_enrolment",
        summary="Hand in the holder's signature with the new key; the mobile eID becomes active",
        request=forms.DeviceCompleteRequest,
        responses={200: forms.DeviceCompleteAnswer, **description.problems(*description.COMPLETE)},
    )
    def post(self, request: Request) -> Response:
        """The same signature gets the same response."""
        given = valid(forms.DeviceCompleteRequest, request.data)
        carrier = device_app.complete(step_token=str(request.auth), signature=given["signature"])
        return Response(forms.DeviceCompleteAnswer({"state": "completed", "valid_to": carrier.valid_to}).data)


class Cancel(DeviceView):
    """The cancellation of an enrolment."""

    @extend_schema(
        operation_id="cancel_enrolment",
        summary="Cancel the enrolment",
        request=EMPTY_BODY,
        responses={200: forms.DeviceCancelAnswer, **description.problems(*description.CANCEL)},
    )
    def post(self, request: Request) -> Response:
        """A repeated call changes nothing."""
        require_empty(request.data)
        return Response({"state": device_app.cancel(step_token=str(request.auth))})
