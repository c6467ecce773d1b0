"""What a log-in on Mina sidor may do, by what was used to log in (rules/issuance 10.2): one table for pages and services."""

from collections.abc import Mapping
from enum import StrEnum

from issuance.carriers.domain import kinds
from siths_portal.lib.assurance import Level


class Means(StrEnum):
    """What a holder logged in with.

    LOA3 is a card or a mobile eID on level 3, RESERVE_LOA3 a reserve card on level 3, LOA2 anything of a person on level 2.
    CARD is the transport certificate of a reserve card, which names no person.
    """

    LOA3 = "loa3"
    RESERVE_LOA3 = "reserve-loa3"
    LOA2 = "loa2"
    CARD = "card"


class MyFunction(StrEnum):
    """A function of Mina sidor."""

    LIST = "list"
    REVOKE = "revoke"
    ACCESS_LOG = "access_log"
    RECEIPTS = "receipts"
    FETCH_NEW = "fetch_new"
    FETCH_EXISTING = "fetch_existing"
    DELETE_FROM_CARD = "delete_from_card"
    TEST = "test"
    MOBILE = "mobile"
    UNLOCK = "unlock"
    EXTEND_RESERVE_CARD = "extend_reserve_card"
    ACTIVATE_RESERVE_CARD = "activate_reserve_card"
    OWN_CARD = "own_card"


_PERSON = frozenset({Means.LOA3, Means.RESERVE_LOA3, Means.LOA2})
_LEVEL_3 = frozenset({Means.LOA3, Means.RESERVE_LOA3})
_ALL = frozenset(Means)

OFFERED: Mapping[MyFunction, frozenset[Means]] = {
    MyFunction.LIST: _PERSON,
    MyFunction.REVOKE: _PERSON,
    MyFunction.ACCESS_LOG: _PERSON,
    MyFunction.RECEIPTS: _PERSON,
    MyFunction.FETCH_NEW: frozenset({Means.LOA3, Means.CARD}),
    MyFunction.FETCH_EXISTING: _LEVEL_3,
    MyFunction.DELETE_FROM_CARD: _ALL,
    MyFunction.TEST: _ALL,
    MyFunction.MOBILE: _LEVEL_3,
    MyFunction.UNLOCK: _LEVEL_3,
    MyFunction.EXTEND_RESERVE_CARD: frozenset({Means.RESERVE_LOA3}),
    MyFunction.ACTIVATE_RESERVE_CARD: frozenset({Means.CARD}),
    MyFunction.OWN_CARD: frozenset({Means.CARD}),
}
"""The means that each function is offered to. Every log-in of a person lists and revokes what is theirs, on any level."""


def offers(means: str, function: MyFunction) -> bool:
    """True if a session that began with `means` may use the function. False for means that nobody knows."""
    return means in OFFERED[function]


def means_of(level: Level, kind: str) -> Means:
    """Returns the means of a log-in on this level with a carrier of this kind, empty if nobody says which carrier it was."""
    if level is Level.CARD:
        return Means.CARD
    if level is Level.LOA2:
        return Means.LOA2
    return Means.RESERVE_LOA3 if kind == kinds.RESERVE_CARD.code else Means.LOA3
