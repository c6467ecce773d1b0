"""The preview of a customer's invoice as if the month ended now, made by the code of drafts without storing a draft."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from billing import ports
from billing.customers.services.customers import buyer_of
from billing.documents import seller
from billing.documents.domain import composition
from billing.documents.domain.invoices import InvoiceContent
from billing.invoices.models import unbilled
from billing.invoices.services import drafts
from billing.ledger.domain import line_kinds
from billing.ledger.domain.grouping import Group, Labels, Subscriber
from billing.ledger.models import billable
from billing.ledger.services import ledger
from billing.prices.services.prices import PriceBook
from billing.records.domain import codes
from billing.records.domain.periods import Month
from billing.runs.services import drafting
from siths_portal.lib import clock
from siths_portal.lib import ports as connected


@dataclass(frozen=True)
class Preview:
    """One customer's running month. `content` is None if nothing can be invoiced; `blocked` holds pairs of rule and reason."""

    party_id: UUID
    month: Month
    content: InvoiceContent | None
    blocked: tuple[tuple[str, str], ...]


def preview(party_id: UUID | None = None, *, pull: bool = True) -> list[Preview]:
    """Returns the running month of one party, or of every party with entries: cards sent so far, subscriptions counted now.

    With `pull` it first pulls the feed into the ledger. Without `pull` it writes nothing, and leaves out cards that suppliers
    reported sent since the last pull.
    """
    if pull:
        ledger.collect()
    now = clock.now()
    month = Month.of(now)
    counts = [count for count in connected.get(ports.IssuanceFacts).subscription_counts(now, party_id) if count.persons]
    parties = {count.party_id for count in counts}
    if party_id is None:
        open_entries = unbilled(billable().filter(period__lte=month.first_day))
        parties |= set(open_entries.values_list("party_id", flat=True).distinct())
    else:
        parties.add(party_id)
    book, printed = PriceBook([codes.SUBSCRIPTION]), drafting.article_words()
    return [_one(party, month, [c for c in counts if c.party_id == party], book, printed) for party in sorted(parties)]


def _one(
    party_id: UUID, month: Month, counts: Sequence[ports.SubscriptionCount], book: PriceBook, printed: drafting.ArticleWords
) -> Preview:
    groups = drafting.grouped(drafting.unbilled(party_id, month))
    try:
        running = list(_subscriptions(party_id, month, counts, book))
        customer = drafting.customer_of(party_id, month, [*groups, *running])
        if customer is None:
            return Preview(party_id, month, None, ())
        named = {count.organisation_id: Subscriber(count.organisation_name, count.direct) for count in counts}
        labels = drafting.labels_of(groups, printed, drafting.snapshot_subscribers(groups) | named)
        content = composition.compose(
            month=month, seller=seller.configured(), buyer=buyer_of(customer), groups=[*groups, *running], labels=labels
        )
        drafts.require_valid(content)
    except drafts.Blocked as blocked:
        return Preview(party_id, month, None, tuple(blocked.reasons))
    return Preview(party_id, month, content, ())


def _subscriptions(party_id: UUID, month: Month, counts: Iterable[ports.SubscriptionCount], book: PriceBook) -> Iterable[Group]:
    now = clock.now()
    for count in counts:
        fact = ledger.subscription_fact(count, month=month, article_code=codes.SUBSCRIPTION, taken_at=now)
        item = book.price(fact.article_code, party_id, fact.priced_on)
        if item is None:
            raise drafts.Blocked([drafting.price_missing(fact.article_code)])
        entry = ledger.entry_of(fact, item)
        yield line_kinds.of(entry.kind).group(entry, entry.quantity)


def previewed_line(order_id: UUID) -> str | None:
    """Returns the text of the preview's line with the order's card, bundle or letter, or None if the preview does not include it.

    Pulls the feed first.
    """
    month = Month.of(clock.now())
    ledger.collect()
    keys = [kind.source_key(order_id) for kind in (line_kinds.CARD, line_kinds.RESERVE_CARD, line_kinds.PUK_LETTER)]
    entry = unbilled(billable().filter(source_key__in=keys, period__lte=month.first_day)).first()
    if entry is None:
        return None
    content = preview(entry.party_id)[0].content
    for line in content.lines if content else ():
        if line.grouping_key == entry.grouping_key:
            return line.text
    return None


def reserve_card_line(office_comment: str) -> str:
    """Returns the text of the line of an office's reserve cards and, in brackets, what it says in words, as of today."""
    kind, office_id, no_amount = line_kinds.RESERVE_CARD, UUID(int=0), Decimal(0)
    month = Month.of(clock.now())
    group = Group("", kind.code, office_id, None, kind.article, no_amount, no_amount, month, no_amount)
    labels = Labels(offices={office_id: office_comment}, articles={}, subscribers={})
    return f"{kind.text(group, labels)} ({kind.description(group, labels)})"
