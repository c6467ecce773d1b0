"""Administrera over HTTP: overview, areas, organisations and sub-organisations, their edits, moves, fees and history."""

import datetime as dt
import itertools
import re
import types
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.articles.models import Article, SubscriptionFee
from issuance.articles.services.articles import offer_article
from issuance.articles.services.fees import set_subscription_fee
from issuance.authz import Action, Actor, Role
from issuance.customisations.models import CardCustomisation
from issuance.offices.services import close_office, connect_office
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import order_checks
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.areas import create_area
from issuance.organisations.services.moving import move_organisation
from issuance.organisations.services.organisations import OrganisationData, create_organisation, edit_organisation
from issuance.people.models.persons import Person, Post
from issuance.receipt_texts.services import set_receipt_text
from issuance.records.models.events import NAMING_AN_ORGANISATION, Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.services.actors import actor_of_person, with_post
from issuance.roles.web.urls import urlpatterns as role_urls
from issuance.urls import urlpatterns
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from tests import superuser
from tests.issuance import events_of_others
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.world import SETUP, qualify
from tests.portal import portal_client

MOST_QUERIES = 15


def client_of(actor: Actor) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


def admin(world: Any) -> Client:
    return client_of(world.officer(role=Role.MASTER_DATA_ADMIN))


def issuer(world: Any) -> Client:
    return client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))


def at(name: str, row: Any) -> str:
    return reverse(name, args=[row.pk])


def fields_of(response: Any) -> dict[str, str]:
    """What the page's form would send as it stands."""
    form = response.context["form"]
    return {field.html_name: "" if field.value() is None else str(field.value()) for field in form}


def many(world: Any, count: int) -> None:
    for number in range(count):
        world.organisation(f"Ort {number:03}", f"TST2321000131-{7000 + number}", "2321000131", area=world.area)


class TestOverview:
    """Översikt shows what one's roles reach, and nothing to those who configure nothing."""

    def test_areas_by_right(self, world: Any) -> None:
        address = reverse("administration")
        everything, own = admin(world).get(address), issuer(world).get(address)
        assert [area.name for area in everything.context["areas"]] == ["Annan region", "Regionen"]
        assert [area.name for area in own.context["areas"]] == ["Regionen"]
        assert "Skapa utgivningsområde" in text_of(everything)
        assert "Skapa utgivningsområde" not in text_of(own)

    def test_who_sees_no_whole_area_sees_the_organisations_of_his_roles(self, world: Any) -> None:
        page = client_of(world.officer(world.clinic, Role.DEPUTY_ISSUER)).get(reverse("administration"))
        assert page.context["areas"] == ()
        assert [each.name for each in page.context["organisations"]] == ["Kliniken"]

    def test_the_tab_is_there_for_those_whom_it_opens(self, world: Any) -> None:
        for role in Role:
            actor = world.officer(role=role)
            response = client_of(actor).get(reverse("administration"))
            tab = 'href="/administrera/"' in client_of(actor).get(reverse("search")).content.decode()
            opens = role in (
                Role.MASTER_DATA_ADMIN, Role.GLOBAL_READER, Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, Role.READER,
            )  # fmt: skip
            assert (tab, response.status_code) == (opens, 200 if opens else 403), role

    def test_nothing_yet_says_what_comes(self, world: Any) -> None:
        client = admin(world)
        IssuingArea.objects.filter(name="Annan region").update(name="Ö")
        page = client.get(f"{reverse('administration')}?ordning=-namn")
        assert [area.name for area in page.context["areas"]] == ["Ö", "Regionen"]
        assert 'aria-sort="descending"' in page.content.decode()

    def test_s13_a_card_of_a_protected_person_does_not_tell_that_the_area_is_in_use(self, world: Any) -> None:
        address, told = reverse("administration"), "Det finns steg kvar att göra i utgivningsområdet Regionen."
        client = issuer(world)
        assert told in text_of(client.get(address))
        world.order(world.post(protected=True), actor=world.officer(protected=True))
        assert told in text_of(client.get(address))
        world.order()
        assert told not in text_of(client.get(address))

    def test_the_only_area_tells_that_steps_are_left_until_it_is_in_use(
        self, world: Any, django_assert_max_num_queries: Any
    ) -> None:
        """As its own page does, to who sets it up; who sets up several areas sees those with steps left."""
        address, told = reverse("administration"), "Det finns steg kvar att göra i utgivningsområdet Regionen."
        issues = issuer(world)
        with django_assert_max_num_queries(MOST_QUERIES):
            page = issues.get(address)
        assert told in text_of(page)
        assert f'href="{at("area", world.area)}">Visa nästa steg' in page.content.decode()
        administers = admin(world).get(address)
        assert [row["title"] for row in administers.context["gaps"]] == ["Annan region"]
        assert "Ansvarig utgivare saknas." in text_of(administers)
        sees_two = client_of(world.officer(role=Role.GLOBAL_READER))
        with CaptureQueriesContext(connection) as few:
            assert "steg kvar" not in text_of(sees_two.get(address))
        assert not [query for query in few.captured_queries if "issuance_organisationoffice" in query["sql"]]
        assert "steg kvar" not in text_of(client_of(world.officer(role=Role.READER)).get(address))
        order = world.order()
        assert "steg kvar" not in text_of(issues.get(address))
        CardOrder.objects.filter(pk=order.pk).update(organisation=world.stranger)
        assert told in text_of(issues.get(address)), "that order is of another area"
        for place in (world.region, world.city):
            world.clerk_of(place)
        for person in Person.objects.all():
            qualify(person.id)
        with django_assert_max_num_queries(13):
            assert "steg kvar" not in text_of(issues.get(address))
        assert "Inget saknas" in text_of(issues.get(at("area", world.area)))


class TestAreaPage:
    """Utgivningsområde as on the slides."""

    def test_what_stands_on_it(self, world: Any) -> None:
        named = world.officer(role=Role.RESPONSIBLE_ISSUER)
        text = text_of(client_of(named).get(at("area", world.area)))
        assert named.grants
        for expected in (
            "Namn på utgivningsområde Regionen", "Utgivande organisation Regionen", "Ansvariga utgivare Handläggare Provsson",
            "Fakturareferens 9200101", "Staden 212000-1561 TST2120001561-1000 Regionen", "Kontor A", "Organisationsnummer",
        ):  # fmt: skip
            assert expected in text, expected
        assert "Kliniken" not in text  # lies below the region, on whose page it stands

    def test_a_responsible_issuer_with_protected_identity_is_not_named(self, world: Any) -> None:
        Person.objects.filter(pk=world.officer(role=Role.RESPONSIBLE_ISSUER).person_id).update(
            is_protected=True, protected_person_indicator=True
        )
        text = text_of(admin(world).get(at("area", world.area)))
        assert "Rollinnehavare med skyddade personuppgifter" in text
        assert "Ansvariga utgivare Handläggare Provsson" not in text

    def test_a_long_list_is_sorted_and_paged_within_few_queries(self, world: Any) -> None:
        many(world, 60)
        client, address = issuer(world), at("area", world.area)
        with CaptureQueriesContext(connection) as queries:
            first = client.get(f"{address}?ordning=-namn")
        assert len(queries) <= MOST_QUERIES
        with CaptureQueriesContext(connection) as again:
            second = client.get(first.context["list"].next_url)
        assert len(again) <= len(queries) + 1
        names = [each.name for page in (first, second) for each in page.context["organisations"]]
        assert names == sorted(names, reverse=True)
        assert len(names) == len(set(names)) == 62
        assert second.context["list"].next_url == ""
        assert client.get(f"{address}?ordning=vad&efter=vad").context["organisations"][0].name == "Ort 000"

    def test_an_area_without_issuer_says_what_to_do(self, world: Any) -> None:
        area = create_area(actor=SETUP, name="Nytt område")
        page = admin(world).get(at("area", area))
        assert "kort kan inte beställas" in text_of(page)
        assert at("organisation_new", area) in page.content.decode()
        assert "Området har ingen ansvarig utgivare" in text_of(page)
        assert "Ansvariga utgivare Ingen är ansvarig utgivare nu." in text_of(page)
        assert at("area_issuer_add", area) in page.content.decode()


