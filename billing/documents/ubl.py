"""An issued invoice or credit note as UBL 2.1 according to Peppol BIS Billing 3.0.

Elements follow the order of the two schemas; none is empty. A credit note has positive amounts, as BIS recommends.
"""

from dataclasses import dataclass
from decimal import Decimal

from lxml import etree

from billing.documents.domain.invoices import CURRENCY, Buyer, DocumentType, LineContent, NumberedInvoice, Seller, Totals
from billing.records.domain import money
from billing.records.domain.periods import Month

INVOICE = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
CREDIT_NOTE = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
CUSTOMIZATION = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
PROFILE = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
ORGANISATION_NUMBER_SCHEME = "0007"
F_TAX = "Godkänd för F-skatt"
MEANS_CREDIT_TRANSFER = "30"
BANKGIRO_BRANCH = "SE:BANKGIRO"
MEDIA_TYPE = "application/xml"
VERSION = "ubl/3"
"""The renderer's version, stored with each document. Increment it with every change of `build`'s output; a test checks this."""


@dataclass(frozen=True)
class _Schema:
    """The names in which the schemas of the two documents differ. A credit note has its due date with the payment means."""

    namespace: str
    root: str
    type_code: str
    line: str
    quantity: str


_SCHEMAS = {
    DocumentType.INVOICE: _Schema(INVOICE, "Invoice", "InvoiceTypeCode", "InvoiceLine", "InvoicedQuantity"),
    DocumentType.CREDIT_NOTE: _Schema(CREDIT_NOTE, "CreditNote", "CreditNoteTypeCode", "CreditNoteLine", "CreditedQuantity"),
}


def build(invoice: NumberedInvoice) -> bytes:
    """Returns the invoice as UTF-8 XML. The same invoice always gives the same bytes."""
    content = invoice.content
    schema = _SCHEMAS[content.document_type]
    root = etree.Element(f"{{{schema.namespace}}}{schema.root}", nsmap={None: schema.namespace, "cac": CAC, "cbc": CBC})
    _header(root, invoice, schema)
    _seller(_group(root, "AccountingSupplierParty", "Party"), content.seller)
    _buyer(_group(root, "AccountingCustomerParty", "Party"), content.buyer)
    _payment(root, invoice)
    _totals(root, content.totals)
    for line in content.lines:
        _line(root, line, schema)
    xml: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return xml


def _text(parent: etree._Element, name: str, value: str, **attributes: str) -> None:
    if value:
        etree.SubElement(parent, f"{{{CBC}}}{name}", attributes).text = value


def _amount(parent: etree._Element, name: str, value: Decimal) -> None:
    _text(parent, name, format(value, ".2f"), currencyID=CURRENCY)


def _group(parent: etree._Element, *names: str) -> etree._Element:
    for name in names:
        parent = etree.SubElement(parent, f"{{{CAC}}}{name}")
    return parent


def _header(root: etree._Element, invoice: NumberedInvoice, schema: _Schema) -> None:
    """BT-24, 23, 1, 2, 9, 3, 22, 5, 10, BG-14, BT-13, BG-3, BT-12, 18."""
    content, buyer = invoice.content, invoice.content.buyer
    _text(root, "CustomizationID", CUSTOMIZATION)
    _text(root, "ProfileID", PROFILE)
    _text(root, "ID", invoice.number)
    _text(root, "IssueDate", invoice.issue_date.isoformat())
    if content.document_type == DocumentType.INVOICE:
        _text(root, "DueDate", invoice.due_date.isoformat())
    _text(root, schema.type_code, content.document_type.value)
    _text(root, "Note", content.note)
    _text(root, "DocumentCurrencyCode", CURRENCY)
    _text(root, "BuyerReference", buyer.buyer_reference)
    period = _group(root, "InvoicePeriod")
    _text(period, "StartDate", content.period_start.isoformat())
    _text(period, "EndDate", content.period_end.isoformat())
    if buyer.order_number:
        _text(_group(root, "OrderReference"), "ID", buyer.order_number)
    if content.preceding:
        reference = _group(root, "BillingReference", "InvoiceDocumentReference")
        _text(reference, "ID", content.preceding.number)
        _text(reference, "IssueDate", content.preceding.issue_date.isoformat())
    if buyer.contract:
        _text(_group(root, "ContractDocumentReference"), "ID", buyer.contract)
    if buyer.invoiced_object:
        reference = _group(root, "AdditionalDocumentReference")
        _text(reference, "ID", buyer.invoiced_object)
        _text(reference, "DocumentTypeCode", "130")


