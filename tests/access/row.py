"""One row of the access matrix: an address and method, what it demands, and what it names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from issuance.authz import Action
from tests import pressing
from tests.access.world import AccessWorld, Who

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class Gate(Enum):
    """What an address that needs no action of a role demands."""

    PUBLIC = "public"
    LOGGED_IN = "logged in"


PUBLIC, LOGGED_IN = Gate.PUBLIC, Gate.LOGGED_IN

Key = tuple[str, str, str]

Maker = Callable[[AccessWorld, Who, str], tuple[Any, ...]]
"""Makes what an address names, in the transaction that is rolled back; returns the address's arguments."""

_SAME_FOR_ALL: set[Maker] = set()


def same_for_all[Each: Maker](maker: Each) -> Each:
    """Marks a maker that ignores the caller, so that all callers can be asked about what it made once."""
    _SAME_FOR_ALL.add(maker)
    return maker


@dataclass(frozen=True)
class OfTarget:
    """A field's value that depends on what the address names, by its first argument."""

    value: Callable[[Any], str | list[str]]


@dataclass(frozen=True)
class Row:
    """One address and method of the portal's face. `case` tells several rows of one method apart."""

    name: str
    method: str
    right: Gate | Action
    target: str | Maker | None = None
    ok: int = 200
    data: Mapping[str, Any] = field(default_factory=dict)
    case: str = ""
    more: tuple[Any, ...] = ()
    own: bool = False  # "inside" is the caller's own, every other one is somebody else's
    places: tuple[str, ...] = ()  # the relations that are asked about, where not all of them can be
    nowhere: bool = False  # lies in no organisation: whoever has the action reaches it
    unseen: int = 404  # what a role without the action gets; 403 where it may not even ask
    blind: int = 0  # what a role gets, inside, that has neither the action nor VIEW, where it is not `unseen`
    in_session: int = 0  # the status for whoever is logged in, where a public address has another one for them
    compared: tuple[str, ...] = ("body", "headers", "queries")

    @property
    def form(self) -> dict[str, Any]:
        """The fields to send, by the main button unless another is named; what depends on the moment is told now."""
        button = {} if pressing.NAMED & set(self.data) else pressing.MAIN
        plain = {name: value for name, value in self.data.items() if not isinstance(value, OfTarget)}
        return {name: value() if callable(value) else value for name, value in plain.items()} | button

    def form_of(self, arguments: tuple[Any, ...]) -> dict[str, Any]:
        """The same fields for what these arguments name."""
        named = {name: value.value(arguments[0]) for name, value in self.data.items() if isinstance(value, OfTarget)}
        return self.form | named

    @property
    def form_by_enter(self) -> dict[str, Any]:
        """The same fields as a browser sends them when Enter is pressed in one of them."""
        return {name: value for name, value in self.form.items() if name not in pressing.NAMED} | pressing.ENTER

    @property
    def is_same_for_all(self) -> bool:
        """True if the row names the same for every caller."""
        return not callable(self.target) or self.target in _SAME_FOR_ALL

    @property
    def key(self) -> Key:
        """What no other row has."""
        return self.name, self.method, self.case

    def __str__(self) -> str:
        return f"{self.method} {self.name}{f' ({self.case})' if self.case else ''}"
