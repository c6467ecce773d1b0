"""Customers as finance administrators and the customer's own people keep them, as services and pages."""

import csv
import datetime as dt
import io
import re

import psycopg2
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.customers.models import BillingCustomer, CustomerConfirmation, CustomerState, EndpointChange
from billing.customers.services import changes, confirmations
from billing.customers.web.forms import CustomerDataForm
from billing.records.models import Event
from billing.runs.models import RunItem
from billing.runs.services import months
from issuance.authz import Role
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.billing.facts import local, uid
from tests.billing.invoices.test_pages import plain
from tests.billing.world import APRIL, MUNICIPALITY, REGION, customer, terms

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/fakturor/kunder/"
PAGE = f"{LIST}{REGION}/"
OWN = "/fakturor/kunduppgifter/"
MINUTE = dt.timedelta(minutes=1)
GLN = "7300009013401"
APPROVED = {"attestant": "Eva Ek", "approved_on": dt.date(2023, 3, 1)}


def officer(world, role=Role.FINANCE_ADMIN, place="region"):
    """An officer; another place gives another person."""
    return world.world.officer(getattr(world, place), role)


def current(party=REGION):
    return BillingCustomer.objects.get(party_id=party, valid_until=None)


def sent_form(**values):
    """The form as a browser sends it for the customer in force."""
    version = BillingCustomer.objects.filter(party_id=REGION, valid_until=None).first()
    others = ("version", "approved_on", "terms_accepted_on", "round_to_krona")
    names = [name for name in CustomerDataForm.base_fields if name not in others]
    shown = {name: getattr(version, name) for name in names} if version else {"endpoint_scheme": "0007"}
    days = {"approved_on": version.approved_on or "", "terms_accepted_on": version.terms_accepted_on or ""} if version else {}
    return {**shown, **days, "version": str(version.pk) if version else "", **values}


