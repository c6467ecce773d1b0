"""How configuration is written: rows inserted, edited against the version that was read, and each change as one event.

An edit is made by a person who saw the row at some version. If another has edited it since, he is told what and decides again
(ADR 0180).
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
    """What somebody did to one field: values as events hold them."""

    at: dt.datetime
    actor_ref: str
    field: str
    before: Any
    after: Any


class Outdated(Conflict):
    """The row was edited by others since the version that the caller read.

    `version` is the row's now; `changes` what was done since, oldest first; `now` the present value of each field that was to be
    written. Code `changed-meanwhile`.
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
    """Writes `changes` (names of attributes to values) to a row that the caller has locked and may edit; True if one differed.

    Nothing different writes nothing: no event, no new version. Otherwise the version rises, and the event `action` tells the
    values before and after beside `facts`. Raises Outdated if `version` is not the row's and something would be changed. What a
    constraint refuses the caller words with `refused_as`.
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
    told = {
        "version": row.version,
        "before": {name: as_fact(before[name]) for name in differing},
        "after": {name: as_fact(changes[name]) for name in differing},
    }
    record(actor, action, row, **told, **(facts or {}))
    return True


def changes_since(row: Versioned, version: int) -> list[Change]:
    """What edits did to a row after `version`, oldest first, field by field."""
    found = []
    events = Event.objects.filter(subject_type=row.subject, subject_ref=str(row.pk), facts__version__gt=version)
    for event in events.order_by("id"):
        before, after = event.facts.get("before", {}), event.facts.get("after", {})
        found += [Change(event.at, event.actor_ref, name, before.get(name), after[name]) for name in after]
    return found


def insert(row: Any, code: str, message: str, *, field: str = "") -> None:
    """Inserts a row. Raises Conflict, at `field` if one is named, where a constraint refuses it."""
    with refused_as(code, message, field=field):
        row.save(force_insert=True)


class refused_as:  # noqa: N801 - read as a phrase: with refused_as(…)
    """A block whose refusal by a constraint of the database is a Conflict with this code and message, at `field` if named."""

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
    """`text` as one composed line (`texts.composed`) without spaces around.

    Raises Invalid at `field` if it is too long, cannot be printed, or is empty where `missing` says so.
    """
    text = " ".join(texts.composed(text).split())
    message = missing if not text else f"Skriv högst {longest} tecken." if len(text) > longest else ""
    if message or any(not each.isprintable() for each in text):
        message = message or "Texten innehåller tecken som inte går att skriva ut. Skriv den på nytt."
        raise Invalid(field.replace("_", "-"), message, fields={field: [message]})
    return text


def lines(given: str, field: str, *, longest: int) -> str:
    """`given` as composed lines (`texts.composed`), without spaces after them and without empty ones around.

    Raises Invalid at `field` for what is too long or cannot be printed.
    """
    each = [one.rstrip() for one in texts.composed(given).splitlines()]
    text = "\n".join(each).strip()
    message = f"Skriv högst {longest} tecken." if len(text) > longest else ""
    if not all(one.isprintable() or one == "\n" for one in text):
        message = "Texten innehåller tecken som inte går att skriva ut. Skriv den på nytt."
    if message:
        raise Invalid(field.replace("_", "-"), message, fields={field: [message]})
    return text


def refuse(wrong: Mapping[str, list[str]]) -> None:
    """Passes if `wrong` is empty. Raises Invalid with every field in it."""
    for field, messages in wrong.items():
        raise Invalid(field.replace("_", "-"), messages[0], fields=dict(wrong))


def parsed(parse: Callable[[str], str], text: str, field: str, message: str) -> str:
    """`text`, composed, as `parse` makes it. Raises Invalid with `message` at `field` where that raises ValueError."""
    try:
        return str(parse(texts.composed(text)))
    except ValueError:
        raise Invalid(field.replace("_", "-"), message, fields={field: [message]}) from None


def record(actor: Actor, action: str, row: Any, **facts: Any) -> None:
    """One event on a row; the first part of `action` is its subject's type."""
    Event.record(actor_ref=actor.ref, action=action, subject_type=action.split(".")[0], subject_ref=str(row.pk), facts=facts)


def as_fact(value: Any) -> Any:
    """A column's value as JSON keeps it: ids and days as text."""
    if isinstance(value, (UUID, dt.date, dt.datetime)):
        return str(value) if isinstance(value, UUID) else value.isoformat()
    return value
