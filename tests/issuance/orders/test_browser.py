"""The page of an order in Chromium: axe and both widths in each state, keyboard, without script, a lost log-in, and uploads."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.urls import reverse
from playwright.sync_api import Browser, Locator, Page, expect

from issuance.articles.models import Article
from issuance.carriers.models import Carrier
from issuance.offices.services import close_office, connect_office, create_office
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import drafts
from issuance.orders.services.drafts import Choices
from issuance.people.models.persons import Person, Post
from issuance.people.models.photos import Photo
from issuance.people.services import photos
from siths_portal.demo.portraits import portrait_of
from siths_portal.lib import clock
from tests.e2e.hands import Keyboard
from tests.e2e.looking import Looker
from tests.issuance.neighbours import directory, publish
from tests.issuance.pictures import picture
from tests.issuance.world import SETUP
from tests.lib.faces import serving
from tests.portal import session_cookie

pytestmark = pytest.mark.usefixtures("authorities")
ORDER = re.compile("^Beställ kort till ")
ORDERED = re.compile("är beställt$")
STANDING = "Stående kort med foto"


class Portal:
    """A running portal, its process's log, and the file that its catalogue is read from."""

    def __init__(self, url: str, data: Path, log: Path) -> None:
        self.url, self.data, self.log = url, data, log