def _address(party: etree._Element, values: Seller | Buyer) -> None:
    """BG-5 or BG-8."""
    address = _group(party, "PostalAddress")
    _text(address, "StreetName", values.street)
    _text(address, "CityName", values.city)
    _text(address, "PostalZone", values.postal_code)
    _text(_group(address, "Country"), "IdentificationCode", values.country)


def _seller(party: etree._Element, seller: Seller) -> None:
    """BT-34, BG-5, BT-31, 32, 27, 30, 33, 41, 43."""
    _text(party, "EndpointID", seller.organisation_number, schemeID=ORGANISATION_NUMBER_SCHEME)
    _text(_group(party, "PartyName"), "Name", seller.name)
    _address(party, seller)
    for company_id, scheme in ((seller.vat_number, "VAT"), (F_TAX, "TAX")):
        tax = _group(party, "PartyTaxScheme")
        _text(tax, "CompanyID", company_id)
        _text(_group(tax, "TaxScheme"), "ID", scheme)
    legal = _group(party, "PartyLegalEntity")
    _text(legal, "RegistrationName", seller.name)
    _text(legal, "CompanyID", seller.organisation_number, schemeID=ORGANISATION_NUMBER_SCHEME)
    _text(legal, "CompanyLegalForm", f"Säte: {seller.seat}")
    contact = _group(party, "Contact")
    _text(contact, "Name", seller.contact)
    _text(contact, "ElectronicMail", seller.email)


def _buyer(party: etree._Element, buyer: Buyer) -> None:
    """BT-49, BG-8, BT-44, 47."""
    _text(party, "EndpointID", buyer.endpoint_id, schemeID=buyer.endpoint_scheme)
    _text(_group(party, "PartyName"), "Name", buyer.name)
    _address(party, buyer)
    legal = _group(party, "PartyLegalEntity")
    _text(legal, "RegistrationName", buyer.name)
    _text(legal, "CompanyID", buyer.organisation_number, schemeID=ORGANISATION_NUMBER_SCHEME)


def payment_terms(days: int) -> str:
    """Returns the payment terms, BT-20."""
    return f"{days} dagar netto"


def _payment(root: etree._Element, invoice: NumberedInvoice) -> None:
    """BT-81, BT-9 of a credit note, BT-83, 84, 86 of the bankgiro and of the IBAN, BT-20."""
    seller = invoice.content.seller
    for number, branch in ((seller.bankgiro, BANKGIRO_BRANCH), (seller.iban, seller.bic)):
        if not number:
            continue
        means = _group(root, "PaymentMeans")
        _text(means, "PaymentMeansCode", MEANS_CREDIT_TRANSFER)
        if invoice.content.document_type == DocumentType.CREDIT_NOTE and number == seller.bankgiro:  # UBL-SR-45: once
            _text(means, "PaymentDueDate", invoice.due_date.isoformat())
        _text(means, "PaymentID", invoice.payment_reference)
        account = _group(means, "PayeeFinancialAccount")
        _text(account, "ID", number)
        _text(_group(account, "FinancialInstitutionBranch"), "ID", branch)
    _text(_group(root, "PaymentTerms"), "Note", payment_terms(invoice.content.buyer.payment_terms_days))


def _category(parent: etree._Element, element: str, rate: Decimal) -> None:
    category = _group(parent, element)
    _text(category, "ID", "S")
    _text(category, "Percent", money.shortest(rate, decimals=0))
    _text(_group(category, "TaxScheme"), "ID", "VAT")


def _totals(root: etree._Element, totals: Totals) -> None:
    """BT-110, BG-23, BG-22."""
    tax = _group(root, "TaxTotal")
    _amount(tax, "TaxAmount", totals.vat)
    for each in totals.subtotals:
        subtotal = _group(tax, "TaxSubtotal")
        _amount(subtotal, "TaxableAmount", each.base)
        _amount(subtotal, "TaxAmount", each.vat)
        _category(subtotal, "TaxCategory", each.rate)
    legal = _group(root, "LegalMonetaryTotal")
    _amount(legal, "LineExtensionAmount", totals.net)
    _amount(legal, "TaxExclusiveAmount", totals.net)
    _amount(legal, "TaxInclusiveAmount", totals.gross)
    if totals.rounding:
        _amount(legal, "PayableRoundingAmount", totals.rounding)
    _amount(legal, "PayableAmount", totals.payable)


def _line(root: etree._Element, line: LineContent, schema: _Schema) -> None:
    """BG-25: BT-126, 129, 130, 131, BG-26, BT-154, 153, 155, 151, 152, 146."""
    element = _group(root, schema.line)
    _text(element, "ID", str(line.position))
    _text(element, schema.quantity, money.shortest(line.quantity), unitCode=line.declaration.unit_code)
    _amount(element, "LineExtensionAmount", line.net)
    _period(element, line.period)
    item = _group(element, "Item")
    _text(item, "Description", line.description)
    _text(item, "Name", line.text)
    _text(_group(item, "SellersItemIdentification"), "ID", line.article_code)
    _category(item, "ClassifiedTaxCategory", line.vat_rate)
    _text(_group(element, "Price"), "PriceAmount", money.shortest(line.unit_price), currencyID=CURRENCY)


