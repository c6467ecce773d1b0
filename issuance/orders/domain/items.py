"""Kinds of order items: what an order asks a supplier to make. One declaration holds everything in which a kind differs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ItemKind:
    """A kind of item. `makes_carrier` means that the item is a new carrier, which no other item orders."""

    code: str
    makes_carrier: bool


CARD = ItemKind("card", makes_carrier=True)
RESERVE_CARD = ItemKind("reserve_card", makes_carrier=True)
LETTER = ItemKind("letter", makes_carrier=False)

ITEM_KINDS = {kind.code: kind for kind in (CARD, RESERVE_CARD, LETTER)}
"""Every kind by its code. A bundle of reserve cards is an order of many items, each a card of its own."""