class TestPages:
    def test_a_customer_is_registered_and_becomes_active_when_the_attestant_has_approved(self, page_world):
        browser = page_world.client(Role.FINANCE_ADMIN)
        shown = plain(browser.get(LIST).content)
        assert "0 av 4 kunder kan faktureras. 4 saknar kunduppgifter." in shown
        assert "kunduppgifter saknas" in plain(browser.get(PAGE).content)
        form = sent_form(
            name="Västra Götalandsregionen", organisation_number="232999-0010", postal_code="123 45", city="Demostad",
            buyer_reference="9200101", contact_name="Anna Alm", payment_terms_days="30",
        )  # fmt: skip
        assert browser.post(f"{PAGE}uppgifter/", form).status_code == 302
        assert (current().state, current().endpoint_id) == (CustomerState.PENDING, "2329990010")
        form = sent_form(attestant="Eva Ek", approved_on="2023-03-01")
        assert browser.post(f"{PAGE}uppgifter/", form).status_code == 302
        assert current().state == CustomerState.ACTIVE
        page = plain(browser.get(PAGE).content)
        assert "Attestanten: tomt → Eva Ek" in page
        assert "Statusen: Väntar på attest → Aktiv" in page
        assert "Anna Alm" in page

    def test_a_customer_without_reference_is_seen_and_repaired_before_the_month_ends(self, page_world):
        customer(REGION, name="Region Norr", buyer_reference="")
        browser = page_world.client(Role.FINANCE_ADMIN)
        shown = plain(browser.get(LIST).content)
        assert "0 av 4 kunder kan faktureras. 3 saknar kunduppgifter. 1 saknar referens." in shown
        assert "Region Norr" in plain(browser.get(f"{LIST}?status=referens").content)
        customer(MUNICIPALITY, name="Kommunen", buyer_reference="")
        running = plain(browser.get("/fakturor/lopande/").content)
        assert "Region Norr Kundens egen referens eller ordernummer saknas" in running
        month = browser.get(f"/fakturor/lopande/?kund={REGION}").content
        assert "Rätta det innan månaden tar slut. Visa kunden" in plain(month)
        assert f'href="{PAGE}?fran=lopande"'.encode() in month
        found = browser.get(f"{PAGE}?fran=lopande").content.decode()
        assert f'href="/fakturor/lopande/?kund={REGION}">Tillbaka till löpande månad' in found
        saved = browser.post(
            f"{PAGE}uppgifter/?fran=lopande", sent_form(buyer_reference="9200101", attestant="Eva Ek", approved_on="2023-03-01")
        )
        assert saved["Location"] == f"{PAGE}?fran=lopande"

    def test_the_list_is_filtered_and_fetched(self, page_world):
        customer(REGION, name="Region Norr")
        customer(MUNICIPALITY, name="=Kommunen", state=CustomerState.PENDING)
        browser = page_world.client(Role.FINANCE_ADMIN)
        pending = plain(browser.get(f"{LIST}?status=vantar").content)
        assert "=Kommunen 232999-0002" in pending
        assert "Region Norr 232999-0002" not in pending
        rows = list(
            csv.reader(io.StringIO(b"".join(browser.get(f"{LIST}?fil=csv").streaming_content).decode("utf-8-sig")), delimiter=";")
        )
        assert [row[0] for row in rows[1:]] == ["'=Kommunen", "Annan region", "Region Norr", "Regionen"]
        assert browser.get(f"{LIST}?status=x").status_code == 422

    @pytest.mark.parametrize("address", [LIST, PAGE, f"{PAGE}uppgifter/"])
    def test_a_page_asks_the_database_little(self, page_world, address):
        for party in (REGION, MUNICIPALITY):
            customer(party)
        browser = page_world.client(Role.FINANCE_ADMIN)
        browser.get(address)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert browser.get(address).status_code == 200
        assert len(asked) <= 15

    def test_wrong_input_is_told_at_the_field_and_nothing_is_lost(self, page_world):
        customer(REGION, **APPROVED)
        browser = page_world.client(Role.FINANCE_ADMIN)
        for values, told in (
            ({"organisation_number": "2329990003"}, "Kontrollsiffran stämmer inte."),
            ({"reference_pattern": "(a+)+"}, "i mönstret går inte att använda."),
            ({"reference_pattern": "FM\\d{4}"}, "Fakturareferensen har inte kundens form FM\\d{4}."),
            ({"approved_on": ""}, "Kunden faktureras redan."),
            ({"payment_terms_days": "0"}, "Skriv minst 1 dag."),
            ({"endpoint_scheme": "0088", "endpoint_id": "7300009013400"}, "GLN med 13 siffror"),
            ({"endpoint_id": "0007:2329990003"}, "ett organisationsnummer med 10 siffror"),
            ({"endpoint_id": "9930:DE123456789"}, "Organisationsnummer (0007) eller GLN (0088)."),
            ({"name": ""}, "Skriv kundens namn."),
            ({"version": ""}, "Ladda om sidan"),
        ):
            answer = browser.post(f"{PAGE}uppgifter/", sent_form(contract="KA-77", **values))
            assert answer.status_code in (409, 422), values
            assert told in plain(answer.content)
            assert "KA-77" in answer.content.decode()
        assert BillingCustomer.objects.count() == 1

    def test_a_customer_is_ended_and_opened_again(self, page_world):
        customer(REGION, **APPROVED)
        browser = page_world.client(Role.FINANCE_ADMIN)
        assert "Vill du avsluta" in plain(browser.get(f"{PAGE}avsluta/").content)
        first = str(current().pk)
        assert browser.post(f"{PAGE}avsluta/", {"version": first, "status": "avsluta"}).status_code == 302
        assert current().state == CustomerState.ENDED
        assert browser.post(f"{PAGE}avsluta/", {"version": first, "status": "avsluta"}).status_code == 409
        assert browser.post(f"{PAGE}uppgifter/", sent_form()).status_code == 409
        assert browser.post(f"{PAGE}avsluta/", {"version": str(current().pk), "status": "oppna"}).status_code == 302
        assert current().state == CustomerState.ACTIVE

    def test_two_people_change_the_electronic_address(self, page_world):
        customer(REGION, **APPROVED)
        first, second = (page_world.client(Role.FINANCE_ADMIN, each) for each in (page_world.region, page_world.municipality))
        with clock.moved_to(clock.now() + MINUTE):
            answer = first.post(f"{PAGE}uppgifter/", sent_form(endpoint_scheme="0088", endpoint_id=GLN, contract="KA-77"))
            assert answer.status_code == 302
        assert (current().endpoint_scheme, current().contract) == ("0007", "KA-77")
        request = EndpointChange.objects.get()
        assert f"Ny elektronisk adress: 0088:{GLN}" in plain(second.get(PAGE).content)
        assert "Ny elektronisk adress för Region Norr väntar på beslut" in plain(second.get("/dagen/").content)
        sent = {"begaran": str(request.pk)}
        assert first.post(PAGE, sent).status_code == 403
        assert second.post(PAGE, sent).status_code == 302
        assert (current().endpoint_scheme, current().endpoint_id) == ("0088", GLN)
        assert second.post(PAGE, sent).status_code == 409
        actions = list(Event.objects.filter(subject_type="customer").order_by("id").values_list("action", flat=True))
        assert actions[-3:] == ["customer.endpoint_requested", "customer.endpoint_approved", "customer.versioned"]

    @pytest.mark.parametrize(
        ("pasted", "scheme", "identifier"),
        [
            ("0007:232999-0002", "0007", "2329990002"),
            (f"0088:{GLN}", "0088", GLN),
            (f" iso6523-actorid-upis::0088: {GLN}", "0088", GLN),
        ],
    )
    def test_a_whole_electronic_address_is_divided_and_told(self, page_world, pasted, scheme, identifier):
        customer(REGION, **APPROVED)
        browser = page_world.client(Role.FINANCE_ADMIN)
        answer = browser.post(f"{PAGE}uppgifter/", sent_form(endpoint_id=pasted), follow=True)
        told = "lästes som typ Organisationsnummer (0007)" if scheme == "0007" else "lästes som typ GLN (0088)"
        assert told in plain(answer.content)
        assert (current().endpoint_scheme, current().endpoint_id) == ("0007", "2329990002")
        waiting = [(each.endpoint_scheme, each.endpoint_id) for each in EndpointChange.objects.all()]
        assert waiting == ([] if scheme == "0007" else [(scheme, identifier)])

    def test_the_issuer_reads_and_confirms_their_own(self, page_world):
        customer(REGION, name="Region Norr", contact_name="Anna Alm")
        customer(MUNICIPALITY, name="Demo kommun")
        issuer, finance = page_world.client(Role.RESPONSIBLE_ISSUER), page_world.client(Role.FINANCE_ADMIN)
        assert "Bekräfta kunduppgifterna" in plain(issuer.get("/dagen/").content)
        shown = plain(issuer.get(OWN).content)
        assert "Anna Alm" in shown
        assert "Demo kommun" not in shown
        sent = {"kund": str(REGION), "version": str(current().pk)}
        customer(REGION, name="Region Norr", contact_name="Bo Berg")
        assert issuer.post(OWN, sent).status_code == 409
        assert issuer.post(OWN, {"kund": str(MUNICIPALITY), "version": str(current(MUNICIPALITY).pk)}).status_code == 404
        assert issuer.post(OWN, {"kund": "x"}).status_code == 422
        assert issuer.post(OWN, {"kund": str(REGION), "version": str(current().pk)}).status_code == 302
        assert CustomerConfirmation.objects.get().customer == current()
        assert "Uppgifterna är bekräftade." in plain(issuer.get(OWN).content)
        assert "Bekräfta kunduppgifterna" not in plain(issuer.get("/dagen/").content)
        assert "Kunden bekräftade uppgifterna 2023-05-02" in plain(finance.get(PAGE).content)


