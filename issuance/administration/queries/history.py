"""Historik of what is configured: who did what when, with each value before and after, newest first, in pages by keyset."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from issuance.administration.queries import change_words
from issuance.authz import Actor
from issuance.people.queries import officers
from issuance.receipt_texts.models import ReceiptText
from issuance.records.models.events import NAMING_AN_ORGANISATION, ROLE_ACTIONS, Event
from issuance.records.queries import event_words
from issuance.records.queries.history import names_of
from issuance.records.services.editing import Change
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import role_reach
from siths_portal.lib.events import NEWEST_FIRST

PAGE = 50
_ONE_LINE = 160
_RECEIPT_TEXT_SET = "organisation.receipt_text_set"
_CUSTOMISATION, _NUMBER = "customisation", "customisation_id"
_KEPT = ("version", "before", "after")
_WITH_ROLES = ("area", "organisation")

type Places = Mapping[str, tuple[str, str]]
"""By grant the kind and id of the place where it holds."""


@dataclass(frozen=True)
class FieldChange:
    """A field's values in words."""

    label: str
    before: str
    after: str

    @property
    def is_long(self) -> bool:
        """Whether the values are text of lines, or more of it than stands well on one."""
        return "\n" in self.before + self.after or len(self.before) + len(self.after) > _ONE_LINE


@dataclass(frozen=True)
class Subject:
    """What something was done to: `kind` as events call it and its `label`; without `name` it is out of the reader's reach."""

    kind: str
    ref: str
    label: str
    name: str


@dataclass(frozen=True)
class ConfigurationEntry:
    """An event: when, what, who with the HSA-id of his post, fields that changed, and other facts in words.

    `subject` is what it was done to, or where the role holds, in a history of several things.
    """

    id: int
    at: dt.datetime
    what: str
    who: str
    hsa_id: str
    changes: tuple[FieldChange, ...]
    facts: tuple[tuple[str, str], ...]
    subject: Subject | None = None


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

    An organisation's holds also what was done to offices and card customisations for it; its and an area's hold the roles that
    were given, changed and ended there (ADR 0212).
    """
    concerned = Q(subject_type=subject_type, subject_ref=str(subject_ref))
    if subject_type == "organisation":
        concerned |= Q(subject_type__in=NAMING_AN_ORGANISATION, facts__organisation=str(subject_ref))
    if subject_type in _WITH_ROLES:
        concerned |= Q(action__in=ROLE_ACTIONS, facts__grant__in=_grants(actor, subject_type, subject_ref))
    events = Event.objects.filter(concerned)
    if before is not None:
        events = events.filter(id__lt=before)
    rows = list(events.order_by(NEWEST_FIRST)[: limit + 1])
    return page(actor, rows, limit, subject_type=subject_type)


def page(
    actor: Actor, rows: Sequence[Event], limit: int, *, subject_type: str = "", places: Places | None = None
) -> ConfigurationHistory:
    """The words of the newest `limit` of `rows`, of which one more tells that there are older ones.

    They are of one subject of this type, and of what concerns it; or with `places`, where each grant that roles' events name
    holds, of several things, and each entry tells which.
    """
    shown = rows[:limit]
    entries = tuple(_entries(actor, shown, subject_type, places))
    return ConfigurationHistory(entries, shown[-1].id if len(rows) > limit else None)


def _grants(actor: Actor, subject_type: str, subject_ref: UUID | str) -> list[str]:
    """The roles that hold or held in the place. Those of a protected holder whom the actor may not see are not there (S13).

    Read before the events, so that these are found by their index.
    """
    rows = RoleGrant.objects.filter(role_reach.visible_holders(actor), **{subject_type: subject_ref})
    return [str(pk) for pk in rows.values_list("pk", flat=True)]


def _entries(actor: Actor, rows: Sequence[Event], subject_type: str, places: Places | None) -> Iterator[ConfigurationEntry]:
    refs = {row.actor_ref for row in rows} | {_holder(row) for row in rows if row.action in ROLE_ACTIONS}
    who, hsa_ids = names_of(actor, refs), officers.hsa_ids(actor, refs)
    facts = {row.id: _told(row, subject_type) for row in rows if row.action not in ROLE_ACTIONS} | _with_texts(rows)
    subjects = {} if places is None else {row.id: _subject(row, places) for row in rows}
    names = change_words.names_in(actor, (pair for each in facts.values() for pair in _values(each)), subjects.values())
    for row in rows:
        if row.id in facts:
            told = facts[row.id]
            what, changes, other = event_words.what(row.action), _changes(told, names), _facts(told, names)
        else:
            holder = " ".join(each for each in (who[_holder(row)], hsa_ids.get(_holder(row))) if each)
            what, changes, other = _of_role(row, holder)
        yield ConfigurationEntry(
            id=row.id,
            at=row.at,
            what=what,
            who=who[row.actor_ref],
            hsa_id=hsa_ids.get(row.actor_ref, ""),
            changes=tuple(changes),
            facts=tuple(other),
            subject=_named(subjects[row.id], names) if subjects else None,
        )


def _subject(row: Event, places: Places) -> tuple[str, str]:
    """What the event was done to, by kind and id: of a role the place where it holds."""
    return places[row.facts["grant"]] if row.action in ROLE_ACTIONS else (row.subject_type, row.subject_ref)


def _named(subject: tuple[str, str], names: change_words.Names) -> Subject:
    kind, ref = subject
    return Subject(kind, ref, change_words.kind(kind), names.get(subject, ""))


def _of_role(row: Event, holder: str) -> tuple[str, Iterator[FieldChange], Iterator[tuple[str, str]]]:
    """The words of a role's event. The place is the one whose history this is, or the entry's subject."""
    changes = (FieldChange(*each) for each in event_words.changes(row.facts))
    return event_words.what(row.action), changes, iter([(_("Innehavare"), holder), *event_words.plain(row.facts)])


def _holder(row: Event) -> str:
    """The person of a role's event, as events name who acts."""
    return f"user:{row.subject_ref}"


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
    """The event's facts as the subject's history tells them: of another subject which it is, not whose history this is.

    As they are in a history of several things, where the entry tells which.
    """
    facts: dict[str, Any] = row.facts
    if row.subject_type == _CUSTOMISATION and _NUMBER in facts:  # there it is the ten digits, elsewhere which row
        facts = {**facts, "customisation_number": facts[_NUMBER], _NUMBER: None}
    if subject_type in ("", row.subject_type):
        return facts
    return {**facts, row.subject_type: row.subject_ref, "organisation": None}


def _with_texts(rows: Iterable[Event]) -> dict[int, Mapping[str, Any]]:
    """By event that tells a version of a receipt text the facts with this text and the one before, which the versions keep."""
    told = [row for row in rows if row.action == _RECEIPT_TEXT_SET]
    if not told:
        return {}
    kept = Q(pk__in=[])
    for row in told:
        version = row.facts["receipt_text_version"]
        kept |= Q(organisation=UUID(row.subject_ref), version__in=(version - 1, version))
    found = ReceiptText.objects.filter(kept).values_list("organisation_id", "version", "regional_addition", "from_above")
    texts = {(str(pk), version): _("samma som ovanför") if above else text for pk, version, text, above in found}

    def part(row: Event, back: int) -> dict[str, str]:
        return {"regional_addition": texts.get((row.subject_ref, row.facts["receipt_text_version"] - back), "")}

    return {row.id: {**row.facts, "before": part(row, 1), "after": part(row, 0)} for row in told}


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
