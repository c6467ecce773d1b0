"""States and transitions of a SITHS eID: the certificate pair of one post on one carrier (rules/issuance 4.3)."""

from collections.abc import Mapping
from enum import StrEnum


class EidState(StrEnum):
    """Where an eID stands. ACTIVE means that the holder signed for it; certificates exist already in ORDERED."""

    ORDERED = "ordered"
    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class EidAction(StrEnum):
    """What may be done to an eID. PLAN_CERTIFICATES leaves its state: it sets the validity."""

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
