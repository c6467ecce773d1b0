"""Storage of an eID app transaction's handle in the session, from the action that creates it to the page that shows it.

The transaction's table holds only the handle's hash. The session holds only a ciphertext that needs the browser's cookie. No
URL of the portal contains it. Only the clerk's actions write the session, never a page or poll, so no poll overwrites an action
(ADR 0090).
"""

import hashlib
import hmac
from typing import Any, cast
from uuid import UUID

import segno
from django.conf import settings
from django.http import HttpRequest

from issuance.activation.domain.transaction_states import TransactionState
from issuance.activation.models import EidAppTransaction
from issuance.activation.queries import activation_view
from issuance.activation.services.visits import Opened
from siths_portal.lib.http.compression import leave_uncompressed
from siths_portal.lib.pages import session_secrets

_KEY = "eid_app_handles"
_MOST = 5


def keep(request: HttpRequest, opened: Opened) -> None:
    """Stores the new handle. Of the other handles keeps only the latest few that still wait for the app."""
    kept = _handles(request)
    waiting = activation_view.waiting(set(kept) - {str(opened.transaction.pk)})
    others = {key: handle for key, handle in kept.items() if waiting.get(key) == _digest(handle)}
    _store(request, dict([*others.items(), (str(opened.transaction.pk), opened.handle)][-_MOST:]))


def forget(request: HttpRequest, transaction_id: UUID) -> None:
    """Deletes the handle of a transaction that the clerk has ended."""
    handles = _handles(request)
    if handles.pop(str(transaction_id), None):
        _store(request, handles)


def way_to_app(request: HttpRequest, transaction: EidAppTransaction, state: TransactionState) -> dict[str, str]:
    """Returns the handle that can still open the app, its link and its QR code, all "" (empty) without one. Writes nothing.

    The link has the handle after `#`, which browsers do not send. Excludes the response from compression.
    """
    leave_uncompressed(request)
    handle = _handles(request).get(str(transaction.pk), "")
    if state is not TransactionState.CREATED or not hmac.compare_digest(_digest(handle), transaction.handle_sha256):
        return {"handle": "", "link": "", "qr": ""}
    qr = segno.make(handle, error="m").svg_data_uri(scale=5, border=3, light="#fff")
    return {"handle": handle, "link": f"{cast(Any, settings).EID_APP_URL}#{handle}", "qr": qr}


def _handles(request: HttpRequest) -> dict[str, str]:
    sealed = request.session.get(_KEY, {})
    handles = {key: session_secrets.unseal(_cookie(request), _KEY, text) for key, text in sealed.items()}
    return {key: handle for key, handle in handles.items() if handle}


def _store(request: HttpRequest, handles: dict[str, str]) -> None:
    request.session[_KEY] = {key: session_secrets.seal(_cookie(request), _KEY, handle) for key, handle in handles.items()}


def _cookie(request: HttpRequest) -> str:
    return request.session.session_key or ""


def _digest(handle: str) -> str:
    return hashlib.sha256(handle.encode()).hexdigest()
