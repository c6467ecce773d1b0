"""What a holder signs with another carrier to unlock a card of theirs without a visit (rules/issuance 5.6)."""

import datetime as dt
from collections.abc import Mapping
from uuid import UUID

from issuance.carriers.domain.kinds import ORDINARY_CARD, RESERVE_CARD

PURPOSE = "own_unlocking"
"""The purpose of the holder's statement. Its subject is the locked card."""

SCHEMA = "siths-unlock/1"
COUNTS_FOR = dt.timedelta(minutes=10)
"""How long the statement counts, from when it was opened. The time is part of what is signed."""

LEVEL = 3
PROFILES: Mapping[str, str] = {ORDINARY_CARD.code: "person-id-sign", RESERVE_CARD.code: "person-hsaid-sign"}
"""The certificate profile that signs, by kind of the carrier that signs."""


def content(*, carrier_id: UUID, card_serial: str, person_id: UUID, at: dt.datetime) -> dict[str, object]:
    """Returns what the holder signs, as JSON values. `carrier_id` and `card_serial` are those of the locked card."""
    return {
        "schema": SCHEMA,
        "carrier": str(carrier_id),
        "card_serial": card_serial,
        "person": str(person_id),
        "at": at.astimezone(dt.UTC).isoformat(timespec="seconds"),
    }


def opened_at(content: Mapping[str, object]) -> dt.datetime | None:
    """Returns when the statement with this content was opened, or None if the content does not say it."""
    try:
        found = dt.datetime.fromisoformat(str(content.get("at", "")))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def counts(content: Mapping[str, object], now: dt.datetime) -> bool:
    """True if a statement with this content still counts."""
    at = opened_at(content)
    return at is not None and dt.timedelta() <= now - at + dt.timedelta(seconds=1) and now < at + COUNTS_FOR
