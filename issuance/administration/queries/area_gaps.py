"""Areas with steps left, for the first page of Administrera."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from issuance.authz import Action, Actor, policy
from issuance.orders.services import order_checks
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.queries.areas import has_issuers
from siths_portal.lib.database.prepared import prepared

MOST = 5
"""The number of areas on the page."""


@dataclass(frozen=True)
class AreaGaps:
    """What an area lacks: an issuing organisation, a responsible issuer, and organisations without office or article."""

    id: UUID
    name: str
    no_issuing: bool
    no_issuers: bool
    without_office: int
    without_articles: int


def areas_with_gaps(*, actor: Actor) -> list[AreaGaps]:
    """Returns the areas that the actor sets up and that lack something that blocks orders, by name, at most `MOST` and one more.

    One query. It leaves out gaps that are expensive to find, for example card customisations; the area's page shows those.
    """
    right = Action.CREATE_ORGANISATION if policy.holds(actor, Action.CREATE_ORGANISATION) else Action.VERIFY_CUSTOMISATION
    if not policy.holds(actor, right):
        return []
    return [
        AreaGaps(row.id, row.name, row.issuing_organisation_id is None, not row.issued, row.without_office, row.without_articles)
        for row in _lacking(actor, right)
    ]


@prepared
def _lacking(actor: Actor, right: Action) -> QuerySet[Any]:
    open_in = Organisation.objects.filter(area=OuterRef("pk"), closed_at=None).order_by()
    no_office = open_in.filter(~Exists(order_checks.open_connections().filter(organisation=OuterRef("pk"))))
    no_articles = open_in.filter(~Exists(order_checks.offers().filter(organisation=OuterRef("pk"))))
    lacks = Q(issuing_organisation=None) | Q(issued=False) | Exists(no_office) | Exists(no_articles)
    rows: QuerySet[Any] = IssuingArea.objects.visible_to(actor, right).annotate(issued=has_issuers())
    rows = rows.filter(lacks).annotate(without_office=_count(no_office), without_articles=_count(no_articles))
    return rows.order_by("name", "pk")[: MOST + 1]


def _count(rows: QuerySet[Organisation]) -> Coalesce:
    """Returns the number of an area's `rows`. PostgreSQL computes it only for the areas on the page."""
    counted = rows.values("area").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)
