"""The OpenAPI description of the device API: its text, its error codes, its tags, and an example of each call."""

from typing import Any

from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.openapi import ApiDescription, CallExample
from siths_portal.lib.rest.problem_texts import COMMON, ProblemText, ProblemTexts

_AGAIN = "Have the holder begin again on Mina sidor."
TEXTS: ProblemTexts = {
    **COMMON,
    "handle-unknown": ProblemText(401, "The start code is unknown or was replaced.", "Have the holder show another code."),
    "step-token-unknown": ProblemText(401, "The step token is unknown.", _AGAIN),
    "enrolment-ended": ProblemText(409, "The enrolment has ended.", _AGAIN),
    "enrolment-not-started": ProblemText(409, "No device has taken the start code.", "Send transaction/start first."),
    "handle-taken": ProblemText(409, "Another device has taken the start code.", "Have the holder cancel on Mina sidor."),
    "proof-refused": ProblemText(409, "The device did not prove its key.", "Sign as the OpenAPI file says."),
    "wrong-origin": ProblemText(409, "The origin is not that of Mina sidor.", "Open the app from Mina sidor."),
    "attestation-refused": ProblemText(409, "The maker's attestation does not cover the keys.", "Use another device."),
    "device-of-another": ProblemText(409, "The device has another person's mobile eID.", "Use a device of one's own."),
    "device-has-eid": ProblemText(409, "The device has a mobile eID of the holder.", "Have the holder revoke it first."),
    "too-many-mobile-eids": ProblemText(409, "The holder has as many mobile eIDs as allowed.", "Have the holder revoke one."),
    "no-first-eid": ProblemText(409, "The eID that the holder logged in with is no longer valid.", "Close the app."),
    "device-name": ProblemText(422, "The name of the device cannot be used.", "Send 1 to 60 printable characters."),
    "csrs": ProblemText(422, "The requests are not one for each profile.", "Send one for each profile of the OpenAPI file."),
    "certificates-already-requested": ProblemText(409, "Certificates were requested for other keys.", _AGAIN),
    "certificates-refused": ProblemText(409, "The keys cannot be certified.", _AGAIN),
    "certificates-missing": ProblemText(409, "The certificates are not made.", "Request them first."),
    "certificates-not-in-force": ProblemText(409, "Not all certificates are valid.", "Try again, or begin again."),
    "code-not-set": ProblemText(409, "The code is not chosen.", "Report code-set before the signature."),
    "signature-invalid": ProblemText(422, "The signature is wrong.", "Sign statement with the key of mobile-sign."),
}
_ALWAYS = (
    *openapi.WITH_BODY, "parse-error", "not-acceptable", "enrolment-ended", "throttled", "database-unavailable", "unavailable",
)  # fmt: skip
START = (
    "handle-unknown", "handle-taken", "proof-refused", "wrong-origin", "attestation-refused", "device-of-another",
    "device-has-eid", "too-many-mobile-eids", "no-first-eid", "device-name",
)  # fmt: skip
_STEP = ("step-token-unknown",)
CERTIFICATES = (
    *_STEP, "csrs", "attestation-refused", "proof-refused", "no-first-eid", "certificates-already-requested",
    "certificates-refused", "enrolment-not-started",
)  # fmt: skip
CODE_SET = (*_STEP, "certificates-missing", "certificates-not-in-force", "enrolment-not-started")
COMPLETE = (
    *_STEP, "certificates-missing", "certificates-not-in-force", "code-not-set", "signature-invalid", "enrolment-not-started",
)  # fmt: skip
CANCEL = _STEP


def problems(*codes: str) -> Any:
    """Returns the problem responses of an operation with these error codes, and those of every operation."""
    return openapi.problems(TEXTS, *codes, always=_ALWAYS)


_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIF0jCCA7qgAwIBAgIQ\n-----END CERTIFICATE-----\n"
_REQUEST = "-----BEGIN CERTIFICATE REQUEST-----\nMIICVjCCAT4CAQAwEzERMA8G\n-----END CERTIFICATE REQUEST-----\n"
_KEY = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n-----END PUBLIC KEY-----\n"
_ATTESTATION = "eyJhbGciOiJFUzI1NiJ9.eyJpYXQiOjE3NjQ1NzYwMDB9.c2lnbmF0dXJl"
_PROFILES = ("mobile-auth", "mobile-sign")

DESCRIPTION = ApiDescription(
    title="SITHS eID Portal: device API",
    text=(
        "For the eID app on a phone or tablet, on which a holder gets a mobile eID. The holder accepts the terms on Mina sidor, "
        "logs in once more and shows a start code, which lives 15 minutes and serves one device: the first whose key takes it. "
        "Keys are made in the device's protected store, and the device's maker attests them. The start code is the bearer token "
        "of transaction/start; the step token in its answer is that of the further calls. Both begin with mob., by which Mina "
        "sidor tells these calls from those for cards. Every call may be repeated and then gets the same answer."
    ),
    problems=TEXTS,
    tags={"enrolment": "The steps of a mobile eID, from the start code to the holder's confirmation."},
    tag_of=dict.fromkeys(("start", "certificates", "code-set", "complete", "cancel"), "enrolment"),
    examples={
        "start_enrolment": CallExample(
            request={
                "device": "Min telefon",
                "device_key": _KEY,
                "attestation": _ATTESTATION,
                "origin": "https://minasidor.example.org",
                "signature": "MEUCIQDx",
            },
            answers={
                200: {
                    "step_token": "mob.3mPYcOYlyQxQ0WnSvQGdV1p3r2dUe9sZ8mK1s0Q2c4E",
                    "expires_at": "2026-11-30T09:27:44Z",
                    "organisation": "Region Exempel",
                    "terms": "Villkor",
                    "profiles": list(_PROFILES),
                },
            },
        ),
        "request_device_certificates": CallExample(
            request={"csrs": dict.fromkeys(_PROFILES, _REQUEST), "attestation": _ATTESTATION, "signature": "MEUCIQDx"},
            answers={
                201: {"certificates": dict.fromkeys(_PROFILES, _CERTIFICATE), "statement": "e30="},
                202: {"status": "pending"},
            },
        ),
        "report_device_code_set": CallExample(request={}, answers={200: {"state": "code_set"}}),
        "complete_enrolment": CallExample(
            request={"signature": "MEUCIQDx"}, answers={200: {"state": "completed", "valid_to": "2028-11-30T09:15:00Z"}}
        ),
        "cancel_enrolment": CallExample(request={}, answers={200: {"state": "cancelled"}}),
    },
)
