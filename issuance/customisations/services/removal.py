"""Removes an organisation's own card customisation, verified or pending (ADR 0189)."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import set_customisations
from issuance.customisations.services.effective import effective_customisations, prints
from issuance.organisations.models import Organisation
from issuance.records.services.editing import record
from siths_portal.lib.errors import Conflict
from siths_portal.lib.registry import Registry

WAITING_FOR_VERIFICATION = Registry[Callable[[CardCustomisation], bool]]()
"""Functions of the packages above that return whether orders wait for the verification of a customisation."""


@dataclass(frozen=True)
class Replacing:
    """The customisation that is removed, and the one that applies afterwards.

    For a sub-organisation that is the inherited one, None without one; for a top organisation the generic one.
    """

    own: UUID
    above: UUID | None


def replacing(organisation: Organisation) -> Replacing:
    """Returns what removing would replace. `customisation` and `parent` of the organisation are loaded.

    Raises Conflict if the organisation has no customisation of its own, if it is a top organisation and the generic one is not
    ready, or while orders wait for the verification of its own, which nobody could verify afterwards.
    """
    own = organisation.customisation
    if own is None or own.generic:
        raise Conflict("no-own-customisation", "Organisationen har ingen egen kortanpassning.")
    if organisation.parent is None:
        after = CardCustomisation.objects.filter(generic=True).first()
        if after is None or not prints(after):
            message = "Den egna kortanpassningen kan tas bort när SITHS-förvaltningen har verifierat den generella."
            raise Conflict("generic-not-ready", message)
    else:
        after = effective_customisations([organisation.parent]).get(organisation.parent.id)
    _require_none_waiting(own)
    return Replacing(own.id, after.id if after else None)


def _require_none_waiting(row: CardCustomisation) -> None:
    if row.verified_at is None and any(wait_for(row) for wait_for in WAITING_FOR_VERIFICATION):
        message = (
            "Beställningar väntar på att kortanpassningen verifieras. Låt den verifieras, eller ta bort beställningarna, "
            "innan den tas bort från organisationen."
        )
        raise Conflict("orders-wait-for-customisation", message)


@transaction.atomic(durable=True)
def remove_customisation(*, actor: Actor, organisation_id: UUID, seen: Replacing | None = None) -> None:
    """Removes an organisation's own card customisation. Only the administration does this, as it creates them.

    Existing orders keep the customisation, so the row remains. `seen` is what the page showed; None skips the check. Raises
    NotFound, Forbidden, Conflict like `replacing`, or if either customisation has changed since.
    """
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True).select_related("customisation", "parent")
    organisation = policy.get(actor, Action.VIEW, rows, organisation_id)
    found = replacing(organisation)
    if seen is not None and seen != found:
        raise Conflict("changed-meanwhile", "Kortanpassningarna ändrades sedan du öppnade sidan. Granska dem igen.")
    own = CardCustomisation.objects.get(pk=found.own)
    set_customisations(actor, organisation, customisation_id=found.above if organisation.parent is None else None)
    _record_removal(actor, organisation, own)


@transaction.atomic(durable=True)
def withdraw_pending_customisation(*, actor: Actor, organisation_id: UUID, seen: UUID | None = None) -> None:
    """Removes a pending customisation from its organisation. The current one still applies, and the row remains.

    `seen` is the customisation that the page showed; None skips the check. Raises NotFound, Forbidden, Conflict if none is
    pending or another one than `seen`, or while orders from before it was removed wait for its verification.
    """
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True).select_related("pending_customisation")
    organisation = policy.get(actor, Action.CREATE_ORGANISATION, rows, organisation_id)
    if organisation.pending_customisation is None or seen not in (None, organisation.pending_customisation.pk):
        raise Conflict("no-pending-customisation", "Kortanpassningen väntar inte längre. Ladda om sidan och se vad som gäller.")
    pending = organisation.pending_customisation
    _require_none_waiting(pending)
    set_customisations(actor, organisation, pending_customisation_id=None)
    _record_removal(actor, organisation, pending)


def _record_removal(actor: Actor, organisation: Organisation, row: CardCustomisation) -> None:
    record(actor, "customisation.given_up", row, customisation_id=row.customisation_id, organisation=str(organisation.id))
