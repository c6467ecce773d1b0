"""States and transitions of an eID order: the holder fetches the eID onto a carrier in use (rules/issuance 3.6)."""

from collections.abc import Mapping
from enum import StrEnum


class EidOrderState(StrEnum):
    """The state of an eID order. ORDERED waits for the holder; the others are final."""

    ORDERED = "ordered"
    FETCHED = "fetched"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class EidOrderAction(StrEnum):
    """The actions on an eID order. An officer withdraws it. The system cancels it when its carrier, or the eID it renews, is
    revoked.
    """

    FETCH = "fetched"
    WITHDRAW = "withdrawn"
    CANCEL = "cancelled"
    EXPIRE = "expired"


TRANSITIONS: Mapping[tuple[EidOrderState, EidOrderAction], EidOrderState] = {
    (EidOrderState.ORDERED, EidOrderAction.FETCH): EidOrderState.FETCHED,
    (EidOrderState.ORDERED, EidOrderAction.WITHDRAW): EidOrderState.CANCELLED,
    (EidOrderState.ORDERED, EidOrderAction.CANCEL): EidOrderState.CANCELLED,
    (EidOrderState.ORDERED, EidOrderAction.EXPIRE): EidOrderState.EXPIRED,
}
