"""The OpenAPI description of the eID app API: its text, its error codes, its tags, and an example of each call."""

from typing import Any

from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.openapi import ApiDescription, CallExample
from siths_portal.lib.rest.problem_texts import COMMON, ProblemText, ProblemTexts

_AGAIN = "Have the ID-administratör open the app again."
_REORDER = "Have the ID-administratör look at the card in the portal."
TEXTS: ProblemTexts = {
    **COMMON,
    "handle-unknown": ProblemText(401, "The handle is unknown or was replaced.", "Open the app again from the portal."),
    "step-token-unknown": ProblemText(401, "The step token is unknown.", _AGAIN),
    "transaction-ended": ProblemText(409, "The transaction has ended.", _AGAIN),
    "key-mismatch": ProblemText(409, "The transaction is open in another window.", "Continue there, or open the app again."),
    "wrong-card": ProblemText(409, "The card in the reader is not the transaction's.", "Change the card and try again."),
    "proof-refused": ProblemText(409, "The card did not prove which card it is.", "Insert the card and try again."),
    "wrong-origin": ProblemText(409, "The origin is not the portal's.", "Open the app from the portal."),
    "card-not-waiting": ProblemText(409, "The card can no longer be activated or unlocked.", _REORDER),
    "officer-not-allowed": ProblemText(409, "The officer no longer has the right to activate or unlock the card.", _AGAIN),
    "eids-changed": ProblemText(409, "The eIDs of the card have changed.", _AGAIN),
    "certificates-not-in-force": ProblemText(409, "Not all certificates of the card are valid.", _REORDER),
    "certificate-not-in-force": ProblemText(409, "The certificate for signatures is not valid.", _REORDER),
    "terms-changed": ProblemText(409, "The terms have changed.", _AGAIN),
    "signature-not-asked-for": ProblemText(409, "The card is unlocked without a signature.", "Report code-set."),
    "code-not-asked-for": ProblemText(409, "The card's code is already chosen.", "Sign to complete the transaction."),
    "certificates-not-asked-for": ProblemText(409, "The card has its certificates already.", "Report code-set, or sign."),
    "certificates-already-requested": ProblemText(409, "Certificates were requested for other keys of the card.", _REORDER),
    "certificates-refused": ProblemText(409, "The keys cannot be certified.", _REORDER),
    "certificates-missing": ProblemText(409, "The card's certificates are not made.", "Request them before code-set."),
    "eid-order-ended": ProblemText(409, "The eID's order no longer waits.", "Close the app."),
    "eid-not-for-carrier": ProblemText(409, "The card accepts no further eID.", "Close the app."),
    "carrier-not-active": ProblemText(409, "The card is not in use.", "Close the app."),
    "card-without-key": ProblemText(409, "The card cannot prove itself.", "Close the app."),
    "post-ended": ProblemText(409, "The assignment has ended.", "Close the app."),
    "reserve-issue-ended": ProblemText(409, "What the officer signs no longer waits.", "Close the app."),
    "first-officer-not-allowed": ProblemText(409, "The first officer no longer has the right.", "Close the app."),
    "three-persons": ProblemText(409, "Holder and officers are not three persons.", "Close the app."),
    "card-not-usable": ProblemText(409, "The reserve card can no longer be handed out.", "Close the app."),
    "csrs": ProblemText(422, "The requests are not one for each profile.", "Send one for each profile of the OpenAPI file."),
    "code-not-set": ProblemText(409, "The card's code is not chosen.", "Report code-set before the signature."),
    "delivery-refused": ProblemText(409, "The card's PUK cannot be delivered.", "Have the card revoked and order another."),
    "seal-key-lost": ProblemText(409, "The card cannot be unlocked now.", "Do not revoke it, and contact support."),
    "token-unavailable": ProblemText(409, "The card's PUK cannot be read now.", _AGAIN),
    "signature-invalid": ProblemText(422, "The signature is wrong.", "Sign signed_attributes with the key for signatures."),
    "card-report": ProblemText(422, "The report does not fit the transaction.", "Send a report of the OpenAPI file."),
    "card-reports": ProblemText(429, "The transaction has too many reports.", _AGAIN),
    "secret-deliveries": ProblemText(429, "The card's PUK was delivered too often.", "Try again after Retry-After."),
    "certificates-on-hold": ProblemText(503, "The certificates are still on hold.", "Send the same signature after Retry-After."),
    "pdf-failed": ProblemText(503, "The receipt could not be made.", "Repeat the same call after Retry-After."),
}
_ALWAYS = (
    *openapi.WITH_BODY, "parse-error", "not-acceptable", "transaction-ended", "throttled", "database-unavailable", "unavailable",
)  # fmt: skip
_STEP = ("step-token-unknown", "card-not-waiting", "officer-not-allowed", "certificates-not-in-force", "eids-changed")
_FETCH = ("eid-order-ended", "eid-not-for-carrier", "carrier-not-active", "card-without-key", "post-ended")
START = (
    *_FETCH,
    "handle-unknown", "key-mismatch", "wrong-card", "proof-refused", "wrong-origin", "card-not-waiting", "officer-not-allowed",
    "certificates-not-in-force", "terms-changed", "delivery-refused", "seal-key-lost", "token-unavailable",
    "secret-deliveries", "eids-changed", "pdf-failed",
)  # fmt: skip
CERTIFICATES = (
    *_STEP, *_FETCH, "certificates-not-asked-for", "certificates-already-requested", "certificates-refused", "proof-refused",
    "csrs", "pdf-failed",
)  # fmt: skip
CODE_SET = (*_STEP, "code-not-asked-for", "certificates-missing")
REPORT = (*_STEP, "card-report", "card-reports")
COMPLETE = (
    *_STEP, *_FETCH, "certificates-missing", "code-not-set", "signature-not-asked-for",
    "signature-invalid", "terms-changed", "certificate-not-in-force", "certificates-on-hold",
    "reserve-issue-ended", "first-officer-not-allowed", "three-persons", "card-not-usable",
)  # fmt: skip
CANCEL = _STEP


