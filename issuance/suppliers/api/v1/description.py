"""The OpenAPI description of the supplier API: its text, its tags, and an example of each call."""

from typing import Any

from issuance.suppliers.api.v1 import problems
from siths_portal.lib.rest import openapi
from siths_portal.lib.rest.openapi import ApiDescription, CallExample

_ORDER_ID = "01938f5c-7d40-7c3e-9a51-2f6d8b1c0e44"
_OTHER_ID = "01938f5c-7d41-7a02-8c11-6b1f0a9e3d72"
_SERIAL = "9752269900000000012"
_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGlVyZmPrB0uV/74fsBPhxI/OY8ilVKaYYvn1IRealDKi3OA/Q9lml9FgXhG/HLmoS3cAz2vVjD5fVsLcd8O3Dg=="
)
_CSRS = {
    "person-hsaid-auth": (
        "MIG6MGICAQAwADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDu4Ta3q8joIAMwedvlPrrT6jcoxuwn8eDjVE6gJfLTcBRBgP0mC5vSj4AgfP5GCid7XpYhTxRzw"
        "5SfkXFaPpzOgADAKBggqhkjOPQQDAgNIADBFAiEAltInQ+HOetuCDlKI8gYl9vZYclUpnMUlZvOmbXTNtgUCIF7GrFqv0iIAshLmdNn9CAWb+vwXMKKx38qnxQc4"
        "Aw4s"
    ),
    "person-hsaid-sign": (
        "MIG6MGICAQAwADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABP4VCNCYzOuRJ324f3N8AYlb25toH0v2Fj57x2He/dOcXE8v0f85Y8bFWny/3LxdkrkeV4BSQxXL"
        "N6FGvXdxOMugADAKBggqhkjOPQQDAgNIADBFAiBPYOZ95edbWGyqzDaehCm1ANcpJbmSHvCVeh7era9zagIhAPpbvSRKCwexid5Pv8a/T2LhBuZadgQCDSSS2kgD"
        "LcRa"
    ),
    "person-id-auth": (
        "MIG6MGICAQAwADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAY21TkFbQ2zrH1k63CGJfLXVTElEs7aLZYB9RPRqXxzY6HA+wq4SMNtKRppMg3OZA8IBdtAP3Ts"
        "080HyKuXlDagADAKBggqhkjOPQQDAgNIADBFAiEAsQOdPm7RLjOTtFwqk6KkLRr1E3m2OPgFCsKFm1sOedQCIGBnB9Nk10Ge9eMfZ8xj9js4rXx+jdeNxJYy1pdW"
        "stjK"
    ),
    "person-id-sign": (
        "MIG5MGICAQAwADBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDTTilU3KwLcxBkPMylZXakMevq2qnvrchtK5IYLQjFTAaJvnT6er9TzbX9XHWT4z3C1RmDAcRJ7"
        "NNhM9XCnONGgADAKBggqhkjOPQQDAgNHADBEAiAw1hLYdQ0tUmxQWfcKRq0YWqIqwlajEJpdVy8h65pqsQIgEyvvnQ0TLzpHsR1ETKDx+wxUsGNkJtnxuMFQZQOk"
        "ipQ="
    ),
}


