"""The rules of Peppol BIS Billing 3.0 that our invoices could break, in the order of the official list."""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal

from billing.documents.peppol import codes
from billing.documents.peppol.document import Node, day, differs, line_amount, lines, rule, seller
from billing.documents.ubl import CUSTOMIZATION

_SLACK = Decimal("0.02")
_AMOUNTS = (
    "cbc:Amount|cbc:BaseAmount|cbc:PriceAmount|cbc:TaxAmount|cbc:TaxableAmount|cbc:LineExtensionAmount|cbc:TaxExclusiveAmount"
    "|cbc:TaxInclusiveAmount|cbc:AllowanceTotalAmount|cbc:ChargeTotalAmount|cbc:PrepaidAmount|cbc:PayableRoundingAmount"
    "|cbc:PayableAmount"
)
_AMOUNT_PATHS = "|".join(f".//{name}" for name in _AMOUNTS.split("|"))
_DATES = ("IssueDate", "DueDate", "PaymentDueDate", "TaxPointDate", "StartDate", "EndDate", "ActualDeliveryDate")


def _allowances(document: Node) -> list[Node]:
    return document.all("cac:AllowanceCharge|cac:InvoiceLine/cac:AllowanceCharge|cac:CreditNoteLine/cac:AllowanceCharge")


def _outside(document: Node, element: str, order: Callable[[dt.date, dt.date], bool]) -> bool:
    whole = day(document.at(f"cac:InvoicePeriod/cbc:{element}"))
    parts = [day(line.at(f"cac:InvoicePeriod/cbc:{element}")) for line in lines(document)]
    return whole is not None and any(part is not None and order(part, whole) for part in parts)


# --- the document ---------------------------------------------------------------------------------------------------------


@rule("PEPPOL-EN16931-R001", "Affärsprocess saknas.")
def _r001(document: Node) -> bool:
    return not document.at("cbc:ProfileID")


@rule("PEPPOL-EN16931-R002", "Högst en fritext får finnas på fakturan.")
def _r002(document: Node) -> bool:
    return len(document.all("cbc:Note")) > 1


@rule("PEPPOL-EN16931-R003", "Kundens egen referens eller ordernummer saknas i kunduppgifterna.")
def _r003(document: Node) -> bool:
    return not (document.at("cbc:BuyerReference") or document.at("cac:OrderReference/cbc:ID"))


@rule("PEPPOL-EN16931-R004", "Fakturan säger inte att den följer Peppol BIS Billing 3.0.")
def _r004(document: Node) -> bool:
    return document.at("cbc:CustomizationID") != CUSTOMIZATION


@rule("PEPPOL-EN16931-R005", "Momsvalutan ska skilja sig från fakturans valuta när den anges.")
def _r005(document: Node) -> bool:
    return document.at("cbc:TaxCurrencyCode") == document.at("cbc:DocumentCurrencyCode") != ""


@rule("PEPPOL-EN16931-R006", "Högst ett fakturerat objekt får anges.")
def _r006(document: Node) -> bool:
    return len(document.all("cac:AdditionalDocumentReference[normalize-space(cbc:DocumentTypeCode)='130']")) > 1


@rule("PEPPOL-EN16931-R007", "Affärsprocessen har fel form.")
def _r007(document: Node) -> bool:
    return not re.fullmatch(r"urn:fdc:peppol\.eu:2017:poacc:billing:[0-9]{2}:1\.0", document.at("cbc:ProfileID"))


@rule("PEPPOL-EN16931-R008", "Fakturan har ett tomt element.")
def _r008(document: Node) -> bool:
    return bool(document.all("//*[not(*) and not(normalize-space())]"))


@rule("PEPPOL-EN16931-R010", "Köparens elektroniska adress saknas.")
def _r010(document: Node) -> bool:
    return not document.at("cac:AccountingCustomerParty/cac:Party/cbc:EndpointID")


