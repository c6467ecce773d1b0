"""What a holder should do first, for the start page. Packages that know more of it register a source."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from issuance.authz import Actor
from siths_portal.lib.registry import Registry


class Urgency(IntEnum):
    """The order of the tasks on the start page, the most urgent first."""

    STOPS = 1
    WAITS = 2
    ENDS = 3


@dataclass(frozen=True)
class Task:
    """Something that the holder should do. `url` and `action` are its button, empty if it is not done on Mina sidor."""

    urgency: Urgency
    heading: str
    text: str
    url: str = ""
    action: str = ""


TASKS = Registry[Callable[[Actor, str], Iterator[Task]]]()
"""Functions that yield the tasks of the holder, who is the actor and logged in with the given `domain.Means`."""


def tasks_of(actor: Actor, means: str) -> list[Task]:
    """Returns everything that the holder should do, the most urgent first."""
    found = [task for source in TASKS for task in source(actor, means)]
    return sorted(found, key=lambda task: task.urgency)
