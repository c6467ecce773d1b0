"""Prices by two people: a request, what it changes, and its decision, which also corrects what is not invoiced yet."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from billing import ports
from billing.customers.models import BillingCustomer
from billing.ledger.services import corrections
from billing.ledger.services.corrections import Correction
from billing.price_changes.models import LONGEST_REASON, PriceChange
from billing.prices.models import PriceItem
from billing.prices.services import replacing
from billing.prices.services.prices import PriceBook
from billing.prices.services.replacing import NewPrice, Replacement
from billing.records.domain import codes, money
from billing.records.models import Event
from billing.records.services.fitting import require_fit
from billing.runs.services import withdrawing
from issuance import service as issuance
from issuance.authz import Action, Actor, policy
from siths_portal.lib import clock
from siths_portal.lib import ports as connected
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, Invalid, NotFound

ACTION = Action.MANAGE_BILLING
VAT_RATES = (Decimal(25), Decimal(12), Decimal(6))
EARLIEST = dt.date(2020, 1, 1)
FARTHEST = dt.timedelta(days=731)
"""How far ahead a price may begin. A later day is a typing error."""
OTHER_ARTICLES = {
    codes.SUBSCRIPTION: "SITHS-abonnemang",
    codes.PUK_LETTER: "Brev med upplåsningskod (PUK)",
    codes.RESERVE_CARD: "Reservkort",
}
_LABELS = {"article_code": "Artikelnumret", "unit_price": "Priset", "vat_rate": "Momssatsen"}


@dataclass(frozen=True)
class PartyEffect:
    """What a change does to one customer's entries that are not invoiced."""

    party_id: UUID
    entries: int
    before: Decimal
    after: Decimal


@dataclass(frozen=True)
class Effect:
    """What a request changes if it is approved now. `invoiced` entries have a wrong price on issued invoices and stay."""

    replacement: Replacement
    corrections: Sequence[Correction]
    parties: Sequence[PartyEffect]
    invoiced: int

    @property
    def sha256(self) -> str:
        """The hash of what the page shows. An approval names it and is refused if anything has changed since."""
        parts = [
            [str(each.party_id), each.entries, str(money.to_ore(each.before)), str(money.to_ore(each.after))]
            for each in self.parties
        ]
        replaced = str(self.replacement.replaced.pk) if self.replacement.replaced else ""
        return sha256_hex(canonical_json({"parties": parts, "invoiced": self.invoiced, "replaced": replaced}))


def article_names() -> Mapping[str, str]:
    """Returns the names of all articles that have a price, by code."""
    listed = connected.get(ports.IssuanceFacts).articles()
    names = {code: f"{view.number} {view.name}{' REK' if view.registered_mail else ''}" for code, view in listed.items()}
    return names | OTHER_ARTICLES


def request_price(*, actor: Actor, new: NewPrice, reason: str = "") -> PriceChange:
    """Stores a request, which a second person decides.

    Raises Forbidden; Invalid with the fields; Conflict if the price holds already or a request for the article is undecided.
    """
    policy.require_global(actor, ACTION)
    with transaction.atomic(durable=True):
        return request_in_transaction(actor=actor, new=new, reason=reason)


def request_in_transaction(*, actor: Actor, new: NewPrice, reason: str) -> PriceChange:
    """Does what `request_price` does in the caller's transaction, without the check of the actor's right."""
    reason = reason.strip()
    owners = [new.party_id] if new.party_id else []
    parties = BillingCustomer.objects.filter(party_id__in=owners, valid_until=None).values_list("party_id", flat=True)
    if wrong := faults(new, reason, article_names(), set(parties)):
        raise Invalid("price-wrong", next(iter(wrong.values())), fields={name: [text] for name, text in wrong.items()})
    require_storable(new)
    replacing.plan(new, replacing.in_force(new.article_code, new.party_id))
    try:
        with transaction.atomic():
            made = PriceChange.objects.create(
                article_code=new.article_code,
                party_id=new.party_id,
                unit_price=new.unit_price,
                vat_rate=new.vat_rate,
                valid_from=new.valid_from,
                reason=reason,
                requested_by=actor.ref,
                requested_at=clock.now(),
            )
    except IntegrityError as error:
        raise Conflict("price-requested", "En annan begäran om priset väntar på beslut. Avgör den först.") from error
    _record(actor, "price.requested", made)
    return made


def faults(new: NewPrice, reason: str, articles: Collection[str], parties: Collection[UUID]) -> dict[str, str]:
    """Returns a sentence for each wrong field. `articles` are all codes, `parties` the customers, at least the price's own."""
    wrong: dict[str, str] = {}
    if new.article_code not in articles:
        wrong["article_code"] = "Artikeln finns inte. Välj en artikel i listan."
    if new.party_id and new.party_id not in parties:
        wrong["party_id"] = "Kunden finns inte. Välj en kund i listan."
    if new.unit_price is not None and new.unit_price < 0:
        wrong["unit_price"] = "Skriv ett pris som inte är negativt."
    if new.unit_price is None and new.party_id is None:
        wrong["unit_price"] = "Skriv priset. Bara ett avtalat pris kan avslutas."
    if new.vat_rate not in VAT_RATES:
        wrong["vat_rate"] = "Välj 25, 12 eller 6 procent."
    if not EARLIEST <= new.valid_from <= clock.today() + FARTHEST:
        wrong["valid_from"] = f"Välj en dag från {EARLIEST} till {clock.today() + FARTHEST}."
    if new.valid_from < clock.today() and not reason:
        wrong["reason"] = "Skriv varför priset ska gälla från en dag som har varit."
    if len(reason) > LONGEST_REASON:
        wrong["reason"] = f"Skriv högst {LONGEST_REASON} tecken."
    return wrong


