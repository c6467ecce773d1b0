"""What inventories of keys found, read without a token: pages and checks ask this (spec E2 point 15)."""

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pki.models import KeyInventory


class ProblemKind(enum.StrEnum):
    """What can be wrong: an object that no row knows, a key that is gone or changed, a token that could not be read."""

    UNKNOWN = "unknown"
    MISSING = "missing"
    DRIFTED = "drifted"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Problem:
    """One thing that is not as recorded. `facts` tells how: pairs of what was recorded and what was found."""

    kind: str
    token: str
    key_id: str = ""
    label: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class TokenState(enum.StrEnum):
    """What became of a token: read, absent as the root's may be, or not to be read."""

    READ = "read"
    OFFLINE = "offline"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class TokenSeen:
    """A token of the inventory and how many objects it keeps."""

    label: str
    state: str
    objects: int = 0


@dataclass(frozen=True)
class InventoryReport:
    """What one inventory found."""

    id: UUID
    started_at: dt.datetime
    ended_at: dt.datetime
    tokens: tuple[TokenSeen, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Everything is as recorded."""
        return not self.problems


def latest() -> InventoryReport | None:
    """The newest inventory; None before the first. Needs no token."""
    row = KeyInventory.objects.order_by("-started_at").first()
    return None if row is None else report_of(row)


def report_of(row: KeyInventory) -> InventoryReport:
    """The report that the row holds."""

    def made[T](kind: type[T], values: Iterable[Mapping[str, Any]]) -> tuple[T, ...]:
        return tuple(kind(**each) for each in values)

    return InventoryReport(row.id, row.started_at, row.ended_at, made(TokenSeen, row.tokens), made(Problem, row.problems))