class TestNextSteps:
    """Nästa steg of an area counts which of its organisations lack what, and leads to where it is mended."""

    @staticmethod
    def steps(client: Client, row: Any) -> list[Any]:
        return list(client.get(at("area" if isinstance(row, IssuingArea) else "organisation", row)).context["steps"])

    def test_what_organisations_lack_is_counted(self, world: Any) -> None:
        oak = world.organisation("Kommun Ek", "TST2120001562-1000", "2120001561", area=world.area)
        world.organisation("Ekskolan", "TST2120001562-1001", "2120001561", area=world.area, parent=oak)
        client = issuer(world)
        found = {step.text: step.url for step in self.steps(client, world.area)}
        assert found == {
            "2 organisationer saknar kontor": at("organisation_offices", oak),
            "2 organisationer saknar artiklar": at("area_articles", world.area),
            "2 organisationer saknar kortanpassning": at("area_customisations", world.area),
            "5 organisationer saknar någon som beställer": at("area_role_add", world.area),
        }
        assert {url: client.get(url).status_code for url in found.values()} == dict.fromkeys(found.values(), 200)
        administers = {step.text: step for step in self.steps(admin(world), world.area)}
        gives_none = administers.pop("5 organisationer saknar någon som beställer")
        assert {text: step.url for text, step in administers.items()} == {
            text: url for text, url in found.items() if text != gives_none.text
        }
        assert (gives_none.url, "Områdets ansvariga utgivare ger rollerna." in gives_none.why) == ("", True)

    def test_who_sets_it_up_is_told_the_same_and_nothing_when_nothing_is_missing(self, world: Any) -> None:
        issues, administers, page = issuer(world), admin(world), at("area", world.area)
        for person in Person.objects.all():
            qualify(person.id)
        IssuingArea.objects.filter(pk=world.area.pk).update(issuing_organisation=None)
        texts = [[step.text for step in self.steps(client, world.area)] for client in (issues, administers)]
        assert texts[0] == texts[1]
        choice = self.steps(issues, world.area)[0]
        assert (choice.text, choice.url, choice.now) == ("Välj utgivande organisation", "", False)
        assert "kort kan inte beställas. Steget görs av SITHS-förvaltningen." in text_of(issues.get(page))
        reader = client_of(world.officer(role=Role.GLOBAL_READER))
        assert "kort kan inte beställas. SITHS-förvaltningen väljer organisationen." in text_of(reader.get(page))
        IssuingArea.objects.filter(pk=world.area.pk).update(issuing_organisation=world.region)
        for place in (world.region, world.city):
            world.clerk_of(place)
        for person in Person.objects.all():
            qualify(person.id)
        for client, said in ((issues, True), (administers, True), (reader, False)):
            text = text_of(client.get(page))
            assert ("Inget saknas" in text, "Nästa steg" in text) == (said, False)

    def test_an_organisation_says_that_nothing_is_missing_when_it_takes_orders(self, world: Any) -> None:
        """To who sets it up, as long as all that its steps ask of is there; also where it comes from above."""
        said = "Inget saknas: kort kan beställas i organisationen."
        issues = issuer(world)

        def says(client: Client) -> bool:
            text = text_of(client.get(at("organisation", world.clinic)))
            assert not ("Nästa steg" in text and said in text)
            return said in text

        assert not says(issues)  # nobody orders
        world.clerk_of(world.region)
        deputy = client_of(world.officer(world.clinic, Role.DEPUTY_ISSUER))
        assert [says(client) for client in (issues, admin(world), deputy)] == [True] * 3
        assert not says(client_of(world.officer(role=Role.GLOBAL_READER)))
        card = CardCustomisation.objects.filter(customisation_id="7837803902")
        verified_at = card.get().verified_at
        card.update(verified_at=None)
        assert not says(issues)
        card.update(verified_at=verified_at)
        IssuingArea.objects.filter(pk=world.area.pk).update(issuing_organisation=None)
        assert not says(issues)
        IssuingArea.objects.filter(pk=world.area.pk).update(issuing_organisation=world.region)
        assert says(issues)
        Organisation.objects.filter(pk=world.clinic.pk).update(closed_at=clock.now())
        assert not says(issues)

    def test_what_comes_from_above_is_not_lacking(self, world: Any) -> None:
        oak = world.organisation("Kommun Ek", "TST2120001562-1000", "2120001561", area=world.area)
        world.organisation("Ekskolan", "TST2120001562-1001", "2120001561", area=world.area, parent=oak)
        for place in (oak, world.region):
            world.clerk_of(place)
        card = CardCustomisation.objects.create(supplier_ref="bureau", customisation_id="1000000001", name="Ek")
        Organisation.objects.filter(pk=oak.pk).update(customisation=card)
        connect_office(actor=SETUP, organisation_id=oak.id, office_id=world.office.id)
        offer_article(actor=SETUP, organisation_id=oak.id, article_code="610", orderable=True)
        texts = [step.text for step in self.steps(issuer(world), world.area)]
        lacking = [f"1 organisation saknar {what}" for what in ("kontor", "artiklar", "någon som beställer")]
        lacking.insert(2, "1 kortanpassning är inte klar")
        assert texts == lacking
        close_office(actor=SETUP, office_id=world.office.id)
        assert self.steps(issuer(world), world.area)[0].text == "5 organisationer saknar kontor"
        Organisation.objects.filter(pk=world.clinic.pk).update(closed_at=clock.now())
        assert self.steps(issuer(world), world.area)[0].text == "4 organisationer saknar kontor"

    def test_a_customisation_that_is_not_verified_is_told_to_all_and_led_to_who_verifies(self, world: Any) -> None:
        """Orders wait for it: what it waits for, and whose it is to do, stands on area, organisation and overview."""
        issues, administers = issuer(world), admin(world)
        deputy = client_of(world.officer(world.clinic, Role.DEPUTY_ISSUER))
        card = CardCustomisation.objects.get(customisation_id="7837803902")  # the region's
        whole = {"verified_at": None, "issuer_number": card.issuer_number, "back_text": card.back_text, "logotype": card.logotype}
        waits = "Steget görs av ansvarig eller biträdande utgivare."
        done = "SITHS-förvaltningen skriver in utfärdarnummer och baksidestext."
        own = at("customisation", card)
        for changes, text, urls, said in (
            ({}, "Verifiera kortanpassningen", (own, "", ""), {administers: waits, deputy: waits}),
            ({"logotype": None}, "1 kortanpassning är inte klar", ("", "", ""), {issues: "Väntar på logotyp från"}),
            ({"back_text": ""}, "1 kortanpassning är inte klar", ("", own, ""), {issues: done, administers: done}),
            ({"verified_at": clock.now(), "issuer_number": ""}, "1 kortanpassning är inte klar", ("", own, ""), {issues: done}),
        ):
            CardCustomisation.objects.filter(pk=card.pk).update(**whole | changes)
            for client, url in zip((issues, administers, deputy), urls, strict=True):
                for place in (world.area, world.region, world.clinic) if client is not deputy else (world.clinic,):
                    here = text if place is world.area else text.replace("1 kortanpassning ", "Kortanpassningen ")
                    step = {step.text: step for step in self.steps(client, place)}[here]
                    assert step.url == url, (text, place.name)
                    stopped = "2 organisationer kan inte beställa kort än." if place is world.area else "Kort kan inte beställas"
                    assert step.why.startswith(stopped)
                    assert said.get(client, "") in step.why
                    assert not url or client.get(url).status_code == 200
            assert "Inget saknas" not in text_of(issues.get(at("area", world.area)))
            for place in (world.region, world.clinic):
                with pytest.raises(Conflict, match="customisation-not-verified"):
                    order_checks.require_customisation(Organisation.objects.select_related("area").get(pk=place.pk))
            told = "1 kortanpassning väntar på att du verifierar den" in text_of(issues.get(reverse("administration")))
            assert told is (not changes)
            for client in (administers, deputy):
                assert "väntar på att du verifierar" not in text_of(client.get(reverse("administration")))
        CardCustomisation.objects.filter(pk=card.pk).update(**whole | {"verified_at": clock.now()})
        for place in (world.area, world.region, world.clinic):
            assert not [step.text for step in self.steps(issues, place) if "ortanpassning" in step.text]

    def test_the_generic_one_is_verified_by_the_administration(self, world: Any) -> None:
        card = CardCustomisation.objects.create(
        supplier_ref="bureau",
            customisation_id="1000000001", name="Generell", generic=True, issuer_number="1549", back_text="Box 1",
            logotype=CardCustomisation.objects.get(customisation_id="7837803902").logotype,
        )  # fmt: skip
        Organisation.objects.filter(pk=world.clinic.pk).update(customisation=card)
        text = "Verifiera den generella kortanpassningen"
        for place in (world.area, world.clinic):
            steps = [{step.text: step for step in self.steps(client, place)}[text] for client in (admin(world), issuer(world))]
            assert [step.url for step in steps] == [at("customisation", card), ""]
            assert "Steget görs av SITHS-förvaltningen." in steps[1].why
        assert "väntar på att du verifierar" not in text_of(issuer(world).get(reverse("administration")))

    def test_several_that_wait_are_led_to_in_one_list_within_as_many_queries(self, world: Any) -> None:
        client = issuer(world)

        def asked() -> list[int]:
            counts = []
            for address in (at("area", world.area), reverse("administration")):
                client.get(address)
                with CaptureQueriesContext(connection) as queries:
                    client.get(address)
                counts.append(len(queries))
            return counts

        before = asked()
        CardCustomisation.objects.update(verified_at=None)
        step = {step.text: step for step in self.steps(client, world.area)}["Verifiera 2 kortanpassningar"]
        assert step.why.startswith("3 organisationer kan inte beställa kort än.")
        assert [row.organisation for row in client.get(step.url).context["list"].lines] == ["Regionen", "Staden"]
        assert "2 kortanpassningar väntar på att du verifierar dem" in text_of(client.get(reverse("administration")))
        assert asked() == before
        assert before[0] <= MOST_QUERIES

    def test_who_may_not_order_now_is_nobody_who_orders(self, world: Any) -> None:
        """A role that rests, has not begun or is stopped counts as none: its holder's orders are refused."""
        client, told = issuer(world), "3 organisationer saknar någon som beställer"
        grants = [world.clerk_of(post.organisation, post=post) for post in (world.post(world.region), world.post(world.city))]

        def lacks() -> bool:
            found = told in [step.text for step in self.steps(client, world.area)]
            assert ("Lägg till behörighetsroll" in [step.text for step in self.steps(client, world.clinic)]) is found
            people = [actor_of_person(grant.person_id) for grant in grants]
            may = any(grant.allows(Action.ORDER_ORDINARY_CARD) for one in people for grant in one.grants)
            assert may is not found
            return found

        assert not lacks()
        posts = Post.objects.filter(person__in=[grant.person_id for grant in grants])
        posts.update(valid_to=clock.today() - dt.timedelta(days=1))
        assert lacks()
        posts.update(valid_to=None)
        RoleGrant.objects.filter(pk__in=[grant.pk for grant in grants]).update(valid_from=clock.now() + dt.timedelta(days=1))
        assert lacks()
        RoleGrant.objects.filter(pk__in=[grant.pk for grant in grants]).update(valid_from=clock.now())
        Qualification.objects.update(withdrawn_at=clock.now())
        assert lacks()
        for grant in grants:
            qualify(grant.person_id)
        assert not lacks()

    def test_an_article_that_cannot_be_ordered_today_is_none(self, world: Any) -> None:
        """Not sold yet, sold no more, or of a kind that no person gets: an order refuses it, so the steps count none."""
        today, client = clock.today(), issuer(world)
        told = "3 organisationer saknar artiklar"
        for changes in (
            {"valid_from": today + dt.timedelta(days=1)}, {"valid_to": today - dt.timedelta(days=1)}, {"kind": "reserve"},
            {"kind": "test"},
        ):  # fmt: skip
            Article.objects.update(**{"valid_from": dt.date(2020, 1, 1), "valid_to": None, "kind": "ordinary"} | changes)
            assert told in [step.text for step in self.steps(client, world.area)], changes
            assert "Välj beställningsbara artiklar" in [step.text for step in self.steps(client, world.city)], changes
            assert order_checks.orderable_articles(world.city.pk) == []
        Article.objects.update(valid_from=today, valid_to=today, kind="student")
        assert told not in [step.text for step in self.steps(client, world.area)]
        assert "Välj beställningsbara artiklar" not in [step.text for step in self.steps(client, world.city)]

    def test_a_new_area_has_one_thing_to_press(self, world: Any) -> None:
        area = create_area(actor=SETUP, name="Nytt område")
        client = admin(world)
        assert [step.text for step in self.steps(client, area) if step.now] == ["Skapa organisationen"]
        button = f'<a class="ds-button" href="{at("organisation_new", area)}">Skapa organisationen</a>'
        assert button in client.get(at("area", area)).content.decode()

    def test_a_new_top_organisation_leads_to_its_sub_organisations(self, world: Any) -> None:
        client, text = admin(world), "Skapa underorganisation"
        new = world.organisation("Kommun Ek", "TST2120001562-1000", "2120001561", area=world.area)
        assert text in [step.text for step in self.steps(client, new)]
        below = world.organisation("Ekskolan", "TST2120001562-1001", "2120001561", area=world.area, parent=new)
        for row in (new, below):
            assert text not in [step.text for step in self.steps(client, row)]
            assert client.get(at("organisation", row)).context["new_url"] == at("sub_organisation_new", row)
        reader = client_of(world.officer(role=Role.GLOBAL_READER)).get(at("organisation", new))
        assert reader.context["new_url"] == ""
        assert text not in text_of(reader)

    def test_many_organisations_ask_no_more(self, world: Any) -> None:
        client = issuer(world)
        oak = world.organisation("Kommun Ek", "TST2120001562-1000", "2120001561", area=world.area)
        with CaptureQueriesContext(connection) as few:
            client.get(at("area", world.area))
        for number in range(20):
            world.organisation(f"By {number}", f"TST2321000131-{8000 + number}", "2321000131", area=world.area, parent=oak)
        with CaptureQueriesContext(connection) as more:
            client.get(at("area", world.area))
        assert len(few) == len(more) <= MOST_QUERIES