@pytest.fixture(scope="module")
def portal(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    folder = tmp_path_factory.mktemp("ordering")
    with directory(folder) as (outside, data):
        settings = {"DIRECTORY_URL": outside, "PERSON_REGISTER_URL": outside, "UPLOADS_AT_ONCE": "2"}
        with serving("portal", folder / "log", **settings) as url:  # of four threads
            yield Portal(url, data, folder / "log")


@contextmanager
def desk(browser: Browser, portal: Portal, world: Any, **options: Any) -> Iterator[Page]:
    """A tab in which an ID-administrator is logged in, with what the outside says now."""
    publish(world, portal.data)
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
    log_in(context, portal, world)
    page = context.new_page()
    page.set_default_timeout(60_000)
    yield page
    context.close()


def log_in(context: Any, portal: Portal, world: Any) -> None:
    context.add_cookies([session_cookie(Person.objects.get(pk=world.officer().person_id), portal.url)])


def file(tmp_path: Path, content: bytes, name: str = "portratt.jpg") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def person_with_two_posts(world: Any) -> Post:
    """As on the slides: two posts, photo articles of both shapes, two offices."""
    Article.objects.filter(code="631").update(name="Liggande kort utan foto")
    Article.objects.filter(code="631-REK").update(name="Liggande kort utan foto")
    Article.objects.filter(code="610").update(name="Stående kort med foto", orientation="portrait")
    office = create_office(actor=SETUP, area_id=world.area.id, name="Kortkontor Ost (12)", invoice_comment="Kommun Ost")
    connect_office(actor=SETUP, organisation_id=world.region.id, office_id=office.id)
    post = world.post(given_name="Elva", surname="Tolvansson")
    other = world.post(world.clinic)
    world.outside.change_post(other.hsa_id, person=world.key_of(post.person))
    other.person = post.person
    other.save(update_fields=["person"])
    return post


def begin(page: Page, portal: Portal, post: Post) -> None:
    page.goto(f"{portal.url}/sok/person/{post.person_id}/")
    page.get_by_role("button", name="Nytt SITHS eID ordinarie kort").click()
    heading(page, ORDER)


def pick(page: Page, name: str | re.Pattern[str]) -> None:
    """Makes a choice, and waits until the page has stored and shown it."""
    with page.expect_response(lambda response: response.request.method == "POST"):
        page.get_by_role("radio", name=name, exact=True).check()
    settle(page)


def settle(page: Page) -> None:
    """Waits until the page shows what htmx has asked for."""
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def attach(page: Page, path: Path) -> None:
    """Chooses a file, which the page fetches by itself."""
    page.get_by_label("Fil med fotografiet").set_input_files(path)
    expect(page.get_by_text("Foto uppladdat:")).to_be_visible()
    heading(page, ORDER)


def heading(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)
    page.wait_for_load_state("load")  # its script may move the focus until then


def press(page: Page, name: str) -> None:
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def press_twice(page: Page, name: str) -> None:
    """Both presses before any answer; of a double click the second may come on the next page, which stands as the mouse does."""
    page.get_by_role("main").get_by_role("button", name=name, exact=True).evaluate("each => { each.click(); each.click(); }")


def test_every_state_is_looked_at(world: Any, portal: Portal, browser: Browser, tmp_path: Path) -> None:
    post = person_with_two_posts(world)
    ended = world.post(world.city)
    Post.objects.filter(pk=ended.pk).update(person=post.person, valid_to=clock.today().replace(year=2020))
    eye = Looker("ordering")
    with desk(browser, portal, world) as page:
        eye.follow(page.context)
        begin(page, portal, post)
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        eye.look(page, "begun")
        press(page, "Beställ kortet")
        expect(page.get_by_role("alert")).to_be_focused()
        eye.said.clear()  # Chromium tells the console of each 4xx
        eye.look(page, "nothing chosen")
        pick(page, "Regionen")
        expect(page.get_by_role("radio", name="Regionen", exact=True)).to_be_focused()  # the page was drawn anew
        pick(page, STANDING)
        eye.look(page, "photo none")
        page.get_by_label("Fil med fotografiet").set_input_files(file(tmp_path, picture(size=(300, 400))))
        expect(page.get_by_role("alert")).to_be_focused()
        eye.said.clear()
        eye.look(page, "photo error")
        attach(page, file(tmp_path, portrait_of(7)))
        eye.look(page, "photo")
        press(page, "Beställ kortet")
        expect(page.get_by_role("alert")).to_be_focused()
        expect(page.get_by_role("heading", name="Ett svar behöver rättas")).to_be_visible()
        expect(page.get_by_role("radio", name=STANDING)).to_be_checked()
        eye.said.clear()
        eye.look(page, "office missing")
        pick(page, "Kortkontor Ost (12)")
        eye.look(page, "complete")
        for width, height in ((320, 700), (390, 900)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width  # WCAG 1.4.10
            assert page.evaluate(HIDDEN_BY_THE_ACT_LINE) == []  # WCAG 2.4.11, and the whole of it
        page.set_viewport_size({"width": 1440, "height": 900})
        page.get_by_role("link", name="Läs mer om fotoregler").click()
        eye.look(page, "photo rules")
        page.get_by_role("link", name="Tillbaka till beställningen").click()
        heading(page, ORDER)
        press(page, "Avbryt")
        expect(page.get_by_text("Beställningen är avbruten.")).to_be_visible()
        page.get_by_role("button", name="Nytt SITHS eID ordinarie kort").click()
        heading(page, ORDER)
        expect(page.get_by_text("Du fortsätter på beställningen")).to_be_visible()
        eye.look(page, "resumed")
        close_office(actor=SETUP, office_id=OrderDraft.objects.get().office_id)
        press(page, "Beställ kortet")
        expect(page.get_by_role("alert")).to_contain_text("stängt")
        eye.said.clear()
        eye.look(page, "office closed")
        expect(page.get_by_role("radio", name="Kontor A", exact=True)).to_be_checked()  # the only one that is left
        press(page, "Beställ kortet")
        heading(page, ORDERED)
        eye.look(page, "ordered")
        page.get_by_role("link", name="Ta bort beställning", exact=True).click()
        heading(page, "Vill du ta bort beställningen?")
        eye.look(page, "remove")
        press(page, "Ta bort beställningen")
        expect(page.get_by_text("Beställningen är borttagen.")).to_be_visible()
    assert CardOrder.objects.get().state == "cancelled"


def test_a_returned_card_is_made_again_from_dagen_by_keyboard(world: Any, portal: Portal, browser: Browser) -> None:
    order = world.order(world.post(given_name="Elva", surname="Tolvansson"))
    CardOrder.objects.filter(pk=order.pk).update(state="returned")
    order.items.update(state="returned")
    Carrier.objects.filter(pk=order.carrier_id).update(state="revoked", ended_at=clock.now(), revocation_reason="returned")
    eye, keys = Looker("remake"), Keyboard()
    with desk(browser, portal, world) as page:
        eye.follow(page.context)
        page.goto(portal.url + reverse("day_orders"))
        eye.look(page, "list")
        keys.press(page.get_by_role("link", name="Gör om kortet"))
        heading(page, re.compile("^Gör om kortet som kom i retur$"))
        eye.look(page, "begun")
        keys.press(page.get_by_role("button", name="Gör om kortet"))
        expect(page.get_by_role("alert")).to_be_focused()
        eye.said.clear()
        keys.choose(page.get_by_role("radio", name=re.compile("^Annat")))
        page.keyboard.press("Control+Enter")
        expect(page.get_by_text("Kortet görs om. Beställningen ligger i kö till kortleverantören.")).to_be_visible()
    assert CardOrder.objects.get(pk=order.pk).state == "queued"


def test_one_more_card_is_ordered_by_an_answer(world: Any, portal: Portal, browser: Browser) -> None:
    post = world.post(given_name="Elva", surname="Tolvansson")
    world.order(post)
    eye = Looker("one-more-card")
    with desk(browser, portal, world) as page:
        eye.follow(page.context)
        begin(page, portal, post)
        expect(page.get_by_role("heading", name="Personen har redan ett kort")).to_be_visible()
        eye.look(page, "begun")
        press(page, "Beställ kortet")
        expect(page.get_by_role("alert")).to_contain_text("Kryssa i rutan")
        eye.said.clear()
        eye.look(page, "refused")
        confirmed = page.get_by_label("Personen ska ha ett kort till")
        confirmed.check()
        expect(page.get_by_role("alert")).to_be_hidden()  # the summary and the sentence below the heading follow each answer
        expect(page.get_by_text("Allt är ifyllt")).to_be_visible()
        expect(confirmed).to_be_focused()
        press(page, "Beställ kortet")
        heading(page, ORDERED)
    assert CardOrder.objects.count() == 2


HIDDEN_BY_THE_ACT_LINE = """() => {
  const line = document.querySelector(".act-line"), hidden = [];
  for (const each of document.querySelectorAll("main :is(a, button, input:not([type=hidden]), select, summary)")) {
    if (line.contains(each) || !each.checkVisibility()) continue;
    each.focus();
    if (document.activeElement !== each) continue;
    const box = each.getBoundingClientRect(), above = line.getBoundingClientRect();
    if (box.bottom > above.top && box.top < above.bottom) hidden.push(each.id || each.textContent);
  }
  return hidden;
}"""
"""Gives each control the focus, as Tab does. Returns those that the act line covers in part."""


COUNT_KEYS = (
    """addEventListener("keydown", () => sessionStorage.setItem("keys", 1 + Number(sessionStorage.getItem("keys"))), true);"""
)


REPLACED_SOON = """() => document.addEventListener("keydown", () => setTimeout(() => {
  const form = document.getElementById("bestallning"), copy = form.cloneNode(true);
  copy.dataset.replaced = "";
  form.replaceWith(copy);
}, 50), { once: true })"""
"""Puts new elements in place of the form soon after the next key, as the server's answer does."""


def keys_since(page: Page) -> int:
    """The keys that were pressed in the tab since the last call; a chord is two."""
    return int(
        page.evaluate(
            "() => { const keys = sessionStorage.getItem('keys'); sessionStorage.removeItem('keys'); return Number(keys); }"
        )
    )


def press_digit(page: Page, name: str) -> None:
    """Goes to a choice's question by Tab, unless the focus is there, and presses the choice's digit."""
    choice = page.get_by_role("radio", name=name)
    asked = page.locator(f"[name={choice.get_attribute('name')}]:focus")
    for _ in range(6):
        if asked.count():
            break
        page.keyboard.press("Tab")
    page.keyboard.press(choice.get_attribute("data-key") or "")
    expect(choice).to_be_checked()


def test_by_keyboard_alone_and_few_keys(world: Any, portal: Portal, browser: Browser, tmp_path: Path) -> None:
    post, hands = person_with_two_posts(world), Keyboard()
    with desk(browser, portal, world) as page:
        page.add_init_script(COUNT_KEYS)
        page.goto(f"{portal.url}/sok/person/{post.person_id}/")
        hands.press(page.get_by_role("button", name="Nytt SITHS eID ordinarie kort"))
        heading(page, ORDER)
        hands.choose(page.get_by_role("radio", name="Regionen", exact=True))
        expect(page.get_by_role("radio", name=STANDING)).to_be_visible()  # the answer has come, with the group that Tab goes to
        page.keyboard.press("Tab")
        page.keyboard.press(page.get_by_role("radio", name=STANDING).get_attribute("data-key") or "")
        expect(page.get_by_text("Inget foto än")).to_be_visible()  # the questions that come in push down the next one
        expect(page.locator("[name=office]:focus")).to_be_in_viewport()
        hands.attach(page.locator('input[type="file"]'), file(tmp_path, portrait_of(3)))
        expect(page.get_by_text("Foto uppladdat:")).to_be_visible()
        heading(page, ORDER)
        hands.choose(page.get_by_role("radio", name="Kontor A"))
        settle(page)
        page.keyboard.press("Control+Enter")  # from the radio button
        heading(page, ORDERED)
        assert CardOrder.objects.get().photo is not None

        second = world.post(given_name="Nia", surname="Niansson")
        photos.store(actor=world.officer(), person_id=second.person_id, content=portrait_of(4))
        publish(world, portal.data)
        begin(page, portal, second)
        keys_since(page)
        page.keyboard.press("Control+Enter")  # everything is proposed, the saved photo too
        heading(page, ORDERED)
        as_proposed = keys_since(page)

        third = world.post(given_name="Tia", surname="Tiansson")
        publish(world, portal.data)
        begin(page, portal, third)
        keys_since(page)
        hands.choose(page.get_by_role("radio", name="Liggande kort utan foto"))
        expect(page.locator('input[type="file"]')).to_have_count(0)  # the questions that Tab goes through are the new ones
        hands.choose(page.get_by_role("radio", name="Kortkontor Ost (12)"))
        settle(page)
        page.keyboard.press("Control+Enter")
        heading(page, ORDERED)
        changed = keys_since(page)

        fourth = world.post(given_name="Pia", surname="Piansson")
        photos.store(actor=world.officer(), person_id=fourth.person_id, content=portrait_of(5))
        publish(world, portal.data)
        begin(page, portal, fourth)
        keys_since(page)
        press_digit(page, STANDING)
        expect(page.get_by_role("radio", name="Använd det sparade fotot")).to_be_checked()
        press_digit(page, "Kontor A")
        settle(page)
        page.keyboard.press("Control+Enter")
        heading(page, ORDERED)
        with_photo = keys_since(page)
        print(f"keys of an order: {as_proposed} as proposed, {changed} or {with_photo} with another card and office")
        assert as_proposed == 2
        assert changed <= 10
        assert with_photo <= 10
    assert [order.photo is not None for order in CardOrder.objects.order_by("ordered_at", "pk")] == [True, True, False, True]


def test_a_digit_holds_if_the_answer_to_the_last_choice_comes_meanwhile(world: Any, portal: Portal, browser: Browser) -> None:
    """A digit waits until it is clear that no scan goes on; the page that comes then has other elements."""
    post = person_with_two_posts(world)
    with desk(browser, portal, world) as page:
        begin(page, portal, post)
        pick(page, "Regionen")
        wanted = page.get_by_role("radio", name=STANDING)
        digit = wanted.get_attribute("data-key") or ""
        page.evaluate(REPLACED_SOON)
        page.get_by_role("radio", name="Liggande kort utan foto").focus()
        page.keyboard.press(digit)
        expect(wanted).to_be_checked()
        expect(page.locator("[data-replaced]")).to_have_count(1)


def test_an_address_a_file_enter_and_a_scan(world: Any, portal: Portal, browser: Browser, tmp_path: Path) -> None:
    """How an address is broken, which words the chooser of files has, and that Enter and a scan order nothing."""
    post = person_with_two_posts(world)
    for each in Post.objects.filter(person=post.person):
        world.outside.change_post(each.hsa_id, mail=MAIL)
    with desk(browser, portal, world) as page:
        begin(page, portal, post)
        pick(page, "Regionen")
        an_address_is_broken_at_its_signs_alone(page)
        pick(page, STANDING)
        the_chooser_of_files_speaks_our_language(page, file(tmp_path, portrait_of(3), "Elva <b>på jobbet.jpg"))
        begin(page, portal, post)
        attach(page, file(tmp_path, portrait_of(3), "Elva <b>på jobbet.jpg"))
        pick(page, "Liggande kort utan foto")
        pick(page, "Kontor A")
        enter_and_a_scan_leave_the_page(page)
    assert not CardOrder.objects.exists()


MAIL = "elva-maria.tolvansson@vardcentralen-eken.vastragotalandsregionen.example"


def an_address_is_broken_at_its_signs_alone(page: Page) -> None:
    page.get_by_text("Förhandsgranska uppgifterna på kortet och i certifikaten").click()
    lines = page.locator("details dd", has_text=MAIL).evaluate(LINES)
    assert ("".join(lines), len(lines) > 1) == (MAIL, True)
    assert all(line.endswith((".", "@")) for line in lines[:-1]), lines


def the_chooser_of_files_speaks_our_language(page: Page, path: Path) -> None:
    button, own = page.locator(".file-choice > span").first, page.get_by_label("Fil med fotografiet")
    expect(button).to_have_text("Hämta fotografi")
    expect(page.get_by_role("button", name="Hämta fotografi")).to_be_hidden()  # the page fetches a chosen file by itself
    before = button.evaluate("e => getComputedStyle(e).outlineStyle")
    page.get_by_role("link", name="Läs mer om fotoregler").focus()
    page.keyboard.press("Shift+Tab")
    expect(own).to_be_focused()
    assert (before, button.evaluate("e => getComputedStyle(e).outlineStyle")) == ("none", "solid")
    assert own.evaluate("e => getComputedStyle(e).opacity") == "0"  # its own words are the browser's
    expect(page.get_by_text("Ingen fil är vald")).to_be_visible()
    page.route("**/foto/hamta/", lambda route: route.abort())  # the connection is gone: the file stays chosen
    with page.expect_file_chooser() as chooser:
        page.mouse.click(*middle_of(button))
    chooser.value.set_files(path)
    page.unroute("**/foto/hamta/")


def enter_and_a_scan_leave_the_page(page: Page) -> None:
    address = page.url
    for name in ("Regionen", "Liggande kort utan foto", "Kontor A"):
        page.get_by_role("radio", name=name, exact=True).focus()
        page.keyboard.press("Enter")
        assert page.url == address
    page.keyboard.type("9752104310473209240", delay=5)
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("heading", level=1)).not_to_have_text(ORDERED)


def test_a_new_file_is_a_choice_beside_the_stored_photo(world: Any, portal: Portal, browser: Browser, tmp_path: Path) -> None:
    post, eye = person_with_two_posts(world), Looker("new-file")
    photos.store(actor=world.officer(), person_id=post.person_id, content=portrait_of(4))
    with desk(browser, portal, world) as page:
        eye.follow(page.context)
        begin(page, portal, post)
        pick(page, "Regionen")
        pick(page, STANDING)
        pick(page, "Kontor A")
        eye.look(page, "stored")
        stored, new = page.get_by_role("radio", name="Använd det sparade fotot"), page.get_by_role("radio", name="Välj en ny fil")
        own, button = page.get_by_label("Fil med fotografiet"), page.locator(".file-choice > .ds-button")
        expect(stored).to_be_checked()
        expect(button).to_be_hidden()
        stored.focus()
        page.keyboard.press(new.get_attribute("data-key") or "")
        expect(page.get_by_text("Välj foto. Resten är ifyllt.")).to_be_visible()
        expect(new).to_be_focused()  # Tab goes to the file, which a digit goes past
        expect(button).to_be_visible()
        page.keyboard.press("Tab")
        expect(own).to_be_focused()
        eye.look(page, "new")
        press(page, "Beställ kortet")
        expect(page.get_by_role("alert")).to_contain_text("Hämta ett fotografi, eller välj ett foto som redan finns.")
        expect(new).to_be_checked()
        eye.said.clear()
        eye.look(page, "refused")
        pick(page, "Använd det sparade fotot")
        page.set_viewport_size({"width": 390, "height": 900})
        assert page.evaluate(BESIDE_THE_PHOTO) == [True, True]
        page.set_viewport_size({"width": 1440, "height": 900})
        drop(page, new.locator(".."), file(tmp_path, portrait_of(7)))
        expect(page.get_by_role("radio", name="Använd det nya fotot")).to_be_checked()
        eye.look(page, "both")
        press(page, "Beställ kortet")
        heading(page, ORDERED)
    assert CardOrder.objects.get().photo != Photo.objects.earliest("uploaded_at")


BESIDE_THE_PHOTO = """() => {
  const place = (name) => document.querySelector(`.order-photos ${name}`).getBoundingClientRect();
  const [photo, choice] = [place("img"), place(".radio")];
  return [choice.left > photo.right, Math.abs(choice.top - photo.top) < 2];
}"""


def drop(page: Page, element: Locator, path: Path) -> None:
    """Drags a file from the outside to the middle of an element, and drops it there."""
    element.evaluate("e => e.scrollIntoView({ block: 'center' })")  # clear of the act line
    (x, y), session = middle_of(element), page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})
    session.detach()


