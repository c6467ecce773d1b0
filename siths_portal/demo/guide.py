"""`var/demo/guide.txt`: people to search for, and what the walk leaves to try. Only the user who started the demo can read it."""

from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from siths_portal.lib.files.atomic import write_atomically

AFTER_THE_WALK = "När genomgången av ett kort är klar:"
"""The heading of the part that the walk writes, the last of the file."""


def file() -> Path:
    """Returns the path of the guide."""
    return settings.VAR_DIR / "demo" / "guide.txt"


def write_people(lines: Iterable[str]) -> None:
    """Writes the part about people, and keeps that of the walk."""
    _write("\n".join(lines) + "\n", _parts()[1])


def write_walk(lines: Iterable[str]) -> None:
    """Writes the part of the walk, and keeps that about people."""
    _write(_parts()[0], "\n".join(lines) + "\n")


def _parts() -> tuple[str, str]:
    people, _, walk = (file().read_text() if file().exists() else "").partition(f"\n{AFTER_THE_WALK}\n\n")
    return people, walk


def _write(people: str, walk: str) -> None:
    text = f"{people}\n{AFTER_THE_WALK}\n\n{walk}" if walk else people
    write_atomically(file(), text.encode(), mode=0o600)
