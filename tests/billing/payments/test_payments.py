"""Payments in: from the bank's file to invoices that are paid, and what finance allocates by hand."""

import csv
import datetime as dt
import io
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.invoices.models import Invoice
from billing.payments.models import Payment, PaymentAllocation, PaymentFile
from billing.payments.queries import balances
from billing.payments.services import receiving
from billing.records.models import Event
from issuance.authz import Role
from siths_portal.lib import clock
from tests.billing.invoices.test_pages import plain
from tests.billing.payments.camt import Paid, entry, file

pytestmark = pytest.mark.django_db(transaction=True)
FIRST, SECOND = "2023-000001", "2023-000002"
OCR = {FIRST: "202300000124", SECOND: "202300000223"}
DUE = dt.timedelta(days=31)
WHOLE = file(entry("A1", Paid("350.00", [OCR[FIRST]])))


def finance(world):
    return world.client(Role.FINANCE_ADMIN)


def send(client, content: bytes):
    return client.post("/fakturor/betalningar/fil/", {"file": SimpleUploadedFile("camt.xml", content)})


def book(client, content: bytes) -> str:
    """Sends a file and books what its preview shows. Returns the preview's text."""
    preview = send(client, content)["Location"]
    page = client.get(preview)
    plan = receiving.planned(PaymentFile.objects.get(pk=preview.rstrip("/").rpartition("/")[2])).sha256
    if plan in page.content.decode():
        client.post(preview, {"plan": plan})
    return plain(page.content)


def remaining(number: str) -> Decimal:
    return balances.with_remaining(Invoice.objects.filter(number=number)).get().remaining


def test_a_file_is_previewed_and_booked_once(issued):
    client = finance(issued)
    paid = Paid("350.00", [OCR[FIRST]])
    mixed = file(
        entry("A1", paid),
        entry("A2", Paid("100.00", [OCR[SECOND]]), Paid("300.00", text=f"Faktura {OCR[SECOND]}")),
        entry("A3", Paid("12.50", ["123"]), Paid("350.00", [OCR[FIRST]])),
        entry("A4", Paid("1.00"), indicator="DBIT"),
    )
    preview = send(client, mixed)["Location"]
    shown = client.get(preview)
    text = plain(shown.content)
    for words in (
        f"{OCR[FIRST]} Region Norr 350,00 2023-000001 350,00 Betalar fakturan",
        f"{OCR[SECOND]} Region Norr 100,00 2023-000002 100,00 Betalar en del",
        f"{OCR[SECOND]} Region Norr 300,00 2023-000002 250,00 Större än fakturan",
        "123 Region Norr 12,50 – 0,00 Ingen faktura hittad",
        f"{OCR[FIRST]} Region Norr 350,00 2023-000001 0,00 Fakturan är redan betald",
        "412,50\u00a0kr hör inte till någon obetald faktura.",
        "1 post i filen är ingen bokförd inbetalning",
    ):
        assert words in text
    assert not Payment.objects.exists()
    stale = client.post(preview, {"plan": "0" * 64})
    assert (stale.status_code, Payment.objects.count()) == (409, 0)
    sha256 = receiving.planned(PaymentFile.objects.get()).sha256
    done = client.post(preview, {"plan": sha256}, follow=True)
    assert "5 betalningar på 1\u00a0112,50 kr är inlästa." in plain(done.content)
    assert (remaining(FIRST), remaining(SECOND)) == (0, 0)
    assert client.post(preview, {"plan": sha256})["Location"] == "/fakturor/betalningar/", "a second click books nothing"
    assert "Alla betalningar i filen är redan inlästa." in book(client, mixed)
    assert (Payment.objects.count(), PaymentAllocation.objects.count()) == (5, 3)
    changed = plain(client.get(send(client, file(entry("A1", Paid("351.00", [OCR[FIRST]]))))["Location"]).content)
    assert "Posten A1 är redan bokförd med ett annat belopp." in changed
    booked = Event.objects.get(action="payment_file.booked")
    assert (booked.facts["total"], booked.facts["allocated"]) == ("1112.50", "700.00")
    listed = plain(client.get("/fakturor/betalningar/?status=att-fordela").content)
    assert "3 betalningar hör inte till någon faktura." in listed
    assert "202300000223 Region Norr 300,00 50,00 2023-000002 Att fördela" in listed