@rule("PEPPOL-EN16931-R020", "Säljarens elektroniska adress saknas.")
def _r020(document: Node) -> bool:
    return not seller(document).at("cbc:EndpointID")


@rule("PEPPOL-EN16931-R053", "Det ska finnas precis en momssumma med specifikation.")
def _r053(document: Node) -> bool:
    return len(document.all("cac:TaxTotal[cac:TaxSubtotal]")) != 1


@rule("PEPPOL-EN16931-R054", "En momssumma utan specifikation hör bara till en momsvaluta.")
def _r054(document: Node) -> bool:
    return len(document.all("cac:TaxTotal[not(cac:TaxSubtotal)]")) != len(document.all("cbc:TaxCurrencyCode")[:1])


@rule("PEPPOL-EN16931-R055", "Momsen i fakturans valuta och i momsvalutan ska ha samma tecken.")
def _r055(document: Node) -> bool:
    if not document.at("cbc:TaxCurrencyCode"):
        return False
    own = document.number("cac:TaxTotal[cac:TaxSubtotal]/cbc:TaxAmount")
    other = document.number("cac:TaxTotal[not(cac:TaxSubtotal)]/cbc:TaxAmount")
    return own * other < 0


@rule("PEPPOL-EN16931-R080", "Högst en projektreferens får anges.")
def _r080(document: Node) -> bool:
    return len(document.all("cac:AdditionalDocumentReference[normalize-space(cbc:DocumentTypeCode)='50']")) > 1


@rule("PEPPOL-EN16931-R051", "Alla belopp ska vara i fakturans valuta.")
def _r051(document: Node) -> bool:
    currency = document.at("cbc:DocumentCurrencyCode")
    accounting = document.all("cac:TaxTotal[not(cac:TaxSubtotal)]/cbc:TaxAmount")
    others = {node.element for node in accounting}
    return any(node.attribute("currencyID") != currency for node in document.all(_AMOUNT_PATHS) if node.element not in others)


@rule("PEPPOL-EN16931-R061", "Ett medgivande saknas för autogiro.")
def _r061(document: Node) -> bool:
    debits = [each for each in document.all("cac:PaymentMeans") if each.at("cbc:PaymentMeansCode") in ("49", "59")]
    return any(not each.at("cac:PaymentMandate/cbc:ID") for each in debits)


# --- allowances and charges -----------------------------------------------------------------------------------------------


@rule("PEPPOL-EN16931-R040", "Ett avdrag eller tillägg är inte grundbelopp gånger procent.")
def _r040(document: Node) -> bool:
    return any(
        differs(
            each.number("cbc:Amount"), each.number("cbc:BaseAmount") * each.number("cbc:MultiplierFactorNumeric") / 100, _SLACK
        )
        for each in _allowances(document)
        if each.at("cbc:MultiplierFactorNumeric") and each.at("cbc:BaseAmount")
    )


@rule("PEPPOL-EN16931-R041", "Ett avdrag eller tillägg i procent saknar grundbelopp.")
def _r041(document: Node) -> bool:
    return any(each.at("cbc:MultiplierFactorNumeric") and not each.at("cbc:BaseAmount") for each in _allowances(document))


@rule("PEPPOL-EN16931-R042", "Ett avdrag eller tillägg med grundbelopp saknar procent.")
def _r042(document: Node) -> bool:
    return any(each.at("cbc:BaseAmount") and not each.at("cbc:MultiplierFactorNumeric") for each in _allowances(document))


@rule("PEPPOL-EN16931-R043", "Ett avdrag eller tillägg säger inte vilket det är.")
def _r043(document: Node) -> bool:
    return any(each.at("cbc:ChargeIndicator") not in ("true", "false") for each in _allowances(document))


@rule("PEPPOL-EN16931-R044", "Tillägg på priset är inte tillåtet, bara avdrag.")
def _r044(document: Node) -> bool:
    return any(each.at("cbc:ChargeIndicator") != "false" for each in document.all("//cac:Price/cac:AllowanceCharge"))


