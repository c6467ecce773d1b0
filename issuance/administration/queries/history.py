"""Change history of configuration: who changed what and when, with old and new values, the newest first. Pages by keyset."""

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
from siths_portal.lib.lists import Rows

_ONE_LINE = 160
_RECEIPT_TEXT_SET = "organisation.receipt_text_set"
_CUSTOMISATION, _NUMBER = "customisation", "customisation_id"
_KEPT = ("version", "before", "after")
_WITH_ROLES = ("area", "organisation")

type Places = Mapping[str, tuple[str, str]]
"""Maps a role grant's id to the kind and id of the place where the role applies."""


@dataclass(frozen=True)
class FieldChange:
    """The old and new value of a field, for display."""

    label: str
    before: str
    after: str

    @property
    def is_long(self) -> bool:
        """Returns whether the values contain line breaks or do not fit on one line together."""
        return "\n" in self.before + self.after or len(self.before) + len(self.after) > _ONE_LINE


@dataclass(frozen=True)
class Subject:
    """The subject of an event: `kind` is its type in events, `label` the type's Swedish label. `name` is empty if the reader
    may not see the subject.
    """

    kind: str
    ref: str
    label: str
    name: str


@dataclass(frozen=True)
class ConfigurationEntry:
    """An event for display: time, action, actor with the HSA-id of their assignment, changed fields, and other facts. `subject`
    is set in a history of several subjects: the event's subject, or the place where the role applies.
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
class OtherChange:
    """A field's change by another user, shown to a user whose edit came later."""

    at: dt.datetime
    who: str
    change: FieldChange


def history(*, actor: Actor, subject_type: str, subject_ref: UUID | str) -> Rows[Event, ConfigurationEntry]:
    """Returns the history of one subject.

    An organisation's history includes its offices and card customisations. The history of an organisation or area includes its
    roles (ADR 0212). Names of other rows are shown only if `actor` may see them. The caller has checked that `actor` may see
    the subject.
    """
    concerned = Q(subject_type=subject_type, subject_ref=str(subject_ref))
    if subject_type == "organisation":
        concerned |= Q(subject_type__in=NAMING_AN_ORGANISATION, facts__organisation=str(subject_ref))
    if subject_type in _WITH_ROLES:
        concerned |= Q(action__in=ROLE_ACTIONS, facts__grant__in=_grants(actor, subject_type, subject_ref))
    return Rows(Event.objects.filter(concerned), lambda rows: entries(actor, rows, subject_type=subject_type))


def entries(
    actor: Actor, rows: Sequence[Event], *, subject_type: str = "", places: Places | None = None
) -> list[ConfigurationEntry]:
    """Returns `rows` in words.

    All rows belong to one subject of type `subject_type`. With `places` they belong to several subjects, and each entry names
    its own; `places` maps the role grants in the rows to their place.
    """
    return list(_entries(actor, rows, subject_type, places))


def _grants(actor: Actor, subject_type: str, subject_ref: UUID | str) -> list[str]:
    """Returns the ids of all roles, past ones included, in the place. Leaves out those of a protected holder whom the actor may
    not see (S13). Reading them before the events lets the events' query use its index.
    """
    rows = RoleGrant.objects.filter(role_reach.visible_holders(actor), **{subject_type: subject_ref})
    return [str(pk) for pk in rows.values_list("pk", flat=True)]


def _entries(actor: Actor, rows: Sequence[Event], subject_type: str, places: Places | None) -> Iterator[ConfigurationEntry]:
    refs = {row.actor_ref for row in rows} | {_holder(row) for row in rows if row.action in ROLE_ACTIONS}
    who, hsa_ids = names_of(actor, refs), officers.hsa_ids(actor, refs)
    facts = {row.id: _facts_for_subject(row, subject_type) for row in rows if row.action not in ROLE_ACTIONS} | _with_texts(rows)
    subjects = {} if places is None else {row.id: _subject(row, places) for row in rows}
    names = change_words.names_in(actor, (pair for each in facts.values() for pair in _values(each)), subjects.values())
    for row in rows:
        if row.id in facts:
            row_facts = facts[row.id]
            what, changes, other = event_words.what(row.action), _changes(row_facts, names), _facts(row_facts, names)
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
    """Returns the kind and id of the event's subject; for a role the place where it applies."""
    return places[row.facts["grant"]] if row.action in ROLE_ACTIONS else (row.subject_type, row.subject_ref)


def _named(subject: tuple[str, str], names: change_words.Names) -> Subject:
    kind, ref = subject
    return Subject(kind, ref, change_words.kind(kind), names.get(subject, ""))


def _of_role(row: Event, holder: str) -> tuple[str, Iterator[FieldChange], Iterator[tuple[str, str]]]:
    """Returns the texts of a role's event, without the place, which the page or the entry's subject shows."""
    changes = (FieldChange(*each) for each in event_words.changes(row.facts))
    return event_words.what(row.action), changes, iter([(_("Innehavare"), holder), *event_words.plain(row.facts)])


def _holder(row: Event) -> str:
    """Returns the person of a role's event in the form of an actor reference."""
    return f"user:{row.subject_ref}"


def changes_of_others(actor: Actor, changes: Iterable[Change]) -> list[OtherChange]:
    """Returns the changes by other users for the page of a later edit. Leaves out fields without a label."""
    changes = list(changes)
    who = names_of(actor, {change.actor_ref for change in changes})
    names = change_words.names_in(actor, ((change.field, each) for change in changes for each in (change.before, change.after)))
    return [
        OtherChange(change.at, who[change.actor_ref], _change(change.field, change.before, change.after, names))
        for change in changes
        if change_words.label(change.field)
    ]


def _facts_for_subject(row: Event, subject_type: str) -> Mapping[str, Any]:
    """Returns the event's facts with the event's subject among them, if it is not the subject whose history is shown. In a
    history of several subjects the facts are unchanged, because each entry names its subject.
    """
    facts: dict[str, Any] = row.facts
    if row.subject_type == _CUSTOMISATION and _NUMBER in facts:  # the ten-digit number here, the row id in other events
        facts = {**facts, "customisation_number": facts[_NUMBER], _NUMBER: None}
    if subject_type in ("", row.subject_type):
        return facts
    return {**facts, row.subject_type: row.subject_ref, "organisation": None}


def _with_texts(rows: Iterable[Event]) -> dict[int, Mapping[str, Any]]:
    """Returns, for each event of a new receipt text version, its facts with the new and the previous text. Events hold only
    version numbers; the texts are in `ReceiptText`.
    """
    set_events = [row for row in rows if row.action == _RECEIPT_TEXT_SET]
    if not set_events:
        return {}
    kept = Q(pk__in=[])
    for row in set_events:
        version = row.facts["receipt_text_version"]
        kept |= Q(organisation=UUID(row.subject_ref), version__in=(version - 1, version))
    found = ReceiptText.objects.filter(kept).values_list("organisation_id", "version", "regional_addition", "from_above")
    texts = {(str(pk), version): _("samma som ovanför") if above else text for pk, version, text, above in found}

    def part(row: Event, back: int) -> dict[str, str]:
        return {"regional_addition": texts.get((row.subject_ref, row.facts["receipt_text_version"] - back), "")}

    return {row.id: {**row.facts, "before": part(row, 1), "after": part(row, 0)} for row in set_events}


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
    facts_shown = facts.get("after", {})
    for name in change_words.FIELDS:
        if name in facts and name not in facts_shown and facts[name] not in ("", None):
            yield change_words.label(name), change_words.value(name, facts[name], names)