def test_what_is_paid_is_on_the_invoice_in_the_list_and_in_the_file(issued):
    client = finance(issued)
    book(client, file(entry("A1", Paid("350.00", [OCR[FIRST]])), entry("A2", Paid("100.00", [OCR[SECOND]]))))
    paid = plain(client.get(f"/fakturor/{FIRST}/").content)
    assert "Betalt 350,00\u00a0kr Kvar att betala 0,00\u00a0kr 2023-05-20: 350,00\u00a0kr" in paid
    reader = plain(issued.client(Role.RESPONSIBLE_ISSUER).get(f"/fakturor/{SECOND}/").content)
    assert "Betalt 100,00\u00a0kr Kvar att betala 250,00\u00a0kr 2023-05-20: 100,00\u00a0kr" in reader
    assert "/fakturor/betalningar/" not in reader
    listed = plain(client.get("/fakturor/").content)
    assert "350,00 100,00 250,00 kvar 2023-06-01 Delbetald" in listed
    assert "350,00 350,00 2023-06-01 Betald" in listed
    content = b"".join(client.get("/fakturor/?fil=csv").streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = {row["Nummer"]: row for row in csv.DictReader(io.StringIO(content), delimiter=";")}
    assert (rows[SECOND]["Betalt"], rows[SECOND]["Kvar att betala"]) == ("100,00", "250,00")
    for choice, numbers in (("betalda", {FIRST}), ("obetalda", {SECOND}), ("forfallna", set())):
        page = plain(client.get(f"/fakturor/?betalning={choice}").content)
        assert {number for number in OCR if number in page} == numbers
    with clock.moved_to(clock.now() + DUE):
        late = finance(issued)
        page = plain(late.get("/fakturor/?betalning=forfallna").content)
        assert "1 utfärdad faktura" in page
        assert "Förfallen" in page
        assert "Förfallen" in plain(late.get(f"/fakturor/{SECOND}/").content)


def test_finance_allocates_and_undoes_by_hand(issued):
    client = finance(issued)
    book(client, file(entry("A1", Paid("400.00", ["123"]))))
    payment = Payment.objects.get()
    address = f"/fakturor/betalningar/{payment.pk}/"
    good = {"fordela": "1", "number": FIRST, "amount": "350,00", "reason": "Kunden skrev fel OCR."}
    for change, words in (
        ({"number": "2023-000009"}, "Ingen faktura har numret."),
        ({"amount": "350,01"}, "Skriv ett belopp över 0 och högst 350,00 kr."),
        ({"amount": "0"}, "Skriv ett belopp över 0"),
        ({"amount": "-1"}, "Skriv beloppet med siffror"),
        ({"reason": " "}, "Skriv varför."),
    ):
        refused = client.post(address, good | change)
        assert (refused.status_code, words in plain(refused.content)) == (422, True), change
    assert client.post(address, good).status_code == 302
    assert (remaining(FIRST), "50,00\u00a0kr är inte fördelade." in plain(client.get(address).content)) == (0, True)
    assert client.post(address, {"aterbetala": "1", "ater-reason": "Betalades dubbelt."}).status_code == 302
    assert "Hela betalningen är fördelad." in plain(client.get(address).content)
    assert client.post(address, {"aterbetala": "1", "ater-reason": "Igen."}).status_code == 409
    to_invoice = PaymentAllocation.objects.get(invoice__number=FIRST)
    undo = {"angra": "1", "angra-allocation": str(to_invoice.pk), "angra-reason": "Fel faktura."}
    assert client.post(address, undo).status_code == 302
    assert client.post(address, undo).status_code == 422, "nothing to choose any more"
    assert remaining(FIRST) == Decimal("350.00")
    assert "Ångrar en fördelning." in plain(client.get(address).content)
    done = [(each.action, each.facts["amount"]) for each in Event.objects.filter(subject_type="payment").order_by("id")]
    assert done == [
        ("payment.allocated", "350.00"), ("payment.paid_back", "50.00"), ("payment.allocation_undone", "-350.00"),
    ]  # fmt: skip


def test_the_database_keeps_payments_and_their_sums(issued):
    receiving.book_at_once(WHOLE)
    payment, made = Payment.objects.get(), PaymentAllocation.objects.get()
    second = Invoice.objects.get(number=SECOND)

    def refused(*values: object) -> None:
        with pytest.raises(DatabaseError), transaction.atomic():
            PaymentAllocation.objects.create(
                payment=payment, made_by="user:x", made_at=clock.now(), reason="Prov",
                **dict(zip(("invoice", "amount", "undoes"), values, strict=True)),
            )  # fmt: skip

    refused(second, Decimal("0.01"), None)  # more than the payment has
    refused(second, Decimal("-350.00"), made)  # another invoice
    refused(made.invoice, Decimal("-1.00"), made)  # another amount
    refused(made.invoice, Decimal("-350.00"), None)
    for table in ("billing_payment", "billing_paymentallocation", "billing_paymentfile"):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET id = gen_random_uuid()", f"TRUNCATE {table} CASCADE"):
            with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)


