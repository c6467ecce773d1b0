"""Kinds of order items: what an order asks a supplier to make. One declaration says everything in which a kind differs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ItemKind:
    """A kind of item. `makes_carrier`: the item is a new carrier, which it alone orders. `most` is how many an order may hold."""

    code: str
    makes_carrier: bool
    most: int


CARD = ItemKind("card", makes_carrier=True, most=1)
RESERVE_CARD = ItemKind("reserve_card", makes_carrier=True, most=2000)
LETTER = ItemKind("letter", makes_carrier=False, most=1)

ITEM_KINDS = {kind.code: kind for kind in (CARD, RESERVE_CARD, LETTER)}
"""Every kind by its code. A bundle of reserve cards is an order of many items, each a card of its own."""
