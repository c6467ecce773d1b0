"""The rule by which overdue training or person checks stop issuing (rules/issuance 1.4, ADR 0187). Days are days in Stockholm."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class QualificationKind(StrEnum):
    """A qualification that the holder of an issuing role needs."""

    PERSON_CHECK = "person_check"
    TRAINING = "training"


SWEDISH = {QualificationKind.PERSON_CHECK: "Personkontroll", QualificationKind.TRAINING: "Utbildning"}


class Standing(StrEnum):
    """Whether a person may issue: yes, yes but a qualification is due soon, or no."""

    HOLDS = "holds"
    DUE_SOON = "due_soon"
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Held:
    """The newest record of one kind. `due_on` is the last day on which it holds, None without an end."""

    kind: QualificationKind
    passed_on: dt.date
    due_on: dt.date | None


NEVER = dt.date.min
"""The last day if a kind has no record."""


def last_day(held: Iterable[Held]) -> dt.date | None:
    """Returns the last day on which the person may issue: None without an end, NEVER if a kind has no record."""
    due_on = {one.kind: one.due_on for one in held}
    ends = [due_on.get(kind, NEVER) for kind in QualificationKind]
    return min((end for end in ends if end is not None), default=None)


def standing(held: Iterable[Held], *, today: dt.date, soon_days: int) -> Standing:
    """Returns whether a person with these records may issue today. A qualification is due soon in its last `soon_days` days."""
    end = last_day(held)
    if end is None or end > today + dt.timedelta(days=soon_days):
        return Standing.HOLDS
    return Standing.BLOCKED if end < today else Standing.DUE_SOON
