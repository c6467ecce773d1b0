"""Import of a price list from a file: each new price becomes a request, which a second person decides."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from billing.customers.models import BillingCustomer
from billing.price_changes.models import PriceChange, PriceImport
from billing.price_changes.services import changes
from billing.prices.models import PriceItem
from billing.prices.services import replacing
from billing.prices.services.replacing import NewPrice
from billing.records.domain import identifiers
from billing.records.services.importing import FinanceImporter
from issuance.authz import Actor
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.imports.columns import ImportColumn, ImportTable
from siths_portal.lib.imports.planning import ImportPlan, PlannedRow, RowOutcome
from siths_portal.lib.imports.reading import ImportedRow

PRICES = ImportTable(
    "Priser",
    (
        ImportColumn("article_code", "Artikelkod", "Artikelns nummer, för REK med -REK efter. ABO är abonnemanget.", needed=True),
        ImportColumn("customer", "Kundens organisationsnummer", "Lämna tomt för bruttolistan."),
        ImportColumn("unit_price", "Pris", "Kronor utan moms, till exempel 95,50.", needed=True),
        ImportColumn("vat_rate", "Moms", "25, 12 eller 6. Tomt är 25."),
        ImportColumn("valid_from", "Gäller från och med", "Dag, till exempel 2026-12-01.", needed=True),
        ImportColumn("reason", "Skäl", "Krävs om dagen har varit."),
    ),
    recognised_by="Pris",
    named_by=("article_code", "customer"),
)


@dataclass(frozen=True)
class Asked:
    """The price that a row asks for, and why."""

    new: NewPrice
    reason: str


PlannedPrice = PlannedRow[ImportedRow, Asked]
PricePlan = ImportPlan[PlannedPrice]


class PriceImporter(FinanceImporter[PriceImport, ImportedRow, PricePlan]):
    """Imports prices by the rules of their form."""

    name = "price_import"
    tables = {"priser": PRICES}
    model = PriceImport
    row_class = ImportedRow

    def lock(self) -> None:
        """Does nothing: the database allows one undecided request for each price."""

    def plan(self, actor: Actor, rows: Sequence[ImportedRow]) -> PricePlan:
        """Returns what becomes of each row. A price that holds already stays."""
        existing = _Existing()
        planned = [PlannedPrice(row, PRICES) for row in rows]
        for row in planned:
            _plan(row, existing)
        return PricePlan(planned)

    def apply(self, actor: Actor, plan: PricePlan) -> dict[str, Any]:
        """Stores a request for each new price."""
        made = 0
        for row in plan.rows:
            if row.change is not None:
                with row.applying():
                    changes.request_in_transaction(actor=actor, new=row.change.new, reason=row.change.reason)
                made += 1
        return {"rows": made, "requests": made}


class _Existing:
    """What the rows are compared with, read once. `taken` has the prices that a request or an earlier row asks for."""

    def __init__(self) -> None:
        self.articles = changes.article_names()
        self.parties: dict[str, list[UUID]] = {}
        for number, party_id in BillingCustomer.objects.filter(valid_until=None).values_list("organisation_number", "party_id"):
            self.parties.setdefault(number, []).append(party_id)
        self.items: dict[tuple[str, UUID | None], list[PriceItem]] = {}
        for item in PriceItem.objects.filter(withdrawn_at=None).order_by("valid_from"):
            self.items.setdefault((item.article_code, item.party_id), []).append(item)
        self.taken = set(PriceChange.objects.filter(decided_at=None).values_list("article_code", "party_id"))


def _plan(row: PlannedPrice, existing: _Existing) -> None:
    number = identifiers.organisation_number_plain(row.get("customer"))
    found = existing.parties.get(number, []) if number else [None]
    if len(found) != 1:
        row.refuse(
            "customer", "Ingen kund har numret." if not found else "Flera kunder har numret. Begär priset på sidan Priser."
        )
    price, rate, day = _amount(row, "unit_price"), _amount(row, "vat_rate") or Decimal(25), row.day("valid_from")
    if row.errors or price is None or day is None:
        return
    new, reason = NewPrice(row.get("article_code").upper(), found[0], day, price, rate), row.get("reason")
    wrong = changes.faults(new, reason, existing.articles, {party for parties in existing.parties.values() for party in parties})
    for name, text in wrong.items():
        row.refuse(name if PRICES.has(name) else "customer", text)
    if wrong:
        return
    key = (new.article_code, new.party_id)
    try:
        changes.require_storable(new)
        replaced = replacing.plan(new, existing.items.get(key, [])).replaced
    except Invalid as error:
        row.take(error, field="unit_price")
        return
    except Conflict as error:
        if error.code != "price-same":
            row.take(error, field="unit_price")
        return
    if key in existing.taken:
        row.refuse("article_code", "En begäran om priset väntar på beslut, eller så finns den på en rad ovanför.")
        return
    existing.taken.add(key)
    row.outcome, row.change = RowOutcome.CREATE, Asked(new, reason)
    row.summary = f"{price} kr från {day}. En kollega måste godkänna."
    row.depends_on = (str(replaced.pk) if replaced else "",)


def _amount(row: PlannedPrice, field: str) -> Decimal | None:
    text = "".join(row.get(field).split()).replace(",", ".")
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        row.refuse(field, "Skriv ett tal, till exempel 95,50.")
        return None
    return amount


PRICE_IMPORTER = PriceImporter()
