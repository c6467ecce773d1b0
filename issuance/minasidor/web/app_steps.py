"""A holder breaks off a step in the eID app."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.functional import Promise

from issuance.activation.domain.transaction_states import TransactionState
from issuance.activation.models import EidAppTransaction
from issuance.records.web import handles
from issuance.records.web.frame import actor_of


def cancelled(
    request: HttpRequest, transaction_id: UUID, service: Callable[..., EidAppTransaction], *, page: str, told: str | Promise
) -> HttpResponse:
    """Cancels the transaction by `service` and leads to the start page, which shows `told`. A complete one leads to its `page`.

    `service` takes `actor` and `transaction_id` and returns the row. Raises NotFound.
    """
    row = service(actor=actor_of(request), transaction_id=transaction_id)
    handles.forget(request, transaction_id)
    if row.state == TransactionState.COMPLETED:
        return redirect(page, transaction_id)
    messages.info(request, str(told))
    return redirect("start")