@rule("PEPPOL-EN16931-R046", "Nettopriset är inte bruttopriset minus avdraget.")
def _r046(document: Node) -> bool:
    return any(
        differs(price.number("cbc:PriceAmount"), each.number("cbc:BaseAmount") - each.number("cbc:Amount"), Decimal(0))
        for price in document.all("//cac:Price")
        for each in price.all("cac:AllowanceCharge[cbc:BaseAmount]")
    )


# --- lines ----------------------------------------------------------------------------------------------------------------


@rule("PEPPOL-EN16931-R100", "Högst ett fakturerat objekt får anges på en rad.")
def _r100(document: Node) -> bool:
    return any(len(line.all("cac:DocumentReference")) > 1 for line in lines(document))


@rule("PEPPOL-EN16931-R101", "En rads dokumentreferens får bara vara ett fakturerat objekt.")
def _r101(document: Node) -> bool:
    return any(each.at("cbc:DocumentTypeCode") != "130" for line in lines(document) for each in line.all("cac:DocumentReference"))


@rule("PEPPOL-EN16931-R110", "En rads period börjar före fakturans period.")
def _r110(document: Node) -> bool:
    return _outside(document, "StartDate", lambda part, whole: part < whole)


@rule("PEPPOL-EN16931-R111", "En rads period slutar efter fakturans period.")
def _r111(document: Node) -> bool:
    return _outside(document, "EndDate", lambda part, whole: part > whole)


@rule("PEPPOL-EN16931-R120", "En rads belopp är inte antal gånger pris.")
def _r120(document: Node) -> bool:
    return any(differs(line.number("cbc:LineExtensionAmount"), line_amount(line), _SLACK) for line in lines(document))


@rule("PEPPOL-EN16931-R121", "Prisets basantal ska vara större än noll.")
def _r121(document: Node) -> bool:
    return any(not line.number("cac:Price/cbc:BaseQuantity", "1") > 0 for line in lines(document))


@rule("PEPPOL-EN16931-R130", "Prisets basantal ska ha samma enhet som antalet.")
def _r130(document: Node) -> bool:
    for line in lines(document):
        units = {node.attribute("unitCode") for node in line.all("cbc:InvoicedQuantity|cbc:CreditedQuantity")}
        if any(base.attribute("unitCode") not in units for base in line.all("cac:Price/cbc:BaseQuantity[@unitCode]")):
            return True
    return False


# --- identifiers, code lists, forms ---------------------------------------------------------------------------------------


@rule("PEPPOL-EN16931-CL001", "En bilagas filtyp är inte tillåten.")
def _cl001(document: Node) -> bool:
    return any(n.attribute("mimeCode") not in codes.MIME for n in document.all("//cbc:EmbeddedDocumentBinaryObject[@mimeCode]"))


def _reasons(document: Node, indicator: str) -> set[str]:
    path = f"//cac:AllowanceCharge[normalize-space(cbc:ChargeIndicator)='{indicator}']/cbc:AllowanceChargeReasonCode"
    return {node.text for node in document.all(path)}


@rule("PEPPOL-EN16931-CL002", "Okänd orsakskod för avdrag.")
def _cl002(document: Node) -> bool:
    return not _reasons(document, "false") <= codes.ALLOWANCE_REASON


@rule("PEPPOL-EN16931-CL003", "Okänd orsakskod för tillägg.")
def _cl003(document: Node) -> bool:
    return not _reasons(document, "true") <= codes.CHARGE_REASON


@rule("PEPPOL-EN16931-CL006", "Okänd kod för periodens slag.")
def _cl006(document: Node) -> bool:
    return not {node.text for node in document.all("//cac:InvoicePeriod/cbc:DescriptionCode")} <= codes.PERIOD_DESCRIPTION