class TestServices:
    def test_only_finance_changes_and_only_directly_connected_organisations_become_customers(self, page_world):
        for role in (Role.GLOBAL_READER, Role.RESPONSIBLE_ISSUER, Role.CUSTOMER_FINANCE):
            with pytest.raises(Forbidden):
                changes.change(actor=officer(page_world, role), party_id=REGION, terms=terms(), seen=None)
        with pytest.raises(NotFound):
            changes.change(actor=officer(page_world), party_id=uid("nobody"), terms=terms(), seen=None)
        with pytest.raises(NotFound):
            confirmations.confirm(
                actor=officer(page_world, Role.RESPONSIBLE_ISSUER), party_id=MUNICIPALITY, version_id=uid("nothing")
            )

    def test_a_request_is_decided_once_by_somebody_who_had_the_right(self, page_world):
        customer(REGION, **APPROVED)
        one = officer(page_world)
        with clock.moved_to(clock.now() + MINUTE):
            other = terms(endpoint_id="2129990012", **APPROVED)
            saved = changes.change(actor=one, party_id=REGION, terms=other, seen=current().pk)
            newer = officer(page_world, place="clinic")
            with pytest.raises(Forbidden):
                changes.decide_endpoint(actor=newer, party_id=REGION, request_id=saved.request.pk, approved=True)
            with pytest.raises(Conflict):
                changes.change(actor=one, party_id=REGION, terms=terms(endpoint_id="2321000016", **APPROVED), seen=current().pk)
            changes.decide_endpoint(actor=one, party_id=REGION, request_id=saved.request.pk, approved=False)
            with pytest.raises(Conflict):
                changes.decide_endpoint(actor=one, party_id=REGION, request_id=saved.request.pk, approved=False)
        assert current().endpoint_id == "2329990002"

    def test_the_database_lets_nobody_approve_alone_or_change_what_is_kept(self, page_world):
        customer(REGION, **APPROVED)
        one = officer(page_world)
        changes.change(actor=one, party_id=REGION, terms=terms(endpoint_id="2129990012", **APPROVED), seen=current().pk)
        issuer = officer(page_world, Role.RESPONSIBLE_ISSUER)
        confirmations.confirm(actor=issuer, party_id=REGION, version_id=current().pk)
        options = connection.settings_dict
        for statement in (
            f"UPDATE billing_endpointchange SET approved = true, decided_by = '{one.ref}', decided_at = now()",
            "UPDATE billing_endpointchange SET endpoint_id = '1'",
            "DELETE FROM billing_endpointchange",
            "UPDATE billing_customerconfirmation SET confirmed_at = now()",
            "DELETE FROM billing_customerconfirmation",
        ):
            with psycopg2.connect(dbname=options["NAME"], user="postgres", host=options["OPTIONS"]["host"]) as superuser:
                with superuser.cursor() as cursor, pytest.raises(psycopg2.Error):
                    cursor.execute(statement)
                superuser.rollback()

    def test_a_reference_of_the_wrong_form_blocks_one_customer(self, page_world, facts, prices):
        customer(REGION, reference_pattern="FM\\d{4}")
        customer(MUNICIPALITY)
        for party in (REGION, MUNICIPALITY):
            facts.card(party, facts.office(str(party), "Kontor A"), "589", local(2023, 4, 12))
        months.run_month(APRIL, actor_ref="user:test")
        blocked = RunItem.objects.get(party_id=REGION)
        assert blocked.reasons == [
            ["customer-reference-form", "Fakturareferensen har inte kundens form FM\\d{4}. Rätta fakturareferensen eller formen."]
        ]
        assert RunItem.objects.get(party_id=MUNICIPALITY).state == "drafted"

    def test_a_form_that_is_no_pattern_is_never_stored(self, page_world):
        with pytest.raises(Invalid) as refusal:
            customer(REGION, order_pattern="(a")
        assert list(refusal.value.fields) == ["order_pattern"]


