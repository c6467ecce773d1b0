"""Signed calls over mutual TLS to suppliers that take push (wire format: docs/wire/supplier-push.openapi.yaml)."""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from authn.service import PushEndpoint
from issuance.orders.domain.order_states import OrderState
from issuance.suppliers.models import SupplierChange
from issuance.suppliers.push.ports import BadAnswer, ChangedOrder, ChangedPage, OutgoingOrder, Receipt
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound, Refused, Unavailable
from siths_portal.lib.http import addresses, webhooks
from siths_portal.lib.http.client import Client, Reply
from siths_portal.lib.http.webhooks import BadSignature

_REPLY_BYTES = 512 * 1024
_MOST_ORDERS = 500
_FINAL = frozenset({400, 410, 413, 422})
"""Refusals of this body, which a repeated call gets again. Others concern the connection and may pass."""


class RestChannel:
    """`Channel` over HTTPS, with the keys in SUPPLIER_PUSH_FOLDER, and only to hosts of SUPPLIER_PUSH_HOSTS."""

    def send_order(self, endpoint: PushEndpoint, key: UUID, order: OutgoingOrder) -> Receipt:
        """Posts the order in the form of the supplier API, with print and delivery as an accepted order has them."""
        # Here, since the forms of the API load the REST framework, which processes that push nothing do not need.
        from issuance.suppliers.api.v1 import details

        content = details.opened(order.order, order.delivery, order.officer)
        return _deliver(endpoint, "/orders", key, content, outcome="accepted")

    def send_change(self, endpoint: PushEndpoint, key: UUID, change: SupplierChange) -> Receipt:
        """Posts the change in the form of the supplier API."""
        from issuance.suppliers.api.v1.changes import ChangeSerializer

        return _deliver(endpoint, "/changes", key, dict(ChangeSerializer(change).data), outcome="noted")

    def changed(self, endpoint: PushEndpoint, *, since: dt.datetime, after: str) -> ChangedPage:
        """Gets a page of what the supplier believes."""
        asked = {"since": since.isoformat(), "after": after}
        reply = _call(endpoint, "GET", "/changed", uuid.uuid4(), b"", query=asked)
        answer_id, told = _verified(endpoint, reply)
        try:
            if {name: told[name] for name in asked} != asked or len(told["orders"]) > _MOST_ORDERS:
                raise _bad("answer-about-another")
            orders = tuple(
                ChangedOrder(UUID(each["id"]), OrderState(each["status"]).value, dt.datetime.fromisoformat(each["changed_at"]))
                for each in told["orders"]
            )
            return ChangedPage(answer_id, orders, str(told["next"] or "")[:200])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise _bad("answer-malformed") from None


def _deliver(endpoint: PushEndpoint, path: str, key: UUID, content: Mapping[str, Any], *, outcome: str) -> Receipt:
    """Posts the content. The answer names the key and the SHA-256 of the bytes that it is about."""
    from rest_framework.utils.encoders import JSONEncoder

    body = json.dumps(content, cls=JSONEncoder, ensure_ascii=False, allow_nan=False).encode()
    answer_id, told = _verified(endpoint, _call(endpoint, "POST", path, key, body))
    if told.get("delivery") != str(key) or told.get("sha256") != hashlib.sha256(body).hexdigest():
        raise _bad("answer-about-another")
    if told.get("outcome") != outcome:
        raise _bad("answer-malformed")
    return Receipt(answer_id)


def _call(
    endpoint: PushEndpoint, method: str, path: str, key: UUID, body: bytes, *, query: Mapping[str, str] | None = None
) -> Reply:
    """Makes the call. Raises Unavailable, and Refused only if the supplier will not take this body."""
    if not addresses.is_allowed(endpoint.url, settings.SUPPLIER_PUSH_HOSTS):
        raise Unavailable("push-host-not-allowed", "Kortleverantörens adress är inte tillåten. Se SUPPLIER_PUSH_HOSTS.")
    headers = _signed(key, body)
    if method == "POST":
        headers |= {"Content-Type": "application/json", "Idempotency-Key": str(key)}
    client = _client(endpoint.url, settings.SUPPLIER_PUSH_FOLDER)
    try:
        return client.request(method, path, query=query, content=body or None, headers=headers)
    except NotFound as error:
        raise Unavailable("push-not-found", "Kortleverantörens adress svarar inte som den ska.") from error
    except Refused as error:
        if error.status in _FINAL:
            raise
        raise Unavailable(error.code, "Kortleverantören tar inte emot anrop just nu.") from error


def _signed(key: UUID, body: bytes) -> dict[str, str]:
    """Returns the headers of Standard Webhooks. Reads the keys at each call, so that a new key needs no restart."""
    try:
        keys = webhooks.read_private_keys(Path(settings.SUPPLIER_PUSH_FOLDER) / "signing.keys")
    except (OSError, ValueError) as error:
        raise Unavailable("push-keys-missing", "Nycklarna för anrop till kortleverantörer går inte att läsa.") from error
    return webhooks.signed_headers(keys, message_id=str(key), sent_at=clock.now(), body=body)


@cache
def _client(url: str, folder: str) -> Client:
    certificate, key, issuers = (str(Path(folder) / name) for name in ("client.pem", "client.key", "ca.pem"))
    return Client(url, certificate=certificate, key=key, ca_bundle=issuers, max_bytes=_REPLY_BYTES)


def _verified(endpoint: PushEndpoint, reply: Reply) -> tuple[str, dict[str, Any]]:
    """Returns the id and the content of an answer that the supplier signed. Parses nothing before. Raises BadAnswer."""
    try:
        keys = [webhooks.read_public_key(text) for text in endpoint.keys]
        message = webhooks.verify(keys, headers=reply.headers, body=reply.content, now=clock.now())
    except BadSignature as error:
        raise _bad(error.code) from error
    try:
        told = json.loads(message.body)
    except ValueError:
        raise _bad("answer-malformed") from None
    if not isinstance(told, dict):
        raise _bad("answer-malformed")
    return message.message_id, told


def _bad(code: str) -> BadAnswer:
    return BadAnswer(code, "Kortleverantörens svar går inte att lita på.")
