"""Organisationsträd: what lies under what, what a text finds in it, and who sees how much; and in Chromium."""

import re
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page

from issuance.authz import Role
from issuance.organisations.models import Organisation
from issuance.organisations.services.areas import create_area
from tests.e2e.hands import Both, Hands
from tests.e2e.looking import Looker
from tests.issuance.operators.test_browser import button
from tests.issuance.organisations.test_pages import MOST_QUERIES, at, client_of, issuer, many
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.search.test_browser import desk
from tests.issuance.world import SETUP

NAME = "area_tree"


def drawn(response: Any) -> list[Any]:
    """The tree as nested lists of names."""
    return [_drawn(branch) for branch in response.context["found"].tops]


def _drawn(branch: Any) -> Any:
    return (branch.name, [_drawn(each) for each in branch.children]) if branch.children else branch.name


def ward(world: Any) -> None:
    world.organisation("Avdelning Åtta", "TST2321000131-1008", "2321000131", area=world.area, parent=world.clinic)


def test_each_stands_under_what_it_lies_under(world: Any, django_assert_max_num_queries: Any) -> None:
    ward(world)
    client = issuer(world)
    client.get(at(NAME, world.area))
    with django_assert_max_num_queries(8):
        page = client.get(at(NAME, world.area))
    assert drawn(page) == [("Regionen", [("Kliniken", ["Avdelning Åtta"])]), "Staden"]
    assert "4 organisationer" in text_of(page)
    assert "232100-0131 · TST2321000131-1008" in text_of(page)
    assert "<details open>" in page.content.decode()


@pytest.mark.parametrize(
    ("text", "found", "count"),
    [
        ("åtta", [("Regionen", [("Kliniken", ["Avdelning Åtta"])])], 1),
        ("TST2120001561", ["Staden"], 1),
        ("212000-1561", ["Staden"], 1),
        ("  regionen ", ["Regionen"], 1),
        ("e", [("Regionen", [("Kliniken", ["Avdelning Åtta"])]), "Staden"], 4),
        ("finns inte", [], 0),
    ],
)
def test_a_text_finds_and_shows_what_lies_above(world: Any, text: str, found: list[Any], count: int) -> None:
    ward(world)
    page = issuer(world).post(at(NAME, world.area), {"text": text})
    assert (drawn(page), page.context["found"].found) == (found, count)
    assert "Visa alla" in text_of(page)
    if not found:
        assert "Ingen organisation hittades" in text_of(page)


def test_what_is_too_long_comes_back(world: Any) -> None:
    page = issuer(world).post(at(NAME, world.area), {"text": "x" * 101})
    assert (page.status_code, "Skriv högst 100 tecken" in text_of(page)) == (422, True)
    assert 'name="text" value="xxx' in page.content.decode()


def test_an_area_without_organisations_says_who_makes_them(world: Any) -> None:
    empty = create_area(actor=SETUP, name="Tomt")
    client = client_of(world.officer(role=Role.MASTER_DATA_ADMIN))
    assert "Ingen organisation än" in text_of(client.get(at(NAME, empty)))


def test_others_areas_are_unknown(world: Any) -> None:
    assert issuer(world).get(at(NAME, world.stranger.area)).status_code == 404
    clerk: Client = client_of(world.officer())
    assert clerk.get(at(NAME, world.area)).status_code in (403, 404)


def test_a_large_area_is_folded_and_costs_no_more_queries(world: Any, django_assert_max_num_queries: Any) -> None:
    many(world, 40)
    client = issuer(world)
    client.get(at(NAME, world.area))
    with django_assert_max_num_queries(8):
        page = client.get(at(NAME, world.area))
    assert "<details open>" not in page.content.decode()
    assert "<details open>" in client.post(at(NAME, world.area), {"text": "Kliniken"}).content.decode()


def test_the_areas_page_leads_to_what_lies_below(world: Any, django_assert_max_num_queries: Any) -> None:
    """Each row tells how many lie directly below it; its link opens the tree there alone."""
    ward(world)
    many(world, 40)
    world.organisation("Ort 000 vård", "TST2321000131-7900", "2321000131", area=world.area, parent=first_place(world))
    client = issuer(world)
    client.get(at("area", world.area))
    with django_assert_max_num_queries(MOST_QUERIES):
        page = client.get(at("area", world.area))
    text = text_of(page)
    assert {each.name: each.below for each in page.context["organisations"] if each.below} == {"Regionen": 1, "Ort 000": 1}
    assert "Regionen (utgivande) 1 underorganisation till Regionen" in text
    assert "I området finns 3 underorganisationer." in text
    (address,) = re.findall(rf'href="([^"]*under={world.region.pk}#[^"]*)"', page.content.decode())
    tree = client.get(address.split("#")[0])
    assert f'<li id="{address.split("#")[1]}">' in tree.content.decode()
    assert tree.content.decode().count("<details open>") == 1
    deep = client.get(f"{at(NAME, world.area)}?under={world.clinic.pk}").content.decode()
    assert deep.count("<details open>") == 2  # with the one above
    for odd in ("", "x", world.stranger.pk, world.area.pk):
        assert "<details open>" not in client.get(f"{at(NAME, world.area)}?under={odd}").content.decode()


def first_place(world: Any) -> Organisation:
    return Organisation.objects.get(name="Ort 000", area=world.area)


def test_ended_ones_are_not_counted(world: Any) -> None:
    Organisation.objects.filter(pk=world.clinic.pk).update(closed_at=world.clinic.created_at)
    page = issuer(world).get(at("area", world.area))
    assert [each.below for each in page.context["organisations"]] == [0, 0]
    assert "underorganisation till" not in text_of(page)


def walk(page: Page, portal: str, hands: Hands, see: Any, world: Any) -> None:
    """The issuer is led from the area's page to what lies below an organisation, finds a ward in the tree and opens it."""
    page.goto(f"{portal}{at('area', world.area)}")
    see.look(page, "area")
    hands.press(page.get_by_role("link", name="1 underorganisation till Regionen"))
    page.wait_for_url("**/organisationstrad/?under=*")
    see.look(page, "tree")
    hands.write(page.get_by_label("Sök organisation"), "åtta")
    hands.press(button(page, "Sök"))
    page.get_by_text("1 organisation passar").wait_for()
    see.look(page, "found")
    hands.press(page.get_by_role("link", name="Avdelning Åtta"))
    page.wait_for_url(re.compile(r"/administrera/organisation/"))


def test_by_keyboard_as_by_mouse_and_looked_at(world: Any, portal: str, browser: Browser) -> None:
    ward(world)
    eye = Looker("administration-tree")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        walk(page, portal, Both(), eye, world)
