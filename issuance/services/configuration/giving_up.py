"""An organisation gives its own card customisation up: its new cards have the one from above (ADR 0207)."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from issuance.authz import Action, Actor, policy
from issuance.domain.order_states import OrderState
from issuance.models import CardCustomisation, CardOrder, Organisation
from issuance.services.configuration._editing import record
from issuance.services.configuration.customisations import have_customisation
from issuance.services.order_checks import effective_customisations
from siths_portal.lib.errors import Conflict


@dataclass(frozen=True)
class Replacing:
    """The customisation that is given up, and the one that holds in its place; None where there is none above."""

    own: UUID
    above: UUID | None


def replacing(organisation: Organisation) -> Replacing:
    """What giving up brings. `customisation` and `parent` of the organisation are read.

    Raises Conflict where the organisation has none of its own, where nothing lies above it, and while orders wait for its
    verification, which nobody could give any more.
    """
    own = organisation.customisation
    if own is None or own.generic:
        raise Conflict("no-own-customisation", "Organisationen har ingen egen kortanpassning.")
    if organisation.parent is None:
        message = "En organisation överst i sitt utgivningsområde har ingen kortanpassning att få ovanifrån."
        raise Conflict("customisation-of-top-organisation", message)
    if own.verified_at is None and queued_with(own).exists():
        message = (
            "Beställningar väntar på att kortanpassningen verifieras. Låt den verifieras, eller ta bort beställningarna, "
            "innan den tas bort från organisationen."
        )
        raise Conflict("orders-wait-for-customisation", message)
    above = effective_customisations([organisation.parent]).get(organisation.parent.id)
    return Replacing(own.id, above.id if above else None)


def queued_with(row: CardCustomisation) -> QuerySet[CardOrder]:
    """The orders with a customisation that no supplier has accepted."""
    return CardOrder.objects.filter(customisation=row, state=OrderState.QUEUED.value)


@transaction.atomic(durable=True)
def give_up_customisation(*, actor: Actor, organisation_id: UUID, seen: Replacing | None = None) -> None:
    """Ends that an organisation has a card customisation of its own; the administration's to do, as registering it was.

    Orders that are made keep theirs, and so the row stays. `seen` is what the page told; left out, what stands now is meant.
    Raises NotFound, Forbidden, Conflict as `replacing`, or if the one or the other changed since it was seen.
    """
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True).select_related("customisation", "parent")
    organisation = policy.get(actor, Action.VIEW, rows, organisation_id)
    found = replacing(organisation)
    if seen is not None and seen != found:
        raise Conflict("changed-meanwhile", "Kortanpassningarna ändrades sedan du öppnade sidan. Granska en gång till.")
    own = CardCustomisation.objects.get(pk=found.own)
    have_customisation(actor, organisation, None)
    record(actor, "customisation.given_up", own, customisation_id=own.customisation_id, organisation=str(organisation.id))
