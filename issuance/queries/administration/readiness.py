"""What an organisation, or the organisations of an area, still lack before cards can be ordered in them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from issuance.authz import Action, Actor, Role
from issuance.authz.roles import ALLOWED, ISSUING, ORGANISATION_ROLES
from issuance.models import Organisation, RoleGrant
from issuance.queries.administration.places import paths_above
from issuance.services import order_checks
from issuance.services.actors import issuing_in

_CLERKS = [role.value for role in Role if role in ORGANISATION_ROLES and ALLOWED[role] & ISSUING]


@dataclass(frozen=True)
class Lacking:
    """How many organisations lack a thing, and the one of them that lies highest, the one made first of several; None where none
    does."""

    count: int = 0
    first: UUID | None = None


@dataclass(frozen=True)
class AreaLacks:
    """What organisations of an area lack. A card customisation and people who order are there from above too."""

    offices: Lacking
    articles: Lacking
    customisations: Lacking
    clerks: Lacking


def of_area(*, actor: Actor, area_id: UUID) -> AreaLacks:
    """What the organisations of an area that the actor sees lack, but for ended ones. Two queries, however many they are.

    Whether people order in them is asked of roles over all of them, whatever the actor may see of the people.
    """
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id, closed_at=None)
    offered = order_checks.offers().filter(organisation=OuterRef("pk"))
    connected = order_checks.open_connections().filter(organisation=OuterRef("pk"))
    asked = rows.annotate(has_articles=Exists(offered), has_offices=Exists(connected)).order_by()
    found = [_Row(*row) for row in asked.values_list("pk", "scope_path", "customisation_id", "has_articles", "has_offices")]
    drawn = {row.path for row in found if row.customisation is not None}
    clerks = RoleGrant.objects.filter(organisation__area=area_id, role__in=_CLERKS)
    served = issuing_in(clerks) if found else set()
    return AreaLacks(
        offices=_lacking(row for row in found if not row.has_offices),
        articles=_lacking(row for row in found if not row.has_articles),
        customisations=_lacking(row for row in found if not is_under(row.path, drawn)),
        clerks=_lacking(row for row in found if not is_under(row.path, served)),
    )


def is_under(path: str, places: Collection[str]) -> bool:
    """Whether the organisation with this path, or one above it, is among `places`, which are paths too."""
    return path in places or any(above in places for above in paths_above(path))


class _Row(NamedTuple):
    id: UUID
    path: str
    customisation: UUID | None
    has_articles: bool
    has_offices: bool


def _lacking(rows: Iterable[_Row]) -> Lacking:
    found = [(row.path.count("/"), row.id) for row in rows]
    return Lacking(len(found), min(found)[1] if found else None)


def has_offices(organisation_id: UUID) -> bool:
    """Whether it may choose an office that is open."""
    return order_checks.open_connections().filter(organisation=organisation_id).exists()


def has_articles(organisation_id: UUID) -> bool:
    """Whether some article may be ordered in it today."""
    return order_checks.offers().filter(organisation=organisation_id).exists()


def has_clerks(organisation_id: UUID) -> bool:
    """Whether somebody below the issuer may order cards in it now: by a role in it, or in an organisation above."""
    path = Organisation.objects.values_list("scope_path", flat=True).get(pk=organisation_id)
    reach = Q(organisation__scope_path__in=[path, *paths_above(path)])
    return bool(issuing_in(RoleGrant.objects.filter(reach, role__in=_CLERKS)))
