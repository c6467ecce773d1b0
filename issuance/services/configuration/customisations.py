"""Card customisations (domain.md 7.6)."""

from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.models import CardCustomisation, Organisation
from issuance.services.configuration._editing import insert, record
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict


@transaction.atomic(durable=True)
def register_customisation(
    *,
    actor: Actor,
    organisation_id: UUID,
    customisation_id: str,
    name: str,
    issuer_number: str,
    back_text: str,
    supplier_ref: str = "",
) -> CardCustomisation:
    """Gives an organisation a card customisation, not yet verified. Raises NotFound, Forbidden, Conflict (id taken)."""
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    organisation = policy.get(actor, Action.VIEW, Organisation.objects.select_for_update(no_key=True), organisation_id)
    row = CardCustomisation(
        customisation_id=customisation_id,
        name=name,
        issuer_number=issuer_number,
        back_text=back_text,
        supplier_ref=supplier_ref,
    )
    insert(row, "customisation-exists", "Kortanpassnings-id finns redan eller har fel form.")
    organisation.customisation = row
    organisation.save(update_fields=["customisation"])
    facts = {"customisation_id": customisation_id, "issuer_number": issuer_number, "organisation": str(organisation.id)}
    record(actor, "customisation.registered", row, **facts)
    return row


@transaction.atomic(durable=True)
def register_generic_customisation(
    *, actor: Actor, customisation_id: str, name: str, issuer_number: str, back_text: str, supplier_ref: str = ""
) -> CardCustomisation:
    """Makes the card customisation that is nobody's own, not yet verified (ADR 0182).

    Raises Forbidden, Conflict (id taken, or there is a generic one already).
    """
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    if CardCustomisation.objects.filter(generic=True).exists():
        raise Conflict("generic-exists", "Den generella kortanpassningen finns redan.")
    row = CardCustomisation(
        customisation_id=customisation_id,
        name=name,
        issuer_number=issuer_number,
        back_text=back_text,
        supplier_ref=supplier_ref,
        generic=True,
    )
    insert(row, "customisation-exists", "Kortanpassnings-id finns redan eller har fel form.")
    record(actor, "customisation.registered", row, customisation_id=customisation_id, issuer_number=issuer_number)
    return row


@transaction.atomic(durable=True)
def verify_generic_customisation(*, actor: Actor) -> CardCustomisation:
    """The administration confirms the generic customisation, for every area. Raises Forbidden, Conflict if there is none."""
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    row = CardCustomisation.objects.select_for_update(of=("self",), no_key=True).filter(generic=True).first()
    if row is None:
        raise Conflict("no-generic-customisation", "Det finns ingen generell kortanpassning än.")
    _verify(actor, row)
    return row


@transaction.atomic(durable=True)
def verify_customisation(*, actor: Actor, organisation_id: UUID) -> CardCustomisation:
    """The issuer confirms that logotype, issuer number and back text of the organisation's customisation are right.

    Raises NotFound, Forbidden, Conflict if the organisation has none of its own, or the generic one.
    """
    organisation = policy.get(actor, Action.VERIFY_CUSTOMISATION, Organisation.objects.all(), organisation_id)
    row = CardCustomisation.objects.select_for_update(of=("self",), no_key=True).filter(organisations=organisation).first()
    if row is None:
        raise Conflict("no-customisation", "Organisationen har ingen egen kortanpassning.")
    if row.generic:
        raise Conflict("generic-customisation", "Den generella kortanpassningen verifieras av förvaltningen.")
    _verify(actor, row, organisation=str(organisation.id))
    return row


def _verify(actor: Actor, row: CardCustomisation, **facts: str) -> None:
    if row.verified_at is None:
        row.verified_at, row.verified_by_ref = clock.now(), actor.ref
        row.save(update_fields=["verified_at", "verified_by_ref"])
        record(actor, "customisation.verified", row, **facts)
