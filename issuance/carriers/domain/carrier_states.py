"""States and actions of carriers (bärare), rules/issuance 4.2. `kinds` declares the transitions of each kind.

The value of an action is the past participle in its event's name.
"""

from enum import StrEnum


class CarrierState(StrEnum):
    """The state of a carrier. REVOKED, EXPIRED and CANCELLED are final; pages call them invalid carriers.

    A card in IN_STOCK is at an office and has no holder. A card in RESERVED waits for its holder's activation.
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
    """An action on a carrier. The first two do not change its state: they bind the supplier's data to the row.

    BLOCK_CODE, RESET_CODE and UNLOCK do not change it either: the holder blocked the code before signing, or chose a new one by
    the PUK, before signing or when the card was in use. CONFIRM is the holder's signature with the new key of a mobile eID, in
    place of SIGN_RECEIPT.
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
    UNLOCK = "unlocked"
    EXPIRE = "expired"
    CANCEL = "cancelled"
    CONFIRM = "confirmed"


INVALID = frozenset({CarrierState.REVOKED, CarrierState.EXPIRED, CarrierState.CANCELLED})
