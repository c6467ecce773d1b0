"""The organisations of an area without a card customisation, and how many below them would inherit one (ADR 0189)."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from issuance.administration.queries.readiness import is_under
from issuance.authz import Action, Actor
from issuance.organisations.models import Organisation


@dataclass(frozen=True)
class PlaceWithout:
    """A top organisation of the area without a card customisation; `below` counts those below it that have none either."""

    id: UUID
    name: str
    hsa_id: str
    below: int


@dataclass(frozen=True)
class AreaWithout:
    """All top organisations of an area without a card customisation, by name."""

    places: tuple[PlaceWithout, ...]

    @property
    def below(self) -> int:
        """The number of organisations below them without a card customisation."""
        return sum(place.below for place in self.places)

    @property
    def total(self) -> int:
        """The number of organisations without one, as the area's page counts them (`readiness.of_area`)."""
        return len(self.places) + self.below


def without_customisation(*, actor: Actor, area_id: UUID) -> AreaWithout:
    """Returns the open organisations without a card customisation in an area, as far as the actor configures them.

    One query, however many there are. Raises Forbidden.
    """
    rows = Organisation.objects.visible_to(actor, Action.CHOOSE_ARTICLES).filter(area=area_id, closed_at=None)
    columns = rows.order_by("name", "pk").values_list("scope_path", "pk", "name", "hsa_id", "parent_id", "customisation_id")
    found = list(columns)
    drawn = {path for path, *_, customisation in found if customisation is not None}
    lacking = [row[:5] for row in found if not is_under(row[0], drawn)]
    below = Counter(_top(path) for path, *_, parent in lacking if parent is not None)
    return AreaWithout(
        tuple(PlaceWithout(pk, name, hsa_id, below[path]) for path, pk, name, hsa_id, parent in lacking if parent is None)
    )


def _top(path: str) -> str:
    """Returns the scope path of the top organisation of this path."""
    return "/".join(path.split("/")[:3]) + "/"
