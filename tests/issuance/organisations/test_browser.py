"""Areas and organisations in Chromium at a real portal: axe and both widths, by mouse, by keyboard alone, without script."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from playwright.sync_api import Browser, Page, expect

from issuance.authz import Role
from issuance.customisations.models import CardCustomisation
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.organisations import (
    Making,
    NewOrganisation,
    OrganisationData,
    edit_organisation,
    make_organisations,
)
from siths_portal.lib.ids import new_id
from siths_portal.lib.lists.listing import PAGE
from tests.e2e.hands import Both, Hands
from tests.e2e.looking import Looker
from tests.issuance.neighbours import directory
from tests.issuance.operators.test_browser import button, heading, link, refused
from tests.issuance.search.test_browser import desk
from tests.issuance.world import SETUP
from tests.lib.faces import serving

NUMBER = "232100-0172"
IN_THE_CATALOGUE = [
    {"hsa_id": "TST2321000172-1000", "name": "Region Ost", "organisation_number": "2321000172"},
    {"hsa_id": "TST2321000172-1004", "name": "Ost Privata Vårdgivare", "organisation_number": None},
    {"hsa_id": "TST2321000131-1004", "name": "Mitt namn", "organisation_number": None},
]


@pytest.fixture(scope="module")
def portal(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("portal")
    with directory(folder) as (address, data):
        data.with_name("organisations.json").write_text(json.dumps(IN_THE_CATALOGUE))
        with serving("portal", folder / "log", DIRECTORY_URL=address) as url:
            yield url


def told(page: Page, text: str) -> None:
    expect(page.get_by_role("status").filter(has_text=text)).to_be_visible()


def fill(page: Page, hands: Hands, name: str, hsa_id: str, number: str = "") -> None:
    hands.write(page.get_by_label("Organisationsnamn"), name)
    hands.write(page.get_by_label("Organisations-id i användarkatalog"), hsa_id)
    if number:
        hands.write(page.get_by_label("Organisationsnummer"), number)


def walk(page: Page, portal: str, hands: Hands, see: Any) -> None:
    """The administration makes an area, its issuer and a private provider below it, sets a fee, renames and moves."""
    page.goto(portal)
    hands.press(page.get_by_role("navigation", name="Huvudmeny").get_by_role("link", name="Administrera"))
    heading(page, "Översikt")
    see.look(page, "overview")
    hands.press(link(page, "Skapa utgivningsområde"))
    hands.press(button(page, "Skapa utgivningsområdet"))
    refused(page, see, "new area refused")
    hands.write(page.get_by_label("Namn på utgivningsområde"), "Region Ost")
    hands.write(page.get_by_label("Fakturareferens"), "9200103")
    hands.press(button(page, "Skapa utgivningsområdet"))
    told(page, "Utgivningsområdet är skapat.")
    see.look(page, "area without issuer")
    hands.press(link(page, "Skapa organisationen"))
    fill(page, hands, "Region Ost", "TST2321000172-1000", "232100-0173")
    hands.press(button(page, "Skapa organisationen"))
    refused(page, see, "new organisation refused")
    hands.write(page.get_by_label("Organisationsnummer"), NUMBER)
    hands.choose(page.get_by_label("Ja", exact=True))
    hands.press(button(page, "Skapa organisationen"))
    told(page, "Organisationen Region Ost är skapad.")
    see.look(page, "area with its new organisation")
    hands.press(page.get_by_role("status").get_by_role("link", name="Region Ost"))
    see.look(page, "organisation")
    hands.press(link(page, "Skapa underorganisation"))
    see.look(page, "new sub-organisation")
    fill(page, hands, "Ost Privat Vård", "TST2321000172-1004")
    hands.choose(page.get_by_label("Den generella, med SITHS eID:s logotyp"))
    hands.press(button(page, "Skapa och lägg till en till"))
    refused(page, see, "the catalogue has another name")
    hands.choose(page.get_by_label("Uppgifterna stämmer. Spara dem fast katalogen säger något annat."))
    hands.press(button(page, "Skapa och lägg till en till"))
    told(page, "Underorganisationen Ost Privat Vård är skapad.")
    expect(page.get_by_label("Organisationsnamn")).to_be_focused()
    see.look(page, "one more sub-organisation")
    hands.press(link(page, "Klar"))
    hands.press(link(page, "Ost Privat Vård"))
    heading(page, "Underorganisation: Ost Privat Vård")
    see.look(page, "sub-organisation")
    hands.press(link(page, "Redigera"))
    hands.write(page.get_by_label("Organisationsnamn"), "Ost Privata Vårdgivare")
    hands.press(button(page, "Spara"))
    told(page, "Organisationen är sparad.")
    hands.press(link(page, "Flytta organisationen"))
    see.look(page, "move")
    hands.press(button(page, "Sök"))
    refused(page, see, "move refused")
    hands.write(page.get_by_label("Sök ny plats"), "staden")
    hands.press(button(page, "Sök"))
    hands.choose(page.get_by_label("Under Staden"))
    see.look(page, "places")
    hands.press(button(page, "Visa vad flytten innebär"))
    see.look(page, "consequences")
    hands.press(button(page, "Flytta organisationen"))
    told(page, "Organisationen är flyttad.")
    hands.press(page.get_by_role("navigation", name="Underorganisation").get_by_role("link", name="Historik"))
    page.wait_for_url("**/historik/")  # the next link stands on both pages
    see.look(page, "history")
    hands.press(page.get_by_role("navigation", name="Du är här").get_by_role("link", name="Regionen", exact=True))
    hands.press(link(page, "Historik"))
    hands.press(link(page, "Allt i området"))
    page.wait_for_url("**/historik/?visa=allt")
    see.look(page, "history of all in the area")
    hands.press(page.get_by_role("row").filter(has_text="Organisationen flyttades").get_by_role("link"))
    heading(page, "Underorganisation: Ost Privata Vårdgivare")
    hands.press(page.get_by_role("navigation", name="Du är här").get_by_role("link", name="Staden"))
    hands.press(link(page, "Ändra abonnemangsavgift"))
    hands.choose(page.get_by_label("Nej", exact=True))
    hands.press(button(page, "Spara"))
    told(page, "Abonnemangsavgiften är bestämd.")
    see.look(page, "fee")


def check() -> None:
    """What the walk made is there."""
    area = IssuingArea.objects.get(name="Region Ost")
    assert area.issuing_organisation is not None
    assert (area.issuing_organisation.name, area.issuing_organisation.organisation_number) == ("Region Ost", "2321000172")
    moved = Organisation.objects.select_related("parent", "customisation").get(name="Ost Privata Vårdgivare")
    assert moved.parent is not None
    assert (moved.parent.name, moved.customisation is not None and moved.customisation.generic) == ("Staden", True)
    assert [fee.charged for fee in moved.parent.subscription_fees.all()] == [False]


@pytest.fixture
def generic(world: Any) -> None:
    CardCustomisation.objects.create(
        supplier_ref="bureau", customisation_id="1000000000", name="SITHS eID", issuer_number="1000", generic=True
    )


@pytest.mark.usefixtures("generic")
class TestWalk:
    """One walk, by keyboard as by mouse, and what is another way without script."""

    def test_by_keyboard_as_by_mouse_and_looked_at(self, world: Any, portal: str, browser: Browser) -> None:
        eye = Looker("administration")
        with desk(browser, portal, world.officer(role=Role.MASTER_DATA_ADMIN)) as page:
            eye.follow(page.context)
            walk(page, portal, Both(), eye)
        check()

    def test_without_script(self, world: Any, portal: str, browser: Browser) -> None:
        with desk(browser, portal, world.officer(role=Role.MASTER_DATA_ADMIN), java_script_enabled=False) as page:
            page.goto(f"{portal}/administrera/organisation/{world.clinic.id}/flytta/")
            page.get_by_label("Sök ny plats").fill("staden")
            button(page, "Sök").click()
            page.get_by_label("Under Staden").check()
            button(page, "Visa vad flytten innebär").click()
            button(page, "Flytta organisationen").click()
            told(page, "Organisationen är flyttad.")
        world.clinic.refresh_from_db()
        assert world.clinic.parent_id == world.city.id


def test_the_second_of_two_is_told_and_decides(world: Any, portal: str, browser: Browser) -> None:
    eye = Looker("administration-conflict")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/administrera/organisation/{world.clinic.id}/redigera/")
        eye.look(page, "edit")
        data = OrganisationData("Deras namn", world.clinic.hsa_id, "2321000131", county="Skåne län")
        edit_organisation(actor=SETUP, organisation_id=world.clinic.id, version=1, data=data)
        page.get_by_label("Organisationsnamn").fill("Mitt namn")
        button(page, "Spara").click()
        expect(page.get_by_role("alert")).to_be_focused()
        eye.said.clear()  # Chromium tells the console of the 409
        eye.look(page, "changed meanwhile")
        expect(page.get_by_label("Organisationsnamn")).to_have_value("Mitt namn")
        expect(page.get_by_label("Län")).to_have_value("Skåne län")
        button(page, "Spara").click()
        told(page, "Organisationen är sparad.")
    world.clinic.refresh_from_db()
    assert (world.clinic.name, world.clinic.county) == ("Mitt namn", "Skåne län")


def more_than_a_page(world: Any) -> None:
    """As many organisations of the area as a page of a list has, and one more."""
    names = [(f"Kommunen med ett långt namn nummer {number:02}", f"TST2321000131-{7000 + number}") for number in range(PAGE + 1)]
    wanted = [
        NewOrganisation(new_id(), world.area.id, None, OrganisationData(name, hsa_id, "2321000131"), Making())
        for name, hsa_id in names
    ]
    with transaction.atomic():
        make_organisations(actor=SETUP, wanted=wanted)


def test_other_roles_and_long_lists_are_looked_at(world: Any, portal: str, browser: Browser) -> None:
    more_than_a_page(world)
    eye = Looker("administration-roles")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/administrera/utgivningsomrade/{world.area.id}/")
        eye.look(page, "area of an issuer")
        link(page, "Organisationsnamn").click()
        link(page, "Nästa sida").click()
        eye.look(page, "second page")
        page.goto(f"{portal}/administrera/utgivningsomrade/{world.area.id}/nytt-kontor/?organisation={world.city.id}")
        expect(page.get_by_label("Staden", exact=True)).to_be_checked()
        eye.look(page, "new office among many organisations")
        page.goto(f"{portal}/administrera/organisation/{world.region.id}/")
        eye.look(page, "top organisation of an issuer")
        page.goto(f"{portal}/administrera/utgivningsomrade/{world.area.id}/historik/")
        eye.look(page, "history of an area")
        for place, role in (
            (world.region, Role.ID_ADMINISTRATOR),
            (world.region, Role.REVOKER),
            (world.city, Role.DEPUTY_ISSUER),
        ):
            world.officer(place, role)
        page.goto(f"{portal}/administrera/organisation/{world.clinic.id}/flytta/")
        page.get_by_label("Sök ny plats").fill("stad")
        button(page, "Sök").click()
        button(page, "Visa vad flytten innebär").click()
        expect(page.get_by_role("alert")).to_be_focused()
        eye.look(page, "no place chosen")
        page.get_by_label("Under Staden").check()
        button(page, "Visa vad flytten innebär").click()
        eye.look(page, "who gains and who loses")
    with desk(browser, portal, world.officer(world.clinic, Role.DEPUTY_ISSUER)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/administrera/")
        eye.look(page, "overview of a deputy")
        link(page, "Kliniken").click()
        eye.look(page, "organisation of a deputy")
