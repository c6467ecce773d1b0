"""The frame and the search page in Chromium: axe in each state, both widths, by keyboard alone, by scanner, without script."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from issuance.authz import Actor, Role
from issuance.carriers.models import Carrier
from issuance.people.models.persons import Person, Post
from issuance.search.models import Search
from tests.e2e.looking import Looker
from tests.lib.faces import serving
from tests.lib.traffic import Traffic, findings
from tests.portal import session_cookie
from tests.waiting import wait_for

SERIAL = "9876654132532143214"


@contextmanager
def desk(browser: Browser, url: str, actor: Actor | None, **options: Any) -> Iterator[Page]:
    """A tab of a new browser, in which the actor is logged in."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
    if actor is not None:
        context.add_cookies([session_cookie(Person.objects.get(pk=actor.person_id), url)])  # type: ignore[list-item]
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def number_of(post: Post) -> str:
    return str(post.person.identifiers.get().value)


def test_every_state_of_the_search_page_is_looked_at(world: Any, portal: str, browser: Browser) -> None:
    for index, surname in enumerate(("Öberg", "Ek", "Åberg", "Wallén Lindqvist af Klintberg")):
        post = world.post(surname=surname)
        Post.objects.filter(pk=post.pk).update(hsa_id=f"TST2321000131-{index}XQZ")
    eye = Looker("search")
    with desk(browser, portal, world.officer()) as page:
        eye.follow(page.context)
        page.goto(portal)
        assert page.url == f"{portal}/dagen/"
        eye.look(page, "day")
        page.goto(f"{portal}/sok/")
        eye.look(page, "search")
        page.get_by_label("Utökat sökomfång", exact=True).check()
        expect(page.get_by_label("Skäl till utökat sökomfång")).to_be_visible()
        eye.look(page, "extended")
        page.get_by_label("Utökat sökomfång", exact=True).uncheck()
        search(page, "xqz")
        expect(page.get_by_role("heading", level=2)).to_have_text("4 träffar")
        eye.look(page, "hits")
        search(page, "qqqq")
        expect(page.get_by_role("heading", level=2)).to_have_text("Ingen person med det namnet")
        link = page.get_by_role("link", name="Sök utanför din behörighet")
        link.click()
        expect(page.get_by_label("Utökat sökomfång", exact=True)).to_be_checked()
        expect(page.locator("#id_reason")).to_be_focused()
        page.get_by_label("Utökat sökomfång", exact=True).uncheck()
        eye.look(page, "no hits")
        search(page, "18900101-9803")
        expect(page.get_by_role("alert")).to_be_focused()
        eye.said.clear()  # Chromium tells the console of the 422
        eye.look(page, "error")


def search(page: Page, text: str) -> None:
    page.get_by_label("Person-id, tjänste-id eller kortserienummer").fill(text)
    page.get_by_role("button", name="Sök", exact=True).click()
    page.wait_for_load_state("load")


def test_back_after_a_corrected_error_shows_the_page(world: Any, portal: str, browser: Browser) -> None:
    """Nothing is stored (S20), so Chromium would ask to send the form again (ERR_CACHE_MISS)."""
    post = world.post()
    with desk(browser, portal, world.officer()) as page:
        page.goto(f"{portal}/hjalp/")
        page.goto(f"{portal}/sok/")
        search(page, "18900101-9803")
        expect(page.get_by_role("alert")).to_be_focused()
        search(page, number_of(post))
        page.wait_for_url(f"{portal}/sok/person/{post.person_id}/")
        page.go_back()
        expect(page).to_have_url(f"{portal}/sok/")
        expect(page.locator("#id_text")).to_have_value("")
        page.locator("header form[action='/logga-ut/'] [name=csrfmiddlewaretoken]").evaluate(
            "field => { field.value = 'x'.repeat(64); }"
        )
        page.get_by_role("button", name="Logga ut").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Åtgärden gick inte att göra")
        expect(page).to_have_url(f"{portal}/sok/")  # of an error page that of the page with the form: it may only take forms
        page.reload()
        expect(page.locator("#id_text")).to_be_visible()


def test_the_frames_other_pages_are_looked_at(world: Any, portal: str, browser: Browser) -> None:
    """But for those that are the same for everybody and that `tests/lib/pages/test_browser.py` looks at."""
    eye = Looker("frame")
    with desk(browser, portal, None) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/om-verktyget/")
        eye.look(page, "about")
    post = world.post()
    world.order(post)
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/sok/person/{post.person_id}/")
        eye.look(page, "person with quick search")
        page.goto(f"{portal}/hjalp/")
        eye.look(page, "help inside")
        page.goto(f"{portal}/finns/inte/")
        eye.said.clear()  # Chromium tells the console of the 404
        eye.look(page, "not found inside")


def test_a_clerk_searches_by_keyboard_alone(world: Any, portal: str, browser: Browser) -> None:
    post, other = world.post(), world.post()
    with desk(browser, portal, world.officer()) as page:
        page.goto(portal)
        field = page.locator("#id_text")
        expect(field).to_be_focused()
        keys = page.keyboard
        keys.type(number_of(post))
        keys.press("Enter")
        page.wait_for_url(f"{portal}/sok/person/{post.person_id}/")
        keys.press("Alt+s")
        expect(page.locator("#nasta-person")).to_be_focused()
        keys.type(other.hsa_id[-6:])
        keys.press("Enter")
        page.wait_for_url(f"{portal}/sok/person/{other.person_id}/")
        page.goto(f"{portal}/hjalp/")
        keys.press("Alt+s")
        everywhere = page.locator("#nasta-person")
        expect(everywhere).to_be_focused()
        keys.type("a/b")
        expect(everywhere).to_have_value("a/b")
        keys.press("Enter")
        expect(page.get_by_role("alert")).to_be_focused()
        keys.press("Tab")
        keys.press("Enter")
        expect(field).to_be_focused()
        expect(field).to_have_value("A/B".lower())


