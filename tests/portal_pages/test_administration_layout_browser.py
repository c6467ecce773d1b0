"""How Administrera's pages lie in Chromium: long names, and what a phone shows."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser

from issuance.authz import Role
from issuance.models import IssuingArea
from tests.browser import look
from tests.lib.faces import serving
from tests.portal_pages.test_person_browser import logged_in

PHONE = {"width": 390, "height": 900}
ONE_LONG_WORD = "Specialistläkarmottagningsverksamhetsutvecklingssamordningsenhet"
_LINES = """each => {
  const words = document.createRange();
  words.selectNodeContents(each);
  return new Set([...words.getClientRects()].map(box => Math.round(box.y))).size;
}"""


@pytest.fixture(scope="module")
def portal(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving("portal", tmp_path_factory.mktemp("portal") / "log") as url:
        yield url


def test_long_names_stay_on_the_page(world: Any, browser: Browser, portal: str) -> None:
    """As the longest organisation's name in one word, and an area's of a hundred characters."""
    world.clinic.name = ONE_LONG_WORD
    world.clinic.save()
    IssuingArea.objects.filter(pk=world.area.pk).update(name=("Samordnade rehabiliteringsverksamheter " * 3)[:100])
    pages = (
        *(reverse(name, args=[world.area.id]) for name in ("area", "area_tree", "office_new", "area_role_add")),
        *(reverse(name, args=[world.clinic.id]) for name in ("organisation", "organisation_articles", "organisation_offices")),
    )
    with logged_in(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        for number, address in enumerate(pages):
            page.goto(portal + address)
            look(page, f"langa-namn-{number}")
        page.set_viewport_size(PHONE)
        page.goto(portal + pages[2])
        name = page.get_by_role("navigation", name="Du är här").locator(f"a[href='{pages[0]}']")
        below = name.evaluate("each => each.getBoundingClientRect().y - each.parentElement.getBoundingClientRect().y")
        assert below < 8, "a name stands beside its slash"


def test_who_the_page_is_about_is_told_in_whole_words_on_a_phone(world: Any, browser: Browser, portal: str) -> None:
    person = world.post(given_name="Bengt", surname="Almén").person
    with logged_in(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        for width in (390, 360, 320):
            page.set_viewport_size({**PHONE, "width": width})
            page.goto(portal + reverse("person_roles", args=[person.id]))
            for word in ("Förnamn", "Efternamn", "Person-id"):
                assert page.locator(".person-head dt", has_text=word).evaluate(_LINES) == 1, (width, word)
            assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_main_menu_is_one_row_on_a_phone(world: Any, browser: Browser, portal: str) -> None:
    with logged_in(browser, portal, world.officer(role=Role.SYSTEM_ADMIN)) as page:
        page.set_viewport_size(PHONE)
        page.goto(portal + reverse("administration"))
        entries = page.get_by_role("navigation", name="Huvudmeny").get_by_role("link").all()
        assert len(entries) == 4
        assert len({box["y"] for each in entries if (box := each.bounding_box())}) == 1
