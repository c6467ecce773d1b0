"""Reminders of overdue invoices, without fees: asked for by finance, sent by the worker, never for a disputed or paid invoice."""

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction

from billing.payments.models import Reminder
from billing.payments.services import receiving, reminding
from billing.records.models import Event
from issuance.authz import Role
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Unavailable
from siths_portal.lib.mail import Mailer, Message
from tests.billing.invoices.test_pages import plain
from tests.billing.payments.camt import Paid, entry, file
from tests.billing.payments.test_payments import FIRST, OCR, SECOND
from tests.billing.world import MUNICIPALITY, REGION, customer

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "/fakturor/forfallna/"


class Mails:
    """A mail server in memory. It is away as long as `away`."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.away = False

    def send(self, message: Message) -> None:
        if self.away:
            raise Unavailable("mail-unavailable", "Borta.")
        self.sent.append(message)


@pytest.fixture
def mails():
    found, before = Mails(), ports.get(Mailer)
    ports.connect(Mailer, found)
    yield found
    ports.connect(Mailer, before)


@pytest.fixture
def late(issued, mails):
    """Both invoices are overdue by ten days; the municipality's has an address, and 100 kronor of it are paid."""
    customer(MUNICIPALITY, name="Demo kommun", organisation_number="2129990012", notice_email="ekonomi@kommun.example")
    receiving.book_at_once(file(entry("A1", Paid("100.00", [OCR[FIRST]]))))
    with clock.moved_to(clock.now() + dt.timedelta(days=40)):
        yield issued


def test_finance_reminds_a_customer_once_a_week(late, mails):
    client = late.client(Role.FINANCE_ADMIN)
    content = client.get(ADDRESS).content
    page = plain(content)
    assert f"{FIRST} Demo kommun 2023-06-01 10 250,00" in page
    for address in (f"/fakturor/kunder/{MUNICIPALITY}/", f"/fakturor/{FIRST}/"):
        assert f'href="{address}"' in content.decode()
    assert "Kunden har ingen e-postadress för fakturor." in page
    assert "2 förfallna fakturor" in plain(client.get("/dagen/").content)
    assert client.post(ADDRESS).status_code == 422
    assert client.post(ADDRESS, {"faktura": [SECOND]}).status_code == 409
    assert client.post(ADDRESS, {"faktura": ["2023-000009"]}).status_code == 404
    assert client.post(ADDRESS, {"faktura": [FIRST]})["Location"] == ADDRESS
    assert "Ingen av fakturorna kan få en påminnelse nu." in plain(client.get(ADDRESS).content)
    mails.away = True
    assert (reminding.send_due(), mails.sent) == (1, [])
    mails.away = False
    with clock.moved_to(clock.now() + dt.timedelta(minutes=5)):
        assert (reminding.send_due(), reminding.send_due()) == (1, 0)
    (mail,) = mails.sent
    assert (mail.recipient, mail.subject) == (
        "ekonomi@kommun.example", f"Påminnelse om faktura {FIRST} från Demo e-legitimationer AB",
    )  # fmt: skip
    assert f"Kvar att betala: 250,00 kr\nBankgiro: 991-2346\nOCR-nummer: {OCR[FIRST]}" in mail.text.replace("\u00a0", " ")
    assert "avgift" not in mail.text
    again = client.post(ADDRESS, {"faktura": [FIRST]})
    assert (again.status_code, "Kunden har fått en påminnelse de senaste 7 dagarna." in plain(again.content)) == (409, True)
    assert "2023-06-11: Skickad" in plain(client.get(ADDRESS).content)
    assert "Påmind 2023-06-11" in plain(client.get(f"/fakturor/{FIRST}/").content)
    with clock.moved_to(clock.now() + dt.timedelta(days=8)):
        assert late.client(Role.FINANCE_ADMIN).post(ADDRESS, {"faktura": [FIRST]}).status_code == 302
    actions = Event.objects.filter(action__contains="remind").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["invoice.reminder_requested", "invoice.reminded", "invoice.reminder_requested"]


@pytest.mark.parametrize("meanwhile", ["disputed", "paid"])
def test_a_disputed_or_paid_invoice_gets_no_reminder(late, mails, meanwhile):
    client = late.client(Role.FINANCE_ADMIN)
    client.post(ADDRESS, {"faktura": [FIRST]})
    if meanwhile == "disputed":
        client.post(f"/fakturor/{FIRST}/tvist/", {"reason": "price", "note": "Fel pris på kort."})
    else:
        receiving.book_at_once(file(entry("A2", Paid("250.00", [OCR[FIRST]]))))
    assert (reminding.send_due(), mails.sent, Reminder.objects.get().state) == (1, [], "not-needed")
    refused = client.post(ADDRESS, {"faktura": [FIRST]})
    words = "Kunden godtar inte fakturan." if meanwhile == "disputed" else "Fakturan är inte förfallen."
    assert (refused.status_code, words in plain(refused.content)) == (409, True)


def test_the_database_keeps_reminders(late):
    late.client(Role.FINANCE_ADMIN).post(ADDRESS, {"faktura": [FIRST]})
    for statement in (
        "DELETE FROM billing_reminder",
        "TRUNCATE billing_reminder",
        "UPDATE billing_reminder SET recipient = 'x@y.example'",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_an_invoice_that_is_not_due_cannot_be_reminded(issued, mails):
    customer(REGION, name="Västra Götalandsregionen", organisation_number="2329990010", notice_email="a@b.example")
    client = issued.client(Role.FINANCE_ADMIN)
    assert "Inga förfallna fakturor" in plain(client.get(ADDRESS).content)
    assert client.post(ADDRESS, {"faktura": [SECOND]}).status_code == 409
