"""Correction of wrong prices in the ledger before they are invoiced: a reversal and an adjustment for each wrong entry."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, F, QuerySet

from billing.ledger.domain import line_kinds
from billing.ledger.models import LedgerEntry, billable
from billing.prices.models import PriceItem
from billing.prices.services.prices import PriceBook
from billing.records.domain import money
from billing.records.models import Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid

LONGEST_REASON = 500
_SAME = ("kind", "party_id", "organisation_id", "office_id", "article_code", "priced_on", "occurred_at", "period")
_BATCH = 1000
_PREFIXES = ("reversal", "adjustment")


@dataclass(frozen=True)
class Correction:
    """An entry with a wrong price, and the price that it should have."""

    entry: LedgerEntry
    item: PriceItem

    @property
    def before(self) -> Decimal:
        """The entry's amount without VAT."""
        return self.entry.quantity * self.entry.unit_price

    @property
    def after(self) -> Decimal:
        """The amount without VAT at the right price."""
        return self.entry.quantity * self.item.unit_price


def of_article(article_code: str, *, party_id: UUID | None, from_day: dt.date, until: dt.date | None) -> QuerySet[LedgerEntry]:
    """Returns the entries of an article with a price of a day in a span, of one party or of all. Leaves out reversed and free
    ones.
    """
    found = billable().filter(article_code=article_code, priced_on__gte=from_day).exclude(kind__in=line_kinds.free())
    if until is not None:
        found = found.filter(priced_on__lt=until)
    return found if party_id is None else found.filter(party_id=party_id)


def issued(entries: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
    """Returns those that are on an issued invoice and that no credit note has released. Only a credit note corrects them."""
    return _on_lines(entries).filter(line_events__line__invoice__number__isnull=False).distinct()


def _on_lines(entries: QuerySet[LedgerEntry]) -> QuerySet[LedgerEntry]:
    """Returns those that are on a line, of a draft or of an issued invoice, from which no credit note has released them."""
    counted = entries.annotate(
        links=Count("line_events__generation", distinct=True), released=Count("releases__generation", distinct=True)
    )
    return counted.filter(links__gt=F("released"))


def due(entries: QuerySet[LedgerEntry], book: PriceBook) -> list[Correction]:
    """Returns what `book` corrects among the entries that are on no issued invoice. Entries without a price in it stay."""
    open_entries = entries.exclude(pk__in=issued(entries).values("pk")).order_by("id")
    found = []
    for entry in open_entries.iterator(chunk_size=_BATCH):
        item = book.price(entry.article_code, entry.party_id, entry.priced_on)
        if item is not None and (item.unit_price, item.vat_rate) != (entry.unit_price, entry.vat_rate):
            found.append(Correction(entry, item))
    return found


def carry_out(corrections: Sequence[Correction], *, actor_ref: str, reason: str) -> int:
    """Reverses each entry and enters it again with its right price. Returns the number of corrected entries.

    The caller holds `ledger.writing` and has deleted the drafts that contain the entries. Raises Invalid without a reason, and
    Conflict if an entry is on an invoice line or reversed.
    """
    reason = reason.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise Invalid("reason-missing", f"Skriv varför, med högst {LONGEST_REASON} tecken.", fields={"reason": ["Skriv varför."]})
    ids = [each.entry.pk for each in corrections]
    correctable = billable().filter(pk__in=ids)
    if correctable.count() != len(ids) or _on_lines(correctable).exists():
        raise Conflict("entry-invoiced", "En del av raderna har fakturerats eller rättats under tiden. Ladda om sidan.")
    if not corrections:
        return 0
    LedgerEntry.objects.bulk_create(list(_rows(corrections, reason)), batch_size=_BATCH)
    facts: dict[str, Any] = {
        "entries": len(corrections),
        "articles": sorted({each.entry.article_code for each in corrections}),
        "parties": sorted({str(each.entry.party_id) for each in corrections}),
        "before": str(money.to_ore(sum((each.before for each in corrections), Decimal(0)))),
        "after": str(money.to_ore(sum((each.after for each in corrections), Decimal(0)))),
    }
    Event.record(
        actor_ref=actor_ref,
        action="ledger.corrected",
        subject_type="ledger",
        subject_ref=str(min(ids)),
        facts=facts,
    )
    return len(corrections)


def _rows(corrections: Iterable[Correction], reason: str) -> Iterable[LedgerEntry]:
    for each in corrections:
        entry = each.entry
        same: dict[str, Any] = {name: getattr(entry, name) for name in _SAME} | {"reason": reason, "recorded_at": clock.now()}
        yield LedgerEntry(
            **same,
            source_key=_key("reversal", entry),
            reverses=entry,
            quantity=-entry.quantity,
            price_item_id=entry.price_item_id,
            unit_price=entry.unit_price,
            vat_rate=entry.vat_rate,
            grouping_key=entry.grouping_key,
        )
        adjustment = LedgerEntry(
            **same,
            source_key=_key("adjustment", entry),
            adjusts=entry,
            quantity=entry.quantity,
            price_item=each.item,
            unit_price=each.item.unit_price,
            vat_rate=each.item.vat_rate,
        )
        adjustment.grouping_key = line_kinds.of(entry.kind).grouping_key(adjustment)
        yield adjustment


def _key(prefix: str, entry: LedgerEntry) -> str:
    """Returns a key with the number of the corrected entry. It ends as the key of the first event does, with the order's id."""
    parts = entry.source_key.split(":")
    event = parts[2:] if parts[0] in _PREFIXES else parts
    return ":".join([prefix, str(entry.pk), *event])
