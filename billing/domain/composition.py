"""From summed ledger entries to an invoice's lines: the order and texts of billing.md 5.5. Drafts and previews both use it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.domain import money
from billing.domain.invoices import Buyer, InvoiceContent, Line, Seller, total
from billing.domain.periods import Month
from billing.domain.text import one_line, swedish_key

CARD = "card"
SUBSCRIPTION = "subscription"


@dataclass(frozen=True)
class Group:
    """Ledger entries of one customer that make one line: same kind, office or organisation, article, price and month."""

    kind: str
    office_id: UUID | None
    organisation_id: UUID | None
    article_code: str
    unit_price: Decimal
    vat_rate: Decimal
    period: Month
    quantity: Decimal


@dataclass(frozen=True)
class Subscriber:
    """An organisation whose subscription is billed. `direct` is the customer's own organisation."""

    name: str
    direct: bool


@dataclass(frozen=True)
class Labels:
    """What the lines' texts are made of: office id to its invoice comment, article code to printed name, and subscribers."""

    offices: Mapping[UUID, str]
    articles: Mapping[str, str]
    subscribers: Mapping[UUID, Subscriber]


def compose(*, month: Month, seller: Seller, buyer: Buyer, groups: Sequence[Group], labels: Labels) -> InvoiceContent:
    """The invoice of `month` over `groups`, whatever order they come in.

    Raises KeyError if a label is missing; the caller asks for them by the groups' ids.
    """
    lines = []
    for position, group in enumerate(sorted(groups, key=lambda group: _order(group, labels)), start=1):
        lines.append(
            Line(
                position=position,
                kind=group.kind,
                office_id=group.office_id,
                organisation_id=group.organisation_id,
                article_code=group.article_code,
                text=_text(group, labels, month),
                quantity=group.quantity,
                unit_price=group.unit_price,
                vat_rate=group.vat_rate,
                net=money.to_ore(group.quantity * group.unit_price),
                period=group.period,
            )
        )
    totals = total(lines, round_to_krona=buyer.round_to_krona)
    return InvoiceContent(seller=seller, buyer=buyer, month=month, lines=tuple(lines), totals=totals)


def _order(group: Group, labels: Labels) -> tuple[Any, ...]:
    rest = (group.article_code, group.period, group.unit_price, group.vat_rate)
    if group.kind == CARD:
        comment = labels.offices[_known(group.office_id)]
        return (0, swedish_key(comment), comment, str(group.office_id), *rest)
    subscriber = labels.subscribers[_known(group.organisation_id)]
    return (1 if subscriber.direct else 2, swedish_key(subscriber.name), subscriber.name, str(group.organisation_id), *rest)


def _text(group: Group, labels: Labels, month: Month) -> str:
    if group.kind == CARD:
        article = labels.articles.get(group.article_code, group.article_code)
        text = ", ".join(part for part in (article, one_line(labels.offices[_known(group.office_id)])) if part)
    else:
        subscriber = labels.subscribers[_known(group.organisation_id)]
        text = f"SITHS-abonnemang, {'direktanslutning' if subscriber.direct else one_line(subscriber.name)}"
    return text if group.period == month else f"{text}, avser {group.period}"


def _known(identifier: UUID | None) -> UUID:
    if identifier is None:
        raise KeyError("line without office or organisation")
    return identifier
