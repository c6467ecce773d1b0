"""What finance administrators do with customers: register, change and end them, and decide another electronic address in two."""

from dataclasses import dataclass, replace
from uuid import UUID

from django.db import transaction

from billing.customers.models import BillingCustomer, CustomerState, EndpointChange
from billing.customers.services.customers import CustomerTerms, locked, new_version, wrong_patterns, wrong_references
from billing.documents.ubl import ORGANISATION_NUMBER_SCHEME
from billing.records.domain import identifiers
from billing.records.models import Event
from issuance import service as issuance
from issuance.authz import Action, Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid, NotFound

ACTION = Action.MANAGE_BILLING
GLN_SCHEME = "0088"
SCHEMES = {ORGANISATION_NUMBER_SCHEME: "Organisationsnummer (0007)", GLN_SCHEME: "GLN (0088)"}
"""The types of electronic address that can be chosen; a customer may have another one from before."""
_CHANGED = "Någon har ändrat kunden sedan du öppnade sidan. Ladda om sidan och gör din ändring igen."


@dataclass(frozen=True)
class Saved:
    """The version in force after a change, and the request that a second person must decide, if there is one."""

    version: BillingCustomer
    request: EndpointChange | None


def change(*, actor: Actor, party_id: UUID, terms: CustomerTerms, seen: UUID | None) -> Saved:
    """Registers or changes a customer. The electronic address stays as it is; another one becomes a request.

    `seen` is the version that the actor changes, None for a new customer. A new customer gets its organisation number as its
    address. The day on which the attestant approved makes the customer active. Raises Forbidden; NotFound for a party that does
    not exist; Conflict if others changed the customer; Invalid with the fields.
    """
    policy.require_global(actor, ACTION)
    with transaction.atomic(durable=True):
        return change_locked(actor=actor, party_id=party_id, terms=terms, seen=seen)


def change_locked(*, actor: Actor, party_id: UUID, terms: CustomerTerms, seen: UUID | None) -> Saved:
    """Does what `change` does in the caller's transaction, without the check of the actor's right."""
    current = locked(party_id)
    if (current.pk if current else None) != seen:
        raise Conflict("customer-changed", _CHANGED)
    if current is None and all(party.id != party_id for party in issuance.billing_parties()):
        raise NotFound("party-unknown", "Organisationen finns inte, eller så är den inte direktansluten.")
    if current and current.state == CustomerState.ENDED:
        raise Conflict("customer-ended", "Kunden är avslutad. Öppna kunden igen innan du ändrar uppgifterna.")
    terms = replace(terms, state=CustomerState.ACTIVE if terms.approved_on else CustomerState.PENDING)
    values = terms.cleaned()
    require_complete(values, active_before=bool(current and current.state == CustomerState.ACTIVE))
    wanted = (values["endpoint_scheme"], values["endpoint_id"])
    before = (
        (current.endpoint_scheme, current.endpoint_id) if current else (ORGANISATION_NUMBER_SCHEME, values["organisation_number"])
    )
    kept = replace(terms, endpoint_scheme=before[0], endpoint_id=before[1])
    version = new_version(actor_ref=actor.ref, party_id=party_id, terms=kept, current=current)
    return Saved(version, _request(actor, party_id, *wanted) if wanted != before else None)


def require_complete(values: dict[str, object], *, active_before: bool) -> None:
    """Raises Invalid for values with which no invoice can be made or billing would stop by mistake."""
    unfit = wrong_patterns(values) or wrong_references(values)
    wrong: dict[str, list[str]] = {name: [text] for name, text in unfit.items()}
    if not identifiers.organisation_number_valid(str(values["organisation_number"])):
        wrong["organisation_number"] = ["Skriv organisationsnumret med 10 siffror. Kontrollsiffran stämmer inte."]
    if message := endpoint_fault(str(values["endpoint_scheme"]), str(values["endpoint_id"])):
        wrong["endpoint_id"] = [message]
    if active_before and not values["approved_on"]:
        wrong["approved_on"] = ["Kunden faktureras redan. Skriv dagen då attestanten godkände beställningen av tjänsten."]
    if values["approved_on"] and not values["attestant"]:
        wrong["attestant"] = ["Skriv vem som har godkänt beställningen av tjänsten."]
    if wrong:
        raise Invalid("customer-wrong", next(iter(wrong.values()))[0], fields=wrong)