def test_the_command_books_what_is_new(issued, tmp_path, capsys):
    path = tmp_path / "camt.xml"
    path.write_bytes(WHOLE)
    call_command("billing_payments", str(path), "--dry-run")
    assert not Payment.objects.exists()
    call_command("billing_payments", str(path))
    call_command("billing_payments", str(path))
    assert (Payment.objects.count(), PaymentFile.objects.count(), remaining(FIRST)) == (1, 1, 0)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "1 betalningar på 350,00 kr, 0 redan inlästa. Att fördela för hand: 0,00 kr.",
        "0 betalningar på 0,00 kr, 1 redan inlästa. Att fördela för hand: 0,00 kr.",
    ]
    path.write_bytes(b"<html/>")
    with pytest.raises(CommandError, match="inte camt"):
        call_command("billing_payments", str(path))


def test_a_kept_file_is_its_senders_and_expires(issued):
    client, other = (issued.client(Role.FINANCE_ADMIN, place) for place in (issued.region, issued.municipality))
    address = send(client, WHOLE)["Location"]
    assert other.get(address).status_code == 404
    assert client.post(address, {"avbryt": "1"})["Location"] == "/fakturor/betalningar/fil/"
    assert client.get(address).status_code == 404
    address = send(client, WHOLE)["Location"]
    with clock.moved_to(clock.now() + dt.timedelta(hours=25)):
        assert receiving.delete_expired() == 1
    wrong = send(client, b"<html/>")
    assert (wrong.status_code, "Filen är inte camt.054." in plain(wrong.content)) == (422, True)
    assert client.post("/fakturor/betalningar/fil/").status_code == 422


def test_queries_do_not_grow_with_payments(issued):
    client, counts = finance(issued), []
    for number in (1, 30):
        receiving.book_at_once(file(*(entry(f"B{number}-{each}", Paid("1.00", [OCR[FIRST]])) for each in range(number))))
        for address in ("/fakturor/betalningar/", "/fakturor/", f"/fakturor/{FIRST}/"):
            with CaptureQueriesContext(connection) as captured:
                assert client.get(address).status_code == 200
            counts.append(len(captured))
    assert counts[:3] == counts[3:]
    assert max(counts) <= 15
