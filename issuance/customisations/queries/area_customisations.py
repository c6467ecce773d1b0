"""The organisations of an area for which no card customisation holds, and to how many below them one would come (ADR 0189)."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from issuance.administration.queries.readiness import is_under
from issuance.authz import Action, Actor
from issuance.organisations.models import Organisation

MOST = 100
"""Organisations that the page lists; what it does reaches the others too."""


@dataclass(frozen=True)
class PlaceWithout:
    """An organisation at the top of its area for which none holds; `below` it lie so many others that have none either."""

    id: UUID
    name: str
    hsa_id: str
    below: int


@dataclass(frozen=True)
class AreaWithout:
    """All of an area's organisations at the top for which none holds, by name."""

    places: tuple[PlaceWithout, ...]

    @property
    def listed(self) -> tuple[PlaceWithout, ...]:
        """Those that the page lists."""
        return self.places[:MOST]

    @property
    def below(self) -> int:
        """How many below them have none either."""
        return sum(place.below for place in self.places)

    @property
    def total(self) -> int:
        """How many have none, as the area's page counts them (`readiness.of_area`)."""
        return len(self.places) + self.below


def without_customisation(*, actor: Actor, area_id: UUID) -> AreaWithout:
    """Where none holds among the organisations of an area that the actor sets up, but for ended ones.

    One query, however many they are. Raises Forbidden.
    """
    rows = Organisation.objects.visible_to(actor, Action.CHOOSE_ARTICLES).filter(area=area_id, closed_at=None)
    asked = rows.order_by("name", "pk").values_list("scope_path", "pk", "name", "hsa_id", "parent_id", "customisation_id")
    found = list(asked)
    drawn = {path for path, *_, customisation in found if customisation is not None}
    lacking = [row[:5] for row in found if not is_under(row[0], drawn)]
    below = Counter(_top(path) for path, *_, parent in lacking if parent is not None)
    return AreaWithout(
        tuple(PlaceWithout(pk, name, hsa_id, below[path]) for path, pk, name, hsa_id, parent in lacking if parent is None)
    )


def _top(path: str) -> str:
    """The scope path of the organisation at the top of the area under which this one lies."""
    return "/".join(path.split("/")[:3]) + "/"
