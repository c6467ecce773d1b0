"""The names of backups: the moment at which each began, in UTC. A folder gets its name when the backup is complete."""

import datetime as dt
from pathlib import Path

NAME = "%Y-%m-%dT%H%M%S.%fZ"


def name_of(started: dt.datetime) -> str:
    """Returns the name of a backup that began then."""
    return f"{started.astimezone(dt.UTC):{NAME}}"


def newest(folder: Path) -> dt.datetime | None:
    """Returns when the newest backup in `folder` began, by its name; None without one. Raises OSError if it cannot be listed."""
    return max((moment for path in folder.iterdir() if (moment := _began(path.name))), default=None)


def _began(name: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(name, NAME).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
