"""The journal has each number with its hash before the transaction that gives it can commit."""

import pytest

from billing.invoices.models import Counter, Invoice
from billing.service import run_month
from siths_portal.lib.files import journal
from tests.billing.world import APRIL

ME = "user:test"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.JOURNAL_DIR = tmp_path / "journal"
    return settings.JOURNAL_DIR


def test_each_number_is_in_the_journal_with_its_hashes(small_sketches):
    run_month(APRIL, actor_ref=ME, issue=True)
    issued = {invoice.number: invoice for invoice in Invoice.objects.exclude(number=None)}
    found = {record["number"]: record for record in journal.read("billing")}
    assert set(found) == set(issued)
    for number, record in found.items():
        invoice = issued[number]
        assert (record["sequence"], record["issue_date"]) == (invoice.sequence, str(invoice.issue_date))
        assert (record["previous_hash"], record["chain_hash"]) == (invoice.previous_hash, invoice.chain_hash)
        assert record["content_sha256"] == invoice.content_sha256


def test_without_a_journal_no_number_is_given(small_sketches, folder):
    folder.mkdir()
    folder.joinpath("billing").touch()
    with pytest.raises(OSError, match="billing"):
        run_month(APRIL, actor_ref=ME, issue=True)
    assert not Invoice.objects.exclude(number=None).exists()
    assert Counter.objects.filter(last__gt=0).count() == 0
    folder.joinpath("billing").unlink()
    assert run_month(APRIL, actor_ref=ME, issue=True).issued == 2