class TestFile:
    HEAD = "Organisationsnummer;Kundens namn;Postnummer;Ort;Fakturareferens;Elektronisk adress;Attestant;Attestanten godkände\n"

    def send(self, browser, *rows):
        content = io.BytesIO((self.HEAD + "\n".join(rows)).encode())
        content.name = "kunder.csv"
        answer = browser.post(f"{LIST}fil/", {"file": content})
        assert answer.status_code == 302
        return answer.url, browser.get(answer.url)

    def test_customers_are_read_from_a_file_all_or_none(self, page_world):
        page_world.municipality.organisation_number = "2129990012"
        page_world.municipality.save()
        customer(REGION, name="Region Norr", organisation_number="2329990010", **APPROVED)
        browser = page_world.client(Role.FINANCE_ADMIN)
        new = "212999-0012;Demo kommun;123 45;Demostad;4711;;Eva Ek;2023-03-01"
        address, shown = self.send(browser, new, f"2329990010;;;;777;0088:{GLN};;", "5599990008;Nobody;1;X;;;;")
        assert "Ingen direktansluten organisation har numret." in plain(shown.content)
        address, shown = self.send(browser, new, f"2329990010;;;;777;0088:{GLN};;")
        text = plain(browser.get(f"{address}?visa=alla").content)
        assert "Ny kund" in text
        assert "Elektronisk adress, Fakturareferens. Adressen väntar på en kollega." in text
        plan = re.search(r'name="plan" value="([0-9a-f]+)"', shown.content.decode()).group(1)
        assert browser.post(address, {"plan": "0"}).status_code == 409
        assert browser.post(address, {"plan": plan}).status_code == 302
        assert "2 rader är inlästa. 1 begäran väntar" in plain(browser.get(address).content)
        assert (current(MUNICIPALITY).state, current(MUNICIPALITY).buyer_reference) == (CustomerState.ACTIVE, "4711")
        assert (current().buyer_reference, current().endpoint_scheme) == ("777", "0007")
        assert EndpointChange.objects.get().endpoint_id == GLN
