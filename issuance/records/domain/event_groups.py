"""Events of one act that a history shows as one: a transaction writes one event for each row that it changes (ADR 0212)."""

from collections.abc import Mapping

COVERS: Mapping[str, frozenset[str]] = {
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
    "carrier.unlocked": frozenset({"transaction.completed"}),
    "carrier.puk_letter_ordered": frozenset({"order.submitted"}),
    "carrier.puk_letter_withdrawn": frozenset({"order.cancelled"}),
    "carrier.confirmed": frozenset({"mobile_enrolment.completed"}),
    "carrier.revoked": frozenset({"eid.revoked", "order.cancelled", "transaction.failed"}),
    "eid.revoked": frozenset({"transaction.failed"}),
    "carrier.expired": frozenset({"eid.expired"}),
    "carrier.cancelled": frozenset({"eid.cancelled", "order.cancelled"}),
    "mobile_enrolment.started": frozenset({"carrier.ordered"}),
    "mobile_enrolment.code_set": frozenset({"carrier.code_set"}),
}
"""Maps the event that a history shows to the events of the same transaction that the history leaves out."""

COVERED = frozenset[str]().union(*COVERS.values())
"""Every event that a history may leave out."""