class TestOrganisationPage:
    """Organisation as on the slides."""

    def test_what_stands_on_it(self, world: Any) -> None:
        text = text_of(issuer(world).get(at("organisation", world.region)))
        for expected in (
            "Utgivningsområde Regionen", "Organisations-id i användarkatalog (HSA-id) TST2321000131-1000",
            "Organisationsnummer 232100-0131", "Land SE", "Organisationsnamn Regionen", "Utfärdarnummer 1549",
            "Abonnemangsavgift Ej bestämd, tas inte ut", "Direktansluten, utgivande i området", "Kort (egen)",
            "Kontor A", "Kliniken TST2321000131-1004 Regionen Regionen", "Skapa underorganisation",
        ):  # fmt: skip
            assert expected in text, expected

    def test_how_it_is_connected_and_whose_card_it_has(self, world: Any) -> None:
        client = issuer(world)
        city, clinic = (text_of(client.get(at("organisation", row))) for row in (world.city, world.clinic))
        assert "Tredjepartsansluten genom Regionen" in city
        assert "Tillhör organisation Regionen" in clinic
        assert "Kort (samma som organisationen ovanför)" in clinic
        assert "Räknas med Regionen" in clinic

    def test_what_lies_above_ones_scope_is_told_and_not_linked(self, world: Any) -> None:
        page = client_of(world.officer(world.clinic, Role.DEPUTY_ISSUER)).get(at("organisation", world.clinic))
        assert "Tillhör organisation Regionen" in text_of(page)
        for above in (at("organisation", world.region), at("area", world.area)):
            assert above not in page.content.decode()

    def test_functions_are_by_right_and_say_why_not(self, world: Any) -> None:
        top, below = (issuer(world).get(at("organisation", row)) for row in (world.region, world.clinic))
        assert "SITHS-förvaltningen ändrar och flyttar organisationen" in text_of(top)
        assert at("organisation_edit", world.region) not in top.content.decode()
        assert at("organisation_edit", world.clinic) in below.content.decode()
        assert "Konfiguration" not in text_of(
            client_of(world.officer(world.clinic, Role.READER)).get(at("organisation", world.clinic))
        )
        client = admin(world)
        assert "Redigera roller" in text_of(top)
        assert "Visa roller" in text_of(client.get(at("organisation", world.region))), "gives none in an organisation"
        page = client.get(at("organisation", world.region)).content.decode()
        links = re.findall(r'<a class="function" href="([^"]+)"', page)
        assert len(links) >= 4
        assert {link: client.get(link).status_code for link in links} == dict.fromkeys(links, 200)

    def test_the_fees_dates_stand_there(self, world: Any) -> None:
        day = clock.today() + dt.timedelta(days=40)
        for moment, charged in ((dt.date(2020, 1, 1), True), (day, False)):
            set_subscription_fee(
                actor=SETUP, organisation_id=world.city.id, charged=charged,
                valid_from=dt.datetime.combine(moment, dt.time(), clock.STOCKHOLM),
            )  # fmt: skip
        assert f"Ja, sedan 2020-01-01. Nej från {day}" in text_of(admin(world).get(at("organisation", world.city)))

    def test_the_number_of_queries_does_not_grow(self, world: Any) -> None:
        client = issuer(world)
        client.get(at("organisation", world.region))
        with CaptureQueriesContext(connection) as few:
            client.get(at("organisation", world.region))
        for number in range(20):
            world.organisation(
                f"Enhet {number}", f"TST2321000131-{8000 + number}", "2321000131", area=world.area, parent=world.region
            )
        with CaptureQueriesContext(connection) as more:
            client.get(at("organisation", world.region))
        assert len(few) == len(more) <= MOST_QUERIES


