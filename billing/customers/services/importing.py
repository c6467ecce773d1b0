"""Import of customers from a file: new and changed customer data, by organisation number."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from billing.customers.models import BillingCustomer, CustomerImport, CustomerState
from billing.customers.services import changes
from billing.customers.services.customers import CustomerTerms, require_usable
from billing.records.domain import identifiers
from billing.records.services.importing import FinanceImporter
from issuance import service as issuance
from issuance.authz import Actor
from siths_portal.lib.errors import Invalid
from siths_portal.lib.imports.columns import ImportColumn, ImportTable
from siths_portal.lib.imports.planning import ImportPlan, PlannedRow, RowOutcome
from siths_portal.lib.imports.reading import ImportedRow

_KEPT = "Lämna tomt för att behålla det som står."
CUSTOMERS = ImportTable(
    "Kunder",
    (
        ImportColumn("organisation_number", "Organisationsnummer", "10 siffror. Avgör vilken kund raden gäller.", needed=True),
        ImportColumn("name", "Kundens namn", _KEPT),
        ImportColumn("street", "Gatuadress eller box", _KEPT),
        ImportColumn("postal_code", "Postnummer", "Krävs för en ny kund."),
        ImportColumn("city", "Ort", "Krävs för en ny kund."),
        ImportColumn("endpoint_id", "Elektronisk adress", "Organisationsnummer, eller GLN som 0088:7300009013401."),
        ImportColumn("notice_email", "E-post för avisering", _KEPT),
        ImportColumn("buyer_reference", "Fakturareferens", "Den eller ordernumret krävs för en faktura."),
        ImportColumn("reference_pattern", "Fakturareferensens form", "Till exempel FM\\d{4}."),
        ImportColumn("order_number", "Ordernummer", _KEPT),
        ImportColumn("order_pattern", "Ordernumrets form", "Till exempel DLL\\d{7}|P\\d{12}."),
        ImportColumn("contract", "Avtalsnummer", _KEPT),
        ImportColumn("contact_name", "Kontaktperson", _KEPT),
        ImportColumn("contact_email", "Kontaktpersonens e-post", _KEPT),
        ImportColumn("contact_phone", "Kontaktpersonens telefon", _KEPT),
        ImportColumn("attestant", "Attestant", "Den hos kunden som godkänner beställningen av tjänsten."),
        ImportColumn("approved_on", "Attestanten godkände", "Dag, till exempel 2026-11-25. Då börjar faktureringen."),
        ImportColumn("terms_accepted_on", "Kunden godkände villkoren", "Dag, till exempel 2026-11-25."),
        ImportColumn("payment_terms_days", "Dagar att betala", "Ett antal, 30 om det är tomt för en ny kund."),
        ImportColumn("round_to_krona", "Öresavrundning", "Ja eller Nej."),
        ImportColumn("cost_centre", "Kostnadsställe", _KEPT),
    ),
    recognised_by="Organisationsnummer",
    named_by=("name", "organisation_number"),
)
_DAYS = ("approved_on", "terms_accepted_on")
_OTHERS = ("organisation_number", "endpoint_id", "payment_terms_days", "round_to_krona", *_DAYS)
_TEXTS = tuple(column.field for column in CUSTOMERS.columns if column.field not in _OTHERS)


@dataclass(frozen=True)
class CustomerChange:
    """What a row makes of a customer: its terms, and the version that they change."""

    party_id: UUID
    terms: CustomerTerms
    seen: UUID | None


PlannedCustomer = PlannedRow[ImportedRow, CustomerChange]
CustomerPlan = ImportPlan[PlannedCustomer]


class CustomerImporter(FinanceImporter[CustomerImport, ImportedRow, CustomerPlan]):
    """Imports customer data by the rules of the customer's page. Another electronic address becomes a request."""

    name = "customer_import"
    tables = {"kunder": CUSTOMERS}
    model = CustomerImport
    row_class = ImportedRow

    def lock(self) -> None:
        """Does nothing: `change_locked` locks each customer and finds what others changed."""

    def plan(self, actor: Actor, rows: Sequence[ImportedRow]) -> CustomerPlan:
        """Returns what becomes of each row. Two rows of one customer are refused."""
        existing = _Existing()
        planned = [PlannedCustomer(row, CUSTOMERS) for row in rows]
        seen: set[UUID] = set()
        for row in planned:
            _plan(row, existing, seen)
        return CustomerPlan(planned)

    def apply(self, actor: Actor, plan: CustomerPlan) -> dict[str, Any]:
        """Saves each new or changed customer."""
        made = requests = 0
        for row in plan.rows:
            if row.change is None:
                continue
            with row.applying():
                change = row.change
                saved = changes.change_locked(actor=actor, party_id=change.party_id, terms=change.terms, seen=change.seen)
            made += 1
            requests += saved.request is not None
        return {"rows": made, "requests": requests}


