"""The live part of a page that follows the holder in the eID app, whatever the errand: the link to the app and the time left."""

import hashlib
import math
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from issuance.activation.queries import card_help
from issuance.activation.services.visits import Opened, TransactionView
from issuance.records.web import handles
from issuance.records.web.frame import actor_of
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Unavailable


def carrier_page(person_id: UUID, carrier_id: UUID) -> str:
    """Returns the address of the person's page, opened at the card."""
    return f"{reverse('person', args=[person_id])}?barare={carrier_id}"


def parts(request: HttpRequest, view: TransactionView) -> dict[str, Any]:
    """Returns what the page shows of the transaction. `version` changes with any of it and reveals none of it."""
    way = handles.way_to_app(request, view.transaction, view.state)
    minutes = max(0, math.ceil((view.transaction.expires_at - clock.now()).total_seconds() / 60))
    mark = hashlib.sha256(way["handle"].encode()).hexdigest()[:12]
    return {
        "view": view,
        "transaction": view.transaction,
        "card_help": card_help.card_help(view.transaction, view.transaction.carrier),
        "is_own": view.transaction.officer_ref == actor_of(request).ref,
        "minutes": minutes,
        **way,
        "version": f"{view.state}-{minutes}-{view.may_reopen}-{mark}-{_report_mark(view)}",
    }


def changed(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Returns the live part as `context` has it, or 204 if the page already shows this version."""
    if request.GET.get("sedan") == context["version"]:
        return HttpResponse(status=204)
    return render(request, template, context)


def reopen(request: HttpRequest, transaction_id: UUID, service: Callable[..., Opened], page: str) -> HttpResponse:
    """Gets a new handle from the service and redirects to the page. A refusal is shown there. Raises NotFound, Forbidden."""
    try:
        opened = service(actor=actor_of(request), transaction_id=transaction_id)
    except (Conflict, Unavailable) as error:
        messages.error(request, error.message)
        return redirect(page, transaction_id)
    handles.keep(request, opened)
    messages.info(request, _("En ny länk till appen finns nedan. Den förra gäller inte längre."))
    return redirect(page, opened.transaction.pk)


def _report_mark(view: TransactionView) -> str:
    """Returns a value that changes with each report from the card."""
    row = view.transaction
    return f"{row.card_report}-{row.card_tries_left}-{row.carrier.is_code_blocked}"
