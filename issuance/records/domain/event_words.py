"""Events in words: each package declares the words of its own events, and registers them (`issuance.registrations`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from siths_portal.lib.registry import Registry


@dataclass(frozen=True)
class EventWords:
    """The words of a package's events: by action what was done, and by reference the rules by which the system acts.

    The words are message ids of the translation.
    """

    package: str
    actions: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)


WORDS = Registry[EventWords](key=attrgetter("package"))


def merged(tables: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Returns the words of all packages in one table. Raises ValueError if two packages have words for the same."""
    found: dict[str, str] = {}
    for package, words in tables.items():
        if twice := found.keys() & words.keys():
            raise ValueError(f"words of {package} that another package has: {sorted(twice)}")
        found |= words
    return found
