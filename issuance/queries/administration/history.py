"""Historik of what is configured: who did what when, with each value before and after, newest first, in pages by keyset."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import F, Q

from issuance.authz import Actor
from issuance.models import Event
from issuance.models.events import NAMING_AN_ORGANISATION
from issuance.queries import officers
from issuance.queries.administration import change_words
from issuance.queries.history import names_of
from issuance.services.configuration import Change

PAGE = 50
_KEPT = ("version", "before", "after")


@dataclass(frozen=True)
class FieldChange:
    """A field's values in words."""

    label: str
    before: str
    after: str


@dataclass(frozen=True)
class ConfigurationEntry:
    """An event: when, what, who with the HSA-id of his post, fields that changed, and other facts in words."""

    id: int
    at: dt.datetime
    what: str
    who: str
    hsa_id: str
    changes: tuple[FieldChange, ...]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ConfigurationHistory:
    """A page of history. `before` is what the next page is asked for with, None on the last."""

    entries: tuple[ConfigurationEntry, ...]
    before: int | None


@dataclass(frozen=True)
class ToldChange:
    """What another did to a field, for one whose edit came later."""

    at: dt.datetime
    who: str
    change: FieldChange


def history(
    *, actor: Actor, subject_type: str, subject_ref: UUID | str, before: int | None = None, limit: int = PAGE
) -> ConfigurationHistory:
    """What was done to one subject. The caller has made sure that `actor` may see it; what it refers to is named by scope.

    An organisation's holds also what was done to offices and card customisations for it.
    """
    concerned = Q(subject_type=subject_type, subject_ref=str(subject_ref))
    if subject_type == "organisation":
        concerned |= Q(subject_type__in=NAMING_AN_ORGANISATION, facts__organisation=str(subject_ref))
    events = Event.objects.filter(concerned)
    if before is not None:
        events = events.filter(id__lt=before)
    # By an expression, so that the few events are found by their subject and sorted, not sought along the whole table's key.
    rows = list(events.order_by((F("id") + 0).desc())[: limit + 1])
    shown = rows[:limit]
    who, hsa_ids = names_of(actor, {row.actor_ref for row in shown}), officers.hsa_ids(actor, {row.actor_ref for row in shown})
    facts = {row.id: _told(row, subject_type) for row in shown}
    names = change_words.names_in(actor, (pair for each in facts.values() for pair in _values(each)))
    entries = tuple(
        ConfigurationEntry(
            id=row.id,
            at=row.at,
            what=change_words.what(row.action),
            who=who[row.actor_ref],
            hsa_id=hsa_ids.get(row.actor_ref, ""),
            changes=tuple(_changes(facts[row.id], names)),
            facts=tuple(_facts(facts[row.id], names)),
        )
        for row in shown
    )
    return ConfigurationHistory(entries, shown[-1].id if len(rows) > limit else None)


def told(actor: Actor, changes: Iterable[Change]) -> list[ToldChange]:
    """What others did, in words, for the page of an edit that came later; fields that are not shown are left out."""
    changes = list(changes)
    who = names_of(actor, {change.actor_ref for change in changes})
    names = change_words.names_in(actor, ((change.field, each) for change in changes for each in (change.before, change.after)))
    return [
        ToldChange(change.at, who[change.actor_ref], _change(change.field, change.before, change.after, names))
        for change in changes
        if change_words.label(change.field)
    ]


def _told(row: Event, subject_type: str) -> Mapping[str, Any]:
    """The event's facts as the subject's history tells them: of another subject which it is, not whose history this is."""
    facts: dict[str, Any] = row.facts
    if row.subject_type == subject_type:
        return facts
    return {**facts, row.subject_type: row.subject_ref, "organisation": None}


def _values(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for part in ("before", "after"):
        yield from facts.get(part, {}).items()
    yield from ((name, value) for name, value in facts.items() if name not in _KEPT)


def _changes(facts: Mapping[str, Any], names: change_words.Names) -> Iterator[FieldChange]:
    before, after = facts.get("before", {}), facts.get("after", {})
    for name in change_words.FIELDS:
        if name in after:
            yield _change(name, before.get(name), after[name], names)


def _change(name: str, before: Any, after: Any, names: change_words.Names) -> FieldChange:
    return FieldChange(change_words.label(name), change_words.value(name, before, names), change_words.value(name, after, names))


def _facts(facts: Mapping[str, Any], names: change_words.Names) -> Iterator[tuple[str, str]]:
    told = facts.get("after", {})
    for name in change_words.FIELDS:
        if name in facts and name not in told and facts[name] not in ("", None):
            yield change_words.label(name), change_words.value(name, facts[name], names)
