"""The checker of the fault experiments: compares what must be there after a fault with what is there.

A loss is an entry that must be there and is not. A double is an entry that is there more often than it must be, also one that
nobody asked for.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

PROPERTY = "fault-run"
"""The name of the property of a test's report that holds the losses and doubles of one run."""


@dataclass(frozen=True)
class Difference:
    """What one run lost and doubled. An entry stands in `doubles` once for each time that it is there too often."""

    losses: tuple[Hashable, ...]
    doubles: tuple[Hashable, ...]


def compare(expected: Iterable[Hashable], found: Iterable[Hashable]) -> Difference:
    """Returns the losses and doubles in `found`, in any order of entries."""
    wanted, there = Counter(iter(expected)), Counter(iter(found))  # of a mapping its keys, not what it counts
    return Difference(tuple((wanted - there).elements()), tuple((there - wanted).elements()))


class Tally:
    """Counts the runs of a test. The fixture `tally` gives each test its own."""

    def __init__(self, record: Callable[[tuple[str, object]], None]) -> None:
        self._record = record

    def run(self, expected: Iterable[Hashable], found: Iterable[Hashable], what: str = "entries") -> None:
        """Counts one run, and records its losses and doubles. Raises AssertionError if there are any.

        Nothing counts as a run that expects nothing: an empty `expected` raises ValueError.
        """
        wanted = list(expected)
        if not wanted:
            raise ValueError(f"No {what} are expected, so the run proves nothing.")
        difference = compare(wanted, found)
        self._record((PROPERTY, (len(difference.losses), len(difference.doubles))))
        assert difference == Difference((), ()), f"{what}: lost {difference.losses}, doubled {difference.doubles}"
