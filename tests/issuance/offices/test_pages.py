"""Offices over HTTP: made, changed, closed, connected with organisations from both sides, and what an invoice will read."""

import datetime as dt
import re
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.documents.domain.composition import compose
from billing.ledger.domain.grouping import Group, Labels
from billing.records.domain.periods import Month
from issuance.articles.models import Article, OrganisationArticle
from issuance.articles.services.articles import ArticleData, register_article
from issuance.authz import Role
from issuance.offices.models import Office, OrganisationOffice
from issuance.offices.services import (
    OfficeData,
    close_office,
    connect_office,
    connect_offices,
    connect_organisations,
    create_office,
    disconnect_office,
    edit_office,
)
from issuance.offices.web.offices import invoice_line
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.areas import create_area
from issuance.records.models.events import Event
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.billing.documents.samples import BUYER, SELLER
from tests.issuance.organisations.test_pages import MOST_QUERIES, admin, at, client_of, fields_of, issuer, many
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.world import SETUP

ADDRESS = {
    "recipient_organisation": "Borås Stad", "internal_recipient": "SITHS-kontoret", "street_address": "Demogatan 55",
    "postal_code": "50180", "city": "Borås",
}  # fmt: skip


def another(world: Any, name: str = "Kontor B") -> Office:
    return create_office(actor=SETUP, area_id=world.area.id, name=name, invoice_comment="B")


def names(rows: Any) -> list[str]:
    return [each.name for each in rows]


