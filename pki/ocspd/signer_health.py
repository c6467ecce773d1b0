"""Whether new answers can be signed, as the process with the token last told it: a small file beside the store.

Answers that are there are given whatever it says; what is missing, what carries a nonce, and what must be renewed wait.
"""

import json
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = "signing.json"
EACH: Final = 5.0
"""Seconds between two times that it is told."""
GONE: Final = 30.0
"""Seconds without a word after which nobody is there who signs."""


class Fault(NamedTuple):
    """Why nothing can be signed, and since when in seconds since 1970."""

    since: float
    why: str


def tell(folder: Path, why: str, now: float) -> None:
    """Notes that signing works (`why` empty) or not. Who told before is gone on with: a fault began when it was first told.

    Raises OSError.
    """
    before = _read(folder)
    since = before[1].since if why and before is not None and before[1] is not None else now
    path = folder / FILE
    being_written = path.with_suffix(".new")
    being_written.write_text(json.dumps({"told_at": now, "since": since, "why": why}))
    being_written.replace(path)


def fault(folder: Path, now: float) -> Fault | None:
    """What is wrong; None if signing works, and where nobody has told of it yet."""
    found = _read(folder)
    if found is None:
        return None
    told_at, said = found
    return said or (Fault(told_at, "ingen signerar") if now - told_at > GONE else None)


def _read(folder: Path) -> tuple[float, Fault | None] | None:
    try:
        told = json.loads((folder / FILE).read_bytes())
        return float(told["told_at"]), Fault(float(told["since"]), str(told["why"])) if told["why"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
