"""Placeholder values (stand-ins) with which a query is compiled once, in place of the values that differ between calls.

A compiled query has its values as parameters. `split` replaces the values of a call with unique stand-ins. `prepared` finds these
among the parameters of the compiled query, and replaces them with the values of each later call.
"""

import datetime as dt
import math
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import count
from typing import Any, Protocol, Self, runtime_checkable
from uuid import UUID

from siths_portal.lib import clock

NOW = dt.datetime(3, 7, 1, 12, tzinfo=dt.UTC)
"""The time of the clock while a query is built; the stand-in for the present time."""

TODAY = NOW.astimezone(clock.STOCKHOLM).date()

_FIRST_REAL_YEAR = 1000  # no stored date is older, so an older one is derived from a stand-in
_MARK = "\x02"
_PREFIX = 0xABCD
_WILDCARD = ("", "%")  # what a lookup such as startswith puts around a value
_FIRST_NUMBER = 9_100_000_000_000_000_000  # above every key, and a bigint


class NotPreparable(TypeError):
    """An argument has an unsupported type, or a parameter of the query was derived from an argument."""


class StandIns:
    """Makes the stand-ins of one call, and keeps in `values` the value of each stand-in."""

    def __init__(self) -> None:
        self.values: dict[Any, Any] = {}
        self._numbers = count(1)

    def of_uuid(self, value: UUID) -> UUID:
        """Returns a stand-in for a UUID."""
        return self.add(UUID(int=(_PREFIX << 112) + next(self._numbers)), value)

    def of_text(self, value: str) -> str:
        """Returns a stand-in for a text. It sorts after all stand-ins that were made before it."""
        return self.add(f"{_MARK}{next(self._numbers):06}{_MARK}", value)

    def of_paths(self, values: Iterable[str]) -> dict[str, str]:
        """Returns a stand-in for each path. They sort like the paths and share the same prefixes; `/` stands for itself.

        Paths are names between slashes, such as `/name/name/`.
        """
        paths = sorted(set(values))
        names = {name: f"{number:06}" for number, name in enumerate(sorted({each for path in paths for each in path.split("/")}))}
        mark = f"{_MARK}{next(self._numbers):06}"
        made = {path: mark + "/".join(names[each] if each else "" for each in path.split("/")) for path in paths if path != "/"}
        for path, stand_in in made.items():
            self.add(stand_in, path)
        return {"/": "/", **made}

    def of_number(self, value: int) -> int:
        """Returns a stand-in for an integer."""
        return self.add(_FIRST_NUMBER + next(self._numbers), value)

    def of_moment(self, value: dt.datetime) -> dt.datetime:
        """Returns a stand-in for a datetime, with a time zone."""
        return self.add(dt.datetime(1, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=next(self._numbers)), value)

    def of_day(self, value: dt.date) -> dt.date:
        """Returns a stand-in for a date."""
        return self.add(dt.date(1, 1, 1) + dt.timedelta(days=next(self._numbers)), value)

    def of_list(self, values: Iterable[Any]) -> list[Any]:
        """Returns stand-ins for values of one type. Repetitions of the last value round their number up to 1, 4, 16 and so on.

        So lists of similar lengths share a compiled query.
        """
        known = list(values)
        rounded = 4 ** math.ceil(math.log(len(known), 4)) if known else 0
        make = self.of_number if known and isinstance(known[0], int) else self._of_one
        return [make(value) for value in known + known[-1:] * (rounded - len(known))]

    def _of_one(self, value: UUID | str) -> UUID | str:
        return self.of_uuid(value) if isinstance(value, UUID) else self.of_text(value)

    def add[V](self, stand_in: V, value: V) -> V:
        """Registers `stand_in`, which must be unique, as the stand-in for `value`, and returns it."""
        self.values[stand_in] = value
        return stand_in


@runtime_checkable
class Shaped(Protocol):
    """An argument that separates its values from the parts that determine the query's SQL."""

    def with_stand_ins(self, stand_ins: StandIns) -> tuple[Hashable, Self]:
        """Returns the parts that determine the SQL, and a copy of the object with stand-ins for its values."""


