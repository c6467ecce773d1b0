"""The kinds of invoice lines (BG-25), each declared once.

Ledger, drafts, previews, files, reconciliation and pages read the declaration and never compare kind codes. A new kind is one
more declaration here. It also changes a constraint of the ledger, so it needs a migration (`makemigrations`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from billing.ledger.domain.grouping import Group, Labels, Place, PricedFact
from billing.records.domain import codes
from billing.records.domain.periods import Month
from billing.records.domain.text import one_line
from siths_portal.lib.ordering import swedish_key

PIECE = "EA"
UNIT_NAMES = {PIECE: "st"}
"""The Swedish name of each unit code in use, BT-130 (UN/ECE Recommendation 20)."""


class DrillDown(StrEnum):
    """What the drill-down page lists for the quantity of a line."""

    ORDERS = "orders"  # one ledger entry for each order; the source key ends with its id
    SUBSCRIPTION_COUNT = "subscription-count"  # one ledger entry: an organisation's count in `SubscriptionSnapshot`


class Reconciliation(StrEnum):
    """What reconciliation compares the ledger with, in addition to its lines (numbers of rules/billing 4.1)."""

    SENT_PIECES = "sent-pieces"  # difference 7: the pieces that suppliers reported sent in the month
    SUBSCRIPTION_COUNT = "subscription-count"  # difference 6: the pieces billed against the snapshot of the month's end
    LEDGER_ONLY = "ledger-only"  # only the lines: differences 1 to 3 compare every entry with its line


@dataclass(frozen=True)
class Account:
    """A sales account in the chart of accounts (BAS)."""

    number: str
    name: str


CARD_SALES = Account("3041", "Försäljning av kort")
SUBSCRIPTION_SALES = Account("3042", "Försäljning av abonnemang")
LETTER_SALES = Account("3043", "Försäljning av brev")


@dataclass(frozen=True)
class LineKind:
    """One kind of invoice line.

    `code` is stored on ledger entries and lines; pages show `name`. `source` begins the source keys of the kind's ledger
    entries. `group_by` lists the attributes that separate lines of one article, price and month. `text` returns BT-153, `order`
    the sort key among lines of the same `rank`; `within` sorts the kinds of one office. `description` returns BT-154, empty
    where BT-153 says it all. `article` is the article that a kind is billed as, if that is not the order's. Entries of a `free`
    kind cost nothing, whatever the price of their article is. The unit code of a kind never changes: stored documents have it.
    """

    code: str
    name: str
    source: str
    unit_code: str  # BT-130
    group_by: tuple[Place, ...]
    rank: int
    text: Callable[[Group, Labels], str]
    order: Callable[[Group, Labels], tuple[Any, ...]]
    drill_down: DrillDown
    reconciliation: Reconciliation
    sales_account: Account
    description: Callable[[Group, Labels], str] = lambda _group, _labels: ""
    within: int = 0
    article: str = ""
    free: bool = False

    @property
    def counts_persons(self) -> bool:
        """True if the quantity of a line is an organisation's number of persons, whose eIDs are listed."""
        return self.drill_down == DrillDown.SUBSCRIPTION_COUNT

    @property
    def heading(self) -> str:
        """The heading of lines of the kind that belong to no office."""
        return "Abonnemang, personer med giltigt SITHS eID" if self.counts_persons else self.name

    @property
    def name_in_text(self) -> str:
        """The name inside a sentence: in lower case, unless it begins with an abbreviation."""
        return self.name if self.name[1].isupper() else self.name.lower()

    @property
    def unit_name(self) -> str:
        """The Swedish name of the unit."""
        return UNIT_NAMES[self.unit_code]

    def source_key(self, *parts: object) -> str:
        """Returns the unique key of a billable event, for example `card:<order id>`."""
        return ":".join([self.source, *map(str, parts)])

    def grouping_key(self, fact: PricedFact) -> str:
        """Returns the key that the ledger entries of one invoice line share.

        Raises ValueError if the fact lacks an office or organisation that `group_by` lists.
        """
        places = [getattr(fact, place) for place in self.group_by]
        if None in places:
            raise ValueError(f"a ledger entry of kind {self.code} needs {' and '.join(self.group_by)}")
        price, rate = format(fact.unit_price, ".4f"), format(fact.vat_rate, ".2f")
        return "|".join([self.code, fact.article_code, price, rate, f"{fact.period:%Y-%m}", *map(str, places)])

    def group(self, fact: PricedFact, quantity: Decimal) -> Group:
        """Returns the group of `fact` with a total of `quantity` pieces."""
        return Group(
            key=self.grouping_key(fact),
            kind=self.code,
            office_id=fact.office_id if Place.OFFICE in self.group_by else None,
            organisation_id=fact.organisation_id if Place.ORGANISATION in self.group_by else None,
            article_code=fact.article_code,
            unit_price=fact.unit_price,
            vat_rate=fact.vat_rate,
            period=Month.of_day(fact.period),
            quantity=quantity,
        )