def middle_of(element: Locator) -> tuple[float, float]:
    box = element.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


LINES = """element => {
  const lines = [], walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let top = null;
  while (walker.nextNode()) for (let i = 0; i < walker.currentNode.length; i++) {
    const range = document.createRange();
    range.setStart(walker.currentNode, i);
    range.setEnd(walker.currentNode, i + 1);
    const at = range.getBoundingClientRect();
    if (top === null || at.top - top > 4) lines.push("");
    top = at.top;
    lines[lines.length - 1] += walker.currentNode.data[i];
  }
  return lines.map(line => line.trim());
}"""


def test_without_script(world: Any, portal: Portal, browser: Browser, tmp_path: Path) -> None:
    post = person_with_two_posts(world)
    with desk(browser, portal, world, java_script_enabled=False) as page:
        begin(page, portal, post)
        page.get_by_role("radio", name="Regionen", exact=True).check()
        press(page, "Visa kort och kontor för uppdraget")
        page.get_by_role("radio", name=STANDING).check()
        page.get_by_role("radio", name="Kontor A").check()
        press(page, "Visa kort och kontor för uppdraget")
        expect(page.get_by_text("Ingen fil är vald")).to_be_hidden()  # nothing of ours would say which file is chosen
        assert page.get_by_label("Fil med fotografiet").evaluate("e => getComputedStyle(e).opacity") == "1"
        page.get_by_label("Fil med fotografiet").set_input_files(file(tmp_path, picture()))
        press(page, "Hämta fotografi")
        expect(page.get_by_text("Foto uppladdat:")).to_be_visible()
        expect(page.get_by_label("Fil med fotografiet")).to_be_hidden()
        page.get_by_role("radio", name="Välj en ny fil").check()
        page.get_by_label("Fil med fotografiet").set_input_files(file(tmp_path, picture(7)))
        press(page, "Hämta fotografi")
        expect(page.get_by_role("radio", name="Använd det nya fotot")).to_be_checked()
        expect(page.get_by_role("radio", name="Kontor A")).to_be_checked()
        press(page, "Beställ kortet")
        heading(page, ORDERED)
    assert CardOrder.objects.count() == 1


