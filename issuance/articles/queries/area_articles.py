"""Articles for many organisations of an area: the articles and organisations to pick, in tree order (rules/issuance 7.7)."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Count

from issuance.articles.models import OrganisationArticle
from issuance.articles.queries.articles import ArticleLine, Choice, catalogue
from issuance.authz import Action, Actor
from issuance.organisations.models import Organisation
from issuance.organisations.queries.area_tree import matches
from issuance.organisations.queries.nesting import nested
from siths_portal.lib.lists import Order

MOST = 100
"""The maximum number of organisations on the page. Others are found by a search, which keeps the ticked ones."""


@dataclass
class PickedPlace:
    """An organisation to pick. `level` is its depth among the listed organisations, `orderable` the number of its articles."""

    id: UUID
    name: str
    number: str
    hsa_id: str
    orderable: int = 0
    level: int = 0
    children: list["PickedPlace"] = field(default_factory=list)


@dataclass(frozen=True)
class AreaArticles:
    """The articles and organisations to pick. `total` counts the organisations, `found` those that match the search text."""

    articles: tuple[ArticleLine, ...]
    places: tuple[PickedPlace, ...]
    total: int
    found: int

    @property
    def searched(self) -> bool:
        """True if there are more organisations than the page lists, so it has a search field."""
        return self.total > MOST


def area_articles(*, actor: Actor, area_id: UUID, text: str = "", picked: Collection[UUID] = ()) -> AreaArticles:
    """Returns articles sold now or later, and the organisations for which the actor may choose them.

    The organisations are those in `picked` and at most `MOST` that match `text`. Three queries. Raises Forbidden.
    """
    rows = Organisation.objects.visible_to(actor, Action.CHOOSE_ARTICLES).filter(area=area_id).order_by("name", "pk")
    columns = rows.values_list("scope_path", "pk", "name", "organisation_number", "hsa_id")
    tops = nested((path, PickedPlace(pk, name, number, hsa_id)) for path, pk, name, number, hsa_id in columns)
    everything = list(_flat(tops))
    found = [place.id for place in everything if matches(text, place.name, place.number, place.hsa_id)]
    places = tuple(_listed(tops, {*found[:MOST], *picked}))
    counts = _counted([place.id for place in places])
    for place in places:
        place.orderable = counts.get(place.id, 0)
    lines = catalogue(actor=actor, choice=Choice()).every(Order("artikel"), ("number",))
    return AreaArticles(tuple(line for line in lines if line.state != "ended"), places, len(everything), len(found))


def _flat(places: Iterable[PickedPlace]) -> Iterator[PickedPlace]:
    for place in places:
        yield place
        yield from _flat(place.children)


def _listed(places: Iterable[PickedPlace], ids: Collection[UUID], level: int = 0) -> Iterator[PickedPlace]:
    for place in places:
        if place.id in ids:
            place.level = level
            yield place
        yield from _listed(place.children, ids, level + (place.id in ids))


def _counted(organisation_ids: list[UUID]) -> dict[UUID, int]:
    ticked = OrganisationArticle.objects.filter(organisation__in=organisation_ids, orderable=True)
    return dict(ticked.values_list("organisation").annotate(count=Count("pk")))
