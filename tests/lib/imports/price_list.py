"""An import of a price list: all that one more importer declares (docs/imports.md)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from billing.prices.models import PriceItem
from billing.records.models import Event
from issuance.imports.models import SetupImport
from siths_portal.lib.errors import Conflict, Forbidden, NotFound
from siths_portal.lib.imports.columns import ImportColumn, ImportTable
from siths_portal.lib.imports.importer import Importer
from siths_portal.lib.imports.planning import ImportPlan, PlannedRow, RowOutcome
from siths_portal.lib.imports.reading import ImportedRow


@dataclass(frozen=True)
class Sender:
    """Who sends a file."""

    ref: str
    may: bool = True


PRICES = ImportTable(
    "Priser",
    (
        ImportColumn("article", "Artikelnummer", "Artikelns nummer.", needed=True),
        ImportColumn("price", "Pris", "Kronor utan moms.", needed=True),
        ImportColumn("valid_from", "Gäller från och med", "Datum, till exempel 2026-12-01.", needed=True),
    ),
    recognised_by="Pris",
    named_by=("article",),
)


@dataclass(frozen=True)
class NewPrice:
    """A price to create."""

    article: str
    price: Decimal
    valid_from: dt.date


PlannedPrice = PlannedRow[ImportedRow, NewPrice]
PricePlan = ImportPlan[PlannedPrice]


class PriceImporter(Importer[Sender, SetupImport, ImportedRow, PricePlan]):
    """Imports prices of the gross list; it keeps its files in the only table that there is for them."""

    name = "price_import"
    tables = {"priser": PRICES}
    model = SetupImport
    row_class = ImportedRow
    event = Event
    hours = 24

    def require(self, actor: Sender) -> None:
        """Only those who may."""
        if not actor.may:
            raise Forbidden("not-allowed", "Du får inte läsa in priser.")

    def admit(self, actor: Sender) -> None:
        """Any number of files."""

    def lock(self) -> None:
        """The table's constraint finds prices that others set."""

    def not_found(self) -> NotFound:
        """The usual error."""
        return NotFound("not-found", "Filen finns inte.")

    def plan(self, actor: Sender, rows: Sequence[ImportedRow]) -> PricePlan:
        """Each row is a new price, or one that is there."""
        there = {(item.article_code, item.valid_from): item for item in PriceItem.objects.filter(party_id=None)}
        planned = [PlannedPrice(row, PRICES) for row in rows]
        for row in planned:
            self._plan(row, there)
        return PricePlan(planned)

    @staticmethod
    def _plan(row: PlannedPrice, there: dict[tuple[str, dt.date], PriceItem]) -> None:
        article, valid_from = row.get("article"), row.day("valid_from")
        try:
            price = Decimal(row.get("price").replace(",", "."))
        except InvalidOperation:
            row.refuse("price", "Skriv ett belopp, till exempel 95,00.")
            return
        if valid_from is None or row.errors:
            return
        if (known := there.get((article, valid_from))) is not None:
            row.differs("price", price, known.unit_price, str(known.unit_price))
            return
        row.outcome, row.change = RowOutcome.CREATE, NewPrice(article, price, valid_from)
        row.summary = f"{price} kr från {valid_from}"

    def apply(self, actor: Sender, plan: PricePlan) -> dict[str, Any]:
        """Creates the new prices."""
        for row in plan.rows:
            with row.applying():
                if row.change is not None:
                    self._create(row.change)
        return {"prices": plan.count(RowOutcome.CREATE)}

    @staticmethod
    def _create(new: NewPrice) -> None:
        if PriceItem.objects.filter(article_code=new.article, valid_from__gte=new.valid_from).exists():
            raise Conflict("price-exists", f"Artikel {new.article} har redan ett pris från den dagen eller senare.")
        PriceItem.objects.create(article_code=new.article, unit_price=new.price, vat_rate=25, valid_from=new.valid_from)
