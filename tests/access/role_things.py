"""What the pages of roles are asked about: a role that the caller could give, and a record of a person."""

import datetime as dt
from typing import Any
from uuid import UUID

from issuance.authz import Role
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.models.role_requests import RoleRequest
from siths_portal.lib import clock
from tests.access.row import same_for_all
from tests.access.world import AccessWorld, Who

PLACES = ("inside", "parent", "child", "beside", "outside", "protected", "unknown")
"""No extended search opens roles."""


def grant(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A role of somebody there, below the caller's own: the administration gives the issuers', they the others."""
    if relation == "unknown":
        return (UUID(int=1),)
    organisation = access.places[relation]
    reach: dict[str, Any] = {"role": Role.READER.value, "organisation": organisation}
    if who.role is Role.MASTER_DATA_ADMIN:
        reach = {"role": Role.RESPONSIBLE_ISSUER.value, "area_id": organisation.area_id}
    row = RoleGrant.objects.create(person_id=access.things[relation].orderable, valid_from=clock.now(), **reach)
    return (row.pk,)


@same_for_all
def role_request(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A global role that somebody else has requested just now for a person there."""
    return _requested(access, relation, "user:x")


def own_role_request(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A global role that the caller has requested."""
    actor = access.actors.get(who)
    return _requested(access, relation, actor.ref if actor else "user:x")


def _requested(access: AccessWorld, relation: str, requester_ref: str) -> tuple[Any, ...]:
    if relation == "unknown":
        return (UUID(int=1),)
    now = clock.now()
    row = RoleRequest.objects.create(
        person_id=access.things[relation].orderable, role=Role.GLOBAL_READER.value, reason="Prov", requester_ref=requester_ref,
        created_at=now, expires_at=now + dt.timedelta(days=1),
    )  # fmt: skip
    return (row.pk,)


@same_for_all
def qualification(access: AccessWorld, who: Who, relation: str) -> tuple[Any, ...]:
    """A training of somebody there, who has no role yet."""
    if relation == "unknown":
        return (UUID(int=1),)
    today = clock.today()
    row = Qualification.objects.create(
        person_id=access.things[relation].orderable, kind="training", passed_on=today, due_on=today, recorded_at=clock.now(),
        recorded_by_ref="user:x",
    )  # fmt: skip
    return (row.pk,)