def require_storable(new: NewPrice) -> None:
    """Raises Invalid, with the fields, for a price that the table cannot hold."""
    item = PriceItem(
        article_code=new.article_code, unit_price=new.unit_price or Decimal(0), vat_rate=new.vat_rate, valid_from=new.valid_from
    )
    require_fit(item, _LABELS)


def effect(change: PriceChange) -> Effect:
    """Returns what the request would change now. Reads only. Raises Conflict if it would change nothing."""
    items = list(PriceItem.objects.filter(article_code=change.article_code, withdrawn_at=None).order_by("valid_from"))
    own = [each for each in items if each.party_id == change.party_id]
    made = replacing.plan(new_price(change), own)
    entries = corrections.of_article(change.article_code, party_id=change.party_id, from_day=change.valid_from, until=made.until)
    book = PriceBook.of(made.book_items(items))
    due = corrections.due(entries, book)
    invoiced = sum(
        (entry.unit_price, entry.vat_rate) != (item.unit_price, item.vat_rate)
        for entry in corrections.issued(entries).iterator(chunk_size=1000)
        if (item := book.price(entry.article_code, entry.party_id, entry.priced_on)) is not None
    )
    return Effect(made, due, _by_party(due), invoiced)


def new_price(change: PriceChange) -> NewPrice:
    """Returns the price that a request asks for."""
    return NewPrice(change.article_code, change.party_id, change.valid_from, change.unit_price, change.vat_rate)


def _by_party(due: Sequence[Correction]) -> list[PartyEffect]:
    found: dict[UUID, list[Correction]] = {}
    for each in due:
        found.setdefault(each.entry.party_id, []).append(each)
    return [
        PartyEffect(
            party_id,
            len(of_party),
            sum((each.before for each in of_party), Decimal(0)),
            sum((each.after for each in of_party), Decimal(0)),
        )
        for party_id, of_party in sorted(found.items())
    ]


def decide(*, actor: Actor, change_id: UUID, approved: bool, seen: str = "") -> PriceChange:
    """Approves a request, which changes the price list and corrects what is not invoiced, or refuses it.

    `seen` is the hash of the effect that the approver read. The requester may take a request back. Raises Forbidden; NotFound;
    Conflict if the request is decided or changes something else than the approver read.
    """
    policy.require_global(actor, ACTION)
    with transaction.atomic(durable=True), withdrawing.holding_runs():
        change = PriceChange.objects.select_for_update().filter(pk=change_id).first()
        if change is None:
            raise NotFound("request-unknown", "Begäran finns inte. Ladda om sidan.")
        if change.decided_at is not None:
            raise Conflict("request-decided", "Begäran är redan avgjord. Ladda om sidan.")
        if approved or actor.ref != change.requested_by:
            issuance.require_second(actor, ACTION, requested_by=change.requested_by, requested_at=change.requested_at)
        facts: dict[str, Any] = {}
        if approved:
            facts = {"corrected": _carry_out(actor, change, seen)}
        change.decided_by, change.decided_at, change.approved = actor.ref, clock.now(), approved
        change.save(update_fields=["decided_by", "decided_at", "approved"])
        _record(actor, "price.approved" if approved else "price.refused", change, **facts)
    return change


def _carry_out(actor: Actor, change: PriceChange, seen: str) -> int:
    list(PriceItem.objects.select_for_update(no_key=True).filter(article_code=change.article_code, withdrawn_at=None))
    found = effect(change)
    if found.sha256 != seen:
        raise Conflict("effect-changed", "Något har ändrats sedan du öppnade sidan. Läs vad som ändras och godkänn igen.")
    replacing.carry_out(found.replacement)
    if not found.corrections:
        return 0
    items = withdrawing.withdraw_drafts({each.party_id for each in found.parties})
    book = PriceBook([change.article_code])
    due = [Correction(each.entry, _stored(book, each)) for each in found.corrections]
    number = corrections.carry_out(due, actor_ref=actor.ref, reason=change.reason)
    withdrawing.draft_again(items)
    return number


def _stored(book: PriceBook, each: Correction) -> PriceItem:
    item = book.price(each.entry.article_code, each.entry.party_id, each.entry.priced_on)
    if item is None:
        raise Conflict("price-none", "Priset saknas för en del av raderna. Ladda om sidan.")
    return item


def _record(actor: Actor, action: str, change: PriceChange, **facts: Any) -> None:
    Event.record(
        actor_ref=actor.ref,
        action=action,
        subject_type="price_change",
        subject_ref=str(change.pk),
        facts={
            "article_code": change.article_code,
            "party_id": str(change.party_id) if change.party_id else None,
            "unit_price": str(change.unit_price) if change.unit_price is not None else None,
            "vat_rate": str(change.vat_rate),
            "valid_from": change.valid_from.isoformat(),
            **facts,
        },
    )
