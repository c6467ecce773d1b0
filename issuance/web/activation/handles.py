"""Where the handle of an eID app transaction is kept between the act that made it and the page that shows it: the session.

The transaction's table holds its hash alone. The handle never stands in the portal's addresses, and leaves the session as soon
as it is of no more use (ADR 0096).
"""

import hashlib
import hmac
from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest

from issuance.domain.transaction_states import TransactionState
from issuance.models import EidAppTransaction
from issuance.services.activation import Opened, TransactionView

_KEY = "eid_app_handles"
_MOST = 5


def keep(request: HttpRequest, opened: Opened) -> None:
    """Keeps the handle of what was just opened; of older transactions only the latest few."""
    handles = cast(dict[str, str], request.session.get(_KEY, {}))
    handles.pop(str(opened.transaction.pk), None)
    handles[str(opened.transaction.pk)] = opened.handle
    request.session[_KEY] = dict(list(handles.items())[-_MOST:])


def find(request: HttpRequest, view: TransactionView) -> str:
    """The handle if the app can still be opened with it, else empty; one that is of no more use is forgotten."""
    handles = cast(dict[str, str], request.session.get(_KEY, {}))
    handle = handles.get(str(view.transaction.pk), "")
    if not handle or (view.state is TransactionState.CREATED and _is_current(handle, view.transaction)):
        return handle
    del handles[str(view.transaction.pk)]
    request.session[_KEY] = handles
    return ""


def link(handle: str) -> str:
    """The app's address with the handle behind `#`, which browsers send to nobody."""
    return f"{cast(Any, settings).EID_APP_URL}#{handle}"


def _is_current(handle: str, transaction: EidAppTransaction) -> bool:
    """False for a handle that another tab's has replaced."""
    return hmac.compare_digest(hashlib.sha256(handle.encode()).hexdigest(), transaction.handle_sha256)
