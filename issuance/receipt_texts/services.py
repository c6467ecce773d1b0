"""Additions to receipts (Regionalt tillägg)."""

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
    latest = _latest(organisation)
    if latest is not None and not latest.from_above and latest.regional_addition == text:
        return latest
    return _new(actor, organisation, latest, version, regional_addition=text)


@transaction.atomic(durable=True)
def use_receipt_text_from_above(*, actor: Actor, organisation_id: UUID, version: int | None = None) -> bool:
    """Lets the text from above hold for a sub-organisation that has its own, by a new version (ADR 0184); True if it had one.

    `version` as for `set_receipt_text`. Raises NotFound, Forbidden, Conflict where nothing lies above, Outdated.
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


def _new(actor: Actor, organisation: Organisation, latest: ReceiptText | None, version: int | None, **told: Any) -> ReceiptText:
    """The version after `latest`. Raises Outdated if that is not the `version` which was read."""
    newest = latest.version if latest else 0
    if version is not None and version != newest:
        now = {_FIELD: latest.regional_addition if latest else ""}
        raise Outdated(newest, _changes_since(organisation, version), now)
    row = ReceiptText.objects.create(
        organisation=organisation, version=newest + 1, created_at=clock.now(), created_by_ref=actor.ref, **told
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
