"""An issuing side for billing's tests: facts in memory or in a file, so that a child process sees the same ones."""

import datetime as dt
import pickle
import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid5

from billing.ledger.domain import line_kinds
from billing.ledger.domain.line_kinds import Reconciliation
from billing.ports import ArticleView, BillableFact, BillingParty, IssuanceFacts, OfficeView, SubscriptionCount
from siths_portal.lib import ports
from siths_portal.lib.clock import STOCKHOLM
from siths_portal.lib.database.feeds import Cursor

SPACE = UUID("0195a000-0000-7000-8000-000000000000")


def uid(name: str) -> UUID:
    """The same id for the same name, in every process."""
    return uuid5(SPACE, name)


def local(*parts: int) -> dt.datetime:
    """A moment by the clock on the wall in Stockholm."""
    return dt.datetime(*parts, tzinfo=STOCKHOLM).astimezone(dt.UTC)


@dataclass
class Facts:
    """Everything billing asks issuance for. Facts get their place in the feed when they are added."""

    cards: list[BillableFact] = field(default_factory=list)
    counts: dict[str, list[SubscriptionCount]] = field(default_factory=dict)  # by period YYYY-MM; "now" for any other moment
    parties: list[BillingParty] = field(default_factory=list)
    comments: dict[UUID, str] = field(default_factory=dict)
    names: dict[UUID, str] = field(default_factory=dict)  # of offices; "Kontoret" unless named
    numbers: tuple[str, ...] = ("589", "689", "610", "677")

    def connect(self) -> "Facts":
        """Makes this the issuing side of the process."""
        ports.connect(IssuanceFacts, self)
        return self

    def office(self, name: str, comment: str) -> UUID:
        """Adds an office."""
        self.comments[uid(name)] = comment
        return uid(name)

    def card(
        self,
        party: UUID,
        office: UUID,
        article: str,
        sent: dt.datetime,
        *,
        ordered: dt.datetime | None = None,
        n: int = 1,
        kind: str = "card",
    ) -> None:
        """Adds `n` cards, or items of another kind, sent at one moment."""
        for _ in range(n):
            number = len(self.cards) + 1
            self.cards.append(
                BillableFact(
                    cursor=Cursor(1000 + number, number),
                    event_id=number,
                    kind=kind,
                    order_id=uid(f"order {number}"),
                    organisation_id=party,
                    party_id=party,
                    office_id=office,
                    article_code=article,
                    ordered_at=ordered or sent - dt.timedelta(days=3),
                    occurred_at=sent,
                )
            )

    def shuffled(self, seed: int) -> "Facts":
        """The same facts in another feed order."""
        cards = self.cards[:]
        random.Random(seed).shuffle(cards)
        self.cards = []
        for number, card in enumerate(cards, start=1):
            values = {**card.__dict__, "cursor": Cursor(1000 + number, number), "event_id": number}
            self.cards.append(BillableFact(**values))
        return self

    def count(
        self, period: str, party: UUID, name: str, persons: int, *, direct: bool = False, eids: Collection[UUID] = ()
    ) -> None:
        """Adds a month-end count, of these eIDs if they are given."""
        row = SubscriptionCount(party, party if direct else uid(name), name, direct, persons, tuple(sorted(eids)))
        self.counts.setdefault(period, []).append(row)

    # --- the port -----------------------------------------------------------------------------------------------------

    def billable_facts(self, after: Cursor, *, limit: int) -> list[BillableFact]:
        return [card for card in self.cards if card.cursor > after][:limit]

    def subscription_counts(
        self, at: dt.datetime, party_id: UUID | None = None, *, organisation_id: UUID | None = None, with_eids: bool = False
    ) -> list[SubscriptionCount]:
        ended = (at.astimezone(STOCKHOLM) - dt.timedelta(seconds=1)).strftime("%Y-%m")
        midnight = at.astimezone(STOCKHOLM).strftime("%d%H%M%S") == "01000000"
        counts = self.counts.get(ended if midnight else "now", [])
        counts = [count for count in counts if party_id in (None, count.party_id)]
        return [count for count in counts if organisation_id in (None, count.organisation_id)]

    def billing_parties(self) -> list[BillingParty]:
        return self.parties

    def offices(self, ids: Collection[UUID]) -> dict[UUID, OfficeView]:
        return {key: OfficeView(key, self.names.get(key, "Kontoret"), self.comments[key]) for key in ids if key in self.comments}

    def articles(self) -> dict[str, ArticleView]:
        plain = {n: ArticleView(n, n, f"Kort {n}", False) for n in self.numbers}
        return plain | {f"{n}-REK": ArticleView(f"{n}-REK", n, f"Kort {n}", True) for n in self.numbers}

    def sent_pieces(self, start: dt.datetime, end: dt.datetime) -> dict[str, int]:
        pieces = Counter[str]()
        for card in self.cards:
            if start <= card.occurred_at < end and line_kinds.of(card.kind).reconciliation == Reconciliation.SENT_PIECES:
                pieces[card.kind] += card.quantity
        return dict(pieces)

    # --- other processes ----------------------------------------------------------------------------------------------

    def save(self, path: Path) -> Path:
        """Writes everything, for `load` in a child process."""
        path.write_bytes(pickle.dumps(self))
        return path

    @classmethod
    def load(cls, path: Path) -> "Facts":
        """The facts as saved."""
        loaded: Facts = pickle.loads(path.read_bytes())
        return loaded
