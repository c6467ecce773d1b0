"""Validation before numbering: an invoice that the UBL XSD or EN 16931 refuses gets no number; the child process is bounded."""

import pytest
from lxml import etree

from billing.documents import ubl, validation
from billing.documents.official import UBL_XSD, texts, validator
from billing.invoices.models import Invoice
from billing.runs.models import RunItem
from billing.service import run_month
from siths_portal.lib.errors import Unavailable
from siths_portal.lib.processes import children
from tests.billing.documents.samples import FULL, FULL_CREDIT, invoice
from tests.billing.facts import local, uid
from tests.billing.world import APRIL, customer


@pytest.mark.parametrize("good", [FULL, FULL_CREDIT])
def test_a_good_document_passes(good):
    assert validation.check(ubl.build(good)) == []


def test_an_official_finding_has_a_swedish_sentence_and_its_id():
    root = etree.fromstring(ubl.build(invoice()))
    number, date = root.find(f"{{{ubl.CBC}}}ID"), root.find(f"{{{ubl.CBC}}}IssueDate")
    number.addprevious(date)
    (finding,) = validation.check(etree.tostring(root))
    assert (finding.rule, finding.message) == ("UBL-XSD", "Fakturan följer inte filformatet UBL 2.1.")


def test_one_fault_is_told_once():
    xml = ubl.build(invoice(endpoint_scheme="9901"))
    assert [finding.rule for finding in validation.check(xml)] == ["PEPPOL-EN16931-CL008"]


@pytest.mark.parametrize("rule", [UBL_XSD, "BR-02", "BR-CL-99", "BR-CO-10", "BR-DEC-12", "BR-S-08", "BR-77", "UBL-CR-001", "new"])
def test_every_official_rule_has_a_sentence(rule):
    assert texts.sentence(rule).endswith(".")


def test_a_document_with_a_dtd_or_of_another_kind_is_refused():
    xml = ubl.build(invoice()).decode().replace("<Invoice ", '<!DOCTYPE x [<!ENTITY e "1">]><Invoice ', 1)
    for document in (xml.encode(), b"<Order xmlns='urn:x'/>", b"nonsense"):
        assert [rule for rule, _ in validator.findings(document)] == [UBL_XSD]


# --- the child ------------------------------------------------------------------------------------------------------------


def test_one_child_judges_many_documents():
    judge = validator.Validator()
    try:
        xml = ubl.build(invoice())
        assert [judge.findings(xml) for _ in range(3)] == [[], [], []]
        first = judge._child._child.pid
        judge.findings(xml)
        assert judge._child._child.pid == first
    finally:
        judge.close()


def script(tmp_path, text: str) -> str:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("text", ["exit 1", "read line; echo nonsense; read line", "sleep 30"])
def test_without_a_judgement_there_is_no_pass(monkeypatch, tmp_path, text):
    monkeypatch.setattr(children.sys, "executable", script(tmp_path, text))
    monkeypatch.setattr(validator, "SECONDS_PER_DOCUMENT", 0.3)
    judge = validator.Validator()
    with pytest.raises(Unavailable):
        judge.findings(ubl.build(invoice()))
    judge.close()


def test_a_document_that_needs_too_much_memory_is_not_passed(monkeypatch, tmp_path):
    """The child dies of its own bound, not of the machine's."""
    import sys

    program = "import billing.documents.official.child as c; c.MEMORY = 100 * 1024 * 1024; c.main()"
    monkeypatch.setattr(children.sys, "executable", script(tmp_path, f'exec "{sys.executable}" -c "{program}"'))
    judge = validator.Validator()
    with pytest.raises(Unavailable):
        judge.findings(ubl.build(invoice()))
    judge.close()


# --- a run ----------------------------------------------------------------------------------------------------------------

WRONG_BUYERS = {
    "BR-CL-14": [{"country": "XX"}, {"country": "se"}],
    "PEPPOL-EN16931-CL008": [{"endpoint_scheme": "9901"}, {"endpoint_scheme": "9906", "endpoint_id": "IT06363391001"}],
    "PEPPOL-COMMON-R041": [{"endpoint_scheme": "0192", "endpoint_id": "974760674"}],
    "PEPPOL-COMMON-R042": [{"endpoint_scheme": "0184", "endpoint_id": "DK1"}],
    "PEPPOL-COMMON-R043": [{"endpoint_scheme": "0208", "endpoint_id": "0843766575"}],
    "PEPPOL-COMMON-R044": [{"endpoint_scheme": "0201", "endpoint_id": "ABC-12"}],
    "PEPPOL-COMMON-R045": [{"endpoint_scheme": "0210", "endpoint_id": "1"}],
    "PEPPOL-COMMON-R050": [{"endpoint_scheme": "0151", "endpoint_id": "51824753557"}],
}


@pytest.mark.django_db(transaction=True)
def test_wrong_buyers_get_no_number_and_a_reason_with_the_rule(facts, prices):
    expected = {}
    for rule, changes in WRONG_BUYERS.items():
        for number, change in enumerate(changes):
            party = uid(f"{rule} {number}")
            customer(party, **change)
            facts.card(party, facts.office(str(party), "Kontor A"), "589", local(2023, 4, 12))
            expected[party] = rule
    good = uid("good")
    customer(good)
    facts.card(good, facts.office("good office", "Kontor A"), "589", local(2023, 4, 12))
    result = run_month(APRIL, actor_ref="user:test", issue=True)
    assert list(Invoice.objects.values_list("party_id", flat=True)) == [good]
    reasons = dict(RunItem.objects.exclude(party_id=good).values_list("party_id", "reasons"))
    assert {party: [rule for rule, _ in reasons[party]] for party in expected} == {
        party: [rule] for party, rule in expected.items()
    }
    shown = [customer.reasons[0] for customer in result.customers if customer.reasons]
    assert len(shown) == len(expected)
    assert all(any(f"({rule})" in text for rule in WRONG_BUYERS) for text in shown)


@pytest.mark.django_db(transaction=True)
def test_rules_that_cannot_be_run_block_and_number_nothing(facts, prices, monkeypatch):
    def silent(xml: bytes) -> list[tuple[str, str]]:
        raise Unavailable("invoice-rules-failed", "Fakturan kunde inte kontrolleras.")

    customer(uid("region"))
    facts.card(uid("region"), facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
    with monkeypatch.context() as broken:
        broken.setattr(validator, "findings", silent)
        assert run_month(APRIL, actor_ref="user:test", issue=True).blocked == 1
    assert not Invoice.objects.exists()
    assert run_month(APRIL, actor_ref="user:test", issue=True).issued == 1
