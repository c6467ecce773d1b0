"""Additions to receipts (Regionalt tillägg)."""

from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.models import Organisation, ReceiptText
from issuance.services.configuration._editing import record
from siths_portal.lib import clock


@transaction.atomic(durable=True)
def set_receipt_text(*, actor: Actor, organisation_id: UUID, regional_addition: str) -> ReceiptText:
    """Makes a new version of the organisation's addition to receipts; the same text again makes none."""
    organisation = policy.get(
        actor, Action.EDIT_RECEIPT_TEXT, Organisation.objects.select_for_update(of=("self",), no_key=True), organisation_id
    )
    latest = ReceiptText.objects.filter(organisation=organisation).order_by("-version").first()
    if latest is not None and latest.regional_addition == regional_addition:
        return latest
    row = ReceiptText.objects.create(
        organisation=organisation,
        version=latest.version + 1 if latest else 1,
        regional_addition=regional_addition,
        created_at=clock.now(),
        created_by_ref=actor.ref,
    )
    record(actor, "organisation.receipt_text_set", organisation, version=row.version)
    return row
