"""Whether new responses can be signed, as last reported by the process with the token: a small file next to the store.

Stored responses are served in any case; missing ones, those with a nonce, and renewals have to wait.
"""

import json
from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = "signing.json"
EACH: Final = 5.0
"""Seconds between two reports."""
GONE: Final = 30.0
"""Seconds without a report after which there is no signer."""


class Fault(NamedTuple):
    """Why nothing can be signed, and since when in seconds since 1970."""

    since: float
    why: str


def tell(folder: Path, why: str, now: float) -> None:
    """Records that signing works (empty `why`) or why it does not. A continuing fault keeps the time of its first report.

    Raises OSError.
    """
    before = _read(folder)
    since = before[1].since if why and before is not None and before[1] is not None else now
    path = folder / FILE
    being_written = path.with_suffix(".new")
    being_written.write_text(json.dumps({"told_at": now, "since": since, "why": why}))
    being_written.replace(path)


def fault(folder: Path, now: float) -> Fault | None:
    """Returns what is wrong; None if signing works, or if nothing has been reported yet."""
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
