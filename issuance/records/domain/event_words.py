"""Labels of events. Each package declares those of its own events and registers them in `issuance.registrations`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter

from siths_portal.lib.registry import Registry


@dataclass(frozen=True)
class EventWords:
    """The labels of one package's events.

    `actions` maps the action of an event to its description. `rules` maps the actor reference of a system rule to its
    description. The labels are message ids for translation.
    """

    package: str
    actions: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)


WORDS = Registry[EventWords](key=attrgetter("package"))


def merged(tables: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Returns the labels of all packages in one table. Raises ValueError if two packages label the same code."""
    found: dict[str, str] = {}
    for package, words in tables.items():
        if twice := found.keys() & words.keys():
            raise ValueError(f"labels of {package} that another package also has: {sorted(twice)}")
        found |= words
    return found