def test_back_reload_and_a_lost_log_in_lose_nothing(world: Any, portal: Portal, browser: Browser, tmp_path: Path) -> None:
    post = person_with_two_posts(world)
    photos.store(actor=world.officer(), person_id=post.person_id, content=picture(90))
    with desk(browser, portal, world) as page:
        begin(page, portal, post)
        address = page.url
        pick(page, "Regionen")
        pick(page, STANDING)
        page.reload()
        heading(page, ORDER)
        expect(page.get_by_role("radio", name=STANDING)).to_be_checked()
        page.go_back()
        page.go_forward()
        heading(page, ORDER)
        expect(page.get_by_role("radio", name=STANDING)).to_be_checked()
        page.context.clear_cookies()
        press(page, "Beställ kortet")
        expect(page.get_by_role("heading", level=1)).not_to_have_text(ORDER)
        log_in(page.context, portal, world)
        page.goto(address)
        heading(page, ORDER)
        pick(page, "Kontor A")
        press_twice(page, "Beställ kortet")
        heading(page, ORDERED)
        page.go_back()
        expect(page.get_by_text(re.compile("redan skickad|är beställt")).first).to_be_visible()
    assert CardOrder.objects.count() == 1


def resident(portal: Portal) -> int:
    """Bytes of memory that the portal's processes hold: the group of the one that listens at its port."""
    socket = f"socket:[{_listening(urlsplit(portal.url).port or 0)}]"
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and any(str(each.readlink()) == socket for each in (folder / "fd").iterdir()):
                group = (folder / "stat").read_text().rsplit(")", 1)[1].split()[2]
                return sum(_held(other, group) for other in Path("/proc").iterdir() if other.name.isdigit())
        except OSError:
            continue
    raise AssertionError("the portal's process is not there")


