"""What an inventory of the keys in tokens found (E2.15), as plain values. `pki.hsm.inventory` makes it."""

import datetime as dt
import enum
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


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
