"""Credits an invoice: one person chooses lines and quantities, another approves, and the approval makes the credit note.

The same code makes the preview and the credit note. Entries of a released line become billable again; those of a line that is
written off stay on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from billing.credit.models import CreditRequest, CreditRequestLine, Treatment
from billing.delivery.services import outbox
from billing.documents.domain.invoices import (
    DocumentType,
    InvoiceContent,
    LineContent,
    PrecedingInvoice,
    total,
)
from billing.invoices.models import EntryRelease, Invoice, InvoiceState, LineEvent, live_links
from billing.invoices.services import drafts, frozen, numbering
from billing.records.domain import money
from billing.records.models import Event
from issuance import service as issuance
from issuance.authz import Action, Actor, policy
from siths_portal.lib import clock, faults
from siths_portal.lib.errors import Conflict, Invalid, NotFound

ACTION = Action.MANAGE_BILLING
LONGEST_REASON = 500


@dataclass(frozen=True)
class Choice:
    """How many pieces of a line to credit, and what happens to them."""

    quantity: Decimal
    treatment: Treatment


type Choices = Mapping[int, Choice]
"""By the position of the line on the invoice."""


@dataclass(frozen=True)
class Creditable:
    """A line of the invoice with what remains to credit. `whole`: its entries can only be released all at once."""

    line_id: int
    content: LineContent
    remaining: Decimal
    whole: bool


def creditable_lines(invoice: Invoice) -> list[Creditable]:
    """Returns the lines of an issued invoice in order, with the quantities that no credit note has credited."""
    lines = list(invoice.lines.order_by("position").prefetch_related("credited_by"))
    large = set(LineEvent.objects.filter(line__in=lines, entry__quantity__gt=1).values_list("line_id", flat=True))
    contents = {line.position: line for line in frozen.content_of(invoice).lines}
    return [
        Creditable(
            line_id=line.pk,
            content=contents[line.position],
            remaining=line.quantity - sum((credit.quantity for credit in line.credited_by.all()), Decimal(0)),
            whole=line.pk in large,
        )
        for line in lines
    ]


def credited_content(invoice: Invoice, lines: Sequence[Creditable], choices: Choices) -> InvoiceContent:
    """Returns the content of the credit note. Amounts are positive, prices those of the invoice.

    Raises Conflict if the document is itself a credit note, and Invalid if no line is chosen or a quantity cannot be credited,
    with the lines' positions as fields.
    """
    if invoice.document_type != DocumentType.INVOICE or invoice.number is None or invoice.issue_date is None:
        raise Conflict("credit-of-credit", "En kreditfaktura kan inte krediteras. Fakturera igen i nästa månadskörning.")
    known = {each.content.position: each for each in lines}
    wrong = {str(position): message for position in choices if (message := _wrong(known.get(position), choices[position]))}
    if wrong:
        raise Invalid("credit-lines", "Rätta raderna.", fields={position: [message] for position, message in wrong.items()})
    if not choices:
        raise Invalid("credit-nothing", "Välj minst en rad att kreditera.")
    chosen = [each for each in lines if each.content.position in choices]
    credited = tuple(
        _credited(each.content, position, choices[each.content.position].quantity)
        for position, each in enumerate(chosen, start=1)
    )
    original = frozen.content_of(invoice)
    return replace(
        original,
        lines=credited,
        totals=total(credited, round_to_krona=original.buyer.round_to_krona),
        document_type=DocumentType.CREDIT_NOTE,
        preceding=PrecedingInvoice(invoice.number, invoice.issue_date),
    )


def _credited(line: LineContent, position: int, quantity: Decimal) -> LineContent:
    return replace(line, position=position, quantity=quantity, net=money.to_ore(quantity * line.unit_price))


def _wrong(line: Creditable | None, choice: Choice) -> str:
    """Returns why this quantity of the line cannot be credited, or an empty text."""
    if line is None:
        return "Raden finns inte på fakturan. Ladda om sidan."
    most = money.swedish(line.remaining, decimals=0)
    if not 0 < choice.quantity <= line.remaining:
        return f"Skriv ett antal från 1 till {most}." if line.remaining else "Raden är redan helt krediterad."
    if choice.treatment == Treatment.RELEASE and line.whole and choice.quantity != line.content.quantity:
        return "Raden kan bara faktureras igen i sin helhet. Kreditera hela antalet, eller skriv av en del."
    if choice.treatment == Treatment.RELEASE and choice.quantity != choice.quantity.to_integral_value():
        return "Skriv ett helt antal för att fakturera igen."
    return ""


def find(actor: Actor, number: str, *, lock: bool = False) -> Invoice:
    """Returns an issued document. Raises Forbidden without the right to credit, and NotFound."""
    policy.require_global(actor, ACTION)
    found = Invoice.objects.filter(number=number, state=InvoiceState.ISSUED).prefetch_related("lines")
    invoice = (found.select_for_update(of=("self",), no_key=True) if lock else found).first()
    if invoice is None:
        raise policy.not_found()
    return invoice


def preview(*, actor: Actor, number: str, choices: Choices) -> InvoiceContent:
    """Returns the credit note as the approval would make it now. Raises as `request_credit` does; stores nothing."""
    invoice = find(actor, number)
    content = credited_content(invoice, creditable_lines(invoice), choices)
    drafts.require_valid(content)
    return content


def request_credit(*, actor: Actor, number: str, choices: Choices, reason: str) -> CreditRequest:
    """Requests a credit note over chosen lines. Another person must approve it.

    Raises Forbidden, NotFound; Invalid as `credited_content` does, or if the reason is missing or too long; Conflict if a request
    for the invoice waits already; Blocked if the credit note would break a rule.
    """
    policy.require_global(actor, ACTION)
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        message = f"Skriv varför, med högst {LONGEST_REASON} tecken."
        raise Invalid("reason-missing", message, fields={"reason": [message]})
    with transaction.atomic(durable=True):
        invoice = find(actor, number, lock=True)
        lines = creditable_lines(invoice)
        content = credited_content(invoice, lines, choices)
        drafts.require_valid(content)
        try:
            with transaction.atomic():
                request = CreditRequest.objects.create(
                    invoice=invoice, reason=reason, requested_by=actor.ref, requested_at=clock.now()
                )
        except IntegrityError as error:
            raise Conflict("credit-waits", "En begäran om att kreditera fakturan väntar redan på en annan person.") from error
        CreditRequestLine.objects.bulk_create(
            CreditRequestLine(
                request=request,
                line_id=each.line_id,
                quantity=choices[each.content.position].quantity,
                treatment=choices[each.content.position].treatment,
            )
            for each in lines
            if each.content.position in choices
        )
        facts = {"payable": str(content.totals.payable), "lines": len(choices)}
        _record(actor, "credit.requested", request, facts)
    return request


def choices_of(request: CreditRequest) -> dict[int, Choice]:
    """Returns the choices of a stored request."""
    rows = request.lines.select_related("line")
    return {row.line.position: Choice(row.quantity, Treatment(row.treatment)) for row in rows}


def approve_credit(*, actor: Actor, request_id: UUID) -> Invoice:
    """Approves another person's request: makes the credit note and numbers it. Its files are made afterwards.

    Raises NotFound; Conflict if the request is closed or the lines were credited meanwhile; Forbidden if the actor made the
    request or got the right after it; Conflict as `numbering.assign` does.
    """
    policy.require_global(actor, ACTION)
    with transaction.atomic(durable=True):
        request = _open_request(request_id)
        issuance.require_second(actor, ACTION, requested_by=request.requested_by, requested_at=request.requested_at)
        invoice = Invoice.objects.select_for_update(of=("self",), no_key=True).get(pk=request.invoice_id)
        lines, choices = creditable_lines(invoice), choices_of(request)
        try:
            content = credited_content(invoice, lines, choices)
        except Invalid as error:
            raise Conflict("credit-changed", "Raderna har krediterats sedan begäran gjordes. Ta tillbaka den.") from error
        drafts.require_valid(content)
        chosen = [each for each in lines if each.content.position in choices]
        credited = {position: each.line_id for position, each in enumerate(chosen, start=1)}
        note = drafts.store(content, invoice.customer, corrects=invoice, credited=credited)
        faults.point("billing.credit")
        released = _release(note, choices, {each.line_id: each.content.position for each in chosen})
        request.approved_by, request.approved_at, request.credit_note = actor.ref, clock.now(), note
        request.save(update_fields=["approved_by", "approved_at", "credit_note"])
        numbering.assign([note], actor_ref=actor.ref)
        outbox.add([note])
        facts: dict[str, Any] = {
            "request": str(request.pk),
            "credit_note": note.number,
            "payable": str(note.payable),
            "released": released,
        }
        _record(actor, "credit.approved", request, facts)
        Event.record(
            actor_ref=actor.ref, action="invoice.credited", subject_type="invoice", subject_ref=str(invoice.pk), facts=facts
        )
    return note


def _release(note: Invoice, choices: Choices, positions: Mapping[int, int]) -> int:
    """Releases entries of the lines to bill again, up to the credited quantities, and returns how many. The oldest come first."""
    releases = []
    for credit in note.lines.order_by("position"):
        credited_id = credit.credits_id or 0
        if choices[positions[credited_id]].treatment != Treatment.RELEASE:
            continue
        rest = credit.quantity
        links = live_links(LineEvent.objects.filter(line_id=credited_id)).select_related("entry").order_by("entry_id")
        for link in links.iterator(chunk_size=2000):
            if link.entry.quantity <= rest:
                rest -= link.entry.quantity
                releases.append(EntryRelease(entry_id=link.entry_id, generation=link.generation, credit_line=credit))
            if not rest:
                break
    EntryRelease.objects.bulk_create(releases)
    return len(releases)


def withdraw_credit(*, actor: Actor, request_id: UUID) -> CreditRequest:
    """Withdraws a request that waits. Anybody with the right may. Raises NotFound, Conflict and Forbidden."""
    policy.require_global(actor, ACTION)
    with transaction.atomic(durable=True):
        request = _open_request(request_id)
        request.withdrawn_by, request.withdrawn_at = actor.ref, clock.now()
        request.save(update_fields=["withdrawn_by", "withdrawn_at"])
        _record(actor, "credit.withdrawn", request, {})
    return request


def _open_request(request_id: UUID) -> CreditRequest:
    request = CreditRequest.objects.select_for_update().filter(pk=request_id).first()
    if request is None:
        raise NotFound("credit-unknown", "Begäran finns inte. Ladda om sidan.")
    if request.approved_at or request.withdrawn_at:
        raise Conflict("credit-done", "Begäran är redan avgjord. Ladda om sidan.")
    return request


def _record(actor: Actor, action: str, request: CreditRequest, facts: dict[str, Any]) -> None:
    Event.record(
        actor_ref=actor.ref,
        action=action,
        subject_type="credit_request",
        subject_ref=str(request.pk),
        facts={"invoice": str(request.invoice_id), **facts},
    )