def problems(*codes: str) -> Any:
    """Returns the problem responses of an operation with these error codes, and those of every operation."""
    return openapi.problems(TEXTS, *codes, always=_ALWAYS)


_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIF0jCCA7qgAwIBAgIQ\n-----END CERTIFICATE-----\n"
_PROFILES = ("person-hsaid-auth", "person-hsaid-sign", "person-id-auth", "person-id-sign")

_REQUEST = "-----BEGIN CERTIFICATE REQUEST-----\nMIICVjCCAT4CAQAwEzERMA8G\n-----END CERTIFICATE REQUEST-----\n"
_NEW = ("person-hsaid-auth", "person-hsaid-sign")

DESCRIPTION = ApiDescription(
    title="SITHS eID Portal: eID app API",
    text=(
        "For the eID app, which carries out a transaction that a clerk opened: set a card's code and sign the receipt, or "
        "unlock a card in use (kind unlock), which ends at code-set without a receipt. A reserve card has its keys made on "
        "it and certified in between. A holder fetches an ordered eID onto a card in use (kind fetch, on Mina sidor): new keys "
        "are certified, their certificates are written on the card, and the new key signs a statement. An officer may also "
        "sign a statement with their own card (kind sign, without a receipt). The handle opens nothing without the card. Every "
        "call may be repeated and then gets the same answer."
    ),
    problems=TEXTS,
    tags={"transaction": "The steps of a transaction, from the proof of the card to the signature."},
    tag_of=dict.fromkeys(("start", "certificates", "code-set", "card-report", "complete", "cancel"), "transaction"),
    examples={
        "start_transaction": CallExample(
            request={
                "card_serial": "9752269900000000012",
                "certificates": dict.fromkeys(_PROFILES, _CERTIFICATE),
                "ephemeral_key": {
                    "kty": "EC",
                    "crv": "P-256",
                    "x": "GlVyZmPrB0uV_74fsBPhxI_OY8ilVKaYYvn1IRealDI",
                    "y": "otzgP0PZZpfRYF4Rvxy5qEt3AM9r1Yw-X1bC3HfDtw4",
                },
                "origin": "https://portal.example.org",
                "signature": "MEUCIQDx",
            },
            answers={
                200: {
                    "kind": "activate",
                    "expires_at": "2026-11-30T09:27:44Z",
                    "texts": {
                        "heading": "Kvittens",
                        "summary": "Jag har fått mitt kort.",
                        "terms": "Villkor",
                        "regional_addition": "",
                        "sign_message": "Skriv under kvittensen.",
                    },
                    "pdf": "JVBERi0xLjcK",
                    "byte_range": [0, 4096, 20480, 512],
                    "signed_attributes": "MYIBCg==",
                    "digest_algorithm": "sha256",
                    "encrypted": "eyJhbGciOiJFQ0RILUVTIn0..AAAAAAAAAAAAAAAA.Zm9v.AAAAAAAAAAAAAAAAAAAAAA",
                },
                202: {"status": "pending"},
            },
        ),
        "request_certificates": CallExample(
            request={"csrs": dict.fromkeys(_NEW, _REQUEST), "signature": "MEUCIQDx"},
            answers={
                201: {
                    "certificates": dict.fromkeys(_NEW, _CERTIFICATE),
                    "pdf": "JVBERi0xLjcK",
                    "byte_range": [0, 4096, 20480, 512],
                    "signed_attributes": "MYIBCg==",
                    "digest_algorithm": "sha256",
                },
                202: {"status": "pending"},
            },
        ),
        "report_code_set": CallExample(request={}, answers={200: {"state": "code_set"}}),
        "report_card": CallExample(request={"report": "wrong-code", "tries_left": 2}, answers={200: {"state": "started"}}),
        "complete_transaction": CallExample(
            request={"signature": "MEUCIQDx"}, answers={200: {"state": "completed", "card_serial_ending": "0012"}}
        ),
        "cancel_transaction": CallExample(request={}, answers={200: {"state": "cancelled"}}),
    },
)
