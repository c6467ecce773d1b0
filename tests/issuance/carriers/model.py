"""What the portal has to hold after a number of acts, told without it: states, numbers of events, and certificates."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

FINAL = ("revoked", "expired", "cancelled")
UNDER_WAY = ("queued", "accepted", "in_production", "produced")


@dataclass(eq=False)
class Order:
    """An order for one card, which may be made again."""

    row: Any
    state: str = "queued"


@dataclass(eq=False)
class Card:
    """A carrier. `person` is the number of its holder; `item` the state of what its supplier makes, `stock` of the card in stock.

    `eids` are the states of its eIDs, in their order. `certified` counts its certificates. `open` is the state of its open
    transaction, and `app` the app that has it. `replaced` is the card that it replaces.
    """

    pk: UUID
    kind: str
    person: int | None
    order: Order | None = None
    number: int = 1
    item: str = "waiting"
    state: str = "ordered"
    eids: list[str] = field(default_factory=list)
    certified: int = 0
    origin: str = "portal"
    keys: Any = None
    csrs: Any = None
    reported: set[str] = field(default_factory=set)
    open: str = ""
    app: Any = None
    signature: bytes = b""
    has_code: bool = False
    is_blocked: bool = False
    replaced: "Card | None" = None
    is_made_again: bool = False
    stock: str = ""
    letter: Any = None
    eid_order: Any = None

    @property
    def is_live(self) -> bool:
        """True until it has ended."""
        return self.state not in FINAL

    @property
    def live_eids(self) -> int:
        """The number of eIDs on it that have not ended."""
        return sum(state in ("ordered", "active") for state in self.eids)

    @property
    def unused(self) -> str:
        """The state of the sent card before anybody has it."""
        return "active" if self.kind == "test_card" else "sent"


@dataclass
class Model:
    """All carriers, and how many events of each name there are."""

    cards: list[Card] = field(default_factory=list)
    events: Counter[str] = field(default_factory=Counter)

    def count(self, *names: str) -> None:
        """One event of each name."""
        self.events.update(names)

    def add(self, card: Card, *names: str) -> Card:
        """A new carrier, with the events of its beginning."""
        self.cards.append(card)
        self.count(*names)
        return card

    def end_eids(self, card: Card, state: str, *, among: tuple[str, ...] = ("ordered", "active")) -> None:
        """Ends the eIDs on it that are in one of the states."""
        self.events[f"eid.{state}"] += sum(each in among for each in card.eids)
        card.eids = [state if each in among else each for each in card.eids]

    def end_transaction(self, card: Card, how: str) -> None:
        """Ends its open transaction, if it has one."""
        if card.open:
            self.count(f"transaction.{how}")
            card.open = ""

    def withdraw(self, card: Card) -> None:
        """Takes its order, which no supplier has accepted, out of the queue."""
        assert card.order is not None
        card.order.state, card.item = "cancelled", "cancelled"
        self.count("order.cancelled", "item.cancelled")

    def end_letter(self, card: Card) -> None:
        """Takes its PUK letter out of the queue."""
        card.letter = None
        self.count("order.cancelled", "item.cancelled")

    def revoke(self, card: Card) -> None:
        """Revokes it with all that is on it and under way for it."""
        assert card.is_live
        card.state = "revoked"
        self.count("carrier.revoked")
        self.end_eids(card, "revoked")
        self.end_transaction(card, "failed")
        if card.stock in ("in_stock", "missing"):
            card.stock = "ended"
            self.count("stock_card.ended")
        if card.eid_order:
            card.eid_order = None
            self.count("eid_order.cancelled")
        if card.order and card.order.state == "queued" and card.item == "waiting":
            self.withdraw(card)
        if card.letter:
            self.end_letter(card)

    def is_replaced(self, card: Card) -> bool:
        """True if an order replaces it that has come to something."""
        return any(
            each.replaced is card and each.order and (each.order.state in UNDER_WAY or each.is_live) for each in self.cards
        )