def test_a_scanner_finds_the_card_and_the_next_scan_replaces_the_last(world: Any, portal: str, browser: Browser) -> None:
    order = world.order()
    Carrier.objects.filter(pk=order.carrier_id).update(card_serial=SERIAL)
    with desk(browser, portal, world.officer()) as page:
        page.goto(portal)
        expect(page.locator("#id_text")).to_be_focused()
        page.keyboard.type("]C1" + "1" * 19)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=2)).to_have_text("Inget kort med serienumret som slutar på 1111")
        expect(page.locator("#id_text")).to_be_focused()
        page.wait_for_load_state("load")  # with the script that marks what stands there
        page.keyboard.type("]C1" + SERIAL)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{portal}/sok/person/{order.carrier.person_id}/?barare={order.carrier_id}")


def test_digits_are_checked_before_they_are_sent(world: Any, portal: str, browser: Browser) -> None:
    with desk(browser, portal, world.officer()) as page:
        page.goto(portal)
        field, said = page.locator("#id_text"), page.locator("[data-search-feedback]")
        assert said.get_attribute("role") == "status"
        for text, words in (
            ("18900101-9803", "Den sista siffran stämmer inte. Kontrollera numret mot id-handlingen."),
            ("18900101-9802", ""),
            ("900101+9802", ""),
            ("9876 6541 325 3214", "15 av 19 siffror"),
            (SERIAL, ""),
            ("TSTNMT2321000156-1024", ""),
            ("18900101980", ""),
        ):
            field.fill(text)
            expect(said).to_have_text(words)


def test_all_of_it_works_without_script(world: Any, portal: str, browser: Browser) -> None:
    post = world.post(world.stranger)
    with desk(browser, portal, world.officer(), java_script_enabled=False) as page:
        page.goto(portal)
        page.get_by_role("textbox", name="Nästa person").fill("qqqq")
        page.get_by_role("button", name="Sök", exact=True).click()
        expect(page.get_by_role("heading", level=2)).to_have_text("Ingen person med det namnet")
        page.locator("#id_text").fill(number_of(post))
        page.get_by_label("Utökat sökomfång", exact=True).check()
        page.get_by_label("Skäl till utökat sökomfång").fill("Innehavaren har ringt och vill spärra")
        page.get_by_label("Skäl till utökat sökomfång").press("Enter")
        page.wait_for_url(f"{portal}/sok/person/{post.person_id}/")
        expect(page.get_by_text("utökat sökomfång")).to_be_visible()
        page.get_by_role("button", name="Logga ut").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Du är utloggad")
        page.goto(f"{portal}/sok/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Logga in")


def test_two_clicks_search_once(world: Any, portal: str, browser: Browser) -> None:
    with desk(browser, portal, world.officer()) as page:
        page.goto(f"{portal}/sok/")
        page.locator("#id_text").fill("qqqq")
        page.evaluate("() => { for (const _ of [1, 2]) document.querySelector('form.search button').click(); }")
        expect(page.get_by_role("heading", level=2)).to_have_text("Ingen person med det namnet")
        assert Search.objects.count() == 1
        page.go_back()
        search(page, "qqqr")
        expect(page.get_by_role("heading", level=2)).to_have_text("Ingen person med det namnet")
        assert Search.objects.count() == 2


# It is said for two seconds, which somebody who looks now and then may miss.
NOTE_WHAT_IS_SAID = """() => new MutationObserver(() => {
  for (const e of document.querySelectorAll("button [role=status]")) if (e.checkVisibility()) window.said ??= e.textContent;
}).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true})"""


def test_what_is_copied_is_said(world: Any, portal: str, browser: Browser) -> None:
    order = world.order()
    with desk(browser, portal, world.officer()) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(f"{portal}/sok/person/{order.carrier.person_id}/")
        page.get_by_text("Visa alla uppgifter").last.click()
        button = page.get_by_role("button", name="Kopiera").first
        button.focus()
        page.evaluate(NOTE_WHAT_IS_SAID)
        page.keyboard.press("Enter")
        wait_for(lambda: page.evaluate("window.said") == "Kopierat")
        assert page.evaluate("navigator.clipboard.readText()") == str(order.id)
    with desk(browser, portal, world.officer(), java_script_enabled=False) as page:
        page.goto(f"{portal}/sok/person/{order.carrier.person_id}/")
        page.get_by_text("Visa alla uppgifter").last.click()
        expect(page.get_by_role("button", name="Kopiera")).to_have_count(0)
        expect(page.get_by_text(str(order.id))).to_be_visible()


def test_nothing_searched_stands_in_address_title_or_log(world: Any, portal: str, browser: Browser, tmp_path: Path) -> None:
    post = world.post(given_name="Sekretessa", surname="Hemligsson")
    number, serial = number_of(post), "1234567890123456789"
    with serving("portal", tmp_path / "log") as url, desk(browser, url, world.officer()) as page:
        traffic = Traffic().watch(page.context)
        for text in (number, post.hsa_id, post.hsa_id[-6:], serial, "18900101-9803"):
            page.goto(f"{url}/sok/")
            search(page, text)
            page.go_back()
    secrets = [number, f"{number[:8]}-{number[8:]}", post.hsa_id, serial, "Hemligsson", "18900101-9803"]
    assert findings(traffic, [tmp_path / "log"], secrets) == []
