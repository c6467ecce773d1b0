"""Results of an inventory of the keys in tokens (E2.15), as plain values. `pki.hsm.inventory` creates them."""

import datetime as dt
import enum
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


class ProblemKind(enum.StrEnum):
    """Kinds of problems: an unknown object, a key that is missing or changed, a token that could not be read."""

    UNKNOWN = "unknown"
    MISSING = "missing"
    DRIFTED = "drifted"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Problem:
    """One difference from the records. `facts` are pairs of the recorded and the found value."""

    kind: str
    token: str
    key_id: str = ""
    label: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class TokenState(enum.StrEnum):
    """Result for a token: read, absent as the root's may be, or unreadable."""

    READ = "read"
    OFFLINE = "offline"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class TokenSeen:
    """A token of the inventory and the number of objects in it."""

    label: str
    state: str
    objects: int = 0


@dataclass(frozen=True)
class InventoryReport:
    """The result of one inventory."""

    id: UUID
    started_at: dt.datetime
    ended_at: dt.datetime
    tokens: tuple[TokenSeen, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as recorded."""
        return not self.problems
