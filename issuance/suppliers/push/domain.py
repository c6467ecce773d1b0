"""What follows from an answer of a supplier: for the delivery, and for the calls that come after it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from issuance.orders.domain.order_states import OrderState


class Outcome(StrEnum):
    """What came of a call. Only the first is a proved answer."""

    TAKEN = "taken"
    REFUSED = "refused"  # the supplier will not take it as it is
    NO_ANSWER = "no-answer"  # nobody knows whether the supplier has it
    BAD_ANSWER = "bad-answer"  # the answer is not proved to be the supplier's, or is about something else
    HELD = "held"  # the portal could not make the call; the supplier was not asked


MOST_ATTEMPTS: Mapping[Outcome, int] = {Outcome.NO_ANSWER: 50, Outcome.BAD_ANSWER: 10, Outcome.REFUSED: 1}
"""After how many attempts a delivery with this outcome is given up, until an operator sends it again. While a supplier is down,
only single deliveries are tried, so an outage of days uses up few.
"""


def is_given_up(outcome: Outcome, attempts: int) -> bool:
    """Returns whether a delivery is given up after `attempts`, the last with `outcome`."""
    return outcome in MOST_ATTEMPTS and attempts >= MOST_ATTEMPTS[outcome]


TRIP_AFTER = 5
"""So many calls without a good answer in a row interrupt the calls to a supplier."""

_FIRST_PAUSE, LONGEST_PAUSE = dt.timedelta(seconds=30), dt.timedelta(minutes=10)


@dataclass(frozen=True)
class Breaker:
    """Interrupts the calls to a supplier that does not answer. After a pause one call tries whether it answers again.

    `failures` counts calls without a good answer in a row. `open_until` is the end of the pause; None while calls go on.
    """

    failures: int = 0
    open_until: dt.datetime | None = None

    def admits(self, now: dt.datetime) -> bool:
        """Returns whether a call may be made. A pause that is longer than any was planned by a clock ahead of time."""
        return self.open_until is None or not now < self.open_until <= now + LONGEST_PAUSE

    def trying(self, now: dt.datetime) -> "Breaker":
        """Returns the breaker while an admitted call is made: after a pause, no other call is admitted beside it."""
        return self if self.open_until is None else replace(self, open_until=now + LONGEST_PAUSE)

    def after(self, outcome: Outcome, now: dt.datetime) -> "Breaker":
        """Returns the breaker after a call. A refusal is an answer. A call that was not made changes no count."""
        if outcome in (Outcome.TAKEN, Outcome.REFUSED):
            return Breaker()
        failures = self.failures + (outcome is not Outcome.HELD)
        if failures < TRIP_AFTER:
            return Breaker(failures)
        pause = min(LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(failures - TRIP_AFTER, 10))
        return Breaker(failures, now + pause)


class Difference(StrEnum):
    """How a supplier's belief about an order differs from the portal's."""

    MISSING_THERE = "missing-there"  # the portal counts on it, the supplier does not have it
    ENDED_HERE = "ended-here"  # the supplier works on it, the portal has ended it
    UNKNOWN_HERE = "unknown-here"  # the supplier has it, and it is not the supplier's order
    NOT_TAKEN_HERE = "not-taken-here"  # the supplier has it, the portal still waits for the answer
    OTHER_STATE = "other-state"  # both have it, in different states


_WORKING = frozenset({OrderState.ACCEPTED, OrderState.IN_PRODUCTION, OrderState.PRODUCED})


def difference(here: OrderState | None, there: OrderState | None) -> Difference | None:
    """Returns how the two sides differ about an order, or None if they agree. None stands for an order that a side does not have.

    `accepted` and `in_production` agree, because the supplier begins before the portal hears of it.
    """
    if here is None:
        return None if there is None else Difference.UNKNOWN_HERE
    if there is None:
        return Difference.MISSING_THERE if here in _WORKING else None
    if here is there or {here, there} == {OrderState.ACCEPTED, OrderState.IN_PRODUCTION}:
        return None
    if here is OrderState.QUEUED:
        return Difference.NOT_TAKEN_HERE
    ended = {OrderState.CANCELLED, OrderState.FAILED, OrderState.RETURNED}
    if here in ended:
        return Difference.ENDED_HERE if there in _WORKING else None if there in ended else Difference.OTHER_STATE
    return Difference.OTHER_STATE


REPAIRED = frozenset({Difference.MISSING_THERE, Difference.ENDED_HERE, Difference.NOT_TAKEN_HERE})
"""Differences that a repeated delivery ends."""
