"""Additions to receipts (regionalt tillägg)."""

from typing import Any
from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.organisations.models import Organisation
from issuance.receipt_texts.models import ReceiptText
from issuance.records.services.editing import Change, Outdated, lines, record
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict

LONGEST = 5000
"""The maximum length of an addition, which must fit on a receipt."""

_FIELD = "regional_addition"


@transaction.atomic(durable=True)
def set_receipt_text(*, actor: Actor, organisation_id: UUID, regional_addition: str, version: int | None = None) -> ReceiptText:
    """Creates a new version of the organisation's addition to receipts. An equal text creates no version.

    `version` is the version that was read, 0 without one; None skips the check. An empty text means that nothing is added, not
    even the text from above. Raises NotFound, Forbidden, Invalid, Outdated.
    """
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    organisation = policy.get(actor, Action.EDIT_RECEIPT_TEXT, rows, organisation_id)
    text = lines(regional_addition, _FIELD, longest=LONGEST)
    latest = _latest(organisation)
    if latest is not None and not latest.from_above and latest.regional_addition == text:
        return latest
    return _new(actor, organisation, latest, version, regional_addition=text)


@transaction.atomic(durable=True)
def use_receipt_text_from_above(*, actor: Actor, organisation_id: UUID, version: int | None = None) -> bool:
    """Replaces a sub-organisation's own text by the inherited one, as a new version (ADR 0184). Returns True if it had its own.

    `version` as in `set_receipt_text`. Raises NotFound, Forbidden, Conflict for a top organisation, Outdated.
    """
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    organisation = policy.get(actor, Action.EDIT_RECEIPT_TEXT, rows, organisation_id)
    if organisation.parent_id is None:
        message = "En organisation överst i sitt utgivningsområde har ingen kvittenstext att få ovanifrån."
        raise Conflict("receipt-text-of-top-organisation", message)
    latest = _latest(organisation)
    if latest is None or latest.from_above:
        return False
    _new(actor, organisation, latest, version, regional_addition="", from_above=True)
    return True


def _latest(organisation: Organisation) -> ReceiptText | None:
    return ReceiptText.objects.filter(organisation=organisation).order_by("-version").first()


def _new(
    actor: Actor, organisation: Organisation, latest: ReceiptText | None, version: int | None, **columns: Any
) -> ReceiptText:
    """Creates the version after `latest`. Raises Outdated if `latest` is not the `version` that was read."""
    newest = latest.version if latest else 0
    if version is not None and version != newest:
        now = {_FIELD: latest.regional_addition if latest else ""}
        raise Outdated(newest, _changes_since(organisation, version), now)
    row = ReceiptText.objects.create(
        organisation=organisation, version=newest + 1, created_at=clock.now(), created_by_ref=actor.ref, **columns
    )
    record(actor, "organisation.receipt_text_set", organisation, receipt_text_version=row.version)
    return row


def _changes_since(organisation: Organisation, version: int) -> list[Change]:
    """Returns the changes by others after `version`, oldest first."""
    rows = list(ReceiptText.objects.filter(organisation=organisation, version__gte=version).order_by("version"))
    before = rows.pop(0).regional_addition if rows and rows[0].version == version else ""
    changes = []
    for row in rows:
        changes.append(Change(row.created_at, row.created_by_ref, _FIELD, before, row.regional_addition))
        before = row.regional_addition
    return changes
