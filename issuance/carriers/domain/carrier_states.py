"""States and transitions of a carrier (bärare), domain.md 3.2-3.3. The value of an action is its event's past participle."""

from collections.abc import Mapping
from enum import StrEnum


class CarrierState(StrEnum):
    """Where a carrier stands. REVOKED, EXPIRED and CANCELLED are final and make the group of invalid carriers."""

    ORDERED = "ordered"
    SENT = "sent"
    ACTIVATED_UNSIGNED = "activated_unsigned"
    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class CarrierAction(StrEnum):
    """What may be done to a carrier. The first two leave its state: they bind what the supplier made to the row.

    BLOCK_CODE and RESET_CODE leave it too: the holder locked the code before signing, and chose a new one with the PUK.
    """

    BIND_SERIAL = "serial_bound"
    REGISTER_PRODUCED = "produced"
    SEND = "sent"
    SET_CODE = "code_set"
    BLOCK_CODE = "code_blocked"
    RESET_CODE = "code_reset"
    SIGN_RECEIPT = "activated"
    REVOKE = "revoked"
    EXPIRE = "expired"
    CANCEL = "cancelled"


INVALID = frozenset({CarrierState.REVOKED, CarrierState.EXPIRED, CarrierState.CANCELLED})

TRANSITIONS: Mapping[tuple[CarrierState, CarrierAction], CarrierState] = {
    (CarrierState.ORDERED, CarrierAction.BIND_SERIAL): CarrierState.ORDERED,
    (CarrierState.ORDERED, CarrierAction.REGISTER_PRODUCED): CarrierState.ORDERED,
    (CarrierState.ORDERED, CarrierAction.SEND): CarrierState.SENT,
    (CarrierState.ORDERED, CarrierAction.CANCEL): CarrierState.CANCELLED,
    (CarrierState.ORDERED, CarrierAction.REVOKE): CarrierState.REVOKED,
    (CarrierState.SENT, CarrierAction.SET_CODE): CarrierState.ACTIVATED_UNSIGNED,
    (CarrierState.SENT, CarrierAction.REVOKE): CarrierState.REVOKED,
    (CarrierState.ACTIVATED_UNSIGNED, CarrierAction.BLOCK_CODE): CarrierState.ACTIVATED_UNSIGNED,
    (CarrierState.ACTIVATED_UNSIGNED, CarrierAction.RESET_CODE): CarrierState.ACTIVATED_UNSIGNED,
    (CarrierState.ACTIVATED_UNSIGNED, CarrierAction.SIGN_RECEIPT): CarrierState.ACTIVE,
    (CarrierState.ACTIVATED_UNSIGNED, CarrierAction.REVOKE): CarrierState.REVOKED,
    (CarrierState.ACTIVE, CarrierAction.REVOKE): CarrierState.REVOKED,
    (CarrierState.ACTIVE, CarrierAction.EXPIRE): CarrierState.EXPIRED,
}
