"""Search by name on the page and in a browser: it is posted, opened by a handle, and stands in no address or title."""

import re
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser

from issuance.search.models import Search
from tests.browser import look
from tests.issuance.person_page.test_browser import logged_in
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.search.test_pages import REASON, client_of, title


def test_posted_and_opened_by_a_handle(world: Any, django_assert_max_num_queries: Any) -> None:
    for given_name in ("Anna", "Bo"):
        world.post(surname="Eklund", given_name=given_name)
    client = client_of(world.officer())
    with django_assert_max_num_queries(15):
        answer = client.post("/sok/", {"text": "", "name": "Eklund"})
    search = Search.objects.get()
    assert answer["Location"] == reverse("search_hits", args=[search.id])
    with django_assert_max_num_queries(15):
        page = client.get(answer["Location"])
    assert "2 träffar" in text_of(page)
    assert re.search(r'name="text" id="id_text"[^>]* value="eklund"', page.content.decode()), "where the next scan replaces it"
    assert 'name="name" value=' not in page.content.decode()
    assert "klund" not in title(page).lower()
    one = client.post("/sok/", {"name": "Eklund, Bo"})
    assert one["Location"] == reverse("person", args=[Search.objects.latest("created_at").person_id])


def test_what_cannot_be_searched_for_comes_back_onto_the_form(world: Any, subtests: pytest.Subtests) -> None:
    """One officer for all, since none of the names may begin a search."""
    client = client_of(world.officer())
    cases: list[tuple[dict[str, str], str]] = [
        ({"name": "E"}, "minst 2 bokstäver"),
        ({"name": "Ek 2"}, "bara bokstäver"),
        ({"name": "Ek", "text": "1024"}, "antingen namn eller id"),
        ({"name": "Ek", "extended": "on", "reason": REASON}, "inom din behörighet"),
    ]
    for fields, told in cases:
        with subtests.test(**fields):
            answer = client.post("/sok/", fields)
            assert (answer.status_code, told in text_of(answer)) == (422, True)
            assert f'value="{fields["name"]}"' in answer.content.decode()
            assert not Search.objects.exists()


def test_a_protected_person_looks_like_no_hit(world: Any) -> None:
    world.post(protected=True, surname="Hemligsson")
    client = client_of(world.officer())
    pages = [text_of(client.post("/sok/", {"name": name}, follow=True)) for name in ("Hemligsson", "Hemligssen")]
    assert "Ingen person inom din behörighet heter så" in pages[0]
    assert pages[0] == pages[1]


def test_too_many_ask_for_more_of_the_name(world: Any, settings: Any) -> None:
    settings.SEARCH_MAX_HITS = 1
    for _ in range(2):
        world.post(surname="Eklund")
    answer = client_of(world.officer()).post("/sok/", {"name": "Eklund"}, follow=True)
    assert "Skriv mer av namnet" in text_of(answer)


def test_in_a_browser_by_keyboard(world: Any, browser: Browser, portal: str) -> None:
    for given_name in ("Anna", "Bo"):
        world.post(surname="Eklund", given_name=given_name)
    with logged_in(browser, portal, world.officer()) as page:
        page.goto(f"{portal}/sok/")
        page.get_by_label("Namn", exact=True).focus()
        page.keyboard.type("eklund", delay=60)  # slower than a scanner
        page.keyboard.press("Enter")
        page.wait_for_url("**/sok/traffar/**")
        assert "eklund" not in page.url
        assert page.locator("tbody th").all_inner_texts() == ["Eklund, Anna", "Eklund, Bo"]
        look(page, "sok-namn")
        page.get_by_label("Namn", exact=True).fill("qq1")
        page.keyboard.press("Enter")
        page.locator("#id_name_error").wait_for()
        look(page, "sok-namn-fel")
        page.get_by_label("Namn", exact=True).fill("qqq")
        page.keyboard.press("Enter")
        page.wait_for_url("**/sok/traffar/**")
        assert page.get_by_text("heter så").count() == 1
        look(page, "sok-namn-ingen")
