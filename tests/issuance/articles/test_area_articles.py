"""Articles for many organisations of an area over HTTP, and in Chromium (rules/issuance 7.7)."""

from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page

from issuance.articles.queries import area_articles
from issuance.authz import Role
from tests.e2e.hands import Both, Hands
from tests.e2e.looking import Looker
from tests.issuance.articles.test_articles_of_many import ended, orderable, take
from tests.issuance.operators.test_browser import button
from tests.issuance.organisations.test_browser import told
from tests.issuance.organisations.test_pages import MOST_QUERIES, at, client_of, issuer, many
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.search.test_browser import desk

NAME = "area_articles"


def listed(response: Any) -> list[tuple[int, str, int]]:
    return [(place.level, place.name, place.orderable) for place in response.context["found"].places]


def test_each_organisation_stands_in_the_tree_with_its_count(world: Any, django_assert_max_num_queries: Any) -> None:
    take(world.clinic, "631", "610", "631-REK")
    ended("610")
    client = issuer(world)
    assert at(NAME, world.area) in client.get(at("area", world.area)).content.decode()
    with django_assert_max_num_queries(MOST_QUERIES):
        page = client.get(at(NAME, world.area))
    assert listed(page) == [(0, "Regionen", 3), (1, "Kliniken", 0), (0, "Staden", 3)]
    assert [line.code for line in page.context["found"].articles] == ["631", "631-REK"]
    assert "REK betyder att kortet skickas som rekommenderat brev" in text_of(page)
    assert "Sök organisation" not in text_of(page)


def test_what_is_ticked_is_added_and_told_in_numbers(world: Any) -> None:
    take(world.clinic, "631", "610")
    take(world.city, "631")
    client, sent = issuer(world), {"article": ["631", "610"], "organisation": [world.clinic.pk, world.city.pk]}
    response = client.post(at(NAME, world.area), sent)
    assert response.url == at("area", world.area)
    assert "Artiklarna är tillagda för 2 organisationer." in text_of(client.get(response.url)), "one had one of them"
    assert orderable(world.clinic) == ["610", "631", "631-REK"]
    assert "Inget ändrades." in text_of(client.post(at(NAME, world.area), sent, follow=True))
    take(world.region, "631")
    told_ = text_of(client.post(at(NAME, world.area), {"article": ["631"], "alla": "1"}, follow=True))
    assert "1 artikel är tillagd för 1 organisation." in told_


def test_what_is_missing_or_wrong_is_told_and_nothing_ticked_is_lost(world: Any) -> None:
    client = issuer(world)
    empty = client.post(at(NAME, world.area))
    assert empty.status_code == 422
    assert "<title>Fel: Välj artiklar" in empty.content.decode()
    assert {"Markera minst en artikel.", "Markera minst en organisation."} <= {each["text"] for each in empty.context["refusals"]}
    ended("610")
    sent = {"article": ["631", "610"], "organisation": [world.clinic.pk, "nej"]}
    page = client.post(at(NAME, world.area), sent)
    assert (page.status_code, "säljs inte längre" in text_of(page)) == (422, True)
    assert page.content.decode().count(" checked") == 2


