"""The frame and the search page in Chromium: axe in each state, both widths, by keyboard alone, by scanner, without script."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from issuance.authz import Actor
from issuance.models import Person, Post
from tests.e2e.looking import Looker
from tests.lib.faces import serving
from tests.portal import session_cookie

SERIAL = "9876654132532143214"


@pytest.fixture(scope="module")
def portal(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving("portal", tmp_path_factory.mktemp("portal") / "log") as url:
        yield url


@contextmanager
def desk(browser: Browser, url: str, actor: Actor | None, **options: Any) -> Iterator[Page]:
    """A tab of a new browser, in which the actor is logged in."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
    if actor is not None:
        context.add_cookies([session_cookie(Person.objects.get(pk=actor.person_id), url)])  # type: ignore[list-item]
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


def number_of(post: Post) -> str:
    return str(post.person.identifiers.get().value)


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def test_every_state_of_the_search_page_is_looked_at(world: Any, portal: str, browser: Browser) -> None:
    for index, surname in enumerate(("Öberg", "Ek", "Åberg", "Wallén Lindqvist af Klintberg")):
        post = world.post(surname=surname)
        Post.objects.filter(pk=post.pk).update(hsa_id=f"TST2321000131-{index}XQZ")
    eye = Looker("search")
    with desk(browser, portal, world.officer()) as page:
        eye.follow(page.context)
        page.goto(portal)
        assert page.url == f"{portal}/sok/"
        eye.look(page, "search")
        page.get_by_label("Utökat sökomfång", exact=True).check()
        expect(page.get_by_label("Skäl till utökat sökomfång")).to_be_visible()
        eye.look(page, "extended")
        page.get_by_label("Utökat sökomfång", exact=True).uncheck()
        search(page, "xqz")
        expect(page.get_by_role("heading", level=2)).to_have_text("4 träffar")
        eye.look(page, "hits")
        search(page, "qqqq")
        expect(page.get_by_role("heading", level=2)).to_have_text("Inga träffar")
        eye.look(page, "no hits")
        search(page, "18900101-9803")
        expect(page.get_by_role("alert")).to_be_focused()
        eye.said.clear()  # Chromium tells the console of the 422
        eye.look(page, "error")


def search(page: Page, text: str) -> None:
    page.get_by_label("Person-id, tjänste-id eller kortserienummer").fill(text)
    page.get_by_role("button", name="Sök", exact=True).click()
    page.wait_for_load_state("load")
