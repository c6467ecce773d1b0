"""Moving an organisation with everything below it. Access and the payer of its cards change at once (ADR 0181)."""

from uuid import UUID

from django.db import transaction
from django.db.models import Max, Value
from django.db.models.functions import Concat, Length, Substr

from issuance.authz import Action, Actor, policy
from issuance.organisations.models import FormerPlace, IssuingArea, Organisation
from issuance.organisations.services.following import ON_LEAVING_AREA, ON_LEAVING_TOP, Follower
from issuance.organisations.services.tree import child_path, lock_tree, require_room, top_path
from issuance.records.services.editing import Outdated, as_fact, changes_since, record
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from siths_portal.lib.registry import Registry


@transaction.atomic(durable=True)
def move_organisation(
    *, actor: Actor, organisation_id: UUID, parent_id: UUID | None, area_id: UUID | None = None, version: int | None = None
) -> Organisation:
    """Moves an organisation, read at `version`, with everything below it to another parent or to the top of an area.

    The administration moves any organisation anywhere. An actor who may create sub-organisations in both places moves one between
    them within its area. A move to another area disconnects offices; a move below another organisation ends the organisation's
    own fee (ADR 0037). Does nothing if it is already there. Raises NotFound, Forbidden, Outdated, Conflict if it would be below
    itself, or issues in the area that it would leave.
    """
    lock_tree()
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    moved = policy.get(actor, Action.VIEW_CONFIGURATION, rows.select_related("parent"), organisation_id)
    target = _target(actor, moved, parent_id, area_id)
    area_after = target.id if isinstance(target, IssuingArea) else target.area_id
    if (parent_id, area_after) == (moved.parent_id, moved.area_id):
        return moved
    if version is not None and moved.version != version:
        raise Outdated(moved.version, changes_since(moved, version), {})
    require_movable(moved, target)
    before = {"parent_id": moved.parent_id, "area_id": moved.area_id, "scope_path": moved.scope_path}
    path = child_path(target, moved)
    after = {"parent_id": parent_id, "area_id": area_after, "scope_path": path}
    if area_after != moved.area_id:
        _follow(ON_LEAVING_AREA, actor, moved)
    if moved.parent_id is None and parent_id is not None:
        _follow(ON_LEAVING_TOP, actor, moved)
    _keep_places(moved, area_after, path)
    _rewrite_paths(moved.scope_path, path, area_after)
    Organisation.objects.filter(pk=moved.pk).update(parent=parent_id, version=moved.version + 1)
    changed = [name for name in after if after[name] != before[name]]
    changes = {part: {name: as_fact(values[name]) for name in changed} for part, values in (("before", before), ("after", after))}
    record(actor, "organisation.moved", moved, version=moved.version + 1, **changes)
    moved.refresh_from_db()
    return moved


def require_movable(moved: Organisation, target: IssuingArea | Organisation) -> None:
    """Raises Conflict unless `moved` can be below `target`."""
    if target.scope_path.startswith(moved.scope_path):
        raise Conflict("organisation-below-itself", "En organisation kan inte flyttas till en egen underorganisation.")
    leaves = isinstance(target, Organisation) or target.id != moved.area_id
    if leaves and IssuingArea.objects.filter(issuing_organisation=moved).exists():
        message = "Organisationen är utgivande i sitt område. Välj en annan utgivande organisation där innan du flyttar den."
        raise Conflict("issuing-organisation-moves", message)


def _target(actor: Actor, moved: Organisation, parent_id: UUID | None, area_id: UUID | None) -> IssuingArea | Organisation:
    """Returns the destination, to which the actor may move the organisation."""
    policy.require(actor, Action.CREATE_SUB_ORGANISATION if moved.parent_id else Action.CREATE_ORGANISATION, moved)
    if parent_id is None:
        return policy.get(actor, Action.CREATE_ORGANISATION, IssuingArea.objects, area_id or moved.area_id)
    rows = Organisation.objects.select_for_update(of=("self",), no_key=True)
    parent = policy.get(actor, Action.CREATE_SUB_ORGANISATION, rows, parent_id)
    if parent.area_id != moved.area_id:
        policy.require_global(actor, Action.CREATE_ORGANISATION)
    return parent


def _follow(followers: Registry[Follower], actor: Actor, moved: Organisation) -> None:
    for follow in followers:
        follow(actor, moved)


def _keep_places(moved: Organisation, area_id: UUID, path: str) -> None:
    """Records the former place of everything that moves, if the area or top organisation, by which billing counts, changes."""
    before, after = top_path(moved.scope_path), top_path(path)
    if before == after and moved.area_id == area_id:
        return
    top = moved.id if before == moved.scope_path else Organisation.objects.values_list("pk", flat=True).get(scope_path=before)
    below = Organisation.objects.filter(scope_path__startswith=moved.scope_path).order_by("pk").values_list("pk", flat=True)
    until = clock.now()
    FormerPlace.objects.bulk_create(
        FormerPlace(organisation_id=pk, area_id=moved.area_id, top_id=top, until=until) for pk in below
    )


def _rewrite_paths(before: str, after: str, area_id: UUID) -> None:
    below = Organisation.objects.filter(scope_path__startswith=before)
    deepest = below.aggregate(length=Max(Length("scope_path")))["length"]
    require_room(deepest - len(before) + len(after))
    below.update(scope_path=Concat(Value(after), Substr("scope_path", len(before) + 1)), area=area_id)
