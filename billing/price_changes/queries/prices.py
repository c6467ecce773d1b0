"""Prices as finance administrators see them: all lists, one article with its history, and requests."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from billing.customers.models import BillingCustomer
from billing.price_changes.models import PriceChange
from billing.price_changes.services import changes
from billing.prices.domain.terms import SubscriptionTerms
from billing.prices.models import PriceItem
from billing.records.domain import codes
from issuance.authz import Action, Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from siths_portal.lib.ordering import swedish_key

ACTION = Action.MANAGE_BILLING
GROSS = "Bruttolistan"


class Standing(StrEnum):
    """When a price holds. Values are in URLs."""

    NOW = "nu"
    COMING = "kommande"
    PAST = "tidigare"
    WITHDRAWN = "ersatt"


STANDINGS = {
    Standing.NOW: "Gäller nu",
    Standing.COMING: "Kommande",
    Standing.PAST: "Har gällt",
    Standing.WITHDRAWN: "Rättad",
}


@dataclass(frozen=True)
class PriceRow:
    """A price of a list: the gross list, or that agreed with a customer."""

    id: int
    article_code: str
    article: str
    party_id: UUID | None
    owner: str
    unit_price: Decimal
    vat_rate: Decimal
    valid_from: dt.date
    last_day: dt.date | None
    standing: Standing

    @property
    def standing_text(self) -> str:
        """The status in words."""
        return STANDINGS[self.standing]


def rows(actor: Actor, article_code: str = "") -> list[PriceRow]:
    """Returns all prices, or those of an article: by article, the gross list first, the newest first. Raises Forbidden."""
    policy.require_global(actor, ACTION)
    items = PriceItem.objects.all()
    found = list(_rows(items.filter(article_code=article_code) if article_code else items))
    found.sort(key=lambda row: row.valid_from, reverse=True)
    found.sort(key=lambda row: (row.article_code, row.party_id is not None, swedish_key(row.owner)))
    return found


def _rows(items: Iterable[PriceItem]) -> Iterator[PriceRow]:
    articles, owners, today = changes.article_names(), customer_names(), clock.today()
    for item in items:
        last_day = item.valid_until - dt.timedelta(days=1) if item.valid_until else None
        yield PriceRow(
            id=item.pk,
            article_code=item.article_code,
            article=articles.get(item.article_code, item.article_code),
            party_id=item.party_id,
            owner=owners.get(item.party_id, str(item.party_id)) if item.party_id else GROSS,
            unit_price=item.unit_price,
            vat_rate=item.vat_rate,
            valid_from=item.valid_from,
            last_day=last_day,
            standing=_standing(item, today),
        )


def _standing(item: PriceItem, today: dt.date) -> Standing:
    if item.withdrawn_at is not None:
        return Standing.WITHDRAWN
    if item.valid_from > today:
        return Standing.COMING
    return Standing.NOW if item.valid_until is None or today < item.valid_until else Standing.PAST


def customer_names() -> dict[UUID, str]:
    """Returns the name of each customer by party."""
    return dict(BillingCustomer.objects.order_by("valid_from").values_list("party_id", "name"))


@dataclass(frozen=True)
class RequestView:
    """A request with its words. `effect` is None for one that is decided or would change nothing; `why` says so then."""

    change: PriceChange
    article: str
    owner: str
    effect: changes.Effect | None
    owners: dict[UUID, str]
    why: str = ""


def request(actor: Actor, change_id: UUID) -> RequestView:
    """Returns a request. Raises Forbidden, NotFound."""
    policy.require_global(actor, ACTION)
    change = PriceChange.objects.filter(pk=change_id).first()
    if change is None:
        raise policy.not_found()
    names, effect, why = customer_names(), None, ""
    try:
        effect = changes.effect(change) if change.decided_at is None else None
    except Conflict as error:
        why = error.message
    article = changes.article_names().get(change.article_code, change.article_code)
    owner = names.get(change.party_id, "") if change.party_id else GROSS
    return RequestView(change, article, owner, effect, names, why)


def waiting(article_code: str = "") -> list[tuple[PriceChange, str, str]]:
    """Returns the undecided requests, each with its article and list in words. The caller has checked the actor's right."""
    found = PriceChange.objects.filter(decided_at=None).order_by("requested_at")
    requests = list(found.filter(article_code=article_code) if article_code else found)
    if not requests:
        return []
    articles, names = changes.article_names(), customer_names()
    return [
        (
            each,
            articles.get(each.article_code, each.article_code),
            names.get(each.party_id, "") if each.party_id else GROSS,
        )
        for each in requests
    ]


def subscription_terms(article_code: str) -> list[tuple[str, str]]:
    """Returns the terms of the subscription that hold now, in words; empty for another article."""
    if article_code != codes.SUBSCRIPTION:
        return []
    today = clock.today()
    item = PriceItem.objects.filter(article_code=article_code, party_id=None, withdrawn_at=None, valid_from__lte=today).last()
    return SubscriptionTerms.from_json(item.terms if item else None).words()
