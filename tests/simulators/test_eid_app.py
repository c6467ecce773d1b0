"""The eID app's windows in Chromium, as a process of its own, before a portal that can be slow, away or final."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from django.conf import settings
from playwright.sync_api import Browser, Page, expect

from siths_portal.simulators.card import Card
from siths_portal.simulators.device import Device
from siths_portal.simulators.eid_app import App
from siths_portal.simulators.eid_app_handles import KINDS, OWN_KINDS, kind_of
from siths_portal.simulators.eid_app_tasks import Task
from tests.axe import ask_axe
from tests.browser import browser as browser
from tests.browser import page_at
from tests.ports import free_port
from tests.simulators.lying_portal import HANDLE, PUK, SIGN_HANDLE, LyingPortal, make_card
from tests.targets import small_targets
from tests.waiting import wait_for

PICTURES = os.environ.get("SITHS_PICTURES", "")
CODE = "135790"


@dataclass
class Running:
    """The app's process, its portal, and its reader, which starts empty."""

    url: str
    cards: Path
    portal: LyingPortal
    process: subprocess.Popen[bytes]
    spare: dict[str, Card]
    handles: list[str] = field(default_factory=list)

    def insert(self, *names: str) -> list[Card]:
        for name in names:
            shutil.copytree(self.spare[name].folder, self.cards / self.spare[name].serial)
        return [Card(self.cards / self.spare[name].serial) for name in names]

    def handle(self, prefix: str = "act") -> str:
        self.handles.append(f"{prefix}.{len(self.handles):022d}")
        return self.handles[-1]


@pytest.fixture(scope="module")
def spare(tmp_path_factory) -> dict[str, Card]:
    folder = tmp_path_factory.mktemp("spare")
    return {"anna": make_card(folder), "bo": make_card(folder, given="Bo", surname="Exempel")}


@pytest.fixture(scope="module")
def process(spare: dict[str, Card], tmp_path_factory) -> Iterator[Running]:
    portal, port, cards = LyingPortal(), free_port(), tmp_path_factory.mktemp("cards")
    command = [sys.executable, "manage.py", "eid_app_simulator", "--bind", f"127.0.0.1:{port}"]
    command += ["--portal", portal.url, "--cards", str(cards)]
    log = tmp_path_factory.mktemp("log") / "app.log"  # a pipe that nobody reads would be full after some pages
    with log.open("wb") as output:
        running = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=output, stderr=subprocess.STDOUT)
    wait_for(lambda: "\n" in log.read_text() or running.poll() is not None, "the app's first line")
    assert log.read_text().startswith("SITHS eID-appen på")
    yield Running(f"http://localhost:{port}", cards, portal, running, spare)
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 0
    said = log.read_text()
    assert "POST /oppna 303" in said
    assert not re.search(r"/steg/[^- ]", said)
    for secret in (CODE, PUK, "246810", "step-1", "act.", "sig.", *(card.serial for card in spare.values()), "Demosson"):
        assert secret not in said


@pytest.fixture
def app(process: Running) -> Iterator[Running]:
    process.portal.lies.__init__()  # type: ignore[misc]
    process.portal.calls.clear()
    process.portal.seconds = 900
    yield process
    for folder in process.cards.iterdir():
        shutil.rmtree(folder)