def test_many_are_searched_and_what_is_ticked_follows(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(area_articles, "MOST", 4)
    many(world, 5)
    client = issuer(world)
    page = client.get(at(NAME, world.area))
    assert len(listed(page)) == 4
    assert "4 av 8 organisationer visas." in text_of(page)
    ticked = {"article": ["610"], "organisation": [world.clinic.pk], "sok": "1"}
    found = client.post(at(NAME, world.area), {**ticked, "text": "ort 004"})
    assert [name for _, name, _ in listed(found)] == ["Ort 004", "Kliniken"]  # below Regionen
    assert "1 organisation passar." in text_of(found)
    assert found.content.decode().count(" checked") == 2
    nothing = client.post(at(NAME, world.area), {"text": "finns inte", "sok": "1"})
    assert (nothing.status_code, "Ingen organisation hittades" in text_of(nothing)) == (200, True)
    assert client.post(at(NAME, world.area), {**ticked, "text": "x" * 101}).status_code == 422


def test_an_area_without_organisations_says_so(world: Any) -> None:
    empty = type(world.area).objects.create(name="Tomt", scope_path="/atom/", created_at=world.area.created_at)
    assert "har ingen organisation än" in text_of(admin_of(world).get(at(NAME, empty)))


def admin_of(world: Any) -> Client:
    return client_of(world.officer(role=Role.MASTER_DATA_ADMIN))


class TestSameAsAbove:
    """A sub-organisation has its parent's articles with one press."""

    def test_they_are_added(self, world: Any) -> None:
        take(world.clinic, "631", "610", "631-REK")
        client, address = issuer(world), at("organisation_articles", world.clinic)
        assert "Lägg till samma som Regionen" in text_of(client.get(address))
        response = client.post(address, {"samma": "1"}, follow=True)
        assert "3 artiklar är tillagda." in text_of(response)
        assert orderable(world.clinic) == ["610", "631", "631-REK"]
        assert "Kliniken har redan alla artiklar som Regionen" in text_of(client.post(address, {"samma": "1"}, follow=True))

    def test_it_is_not_offered_at_the_top_or_where_the_parent_is_out_of_sight(self, world: Any) -> None:
        assert "Lägg till samma" not in text_of(issuer(world).get(at("organisation_articles", world.city)))
        deputy = client_of(world.officer(world.clinic, Role.DEPUTY_ISSUER))
        assert "Lägg till samma" not in text_of(deputy.get(at("organisation_articles", world.clinic)))
        assert deputy.post(at("organisation_articles", world.clinic), {"samma": "1"}).status_code == 403

    def test_a_new_one_has_them_unless_they_are_unticked(self, world: Any) -> None:
        client, address = issuer(world), at("sub_organisation_new", world.clinic)
        page = client.get(address)
        assert page.context["form"]["same_articles"].value() is True
        assert "Samma artiklar som Kliniken" in text_of(page)
        sent = {"name": "Ny", "hsa_id": "TST2321000131-3000", "organisation_number": "2321000131", "country": "SE"}
        assert client.post(address, {**sent, "same_articles": "on"}).status_code == 302
        assert client.post(address, {**sent, "hsa_id": "TST2321000131-3001"}).status_code == 302
        rows = world.clinic.children.order_by("hsa_id")
        assert [orderable(row) for row in rows] == [["610", "631", "631-REK"], []]

    def test_it_is_not_asked_where_the_parent_has_none(self, world: Any) -> None:
        take(world.clinic, "631", "610", "631-REK")
        assert "Samma artiklar" not in text_of(issuer(world).get(at("sub_organisation_new", world.clinic)))


def walk(page: Page, portal: str, hands: Hands, see: Any, world: Any) -> None:
    """The issuer gives the clinic and the city an article, and the clinic those of the region."""
    take(world.clinic, "631", "610", "631-REK")
    take(world.city, "610")
    page.goto(f"{portal}/administrera/utgivningsomrade/{world.area.id}/")
    hands.press(page.get_by_role("link", name="Välj artiklar för flera organisationer"))
    hands.press(button(page, "Lägg till artiklarna"))
    see.look(page, "nothing-picked")
    for label in ("610 Kort", "Alla 3 i utgivningsområdet"):
        hands.choose(page.get_by_label(label, exact=True))
    assert all(page.get_by_label(name, exact=True).is_checked() for name in ("Regionen", "Kliniken", "Staden"))
    page.get_by_label("Regionen", exact=True).press("Space")
    assert not page.get_by_label("Alla 3 i utgivningsområdet").is_checked()
    see.look(page, "picked")
    hands.press(button(page, "Lägg till artiklarna"))
    told(page, "1 artikel är tillagd för 2 organisationer.")
    page.goto(f"{portal}/administrera/organisation/{world.clinic.id}/artiklar/")
    see.look(page, "same")
    hands.press(button(page, "Lägg till samma som Regionen"))
    told(page, "2 artiklar är tillagda.")


def test_by_keyboard_as_by_mouse_and_looked_at(world: Any, portal: str, browser: Browser) -> None:
    eye = Looker("area-articles")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        walk(page, portal, Both(), eye, world)
