"""A database restored from a backup (`pg_dump`), and the run started again: the same numbers and the same bytes."""

import datetime as dt
import subprocess

import pytest
from django.db import connection

from billing.delivery.models import Delivery
from billing.invoices.models import Counter, Invoice, InvoiceFile, without_document
from billing.invoices.services import replaying
from billing.reconciliation.services.reconcile import reconcile
from billing.service import run_month, verify_issued
from siths_portal.dev.private_services import postgres_bin
from siths_portal.lib import clock
from tests import superuser
from tests.billing.world import APRIL, IN_MAY, MUNICIPALITY, REGION, customer

pytestmark = pytest.mark.django_db(transaction=True)
ME = "user:test"


def client(program: str, *arguments: str, given: bytes = b"") -> bytes:
    """What a program of PostgreSQL writes, as the superuser of the test database."""
    options = connection.settings_dict
    place = ["-h", options["OPTIONS"]["host"], "-U", "postgres", "-d", options["NAME"]]
    command = [str(postgres_bin() / program), *place, "--data-only", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


def backup() -> bytes:
    return client("pg_dump", "-Fc", "-t", "public.billing_*")


def restore(dump: bytes) -> None:
    with superuser.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE starts_with(tablename, 'billing_')")
        for (table,) in cursor.fetchall():
            cursor.execute(f'DELETE FROM "{table}"')
    client("pg_restore", "--disable-triggers", given=dump)


def documents() -> list[tuple[object, ...]]:
    """Number, chain, place in the outbox and digests of the files of each document."""
    files = InvoiceFile.objects.order_by("invoice__number", "file_format")
    sent = Delivery.objects.order_by("invoice__number").values_list("invoice__number", "message_id")
    return [*files.values_list("invoice__number", "invoice__chain_hash", "file_format", "document_id"), *sent]


def test_a_rerun_after_a_restored_backup_gives_the_same_numbers_and_bytes(small_sketches):
    run_month(APRIL, actor_ref=ME)
    drafted = backup()
    run_month(APRIL, actor_ref=ME, issue=True)
    issued, before = backup(), documents()
    assert len(before) == 2 * 2 + 2

    restore(drafted)
    assert not Invoice.objects.exclude(number=None).exists(), "what came after the backup is gone"
    assert run_month(APRIL, actor_ref=ME, issue=True).issued == 2
    assert documents() == before, "a receiver that has the document gets the same one again"

    restore(issued)
    again = run_month(APRIL, actor_ref=ME, issue=True)
    assert (again.drafted, again.issued, again.rendered) == (0, 0, 0)
    assert documents() == before
    assert Counter.objects.get().last == 2
    assert [check.number for check in reconcile(APRIL) if not check.ok] == []
    assert verify_issued().wrong == ()


def test_a_lost_number_goes_only_to_its_own_document(small_sketches, settings, tmp_path):
    """The database is restored from before the numbers were given; the journal has them, and a customer's terms have changed."""
    settings.JOURNAL_DIR = tmp_path
    run_month(APRIL, actor_ref=ME)
    drafted = backup()
    run_month(APRIL, actor_ref=ME, issue=True)
    before = dict(Invoice.objects.exclude(number=None).values_list("party_id", "number"))
    chains = dict(Invoice.objects.values_list("number", "chain_hash"))

    restore(drafted)
    assert replaying.replay() == sorted(chains)
    assert replaying.replay() == []
    customer(REGION, name="Västra Götalandsregionen", organisation_number="2329990010", buyer_reference="another")
    with clock.moved_to(IN_MAY + dt.timedelta(days=1)):
        assert run_month(APRIL, actor_ref=ME, issue=True).issued == 2
    after = {invoice.party_id: invoice for invoice in Invoice.objects.exclude(number=None)}
    assert after[MUNICIPALITY].number == before[MUNICIPALITY]
    assert after[MUNICIPALITY].chain_hash == chains[before[MUNICIPALITY]], "its date is that of the first time"
    assert (after[REGION].sequence, before[REGION]) == (3, without_document().get().number)
    assert Counter.objects.get().last == 3
    assert [check.number for check in reconcile(APRIL) if not check.ok] == []
    assert verify_issued().wrong == ()
