"""Extended searches by people of an area, with their reasons, for its responsible issuer (domain.md 5, S15)."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from issuance.authz import Action, Actor, policy
from issuance.models import Event, IssuingArea, Person, RoleGrant
from issuance.models.events import EXTENDED_SEARCH
from issuance.queries import officers
from issuance.queries.administration import role_reach

PAGE = 50


@dataclass(frozen=True)
class SearchLine:
    """An extended search: when, who with the HSA-id of his post, by what kind of value, and why."""

    at: dt.datetime
    who: str
    hsa_id: str
    kind: str
    reason: str


@dataclass(frozen=True)
class SearchPage:
    """A page, newest first. `before` is what the next page is asked for with, None on the last."""

    rows: tuple[SearchLine, ...]
    before: int | None


def extended_searches(*, actor: Actor, area_id: UUID, before: int | None = None, limit: int = PAGE) -> SearchPage:
    """What was searched for outside one's scope by people while they had a role in the area. Raises NotFound, Forbidden.

    Whom it found is not told, as they are others' people. A searcher with protected identity whom the actor does not see is
    left out, so that neither page nor count tells of him.
    """
    policy.get(actor, Action.ASSIGN_ROLE, IssuingArea.objects.all(), area_id)
    refs_of_area = _refs(actor, area_id)
    then = Q(valid_to=None) | Q(valid_to__gt=OuterRef("at"))
    held = refs_of_area.filter(then, Q(ref=OuterRef("actor_ref")), valid_from__lte=OuterRef("at"))
    # Whose searches they may be is asked first: each of the few that are left then asks when the role held.
    events = Event.objects.filter(Exists(held), action=EXTENDED_SEARCH, actor_ref__in=refs_of_area)
    if before is not None:
        events = events.filter(id__lt=before)
    rows = list(events.order_by("-id")[: limit + 1])
    shown = rows[:limit]
    refs = {row.actor_ref for row in shown}
    who, hsa_ids = officers.names(actor, refs), officers.hsa_ids(actor, refs)
    lines = tuple(
        SearchLine(
            at=row.at,
            who=who[row.actor_ref],
            hsa_id=hsa_ids.get(row.actor_ref, ""),
            kind=row.facts["kind"],
            reason=row.facts["reason"],
        )
        for row in shown
    )
    return SearchPage(lines, shown[-1].id if len(rows) > limit else None)


def _refs(actor: Actor, area_id: UUID) -> QuerySet[RoleGrant, str]:
    """The references of those with a role in the area, now or before, whom the actor may know of."""
    visible = Person.objects.visible_to(actor).filter(pk=OuterRef("person"))
    seen = Q(person__is_protected=False) | Q(Exists(visible))
    grants = RoleGrant.objects.filter(role_reach.of_areas(area_id), seen)
    ref = Concat(Value("user:"), Cast("person_id", CharField()), output_field=CharField())
    return grants.annotate(ref=ref).values_list("ref", flat=True)