@rule("PEPPOL-EN16931-CL007", "Okänd valutakod.")
def _cl007(document: Node) -> bool:
    return not {node.attribute("currencyID") for node in document.all(_AMOUNT_PATHS)} <= codes.CURRENCY


@rule("PEPPOL-EN16931-CL008", "Okänd typ av elektronisk adress.")
def _cl008(document: Node) -> bool:
    return not {node.attribute("schemeID") for node in document.all("//cbc:EndpointID[@schemeID]")} <= codes.ENDPOINT_SCHEME


@rule("BR-CL-14", "Landskoden ska vara två stora bokstäver enligt ISO 3166-1, till exempel SE.")
def _cl14(document: Node) -> bool:
    return not {node.text for node in document.all("//cac:Country/cbc:IdentificationCode")} <= codes.COUNTRY


@rule("BR-CL-11", "Okänd typ av organisationsnummer.")
def _cl11(document: Node) -> bool:
    return not {n.attribute("schemeID") for n in document.all("//cbc:CompanyID[@schemeID]")} <= codes.IDENTIFIER_SCHEME


@rule("BR-CL-16", "Okänd kod för betalningssätt.")
def _cl16(document: Node) -> bool:
    return not {node.text for node in document.all("cac:PaymentMeans/cbc:PaymentMeansCode")} <= codes.PAYMENT_MEANS


@rule("BR-CL-23", "Okänd kod för enhet.")
def _cl23(document: Node) -> bool:
    return not {node.attribute("unitCode") for node in document.all("//*[@unitCode]")} <= codes.UNIT


@rule("PEPPOL-EN16931-P0100", "Fakturatypen är inte tillåten.")
def _p0100(document: Node) -> bool:
    return not {node.text for node in document.all("cbc:InvoiceTypeCode")} <= codes.INVOICE_TYPE


@rule("PEPPOL-EN16931-P0101", "Kreditfakturans typ är inte tillåten.")
def _p0101(document: Node) -> bool:
    return not {node.text for node in document.all("cbc:CreditNoteTypeCode")} <= codes.CREDIT_NOTE_TYPE


def _exemption(rule_id: str, reason: str, category: str) -> None:
    @rule(f"PEPPOL-EN16931-{rule_id}", f"Undantagsorsaken {reason} hör till momskategori {category}.")
    def broken(document: Node) -> bool:
        named = [each for each in document.all("//cac:TaxCategory") if each.at("cbc:TaxExemptionReasonCode").upper() == reason]
        return any(each.at("cbc:ID") != category for each in named)


for _rule_id, _reason, _category in (
    ("P0104", "VATEX-EU-G", "G"),
    ("P0105", "VATEX-EU-O", "O"),
    ("P0106", "VATEX-EU-IC", "K"),
    ("P0107", "VATEX-EU-AE", "AE"),
    ("P0108", "VATEX-EU-D", "E"),
    ("P0109", "VATEX-EU-F", "E"),
    ("P0110", "VATEX-EU-I", "E"),
    ("P0111", "VATEX-EU-J", "E"),
):
    _exemption(_rule_id, _reason, _category)


@rule("PEPPOL-EN16931-P0112", "Fakturatyp 326 och 384 får bara användas mellan tyska parter.")
def _p0112(document: Node) -> bool:
    path = "cac:{}/cac:Party/cac:PostalAddress/cac:Country/cbc:IdentificationCode"
    countries = {document.at(path.format(party)) for party in ("AccountingSupplierParty", "AccountingCustomerParty")}
    return document.at("cbc:InvoiceTypeCode") in ("326", "384") and countries != {"DE"}


@rule("PEPPOL-EN16931-F001", "Ett datum har inte formen ÅÅÅÅ-MM-DD.")
def _f001(document: Node) -> bool:
    return any(day(node.text) is None for node in document.all("|".join(f"//cbc:{name}" for name in _DATES)))
