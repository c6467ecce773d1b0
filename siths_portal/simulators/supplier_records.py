"""The card supplier's own records: one file for each order, written before each call with the exact body."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from siths_portal.lib.files.atomic import write_atomically
from siths_portal.simulators.card import PROFILES

FINAL = ("sent", "stopped")
"""The last steps of an order."""


@dataclass
class Job:
    """The supplier's record of one order. `step` is the last completed step.

    Codes are deleted when the portal has the PUK. `puk_refusals` counts the portal's refusals of it, up to PUK_ATTEMPTS.
    `revoked` means that the portal revoked the card, so that it is destroyed and reported as failed. `item` is the number of the
    item that is made: the items of an order are made one after the other, and a card that is made again is another item.
    `several` means that the order has more than one.
    """

    order_id: str
    step: str = "taken"
    item: int = 1
    several: bool = False
    profiles: list[str] = field(default_factory=lambda: list(PROFILES))
    registered_mail: bool = False
    keys: str = "rsa-2048"
    serial: str = ""
    puk: str = ""
    transport_code: str = ""
    puk_refusals: int = 0
    bodies: dict[str, Any] = field(default_factory=dict)
    stopped_by: str = ""
    revoked: bool = False


class Records:
    """The supplier's folder with `orders/<order id>.json`, readable by its owner only and replaced atomically, and `change`, the
    number of the last change that it followed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "orders"
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def all(self) -> list[Job]:
        """Returns every record, the oldest first (ids rise with time)."""
        return [Job(**json.loads(path.read_text())) for path in sorted(self.folder.glob("*.json"))]

    def find(self, order_id: str) -> Job | None:
        """Returns the order's record, or None."""
        path = self.folder / f"{order_id}.json"
        return Job(**json.loads(path.read_text())) if path.exists() else None

    def save(self, job: Job) -> None:
        """Writes the record durably."""
        path = self.folder / f"{job.order_id}.json"
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(job), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def last_change(self) -> int:
        """Returns the number of the last change that was followed, or 0."""
        path = self.folder.parent / "change"
        return int(path.read_text()) if path.exists() else 0

    def followed(self, number: int) -> None:
        """Records the number of a change that was followed."""
        write_atomically(self.folder.parent / "change", str(number).encode())

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Holds a lock on the records, so that the running supplier and a single round do not make a card twice."""
        with (self.folder.parent / "turn.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
