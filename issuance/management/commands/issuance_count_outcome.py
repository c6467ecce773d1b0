"""`issuance_count_outcome`: counts what the days up to yesterday came to and how fast suppliers deliver, as the nightly task does
(rules/issuance 3.15, 7.10).
"""

from typing import Any

from issuance.day.services import counting_outcome
from issuance.orders.services import delivery_times
from siths_portal.lib.processes.commands import CheckedCommand


class Command(CheckedCommand):
    """Counts the days that are not counted. Safe to repeat and to skip."""

    help = "Counts people with a valid eID, activated cards and the days from order to activation, for the figures of Dagen."

    def handle(self, *args: Any, **options: Any) -> None:
        """Runs and reports one line."""
        self.stdout.write(f"räknade {counting_outcome.count_due() + delivery_times.count_due()} rader")
