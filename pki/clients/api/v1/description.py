"""The OpenAPI description of the PKI API: its text, its error codes, its tags, and an example of each call."""

from typing import Any

from pki.domain.problem_texts import KEYS
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.openapi import ApiDescription, CallExample
from siths_portal.lib.rest.problem_texts import COMMON, ProblemText, ProblemTexts

_RIGHT = "Ask the operator of the portal for the right."
TEXTS: ProblemTexts = {
    **COMMON,
    "client-may-not-issue": ProblemText(403, "The client may not order certificates of this profile.", _RIGHT),
    "client-may-not-use-name": ProblemText(403, "The client may not order certificates for this name.", _RIGHT),
    "client-may-not-use-attribute": ProblemText(
        403, "A value of the subject is not registered for the client.", "Send a registered value, or have it registered."
    ),
    "client-may-not-read": ProblemText(403, "The client may not read the certificate.", _RIGHT),
    "client-may-not-revoke": ProblemText(403, "The client may not revoke the certificate.", _RIGHT),
    "profile-unknown": ProblemText(404, "The CA does not exist, or does not have the profile.", "Check issuer and profile."),
    "certificate-unknown": ProblemText(404, "The certificate does not exist.", "Check issuer and serial."),
    "certificate-failed": ProblemText(
        409, "The certificate was never issued.", "Order another with a new Idempotency-Key, or leave it unrevoked."
    ),
    "certificate-revoked": ProblemText(409, "The certificate is revoked.", "Order another with a new Idempotency-Key."),
    "certificate-never-issued": ProblemText(409, "The certificate was never issued.", "Read it as JSON to see why."),
    **KEYS,
    "key-malformed": ProblemText(422, "The public key cannot be read.", "Send SubjectPublicKeyInfo in PEM."),
    "key-type": ProblemText(422, "Such a key cannot prove that the client holds it.", "Send RSA, P-256 or P-384."),
    "key-proof-of-possession": ProblemText(422, "The proof is not by this key over this order.", "Sign as proof describes."),
    "profile-not-offered": ProblemText(422, "The CA does not have the profile.", "Check issuer and profile."),
    "profile-not-orderable": ProblemText(422, "Only the portal makes such certificates.", "Order another profile."),
    "search-too-wide": ProblemText(422, "The search is too wide.", "Narrow it as invalid-parameters says."),
    "revocation-reason": ProblemText(422, "The reason does not exist.", "Send a reason of the OpenAPI file."),
    "revocation-received": ProblemText(422, "received_at is in the future.", "Send the time when the client got the request."),
    "revocation-invalidity": ProblemText(422, "invalidity_date is in the future.", "Send a time that has passed."),
    "revocation-record": ProblemText(422, "The data on the request are incomplete or too long.", "Send less, or more."),
}

ORDER = (
    *openapi.WITH_KEY, *openapi.WITH_BODY, *KEYS, "client-may-not-issue", "client-may-not-use-name",
    "client-may-not-use-attribute", "client-may-not-read", "profile-unknown", "certificate-unknown", "certificate-failed",
    "certificate-revoked", "key-malformed", "key-type", "key-proof-of-possession", "profile-not-offered",
    "profile-not-orderable",
)  # fmt: skip
READ = ("client-may-not-read", "certificate-unknown", "certificate-never-issued", "not-found")
SEARCH = (*openapi.WITH_BODY, "cursor-invalid", "search-too-wide")
REVOKE = (
    *openapi.WITH_KEY, *openapi.WITH_BODY, "client-may-not-revoke", "certificate-unknown", "certificate-failed",
    "revocation-reason", "revocation-received", "revocation-invalidity", "revocation-record",
)  # fmt: skip

_SERIAL = "5A3F9C0D1E7B48A26C55D0F19B3E8A71"
_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIF0jCCA7qgAwIBAgIQ\n-----END CERTIFICATE-----\n"
_SUMMARY: dict[str, Any] = {
    "issuer": "function",
    "serial": _SERIAL,
    "serial_reversed": "718A3E9BF1D0556CA2487B1E0D9C3F5A",
    "profile": "function",
    "status": "issued",
    "held": False,
    "subject_ref": "function:1",
    "carrier_ref": "",
    "public_key_sha256": "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
    "not_before": "2026-11-30T08:12:44Z",
    "not_after": "2028-11-29T09:12:44Z",
    "ordered_at": "2026-11-30T09:12:44.120000Z",
    "issued_at": "2026-11-30T09:12:44.390000Z",
    "revocation": None,
}
_DETAIL = _SUMMARY | {"certificate": _CERTIFICATE, "der": "MIIF0jCCA7qgAwIBAgIQ", "chain": _CERTIFICATE * 2}
_PENDING = {"status": "pending", "issuer": "function", "serial": _SERIAL}

DESCRIPTION = ApiDescription(
    title="SITHS eID Portal: PKI API",
    text=(
        "For services that order and revoke certificates, over mutual TLS with the client certificate that was registered "
        "for the service. Each may do what it was granted for a CA and profile; what it may not know of is answered as what "
        "does not exist."
    ),
    problems=TEXTS,
    tags={"certificates": "Ordering, reading and searching certificates.", "revocations": "Revoking certificates, for ever."},
    tag_of={
        "certificates": "certificates",
        "search": "certificates",
        "{serial}": "certificates",
        "revocations": "revocations",
    },
    rate_limited=True,
    path_parameters={
        "issuer": {
            "description": "The CA's short name, for example function.",
            "schema": {"type": "string", "maxLength": 40, "pattern": "^[a-z0-9][a-z0-9-]{0,39}$"},
        },
        "serial": {
            "description": "The certificate's serial number, hexadecimal, in either case.",
            "schema": {"type": "string", "maxLength": 40, "pattern": "^[0-9A-Fa-f]{2,40}$"},
        },
    },
    examples={
        "order_certificate": CallExample(
            request={
                "issuer": "function",
                "profile": "function",
                "subject": {"countryName": "SE", "organizationName": "Driftpartner AB", "commonName": "tjanst.example.org"},
                "csr": "-----BEGIN CERTIFICATE REQUEST-----\nMIICvDCCAaQCAQAw\n-----END CERTIFICATE REQUEST-----\n",
                "subject_ref": "function:1",
            },
            answers={201: _DETAIL, 202: _PENDING},
        ),
        "read_certificate": CallExample(answers={200: _DETAIL, 202: _PENDING}),
        "search_certificates": CallExample(
            request={"subject_ref": "function:1", "status": "issued"},
            answers={200: {"certificates": [_SUMMARY], "next_cursor": None}},
        ),
        "revoke_certificate": CallExample(
            request={"issuer": "function", "serial": _SERIAL, "reason": "superseded"},
            answers={
                200: {
                    "issuer": "function",
                    "serial": _SERIAL,
                    "revoked_at": "2026-11-30T09:12:44.120000Z",
                    "reason": "superseded",
                    "invalidity_date": None,
                }
            },
        ),
    },
)