def _period(parent: etree._Element, month: Month) -> None:
    period = _group(parent, "InvoicePeriod")
    _text(period, "StartDate", month.first_day.isoformat())
    _text(period, "EndDate", month.last_day.isoformat())


# The values of a document that reconciliation compares with the row, by XPath.
_STATED = {
    "number": "cbc:ID",
    "issue_date": "cbc:IssueDate",
    "due_date": "cbc:DueDate|cac:PaymentMeans/cbc:PaymentDueDate",
    "document_type": "cbc:InvoiceTypeCode|cbc:CreditNoteTypeCode",
    "preceding_number": "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID",
    "preceding_date": "cac:BillingReference/cac:InvoiceDocumentReference/cbc:IssueDate",
    "buyer_reference": "cbc:BuyerReference",
    "order_number": "cac:OrderReference/cbc:ID",
    "contract": "cac:ContractDocumentReference/cbc:ID",
    "seller_name": "cac:AccountingSupplierParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName",
    "seller_number": "cac:AccountingSupplierParty/cac:Party/cac:PartyLegalEntity/cbc:CompanyID",
    "buyer_name": "cac:AccountingCustomerParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName",
    "buyer_number": "cac:AccountingCustomerParty/cac:Party/cac:PartyLegalEntity/cbc:CompanyID",
    "buyer_endpoint": "cac:AccountingCustomerParty/cac:Party/cbc:EndpointID",
    "buyer_street": "cac:AccountingCustomerParty/cac:Party/cac:PostalAddress/cbc:StreetName",
    "buyer_postal_code": "cac:AccountingCustomerParty/cac:Party/cac:PostalAddress/cbc:PostalZone",
    "buyer_city": "cac:AccountingCustomerParty/cac:Party/cac:PostalAddress/cbc:CityName",
    "account": "cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID",
    "iban": "cac:PaymentMeans[2]/cac:PayeeFinancialAccount/cbc:ID",
    "bic": "cac:PaymentMeans[2]/cac:PayeeFinancialAccount/cac:FinancialInstitutionBranch/cbc:ID",
    "payment_reference": "cac:PaymentMeans/cbc:PaymentID",
    "vat": "cac:TaxTotal[cac:TaxSubtotal]/cbc:TaxAmount",
    "net": "cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount",
    "gross": "cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount",
    "payable": "cac:LegalMonetaryTotal/cbc:PayableAmount",
}


def read(xml: bytes) -> dict[str, str]:
    """Returns type, parties, dates, totals and line amounts of a stored UBL document; empty if the document cannot be parsed."""
    try:
        root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError:
        return {}
    names = {"cac": CAC, "cbc": CBC}
    stated = {name: str(root.xpath(f"string({path})", namespaces=names)) for name, path in _STATED.items()}
    amounts = root.xpath("(cac:InvoiceLine|cac:CreditNoteLine)/cbc:LineExtensionAmount/text()", namespaces=names)
    return stated | {"lines": " ".join(map(str, amounts))}


def statements(invoice: NumberedInvoice) -> dict[str, str]:
    """Returns the values that `read` must return for the document of `invoice`, without building the document."""
    content = invoice.content
    seller, buyer, totals, preceding = content.seller, content.buyer, content.totals, content.preceding
    return {
        "number": invoice.number,
        "issue_date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        "document_type": content.document_type.value,
        "preceding_number": preceding.number if preceding else "",
        "preceding_date": preceding.issue_date.isoformat() if preceding else "",
        "buyer_reference": buyer.buyer_reference,
        "order_number": buyer.order_number,
        "contract": buyer.contract,
        "seller_name": seller.name,
        "seller_number": seller.organisation_number,
        "buyer_name": buyer.name,
        "buyer_number": buyer.organisation_number,
        "buyer_endpoint": buyer.endpoint_id,
        "buyer_street": buyer.street,
        "buyer_postal_code": buyer.postal_code,
        "buyer_city": buyer.city,
        "account": seller.bankgiro,
        "iban": seller.iban,
        "bic": seller.bic,
        "payment_reference": invoice.payment_reference,
        **{name: format(getattr(totals, name), ".2f") for name in ("vat", "net", "gross", "payable")},
        "lines": " ".join(format(line.net, ".2f") for line in content.lines),
    }
