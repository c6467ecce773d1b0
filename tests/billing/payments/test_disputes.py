"""Disputes: opened and closed by finance, shown on the invoice and in the list, kept by the database."""

import pytest
from django.db import DatabaseError, connection, transaction

from billing.payments.models import Dispute
from billing.records.models import Event
from issuance.authz import Role
from tests.billing.invoices.test_pages import plain
from tests.billing.payments.test_payments import FIRST, SECOND

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = f"/fakturor/{FIRST}/tvist/"
OPEN = {"reason": "quantity", "note": "Två kort för mycket."}


def test_a_dispute_is_opened_shown_and_closed(issued):
    client = issued.client(Role.FINANCE_ADMIN)
    assert "Kunden godtar inte fakturan" in plain(client.get(f"/fakturor/{FIRST}/").content)
    for change, words in (
        ({"reason": ""}, "Välj vad kunden inte godtar."),
        ({"reason": "x"}, "Välj ett alternativ i listan."),
        ({"note": ""}, "Skriv vad kunden inte godtar."),
        ({"note": "Gäller 19900101-0017."}, "Ta bort personnummer och HSA-id ur texten."),
        ({"note": "Gäller SE2321000131-P000000000123."}, "Ta bort personnummer och HSA-id ur texten."),
    ):
        refused = client.post(ADDRESS, OPEN | change)
        assert (refused.status_code, words in plain(refused.content)) == (422, True), change
    assert client.post(ADDRESS, OPEN)["Location"] == f"/fakturor/{FIRST}/"
    assert client.post(ADDRESS, OPEN).status_code == 409
    assert "Fel antal Två kort för mycket." in plain(client.get(ADDRESS).content)
    reader = issued.client(Role.CUSTOMER_FINANCE, issued.municipality)
    page = plain(reader.get(f"/fakturor/{FIRST}/").content)
    assert "Betalt Tvist" in page
    assert "Två kort" not in page
    assert reader.get(ADDRESS).status_code == 403
    listed = plain(client.get("/fakturor/?betalning=tvist").content)
    assert (FIRST in listed, SECOND in listed, "2023-06-01 Tvist" in listed) == (True, False, True)
    assert client.post(ADDRESS, {"avsluta": "1", "outcome": ""}).status_code == 422
    assert client.post(ADDRESS, {"avsluta": "1", "outcome": "Krediterad."}).status_code == 302
    assert client.post(ADDRESS, {"avsluta": "1", "outcome": "Igen."}).status_code == 409
    assert "Krediterad." in plain(client.get(ADDRESS).content)
    assert client.get("/fakturor/2023-000009/tvist/").status_code == 404
    actions = Event.objects.filter(action__contains="disput").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["invoice.disputed", "invoice.dispute_closed"]


def test_the_database_keeps_disputes(issued):
    client = issued.client(Role.FINANCE_ADMIN)
    client.post(ADDRESS, OPEN)
    client.post(ADDRESS, {"avsluta": "1", "outcome": "Krediterad."})
    for statement in (
        "DELETE FROM billing_dispute",
        "TRUNCATE billing_dispute",
        "UPDATE billing_dispute SET outcome = 'Annat'",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert Dispute.objects.get().outcome == "Krediterad."
