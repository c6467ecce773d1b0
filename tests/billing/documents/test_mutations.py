"""A thousand and more broken invoices and credit notes: what a rule finds broken gets no number.

The gate (`validation.check`) judges each: our own rules, then the UBL schema and EN 16931 in one child process. What passes must
be one of `HARMLESS`, so a rule that is lost is seen even where no other rule finds the same fault.
"""

import itertools
import os
import random
import re
from pathlib import Path

import pytest

from billing.documents import peppol, ubl
from billing.documents.domain.invoices import NumberedInvoice
from billing.documents.official import validator
from billing.invoices.models import Invoice
from billing.runs.models import RunItem
from billing.service import run_month
from tests.billing.documents.mutations import Mutation, all_of, distinct
from tests.billing.documents.samples import FULL, FULL_CREDIT
from tests.billing.facts import local, uid
from tests.billing.world import APRIL, customer

LONG = bool(os.environ.get("SITHS_LONG"))
LEAST = 10_000 if LONG else 1_000
GOLDEN = [(Path(__file__).parent / "golden" / f"{name}.xml").read_bytes() for name in ("region", "municipality", "credit")]
BASES = [*GOLDEN, ubl.build(FULL), ubl.build(FULL_CREDIT)]
DIGITS = "check digit|first digit|digits swapped"
TEXT = f"nonsense|case|long|negative|zero|ten times|an öre more|decimals|comma|spaces|other code|{DIGITS}"
PARTIES = "RegistrationName|PartyName/Name|Contact/(Name|ElectronicMail)|CompanyLegalForm|StreetName|CityName|PostalZone"
REFERENCES = "(Invoice|CreditNote|InvoiceLine|CreditNoteLine|OrderReference|[A-Z][a-z]+DocumentReference)/ID|BuyerReference"
WORDS = "Note|Item/(Name|Description)|SellersItemIdentification/ID|FinancialInstitutionBranch/ID"
DATES = "IssueDate|DueDate|PaymentDueDate|StartDate|EndDate"
OPTIONAL = (
    "PartyName|StreetName|PartyLegalEntity/(CompanyID|CompanyLegalForm)|PartyTaxScheme|Contact|Contact/(Name|ElectronicMail)"
    "|BuyerReference|OrderReference|ContractDocumentReference|AdditionalDocumentReference|DocumentTypeCode|(Invoice|CreditNote)/Note"
    "|InvoicePeriod|StartDate|EndDate|DueDate|PaymentDueDate|PaymentMeans|PaymentID|FinancialInstitutionBranch|PaymentTerms"
    "|Description|SellersItemIdentification"
)
HARMLESS = [
    (TEXT, PARTIES),  # any text is a name
    (TEXT, REFERENCES),  # the buyer's own, and numbers that only the database knows
    (TEXT, WORDS),
    (DIGITS, DATES),  # another day
    ("drop", OPTIONAL),  # at least one of two references, accounts and tax registrations is left
    (f"case|{DIGITS}", "PartyTaxScheme/CompanyID"),  # SE-R-005 compares without case; a VAT number has no check digit of its own
    ("nonsense|case|negative", "PartyTaxScheme/TaxScheme/ID"),  # every scheme but VAT is that of BT-32
    ("case", "(Classified)?TaxCategory/TaxScheme/ID"),  # EN 16931 compares without case
    ("no attribute", "PartyLegalEntity/CompanyID"),  # the scheme of BT-30 and BT-47 may be missing
    ("other code", "Country/IdentificationCode|DocumentTypeCode"),  # another country, another kind of reference
    ("other attribute", "(Invoiced|Credited)Quantity"),  # pieces by another code
    ("digits swapped", "ProfileID"),  # PEPPOL-EN16931-R007 fixes only the form
    ("decimals", "PriceAmount"),  # a price has any number of decimals, and the line stays right to the öre
    ("spaces", "Percent"),  # behind the number
    ("twice", "PaymentMeans"),
]
"""Changes and ends of paths: what no rule of XSD, EN 16931 and Peppol forbids. Each was judged by those rules."""


def chosen() -> list[Mutation]:
    """Each change of each kind of element once; in the long form 10,000 changes of any element."""
    chance = random.Random(17)
    if not LONG:
        return distinct(BASES, chance)
    everything = [mutation for base in BASES for mutation in all_of(base)]
    chance.shuffle(everything)
    return [mutation for mutation in everything[: LEAST * 2] if mutation.xml][:LEAST]


def passes(mutation: Mutation) -> bool:
    """Whether the gate finds nothing. The official rules are asked only where our own let it pass."""
    return not peppol.check(mutation.xml) and not validator.findings(mutation.xml)


def is_harmless(mutation: Mutation) -> bool:
    return any(re.fullmatch(changes, mutation.change) and re.search(f"(^|/)({end})$", mutation.path) for changes, end in HARMLESS)


@pytest.mark.soak
def test_no_broken_document_of_a_thousand_passes_the_gate():
    mutations = chosen()
    assert len(mutations) >= LEAST
    passed = [mutation for mutation in mutations if passes(mutation)]
    assert len(passed) < len(mutations) // 4
    assert [mutation.name for mutation in passed if not is_harmless(mutation)] == []


BREAKAGES = {
    "UBL-XSD": ("<cbc:Note>", "<cbc:Notes>", "</cbc:Note>", "</cbc:Notes>"),
    "UBL-CR-005": ("<cbc:IssueDate>", "<cbc:UUID>1</cbc:UUID><cbc:IssueDate>"),
    "PEPPOL-EN16931-R002": ("<cbc:Note>", "<cbc:Note>Hej</cbc:Note><cbc:Note>"),
    "good": (),
}


@pytest.mark.django_db(transaction=True)
def test_a_broken_document_gets_no_number(facts, prices, monkeypatch):
    """One customer's document breaks the schema, one's EN 16931, one's a rule of Peppol, and one's is good."""
    build = ubl.build

    def broken(invoice: NumberedInvoice) -> bytes:
        xml, changes = build(invoice).decode(), BREAKAGES[invoice.content.buyer.name]
        for old, new in itertools.batched(changes, 2):
            xml = xml.replace(old, new, 1)
        return xml.encode()

    monkeypatch.setattr(ubl, "build", broken)
    for name in BREAKAGES:
        customer(uid(name), name=name)
        facts.card(uid(name), facts.office(f"office {name}", "Kontor A"), "589", local(2023, 4, 12))
    run_month(APRIL, actor_ref="user:test", issue=True)
    assert [(invoice.number, invoice.buyer["name"]) for invoice in Invoice.objects.all()] == [("2023-000001", "good")]
    stopped = RunItem.objects.filter(state="blocked")
    assert {item.party_id: [rule for rule, _ in item.reasons] for item in stopped} == {
        uid(name): [name] for name in BREAKAGES if name != "good"
    }