def _listening(port: int) -> str:
    """The inode of the socket that listens at `port` (proc_pid_net(5))."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return next(row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A")


def _held(folder: Path, group: str) -> int:
    try:
        if (folder / "stat").read_text().rsplit(")", 1)[1].split()[2] != group:
            return 0
        return int((folder / "statm").read_text().split()[1]) * 4096
    except OSError:
        return 0


class Wire:
    """Uploads byte by byte, as no browser would."""

    tail = b"\r\n--x--\r\n"

    def __init__(self, portal: Portal, world: Any, draft: OrderDraft) -> None:
        self.parts = urlsplit(portal.url)
        cookie = session_cookie(Person.objects.get(pk=world.officer().person_id), portal.url)
        self.session = requests.Session()
        self.session.cookies.set(str(cookie["name"]), str(cookie["value"]))
        self.path = f"/bestallning/{draft.pk}/foto/hamta/"
        page = self.session.get(f"{portal.url}/bestallning/{draft.pk}/", timeout=60).text
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert found
        self.token = found[1]

    def open(self, length: int, *, signed_in: bool = True) -> tuple[socket.socket, bytes]:
        """A connection that says it brings a file of this length, and the form's beginning that comes before it."""
        head = (
            f'--x\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{self.token}\r\n'
            '--x\r\nContent-Disposition: form-data; name="gor"\r\n\r\nutfor\r\n'
            '--x\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
        ).encode()
        cookies = "; ".join(
            f"{cookie.name}={cookie.value}" for cookie in self.session.cookies if signed_in or "csrf" in cookie.name
        )
        request = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.parts.netloc}\r\nConnection: close\r\nCookie: {cookies}\r\n"
            f"Origin: http://{self.parts.netloc}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
            f"Content-Length: {len(head) + length + len(self.tail)}\r\n\r\n"
        ).encode()
        return socket.create_connection((str(self.parts.hostname), self.parts.port), timeout=60), request + head

    def send(self, content: Iterator[bytes], length: int) -> bytes:
        """Sends the form with the file's bytes, and reads what comes back."""
        wire, head = self.open(length)
        with wire:
            try:
                wire.sendall(head)
                for piece in content:
                    wire.sendall(piece)
                wire.sendall(self.tail)
            except OSError:
                pass  # refused before everything was sent
            answer = b""
            try:
                while piece := wire.recv(65536):
                    answer += piece
            except OSError:
                pass
        return answer