def look(page: Page, name: str) -> None:
    """No finding of axe, one h1; at both widths no sideways scroll, and on a phone no target that is too small.

    The picture is kept if it is asked for.
    """
    page.wait_for_load_state("load")  # with its styles
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        if width == 1440:
            ask_axe(page, name)
        else:
            assert small_targets(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if PICTURES:
            page.screenshot(path=f"{PICTURES}/eid-app-{name}-{width}.png", full_page=True)
    assert page.locator("h1").count() == 1


def insert_card(page: Page) -> None:
    """Goes on with the card that is chosen. The start page, which the script leaves by itself, has a button of the same name."""
    heading(page, "Välj kort")
    page.get_by_role("button", name="Fortsätt").click()


def choose(page: Page, code: str, again: str | None = None) -> None:
    heading(page, "Välj legitimeringskod")
    page.get_by_label("Legitimeringskod", exact=True).fill(code)
    page.get_by_label("Bekräfta legitimeringskod").fill(code if again is None else again)
    page.get_by_role("button", name="Legitimera").click()


def sign(page: Page, code: str) -> None:
    heading(page, "Skriv under")
    page.get_by_label("Legitimeringskod").fill(code)
    page.get_by_role("button", name="Skriv under").click()


def heading(page: Page, text: str) -> None:
    page.set_default_timeout(30_000)
    expect(page.get_by_role("heading", level=1)).to_have_text(text)
    page.wait_for_load_state("load")  # its script may move the focus until then


def test_the_whole_way_by_mouse(app: Running, browser: Browser) -> None:
    app.insert("anna", "bo")
    handle = app.handle()
    with page_at(browser, f"{app.url}/#{handle}") as (page, said):
        heading(page, "Välj kort")
        assert handle not in page.url
        assert "#" not in page.url
        assert page.get_by_role("radio", checked=True).count() == 0
        look(page, "1-card")
        page.get_by_role("radio", name="Anna Demosson").check()
        page.get_by_role("button", name="Fortsätt").click()
        heading(page, "Välj legitimeringskod")
        look(page, "2-code")
        choose(page, CODE)
        heading(page, "Skriv under")
        look(page, "3-sign")
        expect(page.get_by_role("heading", level=3)).to_have_text(["Koder", "Slut"])
        assert page.get_by_text("<b>ett</b> regionalt tillägg").is_visible()
        link = page.get_by_role("link", name="Läs hela kvittensen").get_attribute("href")
        assert requests.get(f"{app.url}{link}", timeout=60).content.startswith(b"%PDF-1.7")
        sign(page, CODE)
        heading(page, "Klart. Du kan stänga fönstret.")
        expect(page.get_by_role("status").first).to_contain_text("4242")
        look(page, "4-done")
        assert said == []
    assert app.portal.steps() == ["start", "code-set", "complete"]
    assert app.portal.state == "completed"


def test_the_whole_way_by_keyboard_alone(app: Running, browser: Browser) -> None:
    app.insert("anna", "bo")
    with page_at(browser, f"{app.url}/#{app.handle()}") as (page, _said):
        heading(page, "Välj kort")
        page.keyboard.press("Tab")
        if "Anna Demosson" not in page.evaluate("document.activeElement.closest('label').innerText"):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        heading(page, "Välj legitimeringskod")
        expect(page.locator(".holder")).to_contain_text("Anna Demosson")
        page.keyboard.press("Tab")
        page.keyboard.type(CODE)
        page.keyboard.press("Tab")
        page.keyboard.type(CODE)
        page.keyboard.press("Enter")
        heading(page, "Skriv under")
        for _ in ("the receipt's link", "the terms, which scroll", "the code"):
            page.keyboard.press("Tab")
        page.keyboard.type(CODE)
        page.keyboard.press("Enter")
        heading(page, "Klart. Du kan stänga fönstret.")


def test_without_script_the_handle_is_pasted(app: Running, browser: Browser) -> None:
    app.insert("anna")
    with page_at(browser, app.url, java_script_enabled=False) as (page, _said):
        page.get_by_role("button", name="Fortsätt").click()
        expect(page.get_by_role("alert")).to_contain_text("Kopiera den igen från portalens sida")
        page.get_by_label("Startkod").fill(f"  {app.handle('sig')} ")
        page.get_by_role("button", name="Fortsätt").click()
        insert_card(page)
        heading(page, "Skriv under")


def test_the_start_page_and_a_handle_that_is_none(app: Running, browser: Browser) -> None:
    """The page takes each kind of handle from its address and sends it. Each address is opened anew, so one window is enough."""
    with page_at(browser, app.url) as (page, _said):
        for prefix in KINDS | OWN_KINDS:
            page.goto(f"{app.url}/#{prefix}.kort")
            page.wait_for_url(f"{app.url}/oppna")
            expect(page.get_by_role("alert")).to_be_focused()
            expect(page.get_by_text(f"{prefix}.")).to_be_visible()
        look(page, "0-start")


def test_on_a_phone_each_control_is_as_high_as_a_finger(app: Running, browser: Browser) -> None:
    made = Device.make(app.cards.parent / "devices", "Annas telefon")
    with page_at(browser, f"{app.url}/mobilt", width=390) as (page, said):
        heading(page, "Lägg till Mobilt SITHS")
        page.keyboard.press("Tab")
        controls = page.locator("main :is(input, select, button)")
        assert [box["height"] for each in controls.all() if (box := each.bounding_box()) and box["height"] < 44] == []
        page.get_by_label("Enhet", exact=True).select_option("Annas telefon")
        expect(page.get_by_label("Legitimeringskod", exact=True)).to_have_accessible_description("6–8 siffror.")
        look(page, "8-mobile")
    shutil.rmtree(made.card.folder)
    assert said == []


def test_a_holder_without_a_clerk_is_told_what_to_do_about_a_blocked_code(tmp_path: Path) -> None:
    pages = App("http://localhost:1", tmp_path / "cards", "http://localhost:2")
    own = "Lås upp kortet på Mina sidor"
    for prefix, helper in (("sig", "ID-administratören ser"), ("osi", own), ("fet", own)):
        handle = f"{prefix}.{0:022d}"
        task = Task(handle, "http://localhost:1", kind_of(handle), code_blocked=True)
        assert helper in pages.page("blocked", task=task).decode()
        task.cancel()
        assert ("ID-administratören" in task.notice) == (prefix == "sig")


def test_a_code_that_is_not_one_is_told_in_words(app: Running, browser: Browser) -> None:
    """Each has the same page, so the browser shows one. None changes the task, so all are of one."""
    app.insert("anna")
    with page_at(browser, f"{app.url}/#{app.handle()}") as (page, _said):
        insert_card(page)
        heading(page, "Välj legitimeringskod")
        for code, again, text in (
            ("", "", "Välj en kod med 6–8 siffror"),
            ("12345", "12345", "Koden är för kort"),
            ("123456789", "123456789", "Koden är för lång"),
            ("123456", "123456", "Koden är lätt att gissa"),
            ("12121212", "12121212", "Koden är lätt att gissa"),
            ("abcdef", "abcdef", "bara ha siffror"),
        ):
            sent = {"code": code, "again": again}
            answer = requests.post(f"{page.url}/kod", headers={"Origin": app.url}, data=sent, timeout=60)
            (alert,) = re.findall(r'role="alert" tabindex="-1" autofocus>(.*?)</div>', answer.text, re.DOTALL)
            assert (answer.status_code, text in alert) == (422, True), (code, alert)
            fields = re.findall(r"<input [^>]*>", answer.text)
            assert ["value=" in field for field in fields] == [False, False], (code, fields)
        choose(page, CODE, "135799")
        expect(page.get_by_role("alert")).to_contain_text("Koderna är inte lika")
        expect(page.get_by_role("alert")).to_be_focused()
        assert page.get_by_label("Legitimeringskod", exact=True).input_value() == ""
        look(page, "2-code-problem")
        assert app.portal.steps() == ["start"]


def test_a_wrong_code_says_how_many_tries_are_left_and_a_blocked_one_is_chosen_anew(app: Running, browser: Browser) -> None:
    app.insert("anna")
    with page_at(browser, f"{app.url}/#{app.handle()}") as (page, _said):
        insert_card(page)
        choose(page, CODE)
        sign(page, "")
        expect(page.get_by_role("alert")).to_contain_text("Skriv din legitimeringskod")
        sign(page, "111111")
        expect(page.get_by_role("alert")).to_contain_text("2 försök kvar")
        look(page, "3-sign-problem")
        sign(page, "111111")
        expect(page.get_by_role("alert")).to_contain_text("Ett försök kvar")
        sign(page, "111111")
        heading(page, "Välj legitimeringskod")
        expect(page.get_by_text("Koden spärrades efter 3 felaktiga försök. Välj en ny kod.")).to_be_visible()
        choose(page, "24682468")
        heading(page, "Skriv under")
        expect(page.get_by_text("Välj en ny kod.")).to_be_hidden()
        sign(page, "24682468")
        heading(page, "Klart. Du kan stänga fönstret.")
    steps = app.portal.steps()
    assert steps == ["start", "code-set", "card-report", "card-report", "card-report", "code-set", "complete"]
    assert reports(app) == [WRONG | {"tries_left": 2}, WRONG | {"tries_left": 1}, {"report": "code-blocked"}]


WRONG = {"report": "wrong-code"}


def reports(app: Running) -> list[dict[str, object]]:
    """What the app told the portal of the card."""
    return [json.loads(body) for step, _bearer, body in app.portal.calls if step == "card-report"]


def test_a_blocked_code_without_a_puk_sends_the_holder_to_the_clerk(app: Running, browser: Browser) -> None:
    (card,) = app.insert("anna")
    card.unblock(puk=PUK, new_code="246810")
    with page_at(browser, f"{app.url}/#{app.handle('sig')}") as (page, _said):
        insert_card(page)
        for text in ("2 försök kvar", "Ett försök kvar"):
            sign(page, "111111")
            expect(page.get_by_role("alert")).to_contain_text(text)
        sign(page, "111111")
        heading(page, "Koden är spärrad")
        look(page, "3-blocked")
        assert reports(app)[-1] == {"report": "code-blocked"}
        page.get_by_role("button", name="Avbryt").click()
        heading(page, "Avbrutet")
        expect(page.get_by_role("status").first).to_contain_text("Koden på kortet är spärrad.")
    assert app.portal.state == "cancelled"


def test_the_wrong_card_can_be_changed_for_the_right_one(app: Running, browser: Browser) -> None:
    app.insert("anna", "bo")
    app.portal.lies.refuse_at = {"start": (409, "wrong-card", "Fel kort. Sätt i det kort som ska aktiveras.")}
    with page_at(browser, f"{app.url}/#{app.handle()}") as (page, _said):
        insert_card(page)
        expect(page.get_by_role("alert")).to_contain_text("Välj ett av korten")
        page.get_by_role("radio", name="Bo Exempel").check()
        page.get_by_role("button", name="Fortsätt").click()
        expect(page.get_by_role("alert")).to_contain_text("Fel kort")
        look(page, "1-card-problem")
        app.portal.lies.refuse_at = {}
        page.get_by_role("radio", name="Anna Demosson").check()
        page.get_by_role("button", name="Fortsätt").click()
        heading(page, "Välj legitimeringskod")
        expect(page.locator(".holder")).to_contain_text("Anna Demosson")


def test_an_empty_reader_says_so_and_is_read_again(app: Running, browser: Browser) -> None:
    with page_at(browser, f"{app.url}/#{app.handle()}") as (page, _said):
        expect(page.get_by_text("Det finns inget kort i läsaren")).to_be_visible()
        look(page, "1-empty")
        app.insert("bo")
        page.get_by_role("link", name="Läs kortet igen").click()
        expect(page.get_by_role("radio", name="Bo Exempel")).to_be_checked()


def test_a_closed_window_opens_again_where_it_was(app: Running, browser: Browser) -> None:
    app.insert("anna")
    handle = app.handle()
    with page_at(browser, f"{app.url}/#{handle}") as (page, _said):
        insert_card(page)
        choose(page, CODE)
        heading(page, "Skriv under")
    with page_at(browser, f"{app.url}/#{handle}") as (page, _said):
        heading(page, "Skriv under")
        page.reload()
        sign(page, CODE)
        heading(page, "Klart. Du kan stänga fönstret.")
        page.go_back()
        page.reload()
        heading(page, "Klart. Du kan stänga fönstret.")
    assert app.portal.steps() == ["start", "code-set", "complete"]


def test_a_crash_between_the_code_and_its_report_goes_on_without_a_new_code(app: Running, browser: Browser) -> None:
    app.insert("anna")
    app.portal.lies.away_at = {"code-set"}
    with page_at(browser, f"{app.url}/#{app.handle()}") as (page, _said):
        insert_card(page)
        choose(page, CODE)
        heading(page, "Koden är vald")
        expect(page.get_by_role("alert")).to_contain_text("Portalen svarar inte just nu")
        look(page, "2-report")
        page.get_by_role("button", name="Försök igen").click()
        expect(page.get_by_role("alert")).to_contain_text("Portalen svarar inte just nu")
        app.portal.lies.away_at = set()
        page.get_by_role("button", name="Försök igen").click()
        heading(page, "Skriv under")
        app.portal.lies.cut_at = {"complete"}
        sign(page, CODE)
        expect(page.get_by_role("alert")).to_contain_text("Portalen svarar inte just nu")
        sign(page, CODE)
        heading(page, "Klart. Du kan stänga fönstret.")


def test_a_transaction_that_is_over_says_what_to_do(app: Running, browser: Browser) -> None:
    app.insert("anna")
    app.portal.lies.refuse_at = {"start": (401, "handle-unknown", "Ärendet finns inte. Be om ett nytt.")}
    with page_at(browser, f"{app.url}/#{app.handle()}") as (page, _said):
        insert_card(page)
        heading(page, "Ärendet går inte att slutföra")
        expect(page.get_by_text("Ärendet finns inte. Be om ett nytt.")).to_be_visible()
        look(page, "5-refused")
    app.portal.lies.refuse_at = {"code-set": (409, "transaction-ended", "Aktiveringen är avslutad.")}
    with page_at(browser, f"{app.url}/#{app.handle()}") as (page, _said):
        insert_card(page)
        choose(page, CODE)
        heading(page, "Ärendet går inte att slutföra")
        expect(page.get_by_text("nästa gång väljer du kod igen")).to_be_visible()


def test_an_expired_transaction_sets_no_code(app: Running, browser: Browser) -> None:
    (card,) = app.insert("anna")
    card.unblock(puk=PUK, new_code="246810")
    app.portal.seconds = -1
    with page_at(browser, f"{app.url}/#{app.handle()}") as (page, _said):
        insert_card(page)
        choose(page, CODE)
        heading(page, "Tiden gick ut")
        expect(page.get_by_text("Öppna appen igen")).to_be_visible()
    assert app.portal.steps() == ["start"]
    assert card.sign("person-id-sign", b"the code is the old one", code="246810")


def test_cancel_at_each_step(app: Running, browser: Browser) -> None:
    app.insert("anna")
    handle = app.handle()
    with page_at(browser, f"{app.url}/#{handle}") as (page, _said):
        page.get_by_role("button", name="Avbryt").click()
        heading(page, "Avbrutet")
        expect(page.get_by_text("Inget har ändrats på kortet")).to_be_visible()
    assert app.portal.calls == []
    with page_at(browser, f"{app.url}/#{handle}") as (page, _said):  # nothing was started: the same handle may go on
        insert_card(page)
        heading(page, "Välj legitimeringskod")
        page.get_by_role("button", name="Avbryt").click()
        heading(page, "Avbrutet")
        look(page, "5-cancelled")
    with page_at(browser, f"{app.url}/#{app.handle()}") as (page, _said):
        insert_card(page)
        choose(page, CODE)
        heading(page, "Skriv under")
        app.portal.lies.away_at = {"cancel"}
        page.get_by_role("button", name="Avbryt").click()
        expect(page.get_by_role("alert")).to_contain_text("Portalen svarar inte just nu")
        app.portal.lies.away_at = set()
        page.get_by_role("button", name="Avbryt").click()
        expect(page.get_by_text("Kortet behåller koden du valde")).to_be_visible()
    assert app.portal.steps().count("cancel") == 3


def test_a_second_press_of_the_same_button_does_nothing_twice(app: Running) -> None:
    (card,) = app.insert("anna")
    session = requests.Session()
    session.headers["Origin"] = app.url
    step = session.post(f"{app.url}/oppna", data={"handle": app.handle()}, timeout=60).url
    for _ in range(2):
        answer = session.post(f"{step}/kort", data={"card": card.serial}, timeout=60)
        assert answer.status_code == 200, answer.text
    for _ in range(2):
        assert session.post(f"{step}/kod", data={"code": CODE, "again": CODE}, timeout=60).status_code == 200
    for _ in range(2):
        assert "Klart." in session.post(f"{step}/skriv-under", data={"code": CODE}, timeout=60).text
    assert app.portal.steps() == ["start", "code-set", "complete"]


def test_nobody_else_gets_in(app: Running) -> None:
    post = {"data": {"handle": app.handle()}, "timeout": 60, "allow_redirects": False}
    assert requests.post(f"{app.url}/oppna", **post).status_code == 403  # type: ignore[arg-type]
    for origin in ("null", "http://evil.example", app.portal.url):
        assert requests.post(f"{app.url}/oppna", headers={"Origin": origin}, **post).status_code == 403  # type: ignore[arg-type]
    rebound = {"Host": "evil.example", "Origin": app.url}
    assert requests.get(app.url, headers=rebound, timeout=60).status_code == 400
    assert requests.post(f"{app.url}/oppna", headers=rebound, **post).status_code == 403  # type: ignore[arg-type]
    assert requests.get(f"{app.url}/steg/{'x' * 22}", timeout=60).status_code == 410
    assert requests.get(f"{app.url}/../manage.py", timeout=60).status_code == 404
    too_long = requests.post(f"{app.url}/oppna", headers={"Origin": app.url}, data=b"x" * 5000, timeout=60)
    assert too_long.status_code == 413


def test_pages_carry_their_policies_and_no_cookie(app: Running) -> None:
    answer = requests.post(f"{app.url}/oppna", headers={"Origin": app.url}, data={"handle": app.handle()}, timeout=60)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.cookies == {}
    assert SIGN_HANDLE not in answer.text
    assert HANDLE not in answer.text


@pytest.mark.parametrize(
    "arguments", [["--bind", "nowhere"], ["--bind", "127.0.0.1:99999"], ["--portal", "ftp://x"], ["--portal", "http://x/y"]]
)
def test_wrong_use_is_told_on_one_line(arguments: list[str]) -> None:
    command = [sys.executable, "manage.py", "eid_app_simulator", *arguments]
    done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
