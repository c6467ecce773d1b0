"""Inserts and edits of configuration rows. Each change is one event.

An edit is based on the version that the user saw. If another user has edited the row since, the edit is refused and shows that
user's changes (ADR 0180).
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from issuance.authz import Actor
from issuance.records.models.events import Event
from issuance.records.models.versioned import Versioned
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.pages import texts


@dataclass(frozen=True)
class Change:
    """One user's change of one field, with values as events store them."""

    at: dt.datetime
    actor_ref: str
    field: str
    before: Any
    after: Any


class Outdated(Conflict):
    """The row has been edited since the version that the caller read.

    `version` is the current version. `changes` are the edits since the caller's version, oldest first. `now` holds the current
    value of each field that the caller wanted to write. Code `changed-meanwhile`.
    """

    def __init__(self, version: int, changes: Iterable[Change], now: Mapping[str, Any]) -> None:
        message = "Uppgifterna ändrades av någon annan medan du arbetade. Jämför och spara igen om dina uppgifter ska gälla."
        super().__init__("changed-meanwhile", message)
        self.version = version
        self.changes = tuple(changes)
        self.now = dict(now)


def edit(
    row: Versioned, *, version: int, changes: Mapping[str, Any], actor: Actor, action: str, facts: Mapping[str, Any] | None = None
) -> bool:
    """Writes `changes` (attribute names to values) to a row that the caller has locked and may edit.

    Returns True if a value changed.

    Writes no event and no version if no value changes. Otherwise increments the version and records `action` with the old and new
    values and `facts`. Raises Outdated if a value would change and `version` is not the row's version. The caller translates
    constraint errors with `refused_as`.
    """
    before = {name: getattr(row, name) for name in changes}
    differing = [name for name, value in changes.items() if before[name] != value]
    if not differing:
        return False
    if row.version != version:
        raise Outdated(row.version, changes_since(row, version), before)
    for name in differing:
        setattr(row, name, changes[name])
    row.version += 1
    row.save(update_fields=[*differing, "version"])
    event_facts = {
        "version": row.version,
        "before": {name: as_fact(before[name]) for name in differing},
        "after": {name: as_fact(changes[name]) for name in differing},
    }
    record(actor, action, row, **event_facts, **(facts or {}))
    return True


def changes_since(row: Versioned, version: int) -> list[Change]:
    """Returns the field changes of a row after `version`, oldest first."""
    found = []
    events = Event.objects.filter(subject_type=row.subject, subject_ref=str(row.pk), facts__version__gt=version)
    for event in events.order_by("id"):
        before, after = event.facts.get("before", {}), event.facts.get("after", {})
        found += [Change(event.at, event.actor_ref, name, before.get(name), after[name]) for name in after]
    return found


def insert(row: Any, code: str, message: str, *, field: str = "") -> None:
    """Inserts a row. Raises Conflict if a constraint refuses it, at `field` if given."""
    with refused_as(code, message, field=field):
        row.save(force_insert=True)


class refused_as:  # noqa: N801 - reads as a phrase: with refused_as(…)
    """A block that turns IntegrityError into Conflict with this code and message, at `field` if given."""

    def __init__(self, code: str, message: str, *, field: str = "") -> None:
        self._error = Conflict(code, message, fields={field: [message]} if field else None)
        self._savepoint = transaction.atomic()

    def __enter__(self) -> None:
        self._savepoint.__enter__()

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        self._savepoint.__exit__(kind, value, trace)
        if isinstance(value, IntegrityError):
            raise self._error from None


def line(text: str, field: str, *, longest: int, missing: str = "") -> str:
    """Returns `text` as one composed line (`texts.composed`) with single spaces and none at the ends.

    Raises Invalid at `field` if the line is too long, has unprintable characters, or is empty although `missing` has a message
    for that.
    """
    text = " ".join(texts.composed(text).split())
    message = missing if not text else f"Skriv högst {longest} tecken." if len(text) > longest else ""
    if message or any(not each.isprintable() for each in text):
        message = message or "Texten innehåller tecken som inte går att skriva ut. Skriv texten igen."
        raise Invalid(field.replace("_", "-"), message, fields={field: [message]})
    return text


def lines(given: str, field: str, *, longest: int) -> str:
    """Returns `given` as composed lines (`texts.composed`) without trailing spaces and without empty lines at the ends.

    Raises Invalid at `field` if the text is too long or has unprintable characters.
    """
    each = [one.rstrip() for one in texts.composed(given).splitlines()]
    text = "\n".join(each).strip()
    message = f"Skriv högst {longest} tecken." if len(text) > longest else ""
    if not all(one.isprintable() or one == "\n" for one in text):
        message = "Texten innehåller tecken som inte går att skriva ut. Skriv texten igen."
    if message:
        raise Invalid(field.replace("_", "-"), message, fields={field: [message]})
    return text


def refuse(wrong: Mapping[str, list[str]]) -> None:
    """Raises Invalid with every field of `wrong`; does nothing if it is empty."""
    for field, messages in wrong.items():
        raise Invalid(field.replace("_", "-"), messages[0], fields=dict(wrong))


def parsed(parse: Callable[[str], str], text: str, field: str, message: str) -> str:
    """Returns the result of `parse` for the composed `text`.

    Raises Invalid with `message` at `field` if `parse` raises ValueError.
    """
    try:
        return str(parse(texts.composed(text)))
    except ValueError:
        raise Invalid(field.replace("_", "-"), message, fields={field: [message]}) from None


def record(actor: Actor, action: str, row: Any, **facts: Any) -> None:
    """Records one event on a row. The first part of `action` is the type of the subject."""
    Event.record(actor_ref=actor.ref, action=action, subject_type=action.split(".")[0], subject_ref=str(row.pk), facts=facts)


def as_fact(value: Any) -> Any:
    """Returns a column's value as JSON stores it: ids, days and moments as text."""
    if isinstance(value, (UUID, dt.date, dt.datetime)):
        return str(value) if isinstance(value, UUID) else value.isoformat()
    return value
