"""The stored differences of a run, so that its page shows them without computing them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from billing.runs.models import InvoiceRun, RunCheck
from billing.runs.services import approvals
from siths_portal.lib import clock


@dataclass(frozen=True)
class StoredDifference:
    """One difference as it was computed. `named` holds numbers or keys of what differs."""

    number: int
    title: str
    value: Decimal
    named: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True if there is no difference."""
        return self.value == 0


def store(run: InvoiceRun, differences: Sequence[Any], *, sha256: str) -> None:
    """Stores the differences, objects with number, title, value and named, of what had this hash when they were computed.

    Stores nothing if the run changed in the meantime.
    """
    if approvals.reviewed(run).sha256 != sha256:
        return
    found = [
        {"number": each.number, "title": each.title, "value": str(each.value), "named": list(each.named)} for each in differences
    ]
    RunCheck.objects.create(run=run, sha256=sha256, made_at=clock.now(), differences=found)


def stored(run: InvoiceRun, sha256: str) -> list[StoredDifference] | None:
    """Returns the newest differences of what has this hash, or None if they are not computed yet."""
    row = RunCheck.objects.filter(run=run, sha256=sha256).order_by("-made_at").first()
    if row is None:
        return None
    return [
        StoredDifference(each["number"], each["title"], Decimal(each["value"]), tuple(each["named"])) for each in row.differences
    ]
