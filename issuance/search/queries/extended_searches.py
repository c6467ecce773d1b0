"""Searches that an area's responsible issuer follows up: extended searches with their reasons (rules/issuance 2.2, S15), and
hours that look like harvesting (S14).
"""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Cast, Concat

from issuance.authz import Action, Actor, policy
from issuance.organisations.models import IssuingArea
from issuance.people.models.persons import Person
from issuance.people.queries import officers
from issuance.records.models.events import EXTENDED_SEARCH, SEARCHER, SUSPECTED_SEARCHES, Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import role_reach

PAGE = 50
MOST_PATTERNS = 20
"""The page lists this many of the newest hours that look like harvesting."""


@dataclass(frozen=True)
class SearchLine:
    """An extended search: time, searcher with the HSA-id of their assignment, kind of value, and reason."""

    at: dt.datetime
    who: str
    hsa_id: str
    kind: str
    reason: str


@dataclass(frozen=True)
class PatternLine:
    """An hour of a user's searches, ending at `at`, that looks like harvesting. Either `misses` (searches without a hit) or
    `shown` (people shown) is set; the other is None.
    """

    at: dt.datetime
    who: str
    hsa_id: str
    misses: int | None
    shown: int | None


@dataclass(frozen=True)
class SearchPage:
    """A page, the newest first. `before` is the cursor of the next page, None on the last one. Only the first page has
    `patterns`.
    """

    rows: tuple[SearchLine, ...]
    before: int | None
    patterns: tuple[PatternLine, ...]


def extended_searches(*, actor: Actor, area_id: UUID, before: int | None = None, limit: int = PAGE) -> SearchPage:
    """Returns extended searches by people while they had a role in the area; on the first page also their suspected harvesting.

    The result does not contain whom a search found, because they belong to other organisations. It leaves out searchers with
    protected identity whom the actor may not see, also from the paging. Raises NotFound, Forbidden.
    """
    policy.get(actor, Action.ASSIGN_ROLE, IssuingArea.objects, area_id)
    refs_of_area = _refs(actor, area_id)
    still_held = Q(valid_to=None) | Q(valid_to__gt=OuterRef("at"))
    held = refs_of_area.filter(still_held, Q(ref=OuterRef("actor_ref")), valid_from__lte=OuterRef("at"))
    # The filter on searchers comes first; only the few remaining events need the check of when the role was held.
    events = Event.objects.filter(Exists(held), action=EXTENDED_SEARCH, actor_ref__in=refs_of_area)
    if before is not None:
        events = events.filter(id__lt=before)
    rows = list(events.order_by("-id")[: limit + 1])
    shown = rows[:limit]
    suspicions = Event.objects.filter(
        Exists(held), subject_type=SEARCHER, subject_ref__in=refs_of_area, action=SUSPECTED_SEARCHES
    )
    patterns = list(suspicions.order_by("-id")[:MOST_PATTERNS]) if before is None else []
    refs = {row.actor_ref for row in (*shown, *patterns)}
    who, hsa_ids = officers.names(actor, refs), officers.hsa_ids(actor, refs)

    def person(row: Event) -> tuple[dt.datetime, str, str]:
        return row.at, who[row.actor_ref], hsa_ids.get(row.actor_ref, "")

    return SearchPage(
        rows=tuple(SearchLine(*person(row), kind=row.facts["kind"], reason=row.facts["reason"]) for row in shown),
        before=shown[-1].id if len(rows) > limit else None,
        patterns=tuple(PatternLine(*person(row), row.facts.get("misses"), row.facts.get("shown")) for row in patterns),
    )


def _refs(actor: Actor, area_id: UUID) -> QuerySet[RoleGrant, str]:
    """Returns actor references of people with a role in the area, now or earlier, whom the actor may see."""
    visible = Person.objects.visible_to(actor).filter(pk=OuterRef("person"))
    seen = Q(person__is_protected=False) | Q(Exists(visible))
    grants = RoleGrant.objects.filter(role_reach.of_areas(area_id), seen)
    ref = Concat(Value("user:"), Cast("person_id", CharField()), output_field=CharField())
    return grants.annotate(ref=ref).values_list("ref", flat=True)
