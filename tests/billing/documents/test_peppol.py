"""The own rules: a valid invoice passes them and the official ones; one change that breaks a rule gives its id."""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from lxml import etree

from billing.documents import peppol, ubl
from billing.documents.domain.invoices import NumberedInvoice
from billing.records.domain.periods import Month
from tests.billing.documents import official
from tests.billing.documents.samples import SELLER, credit_note, invoice, line

NS = {"cac": ubl.CAC, "cbc": ubl.CBC}
CBC, CAC = f"{{{ubl.CBC}}}", f"{{{ubl.CAC}}}"
MARCH = Month(2023, 3)

GOOD = {
    "plain": invoice(),
    "order number": invoice(buyer_reference="", order_number="DLL1234567"),
    "everything": invoice(contract="KA2-17", invoiced_object="A-9", order_number="P123456789012", street=""),
    "whole kronor up": invoice(line(1, "589", "1", "0.40"), round_to_krona=True),
    "whole kronor down": invoice(line(1, "589", "3", "33.33"), round_to_krona=True),
    "late events": invoice(line(1, "589, avser mars 2023", "2", "90", month=MARCH), line(2, "589", "1", "90")),
    "two rates": invoice(line(1, "589", "2", "90"), line(2, "bok", "7", "0.0714", rate="6")),
    "no account abroad": invoice(seller=replace(SELLER, iban="", bic="", contact="")),
    "gln": invoice(endpoint_scheme="0088", endpoint_id="7300010000001"),
    "markup in texts": invoice(line(1, "589, <script>&{{7*7}}]]>", "1", "90"), name="A & B <region>"),
    "emoji": invoice(line(1, "589, Kontor 🏥", "1", "90")),
    "free": invoice(line(1, "589", "4", "0")),
    "described": invoice(replace(line(1, "631, Borås stad", "1", "75"), description="Liggande kort utan foto")),
    "credit": credit_note(),
    "credit of everything": credit_note(
        replace(line(1, "631, Borås stad", "0.5", "75"), description="Liggande kort utan foto"),
        line(2, "bok, avser mars 2023", "7", "0.0714", rate="6", month=MARCH),
        contract="KA2-17",
        invoiced_object="A-9",
        order_number="P12",
        round_to_krona=True,
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_invoices_pass_the_gate_the_schema_and_en_16931(name):
    xml = ubl.build(GOOD[name])
    assert peppol.check(xml) == []
    assert official.xsd_errors(xml) == []
    assert official.cen_errors(xml) == []


def test_the_official_judges_can_say_no():
    root = etree.fromstring(ubl.build(invoice()))
    number, date = root.find(f"{CBC}ID"), root.find(f"{CBC}IssueDate")
    number.addprevious(date)
    assert official.xsd_errors(etree.tostring(root))
    assert "BR-CO-10" in official.cen_errors(broken(text("cac:LegalMonetaryTotal/cbc:LineExtensionAmount", "1.00")))


def test_same_invoice_same_bytes():
    assert ubl.build(invoice()) == ubl.build(invoice())


def test_texts_are_literal_in_the_document():
    root = etree.fromstring(ubl.build(GOOD["markup in texts"]))
    assert root.find(f".//{CAC}Item/{CBC}Name").text == "589, <script>&{{7*7}}]]>"


# --- breaking a good invoice ----------------------------------------------------------------------------------------------

Change = Callable[[etree._Element], None]


def broken(*changes: Change, of: NumberedInvoice | None = None) -> bytes:
    root = etree.fromstring(ubl.build(of or invoice()))
    for change in changes:
        change(root)
    return etree.tostring(root)


IN_CREDIT_NOTE = {
    "cac:InvoiceLine": "cac:CreditNoteLine",
    "cbc:InvoicedQuantity": "cbc:CreditedQuantity",
    "cbc:DueDate": "cac:PaymentMeans/cbc:PaymentDueDate",
}


def found(root: etree._Element, path: str) -> list[etree._Element]:
    """The elements at a path of an invoice, also in a credit note, which names some of them otherwise."""
    if root.tag == f"{{{ubl.CREDIT_NOTE}}}CreditNote":
        for name, other in IN_CREDIT_NOTE.items():
            path = path.replace(name, other)
    return root.xpath(path, namespaces=NS)


def first(root: etree._Element, path: str) -> etree._Element:
    return found(root, path)[0]


def text(path: str, value: str) -> Change:
    def change(root):
        first(root, path).text = value

    return change


def attribute(path: str, name: str, value: str) -> Change:
    return lambda root: first(root, path).set(name, value)


def drop(path: str) -> Change:
    def change(root):
        for element in found(root, path):
            element.getparent().remove(element)

    return change


def again(path: str) -> Change:
    def change(root):
        element = first(root, path)
        element.addnext(copy.deepcopy(element))

    return change


def add(path: str, xml: str) -> Change:
    """Appends `xml` to the element at `path`; the own rules ignore the order of elements."""

    def change(root):
        parent = first(root, path)
        wrapped = f'<x xmlns:cac="{ubl.CAC}" xmlns:cbc="{ubl.CBC}">{xml}</x>'
        parent.extend(etree.fromstring(wrapped))

    return change


def typed_as_credit_note(root: etree._Element) -> None:
    """Renames what is named otherwise in a credit note."""
    first(root, "cbc:InvoiceTypeCode").tag = f"{CBC}CreditNoteTypeCode"


def allowance(indicator: str, inner: str) -> str:
    return f"<cac:AllowanceCharge><cbc:ChargeIndicator>{indicator}</cbc:ChargeIndicator>{inner}</cac:AllowanceCharge>"


AMOUNT = '<cbc:Amount currencyID="SEK">{}</cbc:Amount>'
BASE = '<cbc:BaseAmount currencyID="SEK">{}</cbc:BaseAmount>'
PERCENT = "<cbc:MultiplierFactorNumeric>{}</cbc:MultiplierFactorNumeric>"
SELLER_PARTY, BUYER_PARTY = "cac:AccountingSupplierParty/cac:Party", "cac:AccountingCustomerParty/cac:Party"
VAT_ID = f"{SELLER_PARTY}/cac:PartyTaxScheme[1]/cbc:CompanyID"
LEGAL_ID = f"{SELLER_PARTY}/cac:PartyLegalEntity/cbc:CompanyID"
ACCOUNT = "cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID"
BRANCH = "cac:PaymentMeans/cac:PayeeFinancialAccount/cac:FinancialInstitutionBranch/cbc:ID"
REFERENCE = "<cac:{0}><cbc:ID>1</cbc:ID><cbc:DocumentTypeCode>{1}</cbc:DocumentTypeCode></cac:{0}>"
LINE = "cac:InvoiceLine[1]"
PLUSGIRO = text(BRANCH, "SE:PLUSGIRO")
TAX_CURRENCY = add(".", "<cbc:TaxCurrencyCode>EUR</cbc:TaxCurrencyCode>")


def buyer_endpoint(scheme: str, value: str) -> Change:
    def change(root):
        endpoint = first(root, f"{BUYER_PARTY}/cbc:EndpointID")
        endpoint.text = value
        endpoint.set("schemeID", scheme)

    return change


WRONG_IDENTIFIERS = [
    ("R040", "0088", "7300010000002"),
    ("R041", "0192", "974760674"),
    ("R042", "0184", "DK1234567"),
    ("R043", "0208", "0843766575"),
    ("R044", "0201", "ABC-12"),
    ("R045", "0210", "RSSMRA85T10A562"),
    ("R046", "9907", "1234567890"),
    ("R047", "0211", "IT06363391002"),
    ("R048", "9906", "IT06363391002"),
    ("R050", "0151", "51824753557"),
    ("R052", "0096", "123456789"),
    ("R053", "0198", "12345678"),
    ("R054", "0106", "1234567"),
    ("R055", "0190", "0000000100123456700"),
    ("R056-1", "9944", "NL12345678B01"),
    ("R057", "0217", "12345678901"),
]
RIGHT_IDENTIFIERS = [
    ("0088", "7300010000001"),
    ("0192", "974760673"),
    ("0184", "DK12345678"),
    ("0184", "12345678"),
    ("0208", "0843766574"),
    ("0201", "ABC123"),
    ("0210", "RSSMRA85T10A562S"),
    ("0210", "12345678901"),
    ("0211", "IT06363391001"),
    ("0151", "51824753556"),
    ("0096", "1234567890"),
    ("0198", "DK12345678"),
    ("0106", "12345678"),
    ("0190", "00000001001234567000"),
    ("9944", "NL123456789B01"),
    ("0217", "123456789012"),
]
EXEMPTIONS = {"P0104": "G", "P0105": "O", "P0106": "IC", "P0107": "AE", "P0108": "D", "P0109": "F", "P0110": "I", "P0111": "J"}
CATEGORY = "cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory"

BREAKS: list[tuple[str, list[Change]]] = [
    ("PEPPOL-EN16931-R001", [drop("cbc:ProfileID")]),
    ("PEPPOL-EN16931-R002", [again("cbc:Note")]),
    ("PEPPOL-EN16931-R003", [drop("cbc:BuyerReference")]),
    ("PEPPOL-EN16931-R004", [text("cbc:CustomizationID", "urn:cen.eu:en16931:2017")]),
    ("PEPPOL-EN16931-R005", [add(".", "<cbc:TaxCurrencyCode>SEK</cbc:TaxCurrencyCode>")]),
    ("PEPPOL-EN16931-R006", [add(".", REFERENCE.format("AdditionalDocumentReference", "130") * 2)]),
    ("PEPPOL-EN16931-R007", [text("cbc:ProfileID", "urn:fdc:peppol.eu:2017:poacc:billing:1:1.0")]),
    ("PEPPOL-EN16931-R008", [text("cbc:Note", " ")]),
    ("PEPPOL-EN16931-R010", [drop(f"{BUYER_PARTY}/cbc:EndpointID")]),
    ("PEPPOL-EN16931-R020", [drop(f"{SELLER_PARTY}/cbc:EndpointID")]),
    ("PEPPOL-EN16931-R040", [add(".", allowance("false", AMOUNT.format("9.97") + BASE.format("100") + PERCENT.format("10")))]),
    ("PEPPOL-EN16931-R041", [add(".", allowance("false", AMOUNT.format("10") + PERCENT.format("10")))]),
    ("PEPPOL-EN16931-R042", [add(LINE, allowance("false", AMOUNT.format("10") + BASE.format("100")))]),
    ("PEPPOL-EN16931-R043", [add(".", allowance("ja", AMOUNT.format("10")))]),
    ("PEPPOL-EN16931-R044", [add(f"{LINE}/cac:Price", allowance("true", AMOUNT.format("10")))]),
    ("PEPPOL-EN16931-R046", [add(f"{LINE}/cac:Price", allowance("false", AMOUNT.format("10") + BASE.format("99.99")))]),
    ("PEPPOL-EN16931-R051", [attribute("cac:LegalMonetaryTotal/cbc:PayableAmount", "currencyID", "EUR")]),
    ("PEPPOL-EN16931-R053", [again("cac:TaxTotal")]),
    ("PEPPOL-EN16931-R054", [TAX_CURRENCY]),
    (
        "PEPPOL-EN16931-R055",
        [TAX_CURRENCY, add(".", '<cac:TaxTotal><cbc:TaxAmount currencyID="EUR">-1.00</cbc:TaxAmount></cac:TaxTotal>')],
    ),
    ("PEPPOL-EN16931-R061", [text("cac:PaymentMeans/cbc:PaymentMeansCode", "59")]),
    ("PEPPOL-EN16931-R080", [add(".", REFERENCE.format("AdditionalDocumentReference", "50") * 2)]),
    ("PEPPOL-EN16931-R100", [add(LINE, REFERENCE.format("DocumentReference", "130") * 2)]),
    ("PEPPOL-EN16931-R101", [add(LINE, REFERENCE.format("DocumentReference", "50"))]),
    ("PEPPOL-EN16931-R110", [text(f"{LINE}/cac:InvoicePeriod/cbc:StartDate", "2023-03-31")]),
    ("PEPPOL-EN16931-R111", [text(f"{LINE}/cac:InvoicePeriod/cbc:EndDate", "2023-05-01")]),
    ("PEPPOL-EN16931-R120", [text(f"{LINE}/cbc:LineExtensionAmount", "90000.03")]),
    ("PEPPOL-EN16931-R121", [add(f"{LINE}/cac:Price", '<cbc:BaseQuantity unitCode="EA">0</cbc:BaseQuantity>')]),
    ("PEPPOL-EN16931-R130", [add(f"{LINE}/cac:Price", '<cbc:BaseQuantity unitCode="H87">1</cbc:BaseQuantity>')]),
    *((f"PEPPOL-COMMON-{number}", [buyer_endpoint(scheme, wrong)]) for number, scheme, wrong in WRONG_IDENTIFIERS),
    ("PEPPOL-COMMON-R049", [text(f"{BUYER_PARTY}/cac:PartyLegalEntity/cbc:CompanyID", "2329990003")]),
    (
        "PEPPOL-EN16931-CL001",
        [
            add(
                ".",
                "<cac:AdditionalDocumentReference><cbc:ID>1</cbc:ID><cac:Attachment><cbc:EmbeddedDocumentBinaryObject "
                'mimeCode="text/html">AA==</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>',
            )
        ],
    ),
    (
        "PEPPOL-EN16931-CL002",
        [add(".", allowance("false", "<cbc:AllowanceChargeReasonCode>ZZZ</cbc:AllowanceChargeReasonCode>" + AMOUNT.format("1")))],
    ),
    (
        "PEPPOL-EN16931-CL003",
        [add(".", allowance("true", "<cbc:AllowanceChargeReasonCode>95</cbc:AllowanceChargeReasonCode>" + AMOUNT.format("1")))],
    ),
    ("PEPPOL-EN16931-CL006", [add("cac:InvoicePeriod", "<cbc:DescriptionCode>36</cbc:DescriptionCode>")]),
    ("PEPPOL-EN16931-CL007", [attribute("cac:LegalMonetaryTotal/cbc:PayableAmount", "currencyID", "KRON")]),
    ("PEPPOL-EN16931-CL008", [attribute(f"{BUYER_PARTY}/cbc:EndpointID", "schemeID", "0000")]),
    ("PEPPOL-EN16931-P0100", [text("cbc:InvoiceTypeCode", "325")]),
    ("PEPPOL-EN16931-P0101", [typed_as_credit_note]),
    *(
        (
            f"PEPPOL-EN16931-{number}",
            [add(CATEGORY, f"<cbc:TaxExemptionReasonCode>vatex-eu-{reason}</cbc:TaxExemptionReasonCode>")],
        )
        for number, reason in EXEMPTIONS.items()
    ),
    ("PEPPOL-EN16931-P0112", [text("cbc:InvoiceTypeCode", "384")]),
    ("BR-CL-11", [attribute(f"{BUYER_PARTY}/cac:PartyLegalEntity/cbc:CompanyID", "schemeID", "0001")]),
    ("BR-CL-14", [text(f"{BUYER_PARTY}/cac:PostalAddress/cac:Country/cbc:IdentificationCode", "se")]),
    ("BR-CL-16", [text("cac:PaymentMeans/cbc:PaymentMeansCode", "99")]),
    ("BR-CL-23", [attribute(f"{LINE}/cbc:InvoicedQuantity", "unitCode", "st")]),
    ("PEPPOL-EN16931-F001", [text("cbc:DueDate", "2023-06-31")]),
    ("SE-R-001", [text(VAT_ID, "SE5599990008")]),
    ("SE-R-002", [text(VAT_ID, "SE5599990008AB")]),
    ("SE-R-003", [text(LEGAL_ID, "559999000X")]),
    ("SE-R-004", [text(LEGAL_ID, "559999-0008")]),
    ("SE-R-005", [text(f"{SELLER_PARTY}/cac:PartyTaxScheme[2]/cbc:CompanyID", "F-skatt")]),
    ("SE-R-006", [text("cac:TaxTotal/cac:TaxSubtotal/cac:TaxCategory/cbc:Percent", "24")]),
    ("SE-R-007", [PLUSGIRO, text(ACCOUNT, "123-4")]),
    ("SE-R-008", [text(ACCOUNT, "991-2346")]),
    ("SE-R-009", [text(ACCOUNT, "991234")]),
    ("SE-R-010", [PLUSGIRO, text(ACCOUNT, "123456789")]),
    ("SE-R-011", [text("cac:PaymentMeans/cbc:PaymentMeansCode", "56")]),
    ("SE-R-012", [text("cac:PaymentMeans/cbc:PaymentMeansCode", "31")]),
    ("SE-R-013", [text(LEGAL_ID, "5599990009")]),
    # One öre, which the official rules let pass.
    ("SITHS-R-001", [text(f"{LINE}/cbc:LineExtensionAmount", "90000.01")]),
    ("SITHS-R-002", [text("cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount", "90037.05")]),
    ("SITHS-R-003", [text("cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount", "22509.25")]),
    ("SITHS-R-004", [text("cac:LegalMonetaryTotal/cbc:PayableAmount", "112546.29")]),
    ("SITHS-R-005", [text("cac:LegalMonetaryTotal/cbc:PayableAmount", "-1.00")]),
    ("SITHS-R-006", [text(ACCOUNT, "9912347")]),
    ("SITHS-R-007", [text("cac:PaymentMeans/cbc:PaymentID", "202300000132")]),
    ("SITHS-R-008", [drop(f"{BUYER_PARTY}/cac:PostalAddress/cbc:CityName")]),
    ("SITHS-R-010", [add(".", "<cac:BillingReference/>")]),
    ("SITHS-R-013", [drop(f"{SELLER_PARTY}/cac:PartyTaxScheme[1]")]),
    ("SITHS-R-012", [text("cac:PaymentMeans[2]/cac:PayeeFinancialAccount/cbc:ID", "SE3999900000000012345679")]),
]
PRECEDING = "cac:BillingReference/cac:InvoiceDocumentReference"
ONLY_CREDIT_NOTES: list[tuple[str, list[Change]]] = [
    ("PEPPOL-EN16931-P0101", [text("cbc:CreditNoteTypeCode", "380")]),
    ("SITHS-R-009", [drop("cac:BillingReference")]),
    ("SITHS-R-009", [drop(f"{PRECEDING}/cbc:IssueDate")]),
    ("SITHS-R-009", [text(f"{PRECEDING}/cbc:ID", "")]),
    ("SITHS-R-009", [again("cac:BillingReference")]),
    ("SITHS-R-011", [text("cac:CreditNoteLine[1]/cbc:CreditedQuantity", "-1000")]),
    ("SITHS-R-011", [drop("cac:CreditNoteLine[1]/cbc:CreditedQuantity")]),
]
ONLY_INVOICES = {"PEPPOL-EN16931-P0100", "PEPPOL-EN16931-P0101", "PEPPOL-EN16931-P0112", "SITHS-R-010"}
BOTH = [(rule, changes) for rule, changes in BREAKS if rule not in ONLY_INVOICES]


@pytest.mark.parametrize(("rule", "changes"), BREAKS, ids=[rule for rule, _ in BREAKS])
def test_a_broken_invoice_names_the_rule(rule, changes):
    findings = {finding.rule: finding.message for finding in peppol.check(broken(*changes))}
    assert rule in findings
    assert findings[rule].endswith(".")


@pytest.mark.parametrize(("rule", "changes"), [*BOTH, *ONLY_CREDIT_NOTES])
def test_a_broken_credit_note_names_the_rule(rule, changes):
    findings = {finding.rule: finding.message for finding in peppol.check(broken(*changes, of=credit_note()))}
    assert rule in findings
    assert findings[rule].endswith(".")


def test_every_rule_is_broken_by_a_test():
    assert set(peppol.rule_ids()) == {rule for rule, _ in (*BREAKS, *ONLY_CREDIT_NOTES)}
    assert len(set(peppol.rule_ids())) == len(peppol.rule_ids())


def test_a_credit_note_has_its_due_date_where_bis_says_and_names_the_invoice():
    root = etree.fromstring(ubl.build(credit_note()))
    assert root.xpath("string(cac:PaymentMeans/cbc:PaymentDueDate)", namespaces=NS) == "2023-06-01"
    assert not root.xpath("cbc:DueDate", namespaces=NS)
    stated = ubl.read(ubl.build(credit_note()))
    assert (stated["document_type"], stated["preceding_number"], stated["preceding_date"]) == ("381", "2023-000001", "2023-05-02")
    assert stated["lines"] == "90000.00 37.04"


@pytest.mark.parametrize("other", ["380", "384"])
def test_a_type_of_the_other_document_gets_no_number(other):
    wrong = ubl.build(credit_note()).decode().replace("<cbc:CreditNoteTypeCode>381<", f"<cbc:CreditNoteTypeCode>{other}<")
    assert "PEPPOL-EN16931-P0101" in {finding.rule for finding in peppol.check(wrong.encode())}
    assert "PEPPOL-EN16931-P0100" in {finding.rule for finding in peppol.check(broken(text("cbc:InvoiceTypeCode", "381")))}


@pytest.mark.parametrize(("scheme", "value"), RIGHT_IDENTIFIERS)
def test_a_right_identifier_of_another_country_passes(scheme, value):
    assert peppol.check(broken(buyer_endpoint(scheme, value))) == []


@pytest.mark.parametrize(
    "path", [f"{LINE}/cac:Price/cbc:PriceAmount", f"{LINE}/cbc:InvoicedQuantity", "cac:TaxTotal/cbc:TaxAmount"]
)
@pytest.mark.parametrize("nonsense", ["", "mycket", "NaN", "1e400"])
def test_a_number_that_is_none_is_a_finding_not_a_crash(path, nonsense):
    assert peppol.check(broken(text(path, nonsense)))


def test_wrong_vat_that_the_official_rules_let_pass_is_stopped():
    wrong = broken(text("cac:TaxTotal/cac:TaxSubtotal/cbc:TaxAmount", "22510.20"), text("cac:TaxTotal/cbc:TaxAmount", "22510.20"))
    assert "SITHS-R-003" in {finding.rule for finding in peppol.check(wrong)}


def test_an_entity_is_not_resolved(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("5599990008")
    xml = ubl.build(invoice()).decode().replace("<Invoice ", f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]><Invoice ', 1)
    xml = xml.replace(">2329990002</cbc:CompanyID>", ">&e;</cbc:CompanyID>")
    assert "PEPPOL-COMMON-R049" in {finding.rule for finding in peppol.check(xml.encode())}


def test_a_foreign_seller_is_not_judged_by_swedish_rules():
    xml = ubl.build(invoice(seller=replace(SELLER, country="NO", vat_number="NO123")))
    assert not [finding for finding in peppol.check(xml) if finding.rule.startswith("SE-")]


def test_a_finding_is_shown_with_its_rule():
    (finding,) = peppol.check(broken(text(f"{BUYER_PARTY}/cac:PostalAddress/cac:Country/cbc:IdentificationCode", "XX")))
    assert finding.message == "Landskoden ska vara två stora bokstäver enligt ISO 3166-1, till exempel SE."


@pytest.mark.parametrize("name", GOOD)
def test_a_document_states_what_its_invoice_says(name):
    assert ubl.read(ubl.build(GOOD[name])) == ubl.statements(GOOD[name])


def test_a_document_that_cannot_be_read_states_nothing():
    assert ubl.read(b"nonsense") == {}


def test_a_change_of_the_bytes_needs_a_new_renderer_version():
    digest = hashlib.sha256(b"".join(ubl.build(GOOD[name]) for name in sorted(GOOD))).hexdigest()
    assert (ubl.VERSION, digest) == ("ubl/3", "e526d74f837e7b46b49a5d5ebf16f51dcd215d4d0055bfe1325fce1b33298e5f")