@pytest.fixture
def wire(world: Any, portal: Portal) -> Wire:
    """A draft of a card with photo."""
    post, actor = person_with_two_posts(world), world.officer()
    publish(world, portal.data)
    begun = drafts.start(actor=actor, person_id=post.person_id)
    chosen = Choices(post_id=post.id, article_code="610")
    return Wire(portal, world, drafts.choose(actor=actor, draft_id=begun.id, version=begun.version, choices=chosen))


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


def test_uploads_that_are_huge_cut_or_many_leave_memory_flat_and_the_draft_as_it_was(
    world: Any, portal: Portal, wire: Wire
) -> None:
    """S36, F13: 1 GB told and streamed, 30 MB streamed, cut in the middle, a wrong length, and 24 at once."""
    assert status(wire.send(iter([picture()]), len(picture()))) == 302
    before, photo = OrderDraft.objects.values().get(), Photo.objects.get()
    held = resident(portal)
    block = b"\xff\xd8" + b"x" * (1024 * 1024 - 2)
    assert status(wire.send((block for _ in range(1024)), 1024 * len(block))) in (0, 302)
    assert status(wire.send((block for _ in range(30)), 30 * len(block))) == 422
    assert status(wire.send(iter([picture()[:2000]]), 2000)) == 422
    assert status(wire.send(iter([b""]), 0)) == 422
    answers: list[int] = []

    def too_large() -> None:
        answers.append(status(wire.send((block for _ in range(6)), 6 * len(block))))

    threads = [threading.Thread(target=too_large) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 24
    assert set(answers) <= {422, 503}  # looked at and refused, or told to come again
    assert 422 in answers
    assert resident(portal) - held < 150 * 1024 * 1024
    assert OrderDraft.objects.values().get() == before
    assert Photo.objects.get() == photo
    assert "a.jpg" not in portal.log.read_text()


def test_uploads_that_trickle_in_leave_threads_to_the_pages(portal: Portal, wire: Wire) -> None:
    """S36: a dozen that stop in the middle of a file hold two of the four threads, and no place once they are gone."""
    before = OrderDraft.objects.values().get()
    slow = []
    for _ in range(12):
        connection, head = wire.open(100_000)
        connection.sendall(head + picture()[:500])
        slow.append(connection)
    try:
        for _ in range(5):
            assert requests.get(f"{portal.url}/tillganglighet/", timeout=60).status_code == 200
        _until(lambda: status(wire.send(iter([b"x"]), 1)) == 503)
    finally:
        for connection in slow:
            connection.close()
    assert OrderDraft.objects.values().get() == before
    _until(lambda: status(wire.send(iter([picture(7)]), len(picture(7)))) == 302)
    assert Photo.objects.count() == 1


def test_strangers_uploads_hold_neither_threads_nor_places(portal: Portal, wire: Wire) -> None:
    """S36: two dozen that stop in the middle of a file, without a session; each is answered, unread."""
    slow = []
    try:
        for number in range(24):
            connection, head = wire.open(100_000, signed_in=False)
            if number % 2:
                head = head.replace(wire.path.encode(), b"/logga-in/", 1)  # where nobody has to be logged in
            connection.sendall(head + picture()[:500])
            slow.append(connection)
        assert status(wire.send(iter([picture(8)]), len(picture(8)))) == 302
        assert [status(connection.recv(100)) for connection in slow] == [302, 403] * 12  # to the log-in; no token
    finally:
        for connection in slow:
            connection.close()
    assert Photo.objects.count() == 1


def _until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 150
    while not so():
        assert time.monotonic() < deadline
