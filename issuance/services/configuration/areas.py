"""Issuing areas (domain.md 7.2)."""

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.models import IssuingArea
from issuance.services.configuration._editing import insert, record
from issuance.services.configuration._tree import segment
from siths_portal.lib import clock


@transaction.atomic(durable=True)
def create_area(*, actor: Actor, name: str, invoice_reference: str = "") -> IssuingArea:
    """Makes an issuing area, still without an issuing organisation. Raises Forbidden, Conflict if the name is taken."""
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    area = IssuingArea(name=name, invoice_reference=invoice_reference, created_at=clock.now())
    area.scope_path = f"/{segment('a', area.id)}/"
    insert(area, "area-exists", "Det finns redan ett utgivningsområde med namnet.")
    record(actor, "area.created", area, name=name, invoice_reference=invoice_reference)
    return area
