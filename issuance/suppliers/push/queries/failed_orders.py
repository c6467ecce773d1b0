"""Orders that a supplier could not make, as operators see them: without a person, an organisation or an office."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.orders.queries import outcomes
from siths_portal.lib import clock

MOST = 5
"""Orders that the page shows."""


@dataclass(frozen=True)
class FailedOrder:
    """A failed order. `reason` is the supplier's code."""

    id: UUID
    supplier_ref: str
    reason: str
    ordered_on: dt.date


def failed_orders(actor: Actor) -> list[FailedOrder]:
    """Returns the failed orders whose person got no other, the newest first, at most one more than the page shows. Raises
    Forbidden.
    """
    policy.require_global(actor, Action.OPERATE_SUPPLIERS)
    found = outcomes.failed().order_by("-ordered_at", "-pk").values_list("pk", "supplier_ref", "failure_reason", "ordered_at")
    return [FailedOrder(pk, ref, why, at.astimezone(clock.STOCKHOLM).date()) for pk, ref, why, at in found[: MOST + 1]]