def endpoint_fault(scheme: str, identifier: str) -> str:
    """Returns why the electronic address cannot be used; empty if it can."""
    if scheme == ORGANISATION_NUMBER_SCHEME and not identifiers.organisation_number_valid(identifier):
        return "Skriv ett organisationsnummer med 10 siffror och rätt kontrollsiffra."
    if scheme == GLN_SCHEME and not identifiers.gln_valid(identifier):
        return "Skriv ett GLN med 13 siffror och rätt kontrollsiffra."
    return ""


def _request(actor: Actor, party_id: UUID, scheme: str, identifier: str) -> EndpointChange:
    """Stores the request. One that waits for the same address stays; another one must be decided first."""
    waiting = EndpointChange.objects.filter(party_id=party_id, decided_at=None).first()
    if waiting and (waiting.endpoint_scheme, waiting.endpoint_id) == (scheme, identifier):
        return waiting
    if waiting:
        message = "En begäran om en annan elektronisk adress väntar redan på beslut."
        raise Conflict("endpoint-requested", message, fields={"endpoint_id": [message]})
    made = EndpointChange.objects.create(
        party_id=party_id,
        endpoint_scheme=scheme,
        endpoint_id=identifier,
        requested_by=actor.ref,
        requested_at=clock.now(),
    )
    _record(actor, "customer.endpoint_requested", party_id, {"request": str(made.pk), "endpoint": f"{scheme}:{identifier}"})
    return made


def decide_endpoint(*, actor: Actor, party_id: UUID, request_id: UUID, approved: bool) -> EndpointChange:
    """Approves a request, which makes a version with the new address, or refuses it. The requester may take it back.

    Raises Forbidden; NotFound; Conflict if it is decided or the customer has ended.
    """
    policy.require_global(actor, ACTION)
    with transaction.atomic(durable=True):
        current = locked(party_id)
        request = EndpointChange.objects.select_for_update().filter(pk=request_id, party_id=party_id).first()
        if request is None or current is None:
            raise NotFound("request-unknown", "Begäran finns inte. Ladda om sidan.")
        if request.decided_at is not None:
            raise Conflict("request-decided", "Begäran är redan avgjord. Ladda om sidan.")
        if approved or actor.ref != request.requested_by:
            issuance.require_second(actor, ACTION, requested_by=request.requested_by, requested_at=request.requested_at)
        request.decided_by, request.decided_at, request.approved = actor.ref, clock.now(), approved
        request.save(update_fields=["decided_by", "decided_at", "approved"])
        _record(actor, f"customer.endpoint_{'approved' if approved else 'refused'}", party_id, {"request": str(request.pk)})
        if approved:
            before = CustomerTerms.of(current)
            terms = replace(before, endpoint_scheme=request.endpoint_scheme, endpoint_id=request.endpoint_id)
            new_version(actor_ref=actor.ref, party_id=party_id, terms=terms, current=current)
    return request


def end(*, actor: Actor, party_id: UUID, seen: UUID) -> BillingCustomer:
    """Ends a customer: the next runs invoice only what is in the ledger. Raises Forbidden, NotFound, Conflict."""
    return _set_state(actor, party_id, seen, CustomerState.ENDED)


def reopen(*, actor: Actor, party_id: UUID, seen: UUID) -> BillingCustomer:
    """Makes an ended customer one again: active if its attestant has approved. Raises Forbidden, NotFound, Conflict."""
    return _set_state(actor, party_id, seen, CustomerState.ACTIVE)


def _set_state(actor: Actor, party_id: UUID, seen: UUID, state: CustomerState) -> BillingCustomer:
    policy.require_global(actor, ACTION)
    with transaction.atomic(durable=True):
        current = locked(party_id)
        if current is None:
            raise NotFound("customer-unknown", "Kunden finns inte. Ladda om sidan.")
        if current.pk != seen:
            raise Conflict("customer-changed", _CHANGED)
        if (current.state == CustomerState.ENDED) == (state == CustomerState.ENDED):
            raise Conflict("customer-state", "Kunden har redan den statusen. Ladda om sidan.")
        if state == CustomerState.ACTIVE and not current.approved_on:
            state = CustomerState.PENDING
        terms = replace(CustomerTerms.of(current), state=state)
        return new_version(actor_ref=actor.ref, party_id=party_id, terms=terms, current=current)


def _record(actor: Actor, action: str, party_id: UUID, facts: dict[str, object]) -> None:
    Event.record(actor_ref=actor.ref, action=action, subject_type="customer", subject_ref=str(party_id), facts=facts)
