"""The pages of crediting lead two people from an invoice to its credit note."""

import re
from decimal import Decimal

import pytest

from billing.credit.models import CreditRequest
from billing.credit.services import files
from billing.credit.web import forms
from billing.invoices.models import Invoice
from billing.records.domain import money
from issuance.authz import Role
from siths_portal.lib import clock
from tests.billing.credit.test_crediting import MINUTE, NUMBER
from tests.billing.invoices.test_pages import plain

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = f"/fakturor/{NUMBER}/kreditera/"
CHOSEN = {
    "omfattning": "rader",
    "sedan": "release",
    "antal_1": "2",
    "antal_3": "1",
    "efterat_3": "write-off",
    "skal": "Fel antal.",
}


def two(world):
    return (world.client(Role.FINANCE_ADMIN, each) for each in (world.region, world.municipality))


def test_two_people_credit_lines(issued):
    first, second = two(issued)
    assert "Kreditera rader" in plain(first.get(f"/fakturor/{NUMBER}/").content)
    page = plain(first.get(ADDRESS).content)
    assert "589, Kontor A Kort 589 3\u00a0st 90,00" in page
    with clock.moved_to(clock.now() + MINUTE):
        shown = first.post(ADDRESS, CHOSEN)
        text = plain(shown.content)
        assert shown.status_code == 200
        assert "Västra Götalandsregionen krediteras 343,75\u00a0kr på faktura 2023-000001." in text
        assert "1 rad faktureras igen: den kommer med på kundens nästa faktura, till samma pris." in text
        assert "1 rad skrivs av" in text
        assert not CreditRequest.objects.exists()
        back = first.post(ADDRESS, {**CHOSEN, "granskad": "1", "gor": "", "valj": "1"})
        assert 'value="2"' in back.content.decode()
        asked = first.post(ADDRESS, {**CHOSEN, "granskad": "1"})
        request = CreditRequest.objects.get()
        assert asked["Location"] == f"/fakturor/krediteringar/{request.pk}/"
        assert first.get(ADDRESS)["Location"] == asked["Location"], "one request at a time"
    own = plain(first.get(asked["Location"]).content)
    assert "En annan person måste godkänna" in own
    assert "Godkänn krediteringen" not in own
    assert first.post(asked["Location"]).status_code == 403
    waiting = plain(second.get("/fakturor/krediteringar/").content)
    assert "2023-000001 Västra Götalandsregionen Fel antal." in waiting
    assert "Godkänn krediteringen" in plain(second.get(asked["Location"]).content)
    approved = second.post(asked["Location"])
    assert approved["Location"] == "/fakturor/2023-000002/"
    poll = re.search(r'hx-get="(\S+)"', second.get(approved["Location"]).content.decode())[1]
    still = second.get(poll, headers={"HX-Request": "true"})
    assert ("HX-Refresh" in still, "E-faktura och PDF görs nu." in plain(still.content)) == (False, True)
    files.render_credit_notes()
    assert "HX-Refresh" in second.get(poll, headers={"HX-Request": "true"})
    note = plain(second.get(approved["Location"]).content)
    assert "E-fakturan är på väg till köparen." in note
    second.post("/fakturor/leveranser/2023-000002/", {"reason": "Med e-post."})
    assert "hx-get" not in second.get(approved["Location"]).content.decode()
    assert "Kreditfaktura 2023-000002" in note
    assert "Krediterar faktura 2023-000001" in note
    assert "Att kreditera 343,75\u00a0kr" in note
    assert "Kreditera rader" not in note
    assert second.get("/fakturor/2023-000002/faktura.pdf").status_code == 200
    credited = plain(first.get(f"/fakturor/{NUMBER}/").content)
    assert "Krediterad av 2023-000002" in credited
    payable = Invoice.objects.get(number=NUMBER).payable
    left = money.swedish(payable - Decimal("343.75"))
    assert f"kronor kvar att betala Fakturan är på {money.swedish(payable)} {left}" in credited
    assert f"Belopp {left}\u00a0kr" in credited
    assert "Delkrediterad" in credited
    listed = plain(first.get("/fakturor/").content)
    assert "1 utfärdad faktura och 1 kreditfaktura på" in listed
    assert "2023-000002 April 2023 Kreditfaktura Krediterar 2023-000001" in listed
    assert "-343,75" in listed
    assert "Delkrediterad" in listed  # and not Delbetald: nothing is paid
    assert plain(first.get(asked["Location"]).content).count("Godkänd") == 1
    assert first.post(asked["Location"], {"ta_tillbaka": "1"}).status_code == 409
    assert first.get("/fakturor/2023-000002/kreditera/").status_code == 409


def test_wrong_answers_are_told_at_their_fields(issued):
    first, _ = two(issued)
    empty = first.post(ADDRESS, {})
    assert empty.status_code == 422
    for words in ("Välj hela fakturan eller rader.", "Välj om det ska faktureras igen", "Skriv varför fakturan krediteras."):
        assert words in plain(empty.content)
    for text, words in (("4", "Skriv ett antal från 1 till 3."), ("två", "Skriv antalet med siffror."), ("-1", "med siffror")):
        refused = first.post(ADDRESS, {**CHOSEN, "antal_1": text})
        assert (refused.status_code, words in plain(refused.content)) == (422, True), text
        assert f'value="{text}"' in refused.content.decode()
    none = first.post(ADDRESS, {**CHOSEN, "antal_1": "", "antal_3": ""})
    assert "Skriv antal på minst en rad, eller välj hela fakturan." in plain(none.content)
    assert not CreditRequest.objects.exists()


def test_the_whole_of_a_long_invoice_is_credited_without_fields(issued, monkeypatch):
    monkeypatch.setattr(forms, "LINES_ON_PAGE", 1)
    monkeypatch.setattr("billing.credit.web.views.LINES_ON_PAGE", 1)
    first, _ = two(issued)
    page = first.get(f"{ADDRESS}?fran=1").content.decode()
    assert "antal_2" in page
    assert "antal_1" not in page
    whole = {"omfattning": "hela", "sedan": "write-off", "skal": "Fel kund.", "granskad": "1"}
    assert first.post(ADDRESS, whole).status_code == 302
    assert CreditRequest.objects.get().lines.count() == 3
    request = CreditRequest.objects.get()
    withdrawn = first.post(f"/fakturor/krediteringar/{request.pk}/", {"ta_tillbaka": "1"})
    assert withdrawn.status_code == 302
    assert "Tillbakatagen" in plain(first.get("/fakturor/krediteringar/").content)
    assert Invoice.objects.count() == 1
