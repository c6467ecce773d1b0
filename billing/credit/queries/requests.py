"""Requests to credit as the pages show them, for holders of the right to credit. They name no person."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from billing.credit.models import CreditRequest, Treatment
from billing.credit.services import crediting
from billing.documents.domain.invoices import InvoiceContent
from billing.invoices.models import Invoice
from billing.invoices.services import frozen
from issuance.authz import Actor, policy
from siths_portal.lib.errors import Invalid
from siths_portal.lib.lists import Rows


@dataclass(frozen=True)
class RequestRow:
    """A request in the list. `state` is one of `waiting`, `approved` and `withdrawn`."""

    id: UUID
    number: str
    customer: str
    reason: str
    requested_at: dt.datetime
    state: str
    credit_note: str


@dataclass(frozen=True)
class RequestView:
    """One request: the credit note as it would become or became, and what happens to its lines by their positions.

    `content` is None if the lines can no longer be credited. `own` is whether the actor made the request.
    """

    request: CreditRequest
    number: str
    customer: str
    state: str
    content: InvoiceContent | None
    treatments: tuple[Treatment, ...]
    own: bool
    credit_note: str


def rows(actor: Actor) -> Rows[CreditRequest, RequestRow]:
    """Returns all requests. Raises Forbidden."""
    policy.require_global(actor, crediting.ACTION)
    return Rows(CreditRequest.objects.select_related("invoice", "credit_note"), _rows)


def _rows(found: Sequence[CreditRequest]) -> list[RequestRow]:
    return [
        RequestRow(
            id=row.pk,
            number=row.invoice.number or "",
            customer=row.invoice.buyer["name"],
            reason=row.reason,
            requested_at=row.requested_at,
            state=_state(row),
            credit_note=_number(row.credit_note),
        )
        for row in found
    ]


def _state(request: CreditRequest) -> str:
    if request.approved_at:
        return "approved"
    return "withdrawn" if request.withdrawn_at else "waiting"


def _number(note: Invoice | None) -> str:
    return (note.number or "") if note else ""


def waiting(actor: Actor) -> QuerySet[CreditRequest]:
    """Returns the requests that another person made and that wait. Raises Forbidden."""
    policy.require_global(actor, crediting.ACTION)
    open_ones = CreditRequest.objects.filter(approved_at=None, withdrawn_at=None)
    return open_ones.exclude(requested_by=actor.ref).order_by("requested_at")


def waiting_for(invoice: Invoice) -> UUID | None:
    """Returns the id of the request that waits for the invoice, or None. The caller has checked the right."""
    found = CreditRequest.objects.filter(invoice=invoice, approved_at=None, withdrawn_at=None)
    return found.values_list("pk", flat=True).first()


def request(actor: Actor, request_id: UUID) -> RequestView:
    """Returns one request. Raises Forbidden and NotFound."""
    policy.require_global(actor, crediting.ACTION)
    row = CreditRequest.objects.select_related("invoice", "credit_note").filter(pk=request_id).first()
    if row is None:
        raise policy.not_found()
    chosen = crediting.choices_of(row)
    return RequestView(
        request=row,
        number=row.invoice.number or "",
        customer=row.invoice.buyer["name"],
        state=_state(row),
        content=_content(row, chosen),
        treatments=tuple(chosen[position].treatment for position in sorted(chosen)),
        own=row.requested_by == actor.ref,
        credit_note=_number(row.credit_note),
    )


def _content(request: CreditRequest, chosen: crediting.Choices) -> InvoiceContent | None:
    if request.credit_note:
        return frozen.content_of(request.credit_note)
    try:
        return crediting.credited_content(request.invoice, crediting.creditable_lines(request.invoice), chosen)
    except Invalid:
        return None
