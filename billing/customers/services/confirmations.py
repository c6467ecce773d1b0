"""The customer's own people confirm that the data with which their organisation is invoiced are right."""

from uuid import UUID

from django.db import transaction

from billing.customers.models import BillingCustomer, CustomerConfirmation, CustomerState
from billing.records.models import Event
from issuance import service as issuance
from issuance.authz import Action, Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict

ACTION = Action.CONFIRM_CUSTOMER


def own(actor: Actor) -> list[BillingCustomer]:
    """Returns the versions in force of the customers that the actor may confirm, by name. Raises Forbidden."""
    reach = issuance.parties_visible_to(actor, ACTION)
    rows = BillingCustomer.objects.filter(valid_until=None).exclude(state=CustomerState.ENDED).select_related("confirmation")
    return list((rows if reach.everyone else rows.filter(party_id__in=reach.party_ids)).order_by("name", "id"))


def confirm(*, actor: Actor, party_id: UUID, version_id: UUID) -> CustomerConfirmation:
    """Confirms the version that the actor has read. Again changes nothing.

    Raises Forbidden; NotFound for a customer that the actor may not confirm; Conflict if the version is not in force.
    """
    reach = issuance.parties_visible_to(actor, ACTION)
    if not (reach.everyone or party_id in reach.party_ids):
        raise policy.not_found()
    with transaction.atomic(durable=True):
        versions = BillingCustomer.objects.select_for_update(no_key=True).exclude(state=CustomerState.ENDED)
        version = versions.filter(party_id=party_id, valid_until=None).first()
        if version is None:
            raise policy.not_found()
        if version.pk != version_id:
            raise Conflict("customer-changed", "Uppgifterna har ändrats sedan du öppnade sidan. Läs dem igen och bekräfta sedan.")
        found, made = CustomerConfirmation.objects.get_or_create(
            customer=version, defaults={"confirmed_by": actor.ref, "confirmed_at": clock.now()}
        )
        if made:
            Event.record(
                actor_ref=actor.ref,
                action="customer.confirmed",
                subject_type="customer",
                subject_ref=str(party_id),
                facts={"version": str(version.pk)},
            )
    return found