def _pem(label: str, content: str) -> str:
    lines = [content[start : start + 64] for start in range(0, len(content), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


_ORDER: dict[str, Any] = {
    "id": _ORDER_ID,
    "status": "accepted",
    "ordered_at": "2026-11-30T09:12:44.120000Z",
    "article": {
        "code": "677-REK",
        "number": "677",
        "name": "Liggande kort med foto",
        "orientation": "landscape",
        "photo": True,
        "registered_mail": True,
    },
    "customisation_id": "7837803902",
    "item_count": 1,
    "puk": None,
    "puk_refusal": None,
    "card_revoked": False,
}
_DETAIL = _ORDER | {
    "print": {
        "given_name": "Anna",
        "surname": "Demosson",
        "organisation_name": "Provregionen",
        "service_id": "TST2321000131-P001",
        "issuer_number": "1549",
        "back_text": "Provregionen, 501 80 Borås",
        "logotype_sha256": "ad104ca802c078ad72a3e23f684dc323e9e06959182f918d7695b1ba23266c63",
        "photo_sha256": "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9",
        "valid_to": "2031-11-30T22:59:59Z",
    },
    "id_administrator": {"name": "Karin Demosson", "service_id": "TST2321000131-P002"},
    "delivery": {
        "method": "registered_mail",
        "recipient": "Anna Demosson",
        "forwarding": False,
        "address": {"lines": ["Storgatan 1"], "postal_code": "50630", "city": "Borås", "country": "SE"},
    },
}
_CARD = {
    "card_serial": _SERIAL,
    "card_key": _pem("PUBLIC KEY", _KEY),
    "csrs": {profile: _pem("CERTIFICATE REQUEST", content) for profile, content in _CSRS.items()},
}
_SENT = {"type": "sent", "sent_on": "2026-12-02", "registered_mail_id": "LA00R351935SE"}
_WITHDRAWN = openapi.problem_example("order-withdrawn", problems.TEXTS["order-withdrawn"])
_CERTIFICATE = _pem("CERTIFICATE", "MIIF0jCCA7qgAwIBAgIQ")
_CERTIFICATES: dict[str, Any] = {
    "status": "issued",
    "certificates": dict.fromkeys(_CSRS, _CERTIFICATE),
    "chains": dict.fromkeys(_CSRS, _CERTIFICATE * 2),
}
_TRANSPORT: dict[str, Any] = {
    "status": "issued",
    "certificates": {"transport": _CERTIFICATE},
    "chains": {"transport": _CERTIFICATE * 2},
}
_ITEM: dict[str, Any] = {
    "number": 1,
    "kind": "reserve_card",
    "state": "waiting",
    "profiles": ["transport"],
    "puk": None,
    "puk_refusal": None,
    "card_revoked": False,
}
_PUK_JWE = "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkdDTSJ9..wtDPVUS57SnDdmL1._yuXRCOvxqg.VEF7g9Geu7lZNEDF12zKxw"
_CHANGE = {
    "number": 4711,
    "kind": "puk_refused",
    "order": _ORDER_ID,
    "item": 1,
    "customisation": None,
    "reason": "format",
    "at": "2026-11-30T09:12:44.120000Z",
}
_CUSTOMISATION = {
    "id": "7837803902",
    "name": "Provregionen, liggande",
    "issuer_number": "1549",
    "back_text": "Provregionen, 501 80 Borås",
    "logotype_sha256": "ad104ca802c078ad72a3e23f684dc323e9e06959182f918d7695b1ba23266c63",
    "verified": True,
}
_ARTICLE = _ORDER["article"] | {
    "kind": "ordinary",
    "assurance_level": 3,
    "generation": "",
    "valid_from": "2026-01-01",
    "valid_to": None,
}
_ME = {
    "client_ref": "kortleverantor-1",
    "name": "Kortleverantören AB",
    "certificate": {
        "serial": "5A3F9C0D1E7B48A2",
        "sha256": "ad104ca802c078ad72a3e23f684dc323e9e06959182f918d7695b1ba23266c63",
        "not_after": "2028-11-29T09:12:44Z",
    },
    "delivery": "pull",
    "versions": ["v1"],
    "limits": {"calls_per_minute": 12000, "page": 200, "batch": 50, "body_bytes": 2097152},
}
_KEYS = {
    "keys": [
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "GlVyZmPrB0uV_74fsBPhxI_OY8ilVKaYYvn1IRealDI",
            "y": "otzgP0PZZpfRYF4Rvxy5qEt3AM9r1Yw-X1bC3HfDtw4",
            "use": "enc",
            "alg": "ECDH-ES",
            "kid": "5f0c9d3a1b7e4c2f8a6d0e9b3c5f7a1d2e4b6c80",
        }
    ]
}

DESCRIPTION = ApiDescription(
    title="SITHS eID Portal: supplier API",
    text=(
        "For card suppliers, over mutual TLS with the client certificate that was registered for the supplier. Orders are "
        "pulled. Ids, serials and keys are strings."
    ),
    problems=problems.TEXTS,
    tags={
        "orders": "Orders of cards, from queued to sent.",
        "certificates": "The card's certificates.",
        "events": "Reports on the making and sending of a card.",
        "batch": "Many calls in one. Each entry has its own result, and one Idempotency-Key counts for the batch.",
        "items": "What an order asks for: one card, or many.",
        "letters": "Letters with the PUK of a card in use.",
        "changes": "What changed without a call of the supplier.",
        "keys": "The keys that PUKs are encrypted to.",
        "articles": "The products that can be ordered.",
        "customisations": "How cards look.",
        "me": "The supplier itself.",
    },
    tag_of={
        "batch/accept": "batch",
        "batch/certificates": "batch",
        "batch/events": "batch",
        "orders": "orders",
        "{order_id}": "orders",
        "accept": "orders",
        "photo": "orders",
        "puk": "letters",
        "certificates": "certificates",
        "events": "events",
        "items": "items",
        "remake": "items",
        "changes": "changes",
        "keys": "keys",
        "me": "me",
        "articles": "articles",
        "card-customisations": "customisations",
        "{customisation_id}": "customisations",
        "logotype": "customisations",
    },
    rate_limited=True,
    path_parameters={
        "order_id": {"description": "Beställnings-id: the order's id."},
        "item": {
            "description": "The number of an item of the order.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 9999},
        },
        "customisation_id": {
            "description": "Kortanpassnings-id.",
            "schema": {"type": "string", "maxLength": 10, "pattern": "^[0-9]{10}$"},
        },
    },
    examples={
        "list_orders": CallExample(answers={200: {"orders": [_ORDER | {"status": "queued"}], "next_cursor": None}}),
        "read_order": CallExample(answers={200: _DETAIL}),
        "accept_order": CallExample(answers={200: _ORDER}),
        "read_certificates": CallExample(answers={200: _CERTIFICATES, 202: {"status": "pending"}}),
        "request_certificates": CallExample(
            request=_CARD,
            answers={201: _CERTIFICATES, 202: {"status": "pending"}},
        ),
        "accept_orders": CallExample(
            request={"entries": [{"order": _ORDER_ID}, {"order": _OTHER_ID}]},
            answers={200: {"results": [{"status": 200, "body": _ORDER}, {"status": 409, "body": _WITHDRAWN}]}},
        ),
        "request_batch_certificates": CallExample(
            request={"entries": [{"order": _ORDER_ID, "body": _CARD}]},
            answers={200: {"results": [{"status": 201, "body": _CERTIFICATES}]}},
        ),
        "report_events": CallExample(
            request={"entries": [{"order": _ORDER_ID, "body": _SENT}]},
            answers={200: {"results": [{"status": 202, "body": {"outcome": "parked"}}]}},
        ),
        "report_event": CallExample(
            request=_SENT,
            answers={200: {"outcome": "applied"}, 202: {"outcome": "parked"}},
        ),
        "list_items": CallExample(answers={200: {"items": [_ITEM], "next": None}}),
        "read_item_certificates": CallExample(answers={200: _TRANSPORT, 202: {"status": "pending"}}),
        "request_item_certificates": CallExample(
            request={
                "card_serial": _SERIAL,
                "card_key": _pem("PUBLIC KEY", _KEY),
                "csrs": {"transport": _pem("CERTIFICATE REQUEST", _CSRS["person-id-auth"])},
            },
            answers={201: _TRANSPORT, 202: {"status": "pending"}},
        ),
        "report_item_event": CallExample(
            request={"type": "produced", "mifare_id": "04A1B2C3D4", "no_puk": True},
            answers={200: {"outcome": "repeated"}, 202: {"outcome": "applied"}},
        ),
        "remake_item": CallExample(request={"item": 1, "reason": "misprinted", "fault": "supplier"}, answers={202: {"item": 2}}),
        "read_puk": CallExample(answers={200: {"puk_jwe": _PUK_JWE}, 202: {"status": "pending"}}),
        "list_changes": CallExample(answers={200: {"changes": [_CHANGE], "next": None}}),
        "read_keys": CallExample(answers={200: _KEYS}),
        "read_me": CallExample(answers={200: _ME}),
        "list_articles": CallExample(answers={200: {"articles": [_ARTICLE], "next_cursor": None}}),
        "list_customisations": CallExample(answers={200: {"customisations": [_CUSTOMISATION], "next_cursor": None}}),
        "read_customisation": CallExample(answers={200: _CUSTOMISATION}),
        "put_customisation": CallExample(
            request={
                "logotype": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkkAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg==",
                "sha256": "ad104ca802c078ad72a3e23f684dc323e9e06959182f918d7695b1ba23266c63",
            },
            answers={200: _CUSTOMISATION | {"verified": False}},
        ),
    },
)