class TestCreating:
    """From nothing to an area with an issuer, a third party and a sub-organisation, by the forms alone."""

    def test_an_area_with_what_lies_in_it(self, world: Any) -> None:
        CardCustomisation.objects.create(supplier_ref="bureau", customisation_id="1000000000", name="SITHS eID", generic=True)
        client = admin(world)
        made = client.post(reverse("area_new"), {"name": " Region  Ost ", "invoice_reference": "9200103"})
        area = IssuingArea.objects.get(name="Region Ost")
        assert made.url == at("area", area)
        form = client.get(at("organisation_new", area))
        assert {"charged", "issuing"} <= set(form.context["form"].fields)
        data = {
            **fields_of(form), "name": "Region Ost", "hsa_id": "TST2321000172-1000", "organisation_number": "232100-0172",
            "county": "Uppsala län", "charged": "yes", "issuing": "on",
        }  # fmt: skip
        assert client.post(at("organisation_new", area), data)["Location"] == at("area", area)
        region = Organisation.objects.get(area=area)
        area.refresh_from_db()
        assert (area.issuing_organisation, region.organisation_number) == (region, "2321000172")
        assert SubscriptionFee.objects.get(organisation=region).charged
        assert "issuing" not in client.get(at("organisation_new", area)).context["form"].fields
        below = client.get(at("sub_organisation_new", region))
        assert "Numret för Region Ost är ifyllt. Ändra det om organisationen är en privat utförare" in text_of(below)
        assert fields_of(below)["organisation_number"] == "232100-0172"
        data = {
            **fields_of(below), "name": "Privat Vård", "hsa_id": "TST2321000172-1004", "customisation": "generic",
        }  # fmt: skip
        assert client.post(at("sub_organisation_new", region), data)["Location"] == at("organisation", region)
        private = Organisation.objects.get(parent=region)
        assert private.customisation is not None
        assert private.customisation.generic
        assert "SITHS eID (den generella)" in text_of(client.get(at("organisation", private)))

    @pytest.mark.parametrize(
        ("field", "value", "said"),
        [
            ("organisation_number", "232100-0173", "Organisationsnumret är fel"),
            ("organisation_number", "", "Ange organisationsnumret"),
            ("hsa_id", "TST-1", "HSA-id har fel form"),
            ("hsa_id", "TST2120001561-1000", "HSA-id tillhör redan organisationen Staden."),
            ("name", "", "Ange organisationens namn"),
            ("name", "x" * 65, "Skriv högst 64 tecken"),
            ("country", "S1", "Skriv landet som 2 bokstäver"),
            ("county", "Skånes län", "Välj ett län i listan"),
            ("charged", "", "Välj om abonnemangsavgift"),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field_and_nothing_is_made(self, world: Any, field: str, value: str, said: str) -> None:
        data = {
            "name": "Ny", "hsa_id": "TST2321000172-1000", "organisation_number": "2321000172", "country": "SE",
            "county": "", "charged": "no",
        }  # fmt: skip
        client = admin(world)
        before = (Organisation.objects.count(), Event.objects.count())
        response = client.post(at("organisation_new", world.area), {**data, field: value})
        assert response.status_code in (409, 422)
        assert said in " ".join(response.context["form"].errors[field])
        assert f'href="#id_{field}' in response.content.decode()
        assert (Organisation.objects.count(), Event.objects.count()) == before

    def test_all_that_is_wrong_is_told_at_once(self, world: Any) -> None:
        data = {"name": "", "hsa_id": "TST-1", "organisation_number": "1", "country": "SE", "county": "", "charged": ""}
        response = admin(world).post(at("organisation_new", world.area), data)
        assert set(response.context["form"].errors) == {"name", "hsa_id", "organisation_number", "charged"}
        assert all(len(messages) == 1 for messages in response.context["form"].errors.values())

    def test_an_hsa_id_of_another_is_told_beside_what_else_is_wrong(self, world: Any) -> None:
        data = {"name": "Ny", "hsa_id": world.city.hsa_id, "organisation_number": "2321000173", "country": "SE", "charged": ""}
        response = admin(world).post(at("organisation_new", world.area), data)
        errors = response.context["form"].errors
        assert set(errors) == {"hsa_id", "organisation_number", "charged"}
        assert "tillhör redan organisationen Staden." in errors["hsa_id"][0]

    def test_whose_an_hsa_id_is_stands_there_for_who_sees_that_organisation(self, world: Any) -> None:
        """Nobody else is told more than that it is taken, where all else is right or where more is wrong."""
        client, address = issuer(world), at("sub_organisation_new", world.region)
        right = {"name": "Ny", "organisation_number": "2321000131", "country": "SE", "customisation": "above"}
        for owner, said in ((world.city, "organisationen Staden."), (world.stranger, "en annan organisation.")):
            for sent, status in ((right, 409), (right | {"name": ""}, 422)):
                answer = client.post(address, sent | {"hsa_id": owner.hsa_id})
                assert answer.status_code == status
                assert f"HSA-id tillhör redan {said}" in answer.context["form"].errors["hsa_id"][0]
                assert world.stranger.name not in text_of(answer)


def test_pages_that_make_a_place_begin_in_their_first_field(world: Any) -> None:
    pages = [
        (admin, reverse("area_new")),
        (admin, at("organisation_new", world.area)),
        (issuer, at("sub_organisation_new", world.region)),
        (issuer, at("office_new", world.area)),
    ]
    for logged_in, address in pages:
        client = logged_in(world)
        shown = client.get(address)
        assert shown.status_code == 200, address
        focused = re.findall(r"<input[^>]* autofocus[^>]*>", shown.content.decode())
        assert len(focused) == 1, address
        assert 'name="name"' in focused[0]
        refused = client.post(address, {"name": ""}).content.decode()
        assert re.findall(r"<input[^>]* autofocus[^>]*>", refused) == [], "the summary has it"
        assert '<div class="ds-error-summary" tabindex="-1" autofocus' in refused


class TestOneMore:
    """Skapa och lägg till en till: the form again, with what is probably the same."""

    NEW = types.MappingProxyType({
        "name": "Nykommun", "hsa_id": "TST2321000172-1000", "organisation_number": "2321000172", "country": "NO",
        "county": "Skåne län", "charged": "no", "fler": "1",
    })  # fmt: skip

    def test_organisations_follow_each_other(self, world: Any) -> None:
        client, address = admin(world), at("organisation_new", world.area)
        assert "Skapa och lägg till en till" in text_of(client.get(address))
        again = client.post(address, self.NEW, follow=True)
        made = Organisation.objects.get(name="Nykommun")
        assert again.redirect_chain == [(f"{address}?som={made.id}", 302)]
        assert "Organisationen Nykommun är skapad." in text_of(again)
        kept = {"country": "NO", "county": "Skåne län", "charged": "no", "name": "", "hsa_id": "", "organisation_number": ""}
        assert fields_of(again).items() >= kept.items()
        first = re.search(r"<input[^>]* autofocus[^>]*>", again.content.decode())
        assert first is not None
        assert 'name="name"' in first[0]

    def test_sub_organisations_follow_each_other(self, world: Any) -> None:
        CardCustomisation.objects.create(supplier_ref="bureau", customisation_id="1000000000", name="SITHS eID", generic=True)
        client, address = issuer(world), at("sub_organisation_new", world.region)
        again = client.post(address, {**self.NEW, "customisation": "generic"}, follow=True)
        assert "Underorganisationen Nykommun är skapad." in text_of(again)
        kept = {"country": "NO", "customisation": "generic", "name": "", "hsa_id": "", "organisation_number": "232100-0131"}
        kept |= {"same_articles": "False"}
        assert fields_of(again).items() >= kept.items()

    def test_what_is_wrong_comes_first_and_an_odd_address_keeps_nothing(self, world: Any) -> None:
        client, address = admin(world), at("organisation_new", world.area)
        assert client.post(address, {**self.NEW, "name": ""}).status_code == 422
        assert fields_of(client.get(f"{address}?som=x"))["country"] == "SE"

    def test_the_one_before_is_told_of_to_those_who_see_it(self, world: Any) -> None:
        client, address = issuer(world), at("sub_organisation_new", world.region)
        hidden, missing = (client.get(f"{address}?som={pk}") for pk in (world.stranger.id, uuid4()))
        assert (hidden.status_code, missing.status_code) == (404, 404)
        texts = {re.sub(r"\b[0-9a-f]{32}\b", "", text_of(page)) for page in (hidden, missing)}
        assert len(texts) == 1  # but for the code of the matter


class TestEditing:
    """Two people at the same thing (ADR 0180)."""

    def test_the_second_is_told_keeps_what_was_typed_and_decides(self, world: Any) -> None:
        address = at("organisation_edit", world.clinic)
        other, mine = admin(world), issuer(world)
        typed = fields_of(mine.get(address))
        theirs = fields_of(other.get(address)) | {"name": "Deras namn", "county": "Skåne län"}
        assert other.post(address, theirs).status_code == 302
        refused = mine.post(address, typed | {"name": "Mitt namn"})
        assert refused.status_code == 409
        text = text_of(refused)
        for expected in (
            "Ändrat av andra sedan du öppnade sidan", "Namn: Kliniken → Deras namn", "Län: – → Skåne län",
            "Handläggare Provsson", "Nu står det: Deras namn",
        ):  # fmt: skip
            assert expected in text, expected
        again = fields_of(refused)
        assert (again["name"], again["county"], again["version"]) == ("Mitt namn", "Skåne län", "2")
        assert mine.post(address, again).status_code == 302
        world.clinic.refresh_from_db()
        assert (world.clinic.name, world.clinic.county, world.clinic.version) == ("Mitt namn", "Skåne län", 3)

    def test_a_form_without_its_version_overwrites_nothing(self, world: Any) -> None:
        client, address = issuer(world), at("organisation_edit", world.clinic)
        data = fields_of(client.get(address)) | {"name": "Annat"}
        for version in ("", "0", "x", "-1", "99999999999999"):
            assert client.post(address, data | {"version": version}).status_code in (409, 422)
        world.clinic.refresh_from_db()
        assert world.clinic.name == "Kliniken"

    def test_an_area_is_edited_and_its_issuer_changed(self, world: Any) -> None:
        client, address = admin(world), at("area_edit", world.area)
        data = fields_of(client.get(address))
        assert data["issuing_organisation"] == str(world.region.id)
        response = client.post(address, data | {"issuing_organisation": str(world.city.id), "name": "Nytt"})
        assert response.url == at("area", world.area)
        assert "Utgivande organisation Staden" in text_of(client.get(response.url))
        stale = client.post(address, data | {"invoice_reference": "1"})
        assert stale.status_code == 409
        assert "Utgivande organisation: Regionen → Staden" in text_of(stale)
        assert fields_of(stale)["issuing_organisation"] == str(world.city.id)

    def test_an_organisation_with_its_own_card_is_not_asked_for_another(self, world: Any) -> None:
        CardCustomisation.objects.create(supplier_ref="bureau", customisation_id="1000000000", name="SITHS eID", generic=True)
        own = CardCustomisation.objects.create(supplier_ref="bureau", customisation_id="1000000001", name="Egen")
        address = at("organisation_edit", world.clinic)
        assert "customisation" in issuer(world).get(address).context["form"].fields
        Organisation.objects.filter(pk=world.clinic.pk).update(customisation=own)
        assert "customisation" not in issuer(world).get(address).context["form"].fields


class TestRemovingAnArea:
    def test_one_made_by_mistake_is_taken_away_after_a_question(self, world: Any) -> None:
        client, area = admin(world), create_area(actor=SETUP, name="Fel område")
        address, button = at("area_remove", area), "Ta bort utgivningsområdet"
        assert f'href="{address}"' in client.get(at("area", area)).content.decode()
        asked = client.get(address)
        assert button in text_of(asked)
        assert IssuingArea.objects.filter(pk=area.pk).exists()
        done = client.post(address, follow=True)
        assert done.redirect_chain == [(reverse("administration"), 302)]
        assert "Utgivningsområdet Fel område är borttaget." in text_of(done)
        assert client.get(at("area", area)).status_code == 404

    def test_one_in_which_something_is_says_why_it_stays(self, world: Any) -> None:
        client, address = admin(world), at("area_remove", world.area)
        assert address not in client.get(at("area", world.area)).content.decode()
        for page in (client.get(address), client.post(address)):
            assert "Utgivningsområdet kan inte tas bort I området finns organisationer eller kontor" in text_of(page)
            assert f'action="{address}"' not in page.content.decode()
        assert page.status_code == 409


class TestFee:
    """The dated fee."""

    def test_it_is_set_and_listed(self, world: Any) -> None:
        client, address, today = admin(world), at("organisation_fee", world.city), clock.today()
        assert client.post(address, {"charged": "yes", "valid_from": str(today)}).status_code == 302
        assert client.post(address, {"charged": "no", "valid_from": str(today + dt.timedelta(days=31))}).status_code == 302
        with CaptureQueriesContext(connection) as queries:
            text = text_of(client.get(address))
        assert len(queries) <= MOST_QUERIES
        assert f"{today} Ja Gäller nu" in text
        assert "Nej Kommande" in text

    def test_a_day_of_a_month_that_is_over_is_told(self, world: Any) -> None:
        client, address, today = admin(world), at("organisation_fee", world.city), clock.today()
        early = client.post(address, {"charged": "yes", "valid_from": str(today.replace(day=1) - dt.timedelta(days=1))})
        assert "Tidigare månader kan vara fakturerade" in " ".join(early.context["form"].errors["valid_from"])
        wrong = client.post(address, {"charged": "", "valid_from": "igår"})
        assert set(wrong.context["form"].errors) == {"charged", "valid_from"}

    def test_the_fee_of_a_new_organisation_is_corrected_on_its_first_day(self, world: Any) -> None:
        made = create_organisation(
            actor=world.officer(role=Role.MASTER_DATA_ADMIN), area_id=world.area.id, name="Ny", hsa_id="TST2321000131-3000",
            organisation_number="2321000131", charged=True,
        )  # fmt: skip
        client, address = admin(world), at("organisation_fee", made)
        assert client.post(address, fields_of(client.get(address)) | {"charged": "no"}).url == address
        assert f"{clock.today()} Nej Gäller nu" in text_of(client.get(address))
        assert f"Nej, sedan {clock.today()}" in text_of(client.get(at("organisation", made)))
        history = text_of(client.get(at("organisation_history", made)))
        assert f"Gäller från: {clock.today()} Abonnemangsavgift: från Ja → till Nej" in history
        assert f"Gäller från: {clock.today()} Abonnemangsavgift: från – → till Ja" in history

    def test_a_day_that_another_set_meanwhile_is_told_and_then_decided(self, world: Any) -> None:
        client, address = admin(world), at("organisation_fee", world.city)
        shown = fields_of(client.get(address))
        client.post(address, shown | {"charged": "yes"})
        told = client.post(address, shown | {"charged": "no"})
        assert told.status_code == 409
        assert "Abonnemangsavgift: – → Ja" in text_of(told)
        assert not SubscriptionFee.objects.filter(organisation=world.city, charged=False).exists()
        again = fields_of(told)
        assert again["charged"] == "no"
        assert client.post(address, again).status_code == 302
        assert [fee.charged for fee in SubscriptionFee.objects.filter(organisation=world.city)] == [False]

    def test_an_older_event_without_its_value_before_is_still_worded(self, world: Any) -> None:
        facts = {"charged": False, "valid_from": clock.start_of_day(clock.today()).isoformat()}
        Event.record(
            actor_ref="system:setup", action="organisation.fee_set", subject_type="organisation",
            subject_ref=str(world.city.id), facts=facts,
        )  # fmt: skip
        told = text_of(admin(world).get(at("organisation_history", world.city)))
        assert f"Abonnemangsavgift bestämdes Abonnemangsavgift: Nej Gäller från: {clock.today()}" in told


class TestMoving:
    """A move is told before it is made (ADR 0181)."""

    def consequences(self, client: Client, row: Organisation, target: str) -> Any:
        return client.post(at("organisation_move", row), {"target": target})

    def test_search_choose_see_and_move(self, world: Any) -> None:
        losing = world.officer(world.region, Role.ID_ADMINISTRATOR)
        gaining = world.officer(world.city, Role.REVOKER)
        Person.objects.filter(pk=losing.person_id).update(surname="Förlorarsson")
        Person.objects.filter(pk=gaining.person_id).update(surname="Vinnarsson")
        client, address = issuer(world), at("organisation_move", world.clinic)
        found = client.post(address, {"text": "stad"})
        assert [place.name for place in found.context["places"]] == ["Staden"]
        assert client.post(address, {"text": "stad", "valj": "1"}).status_code == 422
        target = found.context["places"][0].value
        told = self.consequences(client, world.clinic, target)
        loses, gains = text_of(told).split("Rollinnehavare som får åtkomst")
        assert "Förlorarsson ID-administratör Regionen" in loses
        assert "Vinnarsson Spärr Staden" in gains
        assert "Förlorarsson" not in gains
        assert "Kort (egen)" not in gains
        data = {"target": target, "version": told.context["brings"].version, "bekrafta": "1"}
        assert client.post(address, data).url == at("organisation", world.clinic)
        world.clinic.refresh_from_db()
        assert world.clinic.parent_id == world.city.id
        assert "ligger redan där" in text_of(self.consequences(client, world.clinic, target))

    def test_who_has_the_same_role_at_both_ends_is_not_among_them(self, world: Any) -> None:
        person = Person.objects.get(pk=world.officer(world.region, Role.ID_ADMINISTRATOR).person_id)
        RoleGrant.objects.create(person=person, role=Role.ID_ADMINISTRATOR.value, organisation=world.city, valid_from=clock.now())
        told = self.consequences(issuer(world), world.clinic, f"organisation:{world.city.id}")
        assert told.context["brings"].loses.named == told.context["brings"].gains.named == ()

    def test_roles_that_begin_to_rest_or_hold_again_in_another_area_are_told(self, world: Any) -> None:
        """By the posts after the move: in what moves, in what is left, and in the area to which it comes."""

        def role(name: str, place: Organisation, *posts: Organisation, protected: bool = False) -> None:
            person = world.post(posts[0], surname=name, protected=protected).person
            for other in posts[1:]:
                hsa_id = f"TST2321000131-{uuid4().hex[:8].upper()}"
                Post.objects.create(hsa_id=hsa_id, person=person, organisation=other, synced_at=clock.now())
            RoleGrant.objects.create(person=person, role=Role.ID_ADMINISTRATOR.value, organisation=place, valid_from=clock.now())

        region, city, clinic, stranger = world.region, world.city, world.clinic, world.stranger
        role("Vilar-i-flyttad", clinic, region)
        role("Vilar-i-gammal", city, clinic)
        role("Dold", clinic, region, protected=True)
        role("Vaknar", stranger, clinic)
        role("Kvar-av-uppdrag-i-ny", clinic, region, stranger)
        role("Kvar-av-uppdrag-i-gammal", city, clinic, region)
        role("Foljer-med", clinic, clinic)
        role("Vilade-redan", clinic, stranger)
        role("Vilar-alltid", city, stranger)
        told = self.consequences(admin(world), clinic, f"organisation:{stranger.id}")
        brings, text = told.context["brings"], text_of(told)
        assert sorted(each.who for each in brings.rests.named) == [
            "Prov Vilar-i-flyttad", "Prov Vilar-i-gammal", "Rollinnehavare med skyddade personuppgifter"
        ]  # fmt: skip
        assert sorted(each.who for each in brings.wakes.named) == ["Prov Vaknar", "Prov Vilade-redan"]
        assert "Prov Vilar-i-gammal ID-administratör Staden" in text.split("Roller som blir vilande")[1]
        assert "Dold" not in text
        assert "en roll i organisationen själv, eller" not in text
        move_organisation(actor=SETUP, organisation_id=clinic.id, parent_id=stranger.id)
        awake = set(with_post(RoleGrant.objects.all()).values_list("person__surname", flat=True))
        assert {"Vilar-i-flyttad", "Vilar-i-gammal", "Dold", "Vilar-alltid"}.isdisjoint(awake)
        assert {"Vaknar", "Vilade-redan", "Foljer-med", "Kvar-av-uppdrag-i-ny", "Kvar-av-uppdrag-i-gammal"} <= awake

    def test_within_an_area_no_role_begins_to_rest(self, world: Any) -> None:
        world.officer(world.clinic)
        text = text_of(self.consequences(issuer(world), world.clinic, f"organisation:{world.city.id}"))
        assert "vila" not in text
        assert "Roller i organisationen själv och globala roller påverkas inte" in text

    def test_the_receipt_text_from_above_that_changes_is_told(self, world: Any) -> None:
        client, to_city = admin(world), f"organisation:{world.city.id}"

        def write(organisation: Organisation) -> None:
            set_receipt_text(actor=SETUP, organisation_id=organisation.id, regional_addition="Tillägg")

        def said(target: str) -> str:
            return text_of(self.consequences(client, world.clinic, target))

        assert "Kvittenstexten" not in said(to_city)
        write(world.city)
        assert "Kvittenstexten från Staden börjar gälla. Organisationen har ingen egen." in said(to_city)
        write(world.region)
        assert "Kvittenstexten från Staden gäller i stället för den från Regionen." in said(to_city)
        assert "Kvittenstexten från Regionen gäller inte längre." in said(f"area:{world.area.id}")
        write(world.clinic)
        assert "Kvittenstexten" not in said(to_city)

    def test_a_protected_officer_is_not_named(self, world: Any) -> None:
        officer = world.officer(world.region, Role.ID_ADMINISTRATOR)
        Person.objects.filter(pk=officer.person_id).update(surname="Hemlig", is_protected=True, protected_person_indicator=True)
        text = text_of(self.consequences(issuer(world), world.clinic, f"organisation:{world.city.id}"))
        assert "Rollinnehavare med skyddade personuppgifter" in text
        assert "Hemlig" not in text

    def test_to_another_area_tells_of_invoices_offices_and_cards(self, world: Any) -> None:
        told = self.consequences(admin(world), world.clinic, f"area:{world.stranger.area_id}")
        text = text_of(told)
        for expected in (
            "faktureras Annan region, inte Regionen", "månader som är slut faktureras som förut",
            "1 koppling till ett kontor försvinner",
            "så kort kan inte beställas förrän organisationen har fått en. Nu gäller Kort (samma som organisationen ovanför).",
            "hamnar överst i området, och dess namn skrivs i nya certifikat",
        ):  # fmt: skip
            assert expected in text, expected

    def test_below_another_organisation_tells_that_its_own_fee_ends(self, world: Any) -> None:
        fee = {"actor": SETUP, "organisation_id": world.city.id, "valid_from": clock.now()}
        target = f"organisation:{world.region.id}"
        assert "avgift upphör" not in text_of(self.consequences(admin(world), world.city, target))
        set_subscription_fee(**fee, charged=True)
        text = text_of(self.consequences(admin(world), world.city, target))
        assert "Organisationens egen abonnemangsavgift upphör i dag" in text

    def test_places_out_of_reach_are_neither_found_nor_taken(self, world: Any) -> None:
        client, address = issuer(world), at("organisation_move", world.clinic)
        assert client.post(address, {"text": "annan"}).context["places"] == []
        assert client.post(address, {"text": "klin"}).context["places"] == []  # itself
        for target in (f"organisation:{world.stranger.id}", f"area:{world.area.id}", "organisation:x", "vad", "area:"):
            for confirmed in ({}, {"bekrafta": "1", "version": "1"}):
                assert client.post(address, {"target": target, **confirmed}).status_code in (403, 404), target
        world.clinic.refresh_from_db()
        assert world.clinic.parent_id == world.region.id

    def test_what_was_changed_meanwhile_is_told_and_the_move_asked_for_anew(self, world: Any) -> None:
        client, address, target = issuer(world), at("organisation_move", world.clinic), f"organisation:{world.city.id}"
        shown = self.consequences(client, world.clinic, target)
        data = OrganisationData("Omdöpt", world.clinic.hsa_id, "2321000131")
        edit_organisation(actor=SETUP, organisation_id=world.clinic.id, version=1, data=data)
        confirm = {"target": target, "version": shown.context["brings"].version, "bekrafta": "1"}
        refused = client.post(address, confirm)
        assert refused.status_code == 409
        assert "Namn: Kliniken → Omdöpt" in text_of(refused)
        assert client.post(address, confirm | {"version": refused.context["brings"].version}).status_code == 302

    def test_a_tree_that_would_bite_its_tail_is_refused_in_words(self, world: Any) -> None:
        client = admin(world)
        below = self.consequences(client, world.region, f"organisation:{world.clinic.id}")
        assert (below.status_code, "egen underorganisation" in text_of(below)) == (409, True)
        leaving = self.consequences(client, world.region, f"organisation:{world.city.id}")
        assert (leaving.status_code, "utgivande i sitt område" in text_of(leaving)) == (409, True)

    @pytest.mark.parametrize("other_area", [False, True])
    def test_a_page_of_consequences_takes_few_queries(self, world: Any, other_area: bool) -> None:
        client = admin(world) if other_area else issuer(world)
        target = f"organisation:{(world.stranger if other_area else world.city).id}"

        def asked() -> int:
            with CaptureQueriesContext(connection) as queries:
                self.consequences(client, world.clinic, target)
            return len(queries)

        world.officer(world.region)
        few = asked()
        for role in (Role.ID_ADMINISTRATOR, Role.READER, Role.REVOKER, Role.DEPUTY_ISSUER):
            world.officer(world.region, role)
            world.officer(world.city, role)
            officer = world.officer(world.clinic, role)
            Post.objects.filter(person=officer.person_id).update(organisation=world.region)
        assert few == asked() <= MOST_QUERIES


def test_no_two_pages_have_the_same_title(world: Any) -> None:
    """Of every page of Administrera, of the objects that the world has; an organisation and an area may bear one name."""
    officer = world.officer(world.clinic)
    things: dict[str, list[Any]] = {
        "area_id": [world.area.id],
        "organisation_id": [world.region.id, world.clinic.id, world.city.id],
        "office_id": [world.office.id],
        "customisation_id": [CardCustomisation.objects.filter(organisations=world.city).values_list("pk", flat=True).get()],
        "code": ["631", "631-REK"],
        "person_id": [officer.person_id],
        "grant_id": [RoleGrant.objects.get(person=officer.person_id).pk],
    }
    clients = [admin(world), issuer(world)]
    titles: dict[str, set[str]] = {}
    asked = set()
    for pattern in urlpatterns:
        if not str(pattern.pattern).startswith("administrera/") and pattern not in role_urls:
            continue
        names = list(pattern.pattern.converters)
        for values in itertools.product(*(things.get(name, []) for name in names)):
            address = reverse(str(pattern.name), kwargs=dict(zip(names, values, strict=True)))
            page = next((page for client in clients if (page := client.get(address)).status_code == 200), None)
            if page is not None and page["Content-Type"].startswith("text/html"):
                asked.add(pattern.name)
                found = re.search(r"<title>(.*?) – SITHS eID Portal</title>", page.content.decode())
                assert found is not None, address
                titles.setdefault(found[1], set()).add(address)
    assert {title: addresses for title, addresses in titles.items() if len(addresses) > 1} == {}
    assert len(asked) >= 50
    assert {"Historik – Underorganisation Kliniken", "Kvittenstext – Organisation Staden", "Behörighetsroller"} <= set(titles)


class TestHistory:
    """Every change tells who, when, before and after."""

    def test_who_when_before_and_after(self, world: Any) -> None:
        client, actor = issuer(world), world.officer(role=Role.RESPONSIBLE_ISSUER)
        address = at("organisation_edit", world.clinic)
        client.post(address, fields_of(client.get(address)) | {"name": "Ny klinik"})
        move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=world.stranger.id)
        move_organisation(actor=SETUP, organisation_id=world.clinic.id, parent_id=world.city.id)
        page = client.get(at("organisation_history", world.clinic))
        text = text_of(page)
        hsa_id = Person.objects.get(pk=actor.person_id).posts.get().hsa_id
        for expected in (
            f"Namn: från Kliniken → till Ny klinik Handläggare Provsson {hsa_id}",
            "Tillhör organisation: från utanför din behörighet → till Staden", "Systemet: uppsättning",
            "Organisationen skapades", "HSA-id: TST2321000131-1004",
        ):  # fmt: skip
            assert expected in text, expected
        assert world.clinic.scope_path not in page.content.decode()
        times = [entry.at for entry in page.context["list"].lines]
        assert times == sorted(times, reverse=True)

    def test_an_areas_history_names_its_issuer(self, world: Any) -> None:
        text = text_of(admin(world).get(at("area_history", world.area)))
        assert "med själva utgivningsområdet och dess ansvariga utgivare" in text
        assert "Utgivande organisation: från – → till Regionen" in text

    def test_what_was_done_to_offices_for_an_organisation_stands_in_its_history_too(self, world: Any) -> None:
        entries = issuer(world).get(at("organisation_history", world.city)).context["list"].lines
        told = [(entry.what, entry.facts) for entry in entries]
        assert ("Kontoret kopplades till en organisation", (("Kontor", "Kontor A"),)) in told
        assert any(what == "Kortanpassningen verifierades" for what, _facts in told)

    def test_events_that_name_an_organisation_are_found_by_their_index(self, world: Any) -> None:
        rows = Event.objects.filter(subject_type__in=NAMING_AN_ORGANISATION, facts__organisation=str(world.city.id))
        with superuser.cursor() as cursor:
            cursor.execute(events_of_others.SQL)
        assert "issuance_event_organisation" in rows.explain()

    def test_long_histories_are_paged_at_the_same_cost(self, world: Any) -> None:
        for number in range(1, 61):
            data = OrganisationData(f"Namn {number}", world.clinic.hsa_id, "2321000131")
            edit_organisation(actor=SETUP, organisation_id=world.clinic.id, version=number, data=data)
        client = issuer(world)
        with CaptureQueriesContext(connection) as first_queries:
            first = client.get(at("organisation_history", world.clinic))
        with CaptureQueriesContext(connection) as second_queries:
            second = client.get(first.context["list"].next_url)
        assert len(first_queries) <= len(second_queries) <= MOST_QUERIES  # the creation's event names two places more
        assert [len(page.context["list"].lines) for page in (first, second)] == [50, 15]
        for odd in ("x", "-1", "9" * 30, "٣"):
            assert client.get(f"{at('organisation_history', world.clinic)}?efter={odd}").status_code == 200
