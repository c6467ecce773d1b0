"""The last connections that this process opened to the database, to be shown beside a failure of the database.

PostgreSQL's log says when a backend lost its client, and not why. With the time and the backend of each connection one sees what
ran then.
"""

import datetime as dt
from collections import deque
from typing import Any

_KEPT = 10
_opened: deque[str] = deque(maxlen=_KEPT)


def note_all() -> None:
    """Notes each connection that Django opens in this process from now on."""
    from django.db.backends.signals import connection_created

    connection_created.connect(_note, weak=False)


def _note(connection: Any, **_signal: Any) -> None:
    raw = connection.connection
    _opened.append(f"{dt.datetime.now(dt.UTC):%H:%M:%S.%f} backend {raw.info.backend_pid} at descriptor {raw.fileno()}")


def report() -> str:
    """A line for each of the last connections: when it was opened, its backend and its descriptor."""
    return "\n".join(_opened)
