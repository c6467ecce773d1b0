"""States and actions of carriers (bärare), rules/issuance 4.2. `kinds` declares which kind goes through which.

The value of an action is its event's past participle.
"""

from enum import StrEnum


class CarrierState(StrEnum):
    """Where a carrier stands. REVOKED, EXPIRED and CANCELLED are final and make the group of invalid carriers.

    A card in IN_STOCK lies at an office and has no holder; one in RESERVED waits for its holder to activate it.
    """

    ORDERED = "ordered"
    SENT = "sent"
    IN_STOCK = "in_stock"
    RESERVED = "reserved"
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
    RECEIVE = "received"
    BIND_HOLDER = "holder_bound"
    SET_CODE = "code_set"
    BLOCK_CODE = "code_blocked"
    RESET_CODE = "code_reset"
    SIGN_RECEIPT = "activated"
    REVOKE = "revoked"
    EXPIRE = "expired"
    CANCEL = "cancelled"


INVALID = frozenset({CarrierState.REVOKED, CarrierState.EXPIRED, CarrierState.CANCELLED})