class _Existing:
    """The directly connected organisations and customers, by organisation number, read once."""

    def __init__(self) -> None:
        self.versions = {row.party_id: row for row in BillingCustomer.objects.filter(valid_until=None)}
        self.parties = {party.id: party for party in issuance.billing_parties()}
        self.by_number: dict[str, set[UUID]] = {}
        for party in self.parties.values():
            self._add(party.organisation_number, party.id)
        for version in self.versions.values():
            self._add(version.organisation_number, version.party_id)

    def _add(self, number: str, party_id: UUID) -> None:
        self.by_number.setdefault(identifiers.organisation_number_plain(number), set()).add(party_id)


def _plan(row: PlannedCustomer, existing: _Existing, seen: set[UUID]) -> None:
    number = identifiers.organisation_number_plain(row.get("organisation_number"))
    found = existing.by_number.get(number, set())
    if len(found) != 1:
        text = (
            "Flera kunder har numret. Ändra dem på deras egna sidor."
            if found
            else "Ingen direktansluten organisation har numret."
        )
        row.refuse("organisation_number", text)
        return
    (party_id,) = found
    if party_id in seen:
        row.refuse("organisation_number", "Kunden finns på en rad ovanför också.")
        return
    seen.add(party_id)
    version = existing.versions.get(party_id)
    before = CustomerTerms.of(version) if version else _new(existing.parties[party_id], number)
    terms = _typed(row, before)
    if row.errors:
        return
    if version and version.state == CustomerState.ENDED:
        row.refuse("organisation_number", "Kunden är avslutad. Öppna kunden igen på dess sida först.")
        return
    _check(row, terms, party_id, active=bool(version and version.state == CustomerState.ACTIVE))
    if row.errors:
        return
    different = [name for name, value in terms.cleaned().items() if version is None or getattr(version, name) != value]
    different = [name for name in different if name != "state"]
    if version and not different:
        return
    row.outcome = RowOutcome.CHANGE if version else RowOutcome.CREATE
    row.summary = _summary(different, new=version is None)
    row.change = CustomerChange(party_id, terms, version.pk if version else None)
    row.depends_on = (str(party_id), str(version.pk) if version else "")


def _new(party: issuance.BillingParty, number: str) -> CustomerTerms:
    return CustomerTerms(
        name=party.name, organisation_number=number, postal_code="", city="", buyer_reference=party.invoice_reference
    )


def _typed(row: PlannedCustomer, before: CustomerTerms) -> CustomerTerms:
    """Returns `before` with what the row says. Empty cells say nothing."""
    values: dict[str, Any] = {name: row.get(name) for name in _TEXTS if row.get(name)}
    values |= {name: day for name in _DAYS if (day := row.day(name)) is not None}
    if (rounds := row.yes_or_no("round_to_krona")) is not None:
        values["round_to_krona"] = rounds
    if days := row.get("payment_terms_days"):
        if days.isascii() and days.isdecimal() and len(days) < 4:
            values["payment_terms_days"] = int(days)
        else:
            row.refuse("payment_terms_days", "Skriv antalet dagar med siffror.")
    if address := row.get("endpoint_id"):
        scheme, identifier = identifiers.endpoint_parts(address)
        values |= {"endpoint_scheme": scheme or before.endpoint_scheme, "endpoint_id": identifier}
    return replace(before, **values)


def _check(row: PlannedCustomer, terms: CustomerTerms, party_id: UUID, *, active: bool) -> None:
    for name, text in (("name", "Skriv kundens namn."), ("postal_code", "Skriv postnumret."), ("city", "Skriv orten.")):
        if not getattr(terms, name):
            row.refuse(name, text)
    values = terms.cleaned()
    if values["endpoint_scheme"] not in changes.SCHEMES:
        row.refuse("endpoint_id", "Skriv ett organisationsnummer, eller 0088: och ett GLN.")
    try:
        changes.require_complete(values, active_before=active)
        require_usable(party_id, terms, values)
    except Invalid as error:
        row.take(error, field="organisation_number")


def _summary(different: Sequence[str], *, new: bool) -> str:
    if new:
        return "Ny kund"
    words = [CUSTOMERS.heading("endpoint_id" if name == "endpoint_scheme" else name) for name in different]
    text = ", ".join(dict.fromkeys(words))
    return f"{text}. Adressen väntar på en kollega." if "endpoint_id" in different else text


CUSTOMER_IMPORTER = CustomerImporter()
