"""Additions to receipts (Regionalt tillägg)."""

from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.models import Organisation, ReceiptText
from issuance.services.configuration._editing import Change, Outdated, lines, record
from siths_portal.lib import clock

LONGEST = 5000
"""Characters of an addition, which stands on one receipt with everything else."""

_FIELD = "regional_addition"


@transaction.atomic(durable=True)
def set_receipt_text(*, actor: Actor, organisation_id: UUID, regional_addition: str, version: int | None = None) -> ReceiptText:
    """Makes a new version of the organisation's addition to receipts; the same text again makes none.

    `version` is the one that was read, 0 for none; left out it is not compared. An empty text is one too: nothing is added then,
    also not what stands above. Raises NotFound, Forbidden, Invalid, Outdated.
    """
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    organisation = policy.get(actor, Action.EDIT_RECEIPT_TEXT, rows, organisation_id)
    text = lines(regional_addition, _FIELD, longest=LONGEST)
    latest = ReceiptText.objects.filter(organisation=organisation).order_by("-version").first()
    if latest is not None and latest.regional_addition == text:
        return latest
    newest = latest.version if latest else 0
    if version is not None and version != newest:
        now = {_FIELD: latest.regional_addition if latest else ""}
        raise Outdated(newest, _changes_since(organisation, version), now)
    row = ReceiptText.objects.create(
        organisation=organisation,
        version=newest + 1,
        regional_addition=text,
        created_at=clock.now(),
        created_by_ref=actor.ref,
    )
    record(actor, "organisation.receipt_text_set", organisation, receipt_text_version=row.version)
    return row


def _changes_since(organisation: Organisation, version: int) -> list[Change]:
    """What others wrote after `version`, oldest first."""
    rows = list(ReceiptText.objects.filter(organisation=organisation, version__gte=version).order_by("version"))
    before = rows.pop(0).regional_addition if rows and rows[0].version == version else ""
    changes = []
    for row in rows:
        changes.append(Change(row.created_at, row.created_by_ref, _FIELD, before, row.regional_addition))
        before = row.regional_addition
    return changes
