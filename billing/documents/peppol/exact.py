"""Rules that are stricter than the official ones: exact amounts, no negative payment, valid numbers, BG-3 of credits."""

from collections import defaultdict
from decimal import Decimal

from billing.documents.peppol.document import Node, day, differs, line_amount, lines, rule, seller
from billing.documents.ubl import BANKGIRO_BRANCH
from billing.records.domain import identifiers, money


def _sum(nodes: list[Node], path: str) -> Decimal:
    return sum((node.number(path) for node in nodes), Decimal(0))


@rule("SITHS-R-001", "En rads belopp stämmer inte på öret.")
def _line(document: Node) -> bool:
    return any(
        line_amount(line).is_nan() or differs(line.number("cbc:LineExtensionAmount"), money.to_ore(line_amount(line)))
        for line in lines(document)
    )


@rule("SITHS-R-002", "Radernas summa stämmer inte på öret.")
def _net(document: Node) -> bool:
    total = _sum(lines(document), "cbc:LineExtensionAmount")
    stated = (document.number(f"cac:LegalMonetaryTotal/cbc:{name}") for name in ("LineExtensionAmount", "TaxExclusiveAmount"))
    return any(differs(each, total) for each in stated)


@rule("SITHS-R-003", "Momsen stämmer inte på öret.")
def _vat(document: Node) -> bool:
    bases: dict[Decimal, Decimal] = defaultdict(Decimal)
    for line in lines(document):
        bases[line.number("cac:Item/cac:ClassifiedTaxCategory/cbc:Percent")] += line.number("cbc:LineExtensionAmount")
    subtotals = document.all("cac:TaxTotal/cac:TaxSubtotal")
    stated = {each.number("cac:TaxCategory/cbc:Percent"): each for each in subtotals}
    if any(rate.is_nan() for rate in (*bases, *stated)) or stated.keys() != bases.keys() or len(stated) != len(subtotals):
        return True
    wrong = any(
        bases[rate].is_nan()
        or differs(each.number("cbc:TaxableAmount"), bases[rate])
        or differs(each.number("cbc:TaxAmount"), money.vat_of(bases[rate], rate))
        for rate, each in stated.items()
    )
    total = document.number("cac:TaxTotal[cac:TaxSubtotal]/cbc:TaxAmount")
    return wrong or differs(total, _sum(subtotals, "cbc:TaxAmount"))


@rule("SITHS-R-004", "Beloppet att betala stämmer inte på öret.")
def _payable(document: Node) -> bool:
    total = document.all("cac:LegalMonetaryTotal")
    vat = document.number("cac:TaxTotal[cac:TaxSubtotal]/cbc:TaxAmount")
    return len(total) != 1 or (
        differs(total[0].number("cbc:TaxInclusiveAmount"), total[0].number("cbc:TaxExclusiveAmount") + vat)
        or differs(
            total[0].number("cbc:PayableAmount"),
            total[0].number("cbc:TaxInclusiveAmount") + total[0].number("cbc:PayableRoundingAmount"),
        )
    )


@rule("SITHS-R-005", "Beloppet att betala är negativt.")
def _negative(document: Node) -> bool:
    return not document.number("cac:LegalMonetaryTotal/cbc:PayableAmount") >= 0


@rule("SITHS-R-006", "Bankgironumret har fel kontrollsiffra.")
def _bankgiro(document: Node) -> bool:
    path = f"cac:PaymentMeans/cac:PayeeFinancialAccount[cac:FinancialInstitutionBranch/cbc:ID='{BANKGIRO_BRANCH}']/cbc:ID"
    return not all(identifiers.bankgiro_valid(node.text) for node in document.all(path))


@rule("SITHS-R-007", "OCR-numret har fel kontrollsiffra eller längdsiffra.")
def _ocr(document: Node) -> bool:
    return not identifiers.ocr_valid(document.at("cac:PaymentMeans/cbc:PaymentID"))


@rule("SITHS-R-008", "Säljarens eller köparens namn eller adress saknas.")
def _party(document: Node) -> bool:
    needed = ("PartyLegalEntity/cbc:RegistrationName", "PostalAddress/cbc:CityName", "PostalAddress/cbc:PostalZone")
    return any(
        not document.at(f"cac:{party}/cac:Party/cac:{path}")
        for party in ("AccountingSupplierParty", "AccountingCustomerParty")
        for path in needed
    )


def _is_credit_note(document: Node) -> bool:
    return bool(document.at("cbc:CreditNoteTypeCode"))


@rule("SITHS-R-009", "Kreditfakturan säger inte vilken faktura den rättar, med nummer och datum.")
def _preceding(document: Node) -> bool:
    references = document.all("cac:BillingReference/cac:InvoiceDocumentReference")
    named = [each for each in references if each.at("cbc:ID") and day(each.at("cbc:IssueDate"))]
    return _is_credit_note(document) and not len(named) == len(references) == 1


@rule("SITHS-R-010", "En faktura som inte är en kreditfaktura rättar ingen annan faktura.")
def _refers(document: Node) -> bool:
    return not _is_credit_note(document) and bool(document.all("cac:BillingReference"))


@rule("SITHS-R-011", "En rad på kreditfakturan har ett antal som inte är större än noll.")
def _credited(document: Node) -> bool:
    quantities = [line.number("cbc:CreditedQuantity") for line in lines(document)]
    return _is_credit_note(document) and any(quantity.is_nan() or quantity <= 0 for quantity in quantities)


@rule("SITHS-R-012", "IBAN-numret har fel kontrollsiffror.")
def _iban(document: Node) -> bool:
    path = "cac:PaymentMeans/cac:PayeeFinancialAccount[not(starts-with(cac:FinancialInstitutionBranch/cbc:ID,'SE:'))]/cbc:ID"
    return not all(identifiers.iban_valid(node.text) for node in document.all(path))


@rule("SITHS-R-013", "Säljarens momsnummer saknas.")
def _vat_number(document: Node) -> bool:
    # EN 16931 is content with the tax registration (BT-32) alone. Swedish law asks for the VAT number (ML 17 kap. 24 §).
    return not seller(document).at("cac:PartyTaxScheme[normalize-space(cac:TaxScheme/cbc:ID)='VAT']/cbc:CompanyID")