@dataclass(frozen=True)
class Call:
    """A call's arguments, separated into shape and values.

    `shape` determines the SQL, `arguments` contain stand-ins, and `values` maps each stand-in to its value.
    """

    shape: Hashable
    arguments: tuple[Any, ...]
    values: dict[Any, Any]


def split(arguments: Iterable[Any]) -> Call:
    """Separates the values of a call from what determines its SQL.

    Values are UUID, str, datetime and date, and the members of lists of UUID, str and int. These determine
    the SQL: enum members, None, bool, int, functions, classes, the length of a list, and the shape of a `Shaped` argument. Raises
    NotPreparable for anything else.
    """
    stand_ins = StandIns()
    parts = [_split_one(each, stand_ins) for each in arguments]
    values = stand_ins.values
    now = clock.now()
    values[NOW], values[TODAY] = now, now.astimezone(clock.STOCKHOLM).date()
    return Call(tuple(shape for shape, _ in parts), tuple(replaced for _, replaced in parts), values)


def _split_one(value: Any, stand_ins: StandIns) -> tuple[Hashable, Any]:
    if value is None or isinstance(value, (Enum, bool, int)) or callable(value):
        return value, value
    for kind, make in _MAKERS:
        if isinstance(value, kind):
            return kind, make(stand_ins, value)
    if isinstance(value, Shaped):
        return value.with_stand_ins(stand_ins)
    if isinstance(value, (list, frozenset)) and all(isinstance(each, (UUID, str, int)) for each in value):
        made = stand_ins.of_list(value)
        return len(made), made
    raise NotPreparable(f"{type(value).__name__} is neither a value nor a shape")


_MAKERS: tuple[tuple[type, Callable[[StandIns, Any], Any]], ...] = (
    (UUID, StandIns.of_uuid),
    (str, StandIns.of_text),
    (dt.datetime, StandIns.of_moment),  # before date, of which it is a subclass
    (dt.date, StandIns.of_day),
)


@dataclass(frozen=True)
class Slot:
    """A parameter of a compiled query that gets a value of the call. Text around the stand-in belongs to a LIKE pattern."""

    position: int
    stand_in: Any
    before: str = ""
    after: str = ""

    @property
    def content(self) -> tuple[Any, str, str]:
        """The stand-in with the text around it, without the position."""
        return self.stand_in, self.before, self.after

    def parameter(self, values: dict[Any, Any]) -> Any:
        """Returns the parameter with the value of the call."""
        value = values[self.stand_in]
        if not self.before and not self.after:
            return value
        return f"{self.before}{_escaped(value)}{self.after}"


def slots(parameters: Iterable[Any], values: dict[Any, Any]) -> Iterator[Slot]:
    """Yields the parameters that contain a stand-in of `values`. Raises NotPreparable if a parameter is derived from one."""
    for position, parameter in enumerate(parameters):
        if isinstance(parameter, (UUID, dt.date, str, int)) and parameter in values:
            yield Slot(position, parameter)
        elif isinstance(parameter, str) and _MARK in parameter:
            yield _slot_in_pattern(position, parameter, values)
        elif _is_derived(parameter):
            raise NotPreparable(f"a query parameter is derived from an argument: {parameter!r}")


def _slot_in_pattern(position: int, pattern: str, values: dict[Any, Any]) -> Slot:
    before, mark, rest = pattern.partition(_MARK)
    known = [each for each in values if isinstance(each, str) and (mark + rest).startswith(each)]
    stand_in = max(known, key=len, default="")
    after = (mark + rest).removeprefix(stand_in)
    if not stand_in or before not in _WILDCARD or after not in _WILDCARD:
        raise NotPreparable(f"a query parameter is derived from an argument: {pattern!r}")
    return Slot(position, stand_in, before, after)


def _escaped(text: str) -> str:
    """Returns the text for a LIKE pattern, as Django escapes it."""
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


def _is_derived(parameter: Any) -> bool:
    if isinstance(parameter, (list, tuple)):
        return any(_is_derived(each) or (isinstance(each, (UUID, str)) and _is_stand_in(each)) for each in parameter)
    return isinstance(parameter, dt.date) and parameter.year < _FIRST_REAL_YEAR


def _is_stand_in(parameter: UUID | str) -> bool:
    return parameter.int >> 112 == _PREFIX if isinstance(parameter, UUID) else _MARK in parameter
