"""Which events tell of the same act: a transaction of the database writes one event for each thing that it changes (ADR 0212)."""

from collections.abc import Mapping

TELLS: Mapping[str, frozenset[str]] = {
    "carrier.ordered": frozenset({"eid.ordered", "order.submitted"}),
    "carrier.migrated": frozenset({"eid.migrated"}),
    "carrier.serial_bound": frozenset({"eid.certificates_planned", "order.production_started"}),
    "carrier.produced": frozenset({"order.produced"}),
    "carrier.sent": frozenset({"order.sent"}),
    "holder.identified": frozenset({"transaction.created"}),
    "carrier.code_set": frozenset({"transaction.code_set"}),
    "carrier.code_blocked": frozenset({"transaction.card_reported"}),
    "carrier.code_reset": frozenset({"transaction.code_set"}),
    "carrier.activated": frozenset({"eid.activated", "transaction.completed"}),
    "carrier.revoked": frozenset({"eid.revoked", "order.cancelled", "transaction.failed"}),
    "eid.revoked": frozenset({"transaction.failed"}),
    "carrier.expired": frozenset({"eid.expired"}),
    "carrier.cancelled": frozenset({"eid.cancelled", "order.cancelled"}),
}
"""By the event that a history shows, those of the same transaction that it leaves out."""

LEFT_OUT = frozenset[str]().union(*TELLS.values())
"""Every event that some other one may tell of."""
