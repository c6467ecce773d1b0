"""What is booked cannot be deleted before its day, neither by the application nor by a superuser."""

import datetime as dt

import psycopg2
import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from billing.models import Invoice, InvoiceRun, Notice, RetentionRule
from billing.payments.services import receiving
from billing.service import run_month
from issuance.authz import Role
from siths_portal.lib import clock
from tests import superuser
from tests.billing.invoices.test_pages import make_few, plain
from tests.billing.payments.test_payments import FIRST, WHOLE
from tests.billing.world import APRIL, made_once

pytestmark = pytest.mark.django_db(transaction=True)
BOOKED = (
    "invoice", "invoiceline", "lineevent", "ledgerentry", "priceitem", "billingcustomer", "invoicerun", "runitem", "invoicefile",
    "document", "event", "counter", "delivery", "notice", "payment", "paymentallocation", "paymentfile",
)  # fmt: skip


@pytest.fixture
def booked(page_world, facts):
    """The rows of an issued month with its files, a notice and a payment."""

    def make() -> None:
        make_few(facts)
        run_month(APRIL, actor_ref="user:test", issue=True)

    made_once("few issued with files", facts, make)
    receiving.book_at_once(WHOLE)
    Notice.objects.create(invoice=Invoice.objects.get(number=FIRST), recipient="a@b.example", next_at=clock.now())
    return page_world


def test_nobody_deletes_what_is_booked(booked):
    options = connection.settings_dict
    for table in (f"billing_{name}" for name in BOOKED):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
            assert cursor.fetchone() == (True,), table
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
            other = psycopg2.connect(dbname=options["NAME"], user="postgres", host=options["OPTIONS"]["host"])
            with pytest.raises(psycopg2.Error) as refused, other, other.cursor() as cursor:
                cursor.execute(statement)
            assert refused.value.pgcode == "42501", (statement, "by a trigger, since a superuser has every privilege")
            other.close()
    for invoice in Invoice.objects.all():
        assert (invoice.program_version, bool(invoice.gate_version)) == (settings.PROGRAM_VERSION, True)
        assert all(stored.renderer_version for stored in invoice.files.all())
    assert "Sparas minst till och med 2030-12-31" in plain(booked.client(Role.FINANCE_ADMIN).get(f"/fakturor/{FIRST}/").content)


def retention_until(day: dt.date) -> dt.date:
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_retention_until(%s)", [day])
        return cursor.fetchone()[0]


def test_the_day_follows_the_financial_year(facts):
    assert retention_until(dt.date(2023, 5, 2)) == dt.date(2030, 12, 31)
    with superuser.cursor() as cursor:
        cursor.execute("INSERT INTO billing_retentionrule (id, year_ends_in, kept_years) VALUES (1, 6, 7)")
    assert [retention_until(dt.date(2023, month, 30)).year for month in (6, 7)] == [2030, 2031]
    for values in ("kept_years = 6", "year_ends_in = 13"):
        with pytest.raises(psycopg2.Error), superuser.cursor() as cursor:
            cursor.execute(f"UPDATE billing_retentionrule SET {values}")
    assert RetentionRule.objects.get().kept_years == 7


def test_a_run_may_be_deleted_after_its_day(facts):
    old = InvoiceRun.objects.create(
        period=dt.date(2010, 1, 1), opened_at=dt.datetime(2010, 2, 2, tzinfo=dt.UTC), program_version="0"
    )
    InvoiceRun.objects.filter(pk=old.pk).delete()
    assert not InvoiceRun.objects.exists()
