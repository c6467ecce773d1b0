"""When training and person check stop a role from issuing (domain.md 11.2, ADR 0187). Days are days in Stockholm."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class QualificationKind(StrEnum):
    """What a holder of a role that issues must have."""

    PERSON_CHECK = "person_check"
    TRAINING = "training"


SWEDISH = {QualificationKind.PERSON_CHECK: "Personkontroll", QualificationKind.TRAINING: "Utbildning"}


class Standing(StrEnum):
    """How a person stands: all holds, something is due soon, is due but within the grace, or stops him from issuing."""

    HOLDS = "holds"
    DUE_SOON = "due_soon"
    DUE = "due"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Held:
    """The newest record of one kind. `due_on` is its last day, None without an end."""

    kind: QualificationKind
    passed_on: dt.date
    due_on: dt.date | None


@dataclass(frozen=True)
class Limits:
    """Days after the due date, or the first role's start if later, that one may still issue; days before it that are soon."""

    grace_days: int
    soon_days: int


def due_date(kind: QualificationKind, held: Iterable[Held], *, role_since: dt.date) -> dt.date | None:
    """When the kind is due: its record's last day, or the role's first where there is no record; None without an end."""
    found = next((one for one in held if one.kind is kind), None)
    return role_since if found is None else found.due_on


def last_day(held: Iterable[Held], *, role_since: dt.date, limits: Limits) -> dt.date | None:
    """The last day on which the person may issue, by what he holds now; None without an end."""
    held = list(held)
    dues = [due_date(kind, held, role_since=role_since) for kind in QualificationKind]
    ends = [max(due, role_since) + dt.timedelta(days=limits.grace_days) for due in dues if due is not None]
    return min(ends, default=None)


def standing(held: Iterable[Held], *, role_since: dt.date, today: dt.date, limits: Limits) -> Standing:
    """How a person whose first issuing role began on `role_since` stands today."""
    held = list(held)
    end = last_day(held, role_since=role_since, limits=limits)
    if end is not None and end < today:
        return Standing.BLOCKED
    missing = set(QualificationKind) - {one.kind for one in held}
    dues = [one.due_on for one in held if one.due_on is not None]
    if missing or any(due < today for due in dues):
        return Standing.DUE
    if any(due <= today + dt.timedelta(days=limits.soon_days) for due in dues):
        return Standing.DUE_SOON
    return Standing.HOLDS
