"""Searches that an area's responsible issuer follows up: extended searches with their reasons (rules/issuance 2.2, S15), and
hours that look like harvesting (S14).
"""

import datetime as dt
from collections.abc import Iterable, Sequence
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
from siths_portal.lib.lists import Rows

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


class AreaSearches:
    """Extended searches by people while they had a role in the area, and what looks like harvesting by them.

    Neither contains whom a search found, because they belong to other organisations. Both leave out searchers with protected
    identity whom the actor may not see, also from the paging.
    """

    def __init__(self, *, actor: Actor, area_id: UUID, with_patterns: bool = True) -> None:
        """Reads the suspected hours `with_patterns`. Raises NotFound, Forbidden."""
        policy.get(actor, Action.ASSIGN_ROLE, IssuingArea.objects, area_id)
        self._refs = _refs(actor, area_id)
        still_held = Q(valid_to=None) | Q(valid_to__gt=OuterRef("at"))
        self._held = Exists(self._refs.filter(still_held, Q(ref=OuterRef("actor_ref")), valid_from__lte=OuterRef("at")))
        self._suspicions = self._newest_suspicions() if with_patterns else []
        self._searchers = _Searchers(actor, {row.actor_ref for row in self._suspicions})

    def rows(self) -> Rows[Event, SearchLine]:
        """Returns the extended searches."""
        # The filter on searchers comes first; only the few remaining events need the check of when the role was held.
        events = Event.objects.filter(self._held, action=EXTENDED_SEARCH, actor_ref__in=self._refs)
        return Rows(events, self._lines)

    def patterns(self) -> list[PatternLine]:
        """Returns the suspected hours, the newest first."""
        return [
            PatternLine(row.at, *self._searchers.of(row), row.facts.get("misses"), row.facts.get("shown"))
            for row in self._suspicions
        ]

    def _newest_suspicions(self) -> list[Event]:
        rows = Event.objects.filter(self._held, subject_type=SEARCHER, subject_ref__in=self._refs, action=SUSPECTED_SEARCHES)
        return list(rows.order_by("-id")[:MOST_PATTERNS])

    def _lines(self, page: Sequence[Event]) -> list[SearchLine]:
        self._searchers.add(row.actor_ref for row in page)
        return [SearchLine(row.at, *self._searchers.of(row), kind=row.facts["kind"], reason=row.facts["reason"]) for row in page]


class _Searchers:
    """Names and HSA-ids of searchers. Reads those of all that were added at once, when the first is needed."""

    def __init__(self, actor: Actor, refs: set[str]) -> None:
        self._actor, self._unread = actor, refs
        self._found: dict[str, tuple[str, str]] = {}

    def add(self, refs: Iterable[str]) -> None:
        self._unread |= set(refs) - self._found.keys()

    def of(self, row: Event) -> tuple[str, str]:
        """Returns the name and HSA-id of who acted."""
        if self._unread:
            names, hsa_ids = officers.names(self._actor, self._unread), officers.hsa_ids(self._actor, self._unread)
            self._found |= {ref: (names[ref], hsa_ids.get(ref, "")) for ref in self._unread}
            self._unread = set()
        return self._found[row.actor_ref]


def _refs(actor: Actor, area_id: UUID) -> QuerySet[RoleGrant, str]:
    """Returns actor references of people with a role in the area, now or earlier, whom the actor may see."""
    visible = Person.objects.visible_to(actor).filter(pk=OuterRef("person"))
    seen = Q(person__is_protected=False) | Q(Exists(visible))
    grants = RoleGrant.objects.filter(role_reach.of_areas(area_id), seen)
    ref = Concat(Value("user:"), Cast("person_id", CharField()), output_field=CharField())
    return grants.annotate(ref=ref).values_list("ref", flat=True)