class TestMaking:
    """Skapa kontor and Redigera."""

    def test_an_office_is_made_with_a_number_of_ten_digits_and_an_address(self, world: Any) -> None:
        client = issuer(world)
        page = client.get(at("office_new", world.area))
        for expected in ("Borås stad (15)", "bara för kontor som tar emot buntar med kort", "Fakturareferens 9200101"):
            assert expected in text_of(page), expected
        folded, unfolded = (
            '<details class="form-part rights-details" id="leveransadress">',
            '<details class="form-part rights-details" id="leveransadress" open>',
        )
        assert folded in page.content.decode()
        for half in ({"city": "Borås"}, {"postal_code": "x"}):  # what is typed or wrong there is seen
            assert unfolded in client.post(at("office_new", world.area), {"name": "B", **half}).content.decode()
        IssuingArea.objects.filter(pk=world.area.pk).update(invoice_reference="")
        assert "Fakturareferens" not in text_of(client.get(at("office_new", world.area))), "nothing is told by an empty row"
        response = client.post(
            at("office_new", world.area), {"name": "Borås stad  (15)", "invoice_comment": "Borås", **ADDRESS}, follow=True
        )
        made = Office.objects.get(name="Borås stad (15)")
        assert response.redirect_chain == [(at("area", world.area), 302)]
        response = client.get(at("office", made))
        assert re.fullmatch(r"[1-9]\d{9}", made.office_number)
        for expected in (
            f"Kontorsid {made.office_number}", "Leveransadress Borås Stad, SITHS-kontoret, Demogatan 55, 501 80 Borås",
            "Fakturakommentar Borås", "610, Borås", "Ingen kopplad organisation", "Ingen beställning är gjord",
        ):  # fmt: skip
            assert expected in text_of(response), expected

    @pytest.mark.parametrize(
        ("changed", "field", "said"),
        [
            ({"name": " "}, "name", "Ange kontorets namn"),
            ({"invoice_comment": ""}, "invoice_comment", "Skriv den text som ska stå på fakturan"),
            ({"postal_code": "0180"}, "postal_code", "Skriv postnumret med 5 siffror"),
            ({"postal_code": "01800"}, "postal_code", "Skriv postnumret med 5 siffror"),
            ({"postal_code": "٥٠١٨٠"}, "postal_code", "Skriv postnumret med 5 siffror"),
            ({"city": ""}, "city", "Ange postort, eller lämna hela"),
            ({"street_address": ""}, "street_address", "Ange gatuadress, eller lämna hela"),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field(self, world: Any, changed: dict[str, str], field: str, said: str) -> None:
        data = {"name": "B", "invoice_comment": "B", **ADDRESS, **changed}
        response = issuer(world).post(at("office_new", world.area), data)
        assert response.status_code == 422
        assert said in " ".join(response.context["form"].errors[field])
        assert list(response.context["form"].errors) == [field]
        assert not Office.objects.filter(name="B").exists()

    def test_an_address_is_all_or_nothing_and_the_internal_recipient_may_be_left_out(self, world: Any) -> None:
        client = issuer(world)
        for name, data in (("B", {}), ("C", {**ADDRESS, "internal_recipient": "", "postal_code": "501  80"})):
            assert client.post(at("office_new", world.area), {"name": name, "invoice_comment": "B", **data}).status_code == 302
        assert sorted(Office.objects.filter(invoice_comment="B").values_list("postal_code", flat=True)) == ["", "501 80"]

    def test_the_invoice_line_is_shown_without_saving(self, world: Any) -> None:
        page = issuer(world).post(
            at("office_new", world.area), {"name": "", "invoice_comment": " Vård  Ost", "visa": "1", "city": "Ort"}
        )
        assert page.status_code == 200
        assert "610, Vård Ost" in text_of(page)
        assert fields_of(page)["city"] == "Ort"
        assert not page.context["form"].errors
        assert Office.objects.count() == 1

    def test_the_line_alone_is_answered_to_the_forms_script(self, world: Any) -> None:
        for name, row in (("office_new", world.area), ("office_edit", world.office)):
            lacks = "Skriv först en fakturakommentar. Sedan visas fakturaraden här."
            for headers in ({}, {"HX-Request": "true"}):
                asked = issuer(world).post(at(name, row), {"invoice_comment": " ", "visa": "1"}, headers=headers)
                assert (asked.status_code, lacks in text_of(asked)) == (200, True), headers
            assert lacks not in text_of(issuer(world).get(at(name, row)))
            page = issuer(world).post(at(name, row), {"invoice_comment": "Ost <b>", "visa": "1"}, headers={"HX-Request": "true"})
            assert "610, Ost &lt;b&gt;" in page.content.decode()
            assert "<html" not in page.content.decode()
        assert Office.objects.get().invoice_comment == "A"

    def test_an_edit_is_in_the_history_with_before_and_after(self, world: Any) -> None:
        client = issuer(world)
        data = {**fields_of(client.get(at("office_edit", world.office))), "invoice_comment": "Nytt", **ADDRESS}
        assert client.post(at("office_edit", world.office), data).url == at("office", world.office)
        world.office.refresh_from_db()
        assert (world.office.version, world.office.invoice_comment, world.office.postal_code) == (2, "Nytt", "501 80")
        text = text_of(client.get(at("office_history", world.office)))
        for expected in (
            "Fakturakommentar: från A → till Nytt", "Postnummer: från – → till 501 80", "Handläggare Provsson",
            "Kontoret kopplades till en organisation Organisation: Staden",
        ):  # fmt: skip
            assert expected in text, expected
        assert client.post(at("office_edit", world.office), {**data, "version": "2"}).status_code == 302
        assert Event.objects.filter(action="office.changed").count() == 1

    def test_the_second_of_two_is_told_and_loses_nothing_typed(self, world: Any) -> None:
        client = issuer(world)
        data = {**fields_of(client.get(at("office_edit", world.office))), "name": "Mitt", "city": ""}
        edit_office(actor=SETUP, office_id=world.office.id, version=1, data=OfficeData("Deras", "Deras"))
        response = client.post(at("office_edit", world.office), data)
        assert response.status_code == 409
        assert "Kontor A → Deras" in text_of(response)
        sent = fields_of(response)
        assert (sent["name"], sent["invoice_comment"], sent["version"]) == ("Mitt", "Deras", "2")
        assert client.post(at("office_edit", world.office), sent).status_code == 302
        world.office.refresh_from_db()
        assert (world.office.name, world.office.invoice_comment) == ("Mitt", "Deras")


class TestMakingConnected:
    """The form of a new office offers the organisations that may be connected, and makes both in one."""

    def test_an_office_is_made_and_connected_with_both_histories(self, world: Any) -> None:
        client, address = issuer(world), at("office_new", world.area)
        page = client.get(address)
        assert "Organisationer som ska kunna välja kontoret" in text_of(page)
        assert [(one.name, names(one.children)) for one in page.context["form"].organisations.tops] == [
            ("Regionen", ["Kliniken"]), ("Staden", []),
        ]  # fmt: skip
        assert page.context["form"].picked == []
        data = {"name": "B", "invoice_comment": "B", "organisation": [str(world.city.id), str(world.clinic.id)]}
        told = client.post(address, data, follow=True)
        made = Office.objects.get(name="B")
        assert told.redirect_chain == [(at("area", world.area), 302)]
        assert "Kontoret B är skapat. Kontoret är kopplat till 2 organisationer." in text_of(told)
        assert f'<a class="ds-link" href="{at("office", made)}">B</a>' in told.content.decode()
        assert names(client.get(at("office", made)).context["organisations"].lines) == ["Kliniken", "Staden"]
        for name, row in (("office_history", made), ("organisation_history", world.city)):
            assert "Kontoret kopplades till en organisation" in text_of(client.get(at(name, row))), name

    def test_errors_and_the_invoice_line_keep_the_ticks(self, world: Any) -> None:
        client, picked = issuer(world), [str(world.clinic.id)]
        for sent in ({"name": ""}, {"name": "B", "visa": "1"}):
            page = client.post(at("office_new", world.area), {"invoice_comment": "B", "organisation": picked, **sent})
            assert page.context["form"].picked == picked
            assert re.findall(r'value="([^"]+)"[^>]* checked', page.content.decode()) == picked
        assert Office.objects.count() == 1

    def test_what_may_not_be_connected_is_refused_alike_and_nothing_is_made(self, world: Any) -> None:
        client = issuer(world)
        pages = []
        for wrong in (world.stranger.id, uuid4()):
            data = {"name": "B", "invoice_comment": "B", "organisation": [str(world.city.id), str(wrong)]}
            with CaptureQueriesContext(connection) as queries:
                page = client.post(at("office_new", world.area), data)
            pages.append((page.status_code, page.context["form"].errors, page.context["form"].organisations, len(queries)))
        assert pages[0] == pages[1]
        assert list(pages[0][1]) == ["organisation"]
        assert Office.objects.count() == 1

    def test_the_only_organisation_is_ticked_and_none_has_no_boxes(self, world: Any) -> None:
        client, area = admin(world), create_area(actor=SETUP, name="Nytt")
        address, why = at("office_new", area), "Området har ingen organisation än, så kontoret kopplas inte till någon."
        told = text_of(client.get(address))
        assert ("Organisationer som ska kunna välja" in told, why in told) == (False, True)
        assert why in text_of(client.post(address, {"name": "", "invoice_comment": "B"}))
        made = client.post(address, {"name": "A", "invoice_comment": "B"}, follow=True)
        assert "Koppla det på kontorets sida när organisationerna finns." in text_of(made)
        assert why not in text_of(client.get(at("office_edit", Office.objects.get(name="A"))))
        only = world.organisation("Ensam", "TST2321000131-7000", "2321000131", area=area)
        page = client.get(at("office_new", area))
        assert (page.context["form"].picked, why in text_of(page)) == ([str(only.id)], False)
        sent = client.post(at("office_new", area), {"name": "", "invoice_comment": "B"})
        assert sent.context["form"].picked == []

    def test_one_more_follows_and_an_organisation_brings_its_own_tick(self, world: Any) -> None:
        client, address = issuer(world), at("office_new", world.area)
        again = client.post(address, {"name": "Kontor Ö", "invoice_comment": "Ö", **ADDRESS, "fler": "1"}, follow=True)
        assert again.redirect_chain == [(f"{address}?fler=1", 302)]
        assert "Kontoret Kontor Ö är skapat. Koppla kontoret nu" in text_of(again)
        assert set(fields_of(again).values()) == {"", "[]"} or not any(fields_of(again).values())
        disconnect_office(actor=SETUP, organisation_id=world.city.id, office_id=world.office.id)
        for office in Office.objects.all():
            close_office(actor=SETUP, office_id=office.id)
        page = client.get(at("organisation_offices", world.city))
        assert client.get(page.context["choices"].empty.action_url).context["form"].picked == [str(world.city.id)]

    def test_many_organisations_are_listed_in_part_beside_the_one_asked_for(self, world: Any) -> None:
        many(world, 30)
        last = Organisation.objects.get(name="Staden")
        client = issuer(world)
        page = client.get(f"{at('office_new', world.area)}?organisation={last.id}")
        listed = page.context["form"].organisations
        assert names(listed.tops)[:3] == ["Staden", "Kliniken", "Ort 000"]
        assert (len(listed.all), listed.more, page.context["form"].picked) == (21, True, [str(last.id)])
        assert "De andra kopplar du på kontorets sida" in text_of(page)
        data = {"name": "B", "invoice_comment": "B", "organisation": str(last.id)}
        made = client.post(f"{at('office_new', world.area)}?organisation={last.id}", data)
        assert (made.status_code, made["Location"]) == (302, at("organisation", last))


class TestInvoiceLine:
    """What the page promises is what billing prints."""

    def test_the_article_is_one_that_may_be_ordered_in_the_area(self, world: Any) -> None:
        client, sent = issuer(world), {"invoice_comment": "Ost", "visa": "1"}

        def line() -> str:
            page = client.post(at("office_new", world.area), sent)
            assert "Artikeln är ett exempel" in text_of(page)
            return str(page.context["invoice_line"])

        assert line() == "610, Ost"
        for number, kind in (("500", "ordinary"), ("400", "ordinary"), ("300", "company")):
            article = ArticleData(number, "Kort", kind, "portrait", True, False, dt.date(2020, 1, 1))
            register_article(actor=SETUP, article=article)
        assert line() == "610, Ost"  # the region may order it
        OrganisationArticle.objects.all().delete()
        assert line() == "400, Ost"
        Article.objects.update(valid_to=dt.date(2021, 1, 1))
        assert line() == "Artikelns nummer, Ost"

    def test_as_billing_writes_it(self) -> None:
        office, month = uuid4(), Month(2023, 4)
        group = Group("card|631", "card", office, None, "631", Decimal(90), Decimal(25), month, Decimal(1))
        labels = Labels({office: "Vård Ost"}, {"631": "631"}, {})
        content = compose(month=month, seller=SELLER, buyer=BUYER, groups=[group], labels=labels)
        assert [line.text for line in content.lines] == [invoice_line("631", "Vård Ost")]


class TestClosing:
    """A closed office is chosen no more; what it is used for is told first."""

    def test_it_is_told_asked_and_done(self, world: Any) -> None:
        world.order(world.post(world.region), office=world.office)
        client = issuer(world)
        page = client.get(at("office_close", world.office))
        assert "1 kort är beställt genom kontoret och inte skickat än" in text_of(page)
        assert "Ingen påbörjad beställning har valt kontoret." in text_of(page)
        assert names(page.context["organisations"].lines) == ["Kliniken", "Regionen", "Staden"]
        assert client.post(at("office_close", world.office)).url == at("office", world.office)
        world.office.refresh_from_db()
        assert world.office.closed_at is not None
        page = client.get(at("office", world.office))
        assert "Kontoret är stängt" in text_of(page)
        assert at("office_close", world.office) not in page.content.decode()
        assert at("office_connect", world.office) not in page.content.decode()
        assert "Kontoret stängdes" in text_of(client.get(at("office_history", world.office)))

    def test_who_is_left_without_is_told_before_and_to_connect_another_after(self, world: Any) -> None:
        office = another(world)
        connect_office(actor=SETUP, organisation_id=world.region.id, office_id=office.id)
        client = issuer(world)
        page = client.get(at("office_close", world.office))
        assert page.context["left_without"].names == ("Kliniken", "Staden")
        assert "Organisationer som blir utan kontor Kliniken Staden" in text_of(page)
        client.post(at("office_close", world.office))
        for organisation, lacks in ((world.city, True), (world.region, False)):
            page = client.get(at("organisation", organisation))
            assert ("Koppla kontor" in [step.text for step in page.context["steps"]]) is lacks, "there is another to connect"
            assert ("Alla kopplade kontor är stängda" in text_of(page)) is lacks
        assert "Organisationer som blir utan kontor" not in text_of(client.get(at("office_close", world.office)))

    def test_an_area_without_an_open_one_leads_to_making_one_or_tells_who_does(self, world: Any) -> None:
        close_office(actor=SETUP, office_id=world.office.id)
        address = f"{at('office_new', world.area)}?organisation={world.region.id}"
        steps = issuer(world).get(at("organisation", world.region)).context["steps"]
        made = next(step for step in steps if step.text == "Skapa kontor")
        assert (made.url, "Koppla kontor" in [step.text for step in steps]) == (address, False)
        assert issuer(world).get(made.url).context["form"].picked == [str(world.region.id)]
        deputy = client_of(world.officer(world.region, Role.DEPUTY_ISSUER))
        told = next(step for step in deputy.get(at("organisation", world.region)).context["steps"] if step.text == "Skapa kontor")
        assert (told.url, "Områdets ansvariga utgivare skapar kontor." in told.why) == ("", True)
        office = another(world)
        steps = issuer(world).get(at("organisation", world.region)).context["steps"]
        assert [step.url for step in steps if "kontor" in step.text] == [at("organisation_offices", world.region)]
        assert office.closed_at is None

    def test_a_closed_one_is_neither_offered_nor_connected(self, world: Any) -> None:
        office = another(world)
        close_office(actor=SETUP, office_id=office.id)
        client = issuer(world)
        page = client.get(at("organisation_offices", world.city))
        assert page.context["choices"].lines == ()
        response = client.post(at("organisation_offices", world.city), {"office": str(office.id)})
        assert (response.status_code, "Kontoret är stängt" in text_of(response)) == (409, True)
        with pytest.raises(Conflict, match="office-closed"):
            connect_organisations(actor=SETUP, office_id=office.id, organisation_ids=[world.city.id])

    def test_one_that_was_closed_by_mistake_is_opened_again_as_it_was(self, world: Any) -> None:
        client = issuer(world)
        client.post(at("office_close", world.office))
        assert at("office_reopen", world.office) in client.get(at("office", world.office)).content.decode()
        page = client.post(at("office_reopen", world.office), follow=True)
        assert "Kontoret är öppet igen." in text_of(page)
        assert names(page.context["organisations"].lines) == ["Kliniken", "Regionen", "Staden"]
        assert at("office_reopen", world.office) not in page.content.decode()
        client.post(at("office_reopen", world.office))
        assert Event.objects.filter(action="office.reopened", subject_ref=str(world.office.id)).count() == 1
        assert "Kontoret öppnades igen" in text_of(client.get(at("office_history", world.office)))
        world.order(world.post(world.region), office=world.office)

    def test_it_is_not_opened_beside_another_of_its_name(self, world: Any) -> None:
        client = issuer(world)
        client.post(at("office_close", world.office))
        another(world, "KONTOR A")
        page = client.post(at("office_reopen", world.office), follow=True)
        assert "Det finns redan ett kontor med namnet" in text_of(page)
        world.office.refresh_from_db()
        assert world.office.closed_at is not None

    def test_protected_holders_are_counted_by_those_alone_who_see_them(self, world: Any) -> None:
        clerk = world.officer(world.region, Role.ID_ADMINISTRATOR, protected=True)
        world.order(world.post(world.region, protected=True), actor=clerk, office=world.office)
        plain, add_on = world.officer(role=Role.RESPONSIBLE_ISSUER), world.officer(role=Role.RESPONSIBLE_ISSUER, protected=True)
        pages = [client_of(actor).get(at("office", world.office)).context["use"] for actor in (plain, add_on)]
        assert [(use.under_way, use.last_ordered is not None) for use in pages] == [(0, False), (1, True)]


class TestConnecting:
    """Koppla kontor, Koppla organisation, and the way back."""

    def test_from_the_organisation_and_back(self, world: Any) -> None:
        office, client = another(world), issuer(world)
        page = client.get(at("organisation_offices", world.city))
        assert (names(page.context["offices"].lines), names(page.context["choices"].lines)) == (["Kontor A"], ["Kontor B"])
        response = client.post(at("organisation_offices", world.city), {"office": str(office.id)}, follow=True)
        assert names(response.context["offices"].lines) == ["Kontor A", "Kontor B"]
        response = client.post(at("organisation_offices", world.city), {"koppla_bort": str(office.id)}, follow=True)
        assert names(response.context["choices"].lines) == ["Kontor B"]
        assert "inget öppet kontor kvar" not in text_of(response)
        actions = Event.objects.filter(subject_ref=str(office.id)).order_by("id").values_list("action", flat=True)
        assert list(actions) == ["office.created", "office.connected", "office.disconnected"]
        text = text_of(client.get(at("organisation_history", world.city)))
        assert "Kontoret kopplades bort från en organisation Kontor: Kontor B" in text

    def test_from_the_office(self, world: Any) -> None:
        office, client = another(world), issuer(world)
        page = client.get(at("office_connect", office))
        assert names(page.context["choices"].lines) == ["Kliniken", "Regionen", "Staden"]
        picked = {"organisation": [str(world.city.id), str(world.clinic.id)]}
        assert client.post(at("office_connect", office), picked).url == at("office", office)
        assert names(client.get(at("office", office)).context["organisations"].lines) == ["Kliniken", "Staden"]
        assert names(client.get(at("office_connect", office)).context["choices"].lines) == ["Regionen"]

    def test_from_the_office_and_back(self, world: Any) -> None:
        client, deputy = issuer(world), client_of(world.officer(world.clinic, Role.DEPUTY_ISSUER))
        button = f'name="koppla_bort" value="{world.clinic.id}"'
        assert button in deputy.get(at("office", world.office)).content.decode()
        assert deputy.post(at("office_connect", world.office), {"koppla_bort": str(world.city.id)}).status_code == 404
        assert button in client.get(at("office", world.office)).content.decode()
        told = client.post(at("office_connect", world.office), {"koppla_bort": str(world.clinic.id)}, follow=True)
        left = "Kliniken är bortkopplad från Kontor A. Organisationen har inget öppet kontor kvar, så inga kort kan beställas"
        assert left in text_of(told)
        assert names(told.context["organisations"].lines) == ["Regionen", "Staden"]
        reader = client_of(world.officer(world.region, Role.READER))
        assert "koppla_bort" not in reader.get(at("office", world.office)).content.decode()

    @pytest.mark.parametrize("sent", [{}, {"organisation": "x"}])
    def test_nothing_marked_is_said(self, world: Any, sent: dict[str, str]) -> None:
        response = issuer(world).post(at("office_connect", world.office), sent)
        assert (response.status_code, "Markera organisationer" in text_of(response)) == (422, True)
        response = issuer(world).post(at("organisation_offices", world.city), sent)
        assert (response.status_code, "Markera kontor" in text_of(response)) == (422, True)

    def test_all_or_none_and_only_in_the_area_and_in_reach(self, world: Any) -> None:
        office = another(world)
        deputy = world.officer(world.city, Role.DEPUTY_ISSUER)
        for actor, pks in ((SETUP, [world.city.id, world.stranger.id]), (deputy, [world.city.id, world.region.id])):
            with pytest.raises((Invalid, NotFound)):
                connect_organisations(actor=actor, office_id=office.id, organisation_ids=pks)
        with pytest.raises(Forbidden):
            connect_organisations(
                actor=world.officer(world.city, Role.READER), office_id=world.office.id, organisation_ids=[world.city.id]
            )
        with pytest.raises(NotFound):
            disconnect_office(actor=deputy, organisation_id=world.region.id, office_id=world.office.id)
        assert not OrganisationOffice.objects.filter(office=office).exists()

    def test_a_deputy_is_offered_the_areas_offices_and_his_own_organisations(self, world: Any) -> None:
        another(world)
        client = client_of(world.officer(world.clinic, Role.DEPUTY_ISSUER))
        assert names(client.get(at("organisation_offices", world.clinic)).context["choices"].lines) == ["Kontor B"]
        page = client.get(at("office", world.office))
        assert names(page.context["organisations"].lines) == ["Kliniken"]
        assert at("office_edit", world.office) not in page.content.decode()

    def test_again_changes_nothing(self, world: Any) -> None:
        before = Event.objects.count()
        made = connect_offices(actor=SETUP, organisation_id=world.city.id, office_ids=[world.office.id])
        again = disconnect_office(actor=SETUP, organisation_id=world.city.id, office_id=another(world).id)
        assert (made, again, Event.objects.count()) == (0, None, before + 1)  # the other office was made


class TestQueries:
    """The pages ask no more for many than for few."""

    def test_of_the_form_of_a_new_office(self, world: Any) -> None:
        client, address = issuer(world), at("office_new", world.area)
        few = self._count(client, address)
        many(world, 30)
        assert self._count(client, address) == few <= MOST_QUERIES

    @pytest.mark.parametrize("name", ["office", "office_connect", "office_close", "office_history"])
    def test_of_an_office(self, world: Any, name: str) -> None:
        client = issuer(world)
        few = self._count(client, at(name, world.office))
        for number in range(20):
            row = world.organisation(f"Ort {number}", f"TST2321000131-{7000 + number}", "2321000131", area=world.area)
            if number % 2:
                connect_office(actor=SETUP, organisation_id=row.id, office_id=world.office.id)
        assert self._count(client, at(name, world.office)) == few <= MOST_QUERIES

    def test_of_an_organisations_offices(self, world: Any) -> None:
        client, address = issuer(world), at("organisation_offices", world.city)
        another(world)
        few = self._count(client, address)
        for number in range(20):
            row = another(world, f"Kontor {number}")
            if number % 2:
                connect_office(actor=SETUP, organisation_id=world.city.id, office_id=row.id)
        assert self._count(client, address) == few <= MOST_QUERIES

    @staticmethod
    def _count(client: Any, address: str) -> int:
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)


def test_long_lists_are_paged(world: Any) -> None:
    for number in range(55):
        another(world, f"Kontor {number:02}")
    client = admin(world)
    first = client.get(at("organisation_offices", world.city))
    second = client.get(first.context["choices"].next_url.split("#")[0])
    assert len(first.context["choices"].lines) == 50
    assert names(second.context["choices"].lines) == [f"Kontor {number:02}" for number in range(50, 55)]
    assert reverse("organisation_offices", args=[world.city.pk]) in first.context["choices"].next_url


def test_one_name_of_several_kinds_is_told_and_the_kind_stands_before_it(world: Any) -> None:
    client = issuer(world)
    told = client.post(at("office_new", world.area), {"name": "regionen", "invoice_comment": "R"}, follow=True)
    assert "Samma namn har också utgivningsområdet och en organisation." in text_of(told)
    other = client.post(at("office_new", world.area), {"name": "Annan region", "invoice_comment": "A"}, follow=True)
    assert "Samma namn" not in text_of(other), "what is out of sight is not told of"
    new = create_area(actor=SETUP, name="Region Ny")
    sent = {
        "name": "Region Ny",
        "hsa_id": "TST2321000172-1000",
        "organisation_number": "2321000172",
        "country": "SE",
        "charged": "no",
    }
    for issuing, others in (("on", ""), ("", "Samma namn har också utgivningsområdet och en organisation.")):
        said = text_of(admin(world).post(at("organisation_new", new), {**sent, "issuing": issuing}, follow=True))
        assert "är skapad." in said
        assert others in said
        assert ("Samma namn" in said) is bool(others), "the issuing organisation usually bears the area's name"
        sent["hsa_id"] = "TST2321000172-1001"
    for name, row, kind in (
        ("office_new", world.area, "Utgivningsområde Regionen : Skapa kontor"),
        ("sub_organisation_new", world.region, "Organisation Regionen : Skapa underorganisation"),
        ("office_edit", Office.objects.get(name="regionen"), "Kontor regionen : Redigera kontoret"),
    ):
        assert kind in text_of(client.get(at(name, row))), name
