"""Organisations and sub-organisations (domain.md 7.3, 7.4), and their dated fees."""

import datetime as dt
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Concat, Substr

from issuance.authz import Action, Actor, policy
from issuance.domain.ids import parse_hsa_id, parse_organisation_number
from issuance.models import IssuingArea, Organisation, SubscriptionFee
from issuance.services.configuration._editing import insert, parsed, record
from issuance.services.configuration._tree import child_path, lock_tree
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict


@transaction.atomic(durable=True)
def create_organisation(
    *,
    actor: Actor,
    area_id: UUID,
    name: str,
    hsa_id: str,
    organisation_number: str,
    county: str = "",
    parent_id: UUID | None = None,
    issuing: bool = False,
) -> Organisation:
    """Makes an organisation in an area, or a sub-organisation below `parent_id`; `issuing` makes it the area's issuer.

    Raises NotFound, Forbidden, Invalid (HSA-id, organisation number), Conflict if the HSA-id is another organisation's.
    """
    lock_tree()
    if parent_id is None:
        policy.require_global(actor, Action.CREATE_ORGANISATION)
        parent = None
        area = policy.get(actor, Action.VIEW, IssuingArea.objects.all(), area_id)
    else:
        parent = policy.get(actor, Action.CREATE_SUB_ORGANISATION, Organisation.objects.select_for_update(no_key=True), parent_id)
        area = IssuingArea.objects.get(pk=parent.area_id)
    organisation = Organisation(
        area=area,
        parent=parent,
        name=name,
        hsa_id=parsed(_hsa_id, hsa_id, "hsa_id", "HSA-id har fel form."),
        organisation_number=parsed(
            parse_organisation_number, organisation_number, "organisation_number", "Organisationsnumret är fel."
        ),
        county=county,
        created_at=clock.now(),
    )
    organisation.scope_path = child_path(parent or area, organisation)
    insert(organisation, "organisation-exists", "HSA-id tillhör redan en annan organisation.")
    if issuing:
        IssuingArea.objects.filter(pk=area.pk).update(issuing_organisation=organisation)
    record(actor, "organisation.created", organisation, hsa_id=organisation.hsa_id, name=name, issuing=issuing)
    return organisation


@transaction.atomic(durable=True)
def move_organisation(
    *, actor: Actor, organisation_id: UUID, parent_id: UUID | None, area_id: UUID | None = None
) -> Organisation:
    """Moves an organisation with everything below it to another parent, or to the top of an area.

    Raises NotFound, Forbidden, Conflict if it would come below itself.
    """
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    lock_tree()
    moved = policy.get(actor, Action.VIEW, Organisation.objects.select_for_update(no_key=True), organisation_id)
    target: Organisation | IssuingArea
    if parent_id is not None:
        target = policy.get(actor, Action.VIEW, Organisation.objects.select_for_update(no_key=True), parent_id)
        area, parent = IssuingArea.objects.get(pk=target.area_id), target
    else:
        target = policy.get(actor, Action.VIEW, IssuingArea.objects.all(), area_id or moved.area_id)
        area, parent = target, None
    before = moved.scope_path
    if target.scope_path.startswith(before):
        raise Conflict("organisation-below-itself", "En organisation kan inte flyttas till en egen underorganisation.")
    after = child_path(target, moved)
    Organisation.objects.filter(scope_path__startswith=before).update(
        scope_path=Concat(Value(after), Substr("scope_path", len(before) + 1)), area=area
    )
    Organisation.objects.filter(pk=moved.pk).update(parent=parent)
    record(actor, "organisation.moved", moved, before=before, after=after)
    moved.refresh_from_db()
    return moved


@transaction.atomic(durable=True)
def set_subscription_fee(*, actor: Actor, organisation_id: UUID, charged: bool, valid_from: dt.datetime) -> SubscriptionFee:
    """Sets Abonnemangsavgift from a moment on. The same value again changes nothing; Conflict for another at that moment."""
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    organisation = policy.get(actor, Action.VIEW, Organisation.objects.select_for_update(no_key=True), organisation_id)
    fee, made = SubscriptionFee.objects.get_or_create(
        organisation=organisation, valid_from=valid_from, defaults={"charged": charged}
    )
    if fee.charged != charged:
        raise Conflict("fee-already-set", "Abonnemangsavgiften är redan bestämd för den tidpunkten.")
    if made:
        record(actor, "organisation.fee_set", organisation, charged=charged, valid_from=valid_from.isoformat())
    return fee


def _hsa_id(text: str) -> str:
    return parse_hsa_id(text, prefixes=frozenset(settings.HSA_ID_PREFIXES))
