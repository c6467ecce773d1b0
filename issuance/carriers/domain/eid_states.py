"""States and transitions of a SITHS eID: the certificate pair of one assignment on one carrier (rules/issuance 4.3)."""

from collections.abc import Mapping
from enum import StrEnum


class EidState(StrEnum):
    """The state of an eID. ACTIVE means that the holder has signed the receipt; certificates already exist in ORDERED."""

    ORDERED = "ordered"
    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


LIVE_EIDS = frozenset({EidState.ORDERED, EidState.ACTIVE})
"""States in which an eID can be revoked; the others are final."""


class EidAction(StrEnum):
    """An action on an eID. PLAN_CERTIFICATES does not change its state; it sets the validity."""

    PLAN_CERTIFICATES = "certificates_planned"
    ACTIVATE = "activated"
    REVOKE = "revoked"
    EXPIRE = "expired"
    CANCEL = "cancelled"


TRANSITIONS: Mapping[tuple[EidState, EidAction], EidState] = {
    (EidState.ORDERED, EidAction.PLAN_CERTIFICATES): EidState.ORDERED,
    (EidState.ORDERED, EidAction.ACTIVATE): EidState.ACTIVE,
    (EidState.ORDERED, EidAction.REVOKE): EidState.REVOKED,
    (EidState.ORDERED, EidAction.CANCEL): EidState.CANCELLED,
    (EidState.ACTIVE, EidAction.REVOKE): EidState.REVOKED,
    (EidState.ACTIVE, EidAction.EXPIRE): EidState.EXPIRED,
}
