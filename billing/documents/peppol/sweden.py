"""The Swedish rules of Peppol BIS Billing 3.0, SE-R-001 to 013. Peppol's warnings block the invoice too."""

import re

from billing.documents.peppol.document import Node, rule, seller
from billing.documents.ubl import BANKGIRO_BRANCH, F_TAX
from billing.records.domain import identifiers

PLUSGIRO_BRANCH = "SE:PLUSGIRO"
STANDARD_RATES = {"6", "12", "25"}


def _country(party: Node) -> str:
    return party.at("cac:PostalAddress/cac:Country/cbc:IdentificationCode")


def _swedish(document: Node) -> bool:
    return _country(seller(document)) == "SE"


def _vat_number(document: Node) -> str:
    vat = seller(document).at("cac:PartyTaxScheme[normalize-space(cac:TaxScheme/cbc:ID)='VAT']/cbc:CompanyID")
    return vat if _swedish(document) and vat.startswith("SE") else ""


def _organisation_number(document: Node) -> str:
    return seller(document).at("cac:PartyLegalEntity/cbc:CompanyID") if _swedish(document) else ""


def _accounts(document: Node, branch: str) -> list[str]:
    path = f"cac:PaymentMeans/cac:PayeeFinancialAccount[normalize-space(cac:FinancialInstitutionBranch/cbc:ID)='{branch}']/cbc:ID"
    return [node.text for node in document.all(path)] if _swedish(document) else []


def _means(document: Node) -> set[str]:
    return {node.text for node in document.all("cac:PaymentMeans/cbc:PaymentMeansCode")} if _swedish(document) else set()


def _numeric(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]+", text))


@rule("SE-R-001", "Säljarens momsnummer ska ha 14 tecken.")
def _se001(document: Node) -> bool:
    return len(_vat_number(document)) not in (0, 14)


@rule("SE-R-002", "Säljarens momsnummer ska ha tolv siffror efter SE.")
def _se002(document: Node) -> bool:
    vat = _vat_number(document)
    return bool(vat) and not _numeric(vat[2:])


@rule("SE-R-003", "Säljarens organisationsnummer ska bara ha siffror.")
def _se003(document: Node) -> bool:
    number = _organisation_number(document)
    return bool(number) and not _numeric(number)


@rule("SE-R-004", "Säljarens organisationsnummer ska ha tio tecken.")
def _se004(document: Node) -> bool:
    return len(_organisation_number(document)) not in (0, 10)


@rule("SE-R-005", "Säljarens andra skatteuppgift ska vara Godkänd för F-skatt.")
def _se005(document: Node) -> bool:
    path = "cac:PartyTaxScheme[normalize-space(cac:TaxScheme/cbc:ID)!='VAT']/cbc:CompanyID"
    return _swedish(document) and any(n.text.casefold() != F_TAX.casefold() for n in seller(document).all(path))


@rule("SE-R-006", "Momssatsen ska vara 6, 12 eller 25 procent.")
def _se006(document: Node) -> bool:
    path = "//cac:TaxCategory[normalize-space(cbc:ID)='S']|//cac:ClassifiedTaxCategory[normalize-space(cbc:ID)='S']"
    return _swedish(document) and any(
        format(category.number("cbc:Percent", "0").normalize(), "f") not in STANDARD_RATES for category in document.all(path)
    )


@rule("SE-R-007", "Plusgironumret ska bara ha siffror.")
def _se007(document: Node) -> bool:
    return not all(map(_numeric, _accounts(document, PLUSGIRO_BRANCH)))


@rule("SE-R-008", "Bankgironumret ska bara ha siffror.")
def _se008(document: Node) -> bool:
    return not all(map(_numeric, _accounts(document, BANKGIRO_BRANCH)))


@rule("SE-R-009", "Bankgironumret ska ha sju eller åtta tecken.")
def _se009(document: Node) -> bool:
    return any(len(account) not in (7, 8) for account in _accounts(document, BANKGIRO_BRANCH))


@rule("SE-R-010", "Plusgironumret ska ha två till åtta tecken.")
def _se010(document: Node) -> bool:
    return any(not 2 <= len(account) <= 8 for account in _accounts(document, PLUSGIRO_BRANCH))


@rule("SE-R-011", "Betalning till bankgiro eller plusgiro ska ha betalningssätt 30.")
def _se011(document: Node) -> bool:
    return bool(_means(document) & {"50", "56"})


@rule("SE-R-012", "Betalningssätt 31 används inte mellan svenska parter.")
def _se012(document: Node) -> bool:
    buyer = document.all("cac:AccountingCustomerParty/cac:Party")
    return "31" in _means(document) and any(_country(party) == "SE" for party in buyer)


@rule("SE-R-013", "Säljarens organisationsnummer har fel kontrollsiffra.")
def _se013(document: Node) -> bool:
    number = _organisation_number(document)
    return bool(number) and not identifiers.luhn_valid(number)