def office_text(group: Group, labels: Labels) -> str:
    """Returns the article and the office's invoice comment."""
    return ", ".join(part for part in (labels.article(group), one_line(labels.office(group))) if part)


def _remade_text(group: Group, labels: Labels) -> str:
    return ", ".join(part for part in (f"{labels.article(group)} omtillverkning", one_line(labels.office(group))) if part)


def article_description(group: Group, labels: Labels) -> str:
    """Returns what the article is in words."""
    return one_line(labels.description(group))


def _remade_description(group: Group, labels: Labels) -> str:
    return ", ".join(part for part in (article_description(group, labels), "omtillverkat utan kostnad") if part)


def office_order(group: Group, labels: Labels) -> tuple[Any, ...]:
    """Returns a sort key by the office's invoice comment in Swedish order."""
    comment = labels.office(group)
    return (swedish_key(comment), comment, str(group.office_id))


def _subscription_text(group: Group, labels: Labels) -> str:
    subscriber = labels.subscriber(group)
    return f"SITHS-abonnemang, {'direktanslutning' if subscriber.direct else one_line(subscriber.name)}"


def _subscription_order(group: Group, labels: Labels) -> tuple[Any, ...]:
    subscriber = labels.subscriber(group)
    return (not subscriber.direct, swedish_key(subscriber.name), subscriber.name, str(group.organisation_id))


CARD = LineKind(
    code="card",
    name="Kort",
    source="card",
    unit_code=PIECE,
    group_by=(Place.OFFICE,),
    rank=10,
    text=office_text,
    order=office_order,
    drill_down=DrillDown.ORDERS,
    reconciliation=Reconciliation.SENT_PIECES,
    sales_account=CARD_SALES,
    description=article_description,
)
RESERVE_CARD = replace(
    CARD,
    code="reserve_card",
    name="Reservkort",
    source="reserve",
    within=1,
    article=codes.RESERVE_CARD,
    description=lambda _group, _labels: "Reservkort",
)
PUK_LETTER = replace(
    CARD,
    code="puk_letter",
    name="PUK-brev",
    source="puk",
    within=2,
    article=codes.PUK_LETTER,
    description=lambda _group, _labels: "Brev med upplåsningskod (PUK)",
    sales_account=LETTER_SALES,
)
REPRODUCTION = replace(
    CARD,
    code="reproduction",
    name="Omtillverkade kort",
    source="reproduction",
    within=3,
    text=_remade_text,
    description=_remade_description,
    free=True,
)
SUBSCRIPTION = LineKind(
    code="subscription",
    name="Abonnemang",
    source="sub",
    unit_code=PIECE,
    group_by=(Place.ORGANISATION,),
    rank=20,
    text=_subscription_text,
    order=_subscription_order,
    drill_down=DrillDown.SUBSCRIPTION_COUNT,
    reconciliation=Reconciliation.SUBSCRIPTION_COUNT,
    sales_account=SUBSCRIPTION_SALES,
)
_KINDS = {kind.code: kind for kind in (CARD, RESERVE_CARD, PUK_LETTER, REPRODUCTION, SUBSCRIPTION)}


def register(kind: LineKind) -> None:
    """Adds a kind. Raises ValueError if another kind has its code or source, or `UNIT_NAMES` lacks its unit."""
    if any(kind.code == other.code or kind.source == other.source for other in _KINDS.values()):
        raise ValueError(f"line kind {kind.code} is registered already")
    if kind.unit_code not in UNIT_NAMES:
        raise ValueError(f"unit {kind.unit_code} has no name")
    _KINDS[kind.code] = kind


def of(code: str) -> LineKind:
    """Returns the kind with this code. Raises ValueError if no kind has it."""
    try:
        return _KINDS[code]
    except KeyError as error:
        raise ValueError(f"no line kind {code!r} is declared") from error


def declared() -> Sequence[LineKind]:
    """Returns every kind, in the order of their lines on an invoice."""
    return sorted(_KINDS.values(), key=lambda kind: kind.rank)


def free() -> list[str]:
    """Returns the codes of the kinds that cost nothing."""
    return [kind.code for kind in declared() if kind.free]


def reconciled_by(reconciliation: Reconciliation) -> list[str]:
    """Returns the codes of the kinds with this kind of reconciliation."""
    return [kind.code for kind in declared() if kind.reconciliation == reconciliation]
