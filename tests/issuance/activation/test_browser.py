"""An activation in Chromium before real processes: portal, pki worker, directory, eID app, and software cards.

The clerk's page and the holder's app stand in two windows of two origins; what they share goes over the API's wire.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect

from issuance.activation.models import EidAppTransaction
from issuance.activation.services import activation
from issuance.activation.services.visits import Opened
from issuance.authz import Actor, Role, system
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import Person
from issuance.receipt_texts.services import set_receipt_text
from issuance.records.domain.ids import luhn_check_digit
from pki import service as pki
from siths_portal.simulators.card import Card, CardError
from siths_portal.simulators.eid_app_client import EidAppClient
from siths_portal.simulators.eid_app_errors import PortalRefused
from tests.at_once import run_at_once
from tests.browser import collect_faults, look
from tests.e2e.hands import PACE
from tests.issuance.activated import CODE, PUK, TRANSPORT, Made, Plastic, first_card, make_card, sent_card
from tests.issuance.neighbours import publish
from tests.issuance.orders.bundles import bundle, prepare
from tests.issuance.orders.wizard import text_of
from tests.issuance.reserve_cards import desk
from tests.issuance.reserve_cards.blank import Envelope, officer_with_card, supply
from tests.lib.faces import serving
from tests.pki_worker import rests_soon
from tests.portal import portal_client, session_cookie
from tests.ports import free_port
from tests.secrets_in_clear import none_in_clear
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("demo_pki")
SECONDS = 60_000
TRANSPORT_DIGITS = "90909090"
SIGNING = "Elva, läs villkoren och skriv under"
ACTIVATED = re.compile("kort är aktiverat$")
MOST_KEYS = 12
"""Of the clerk for an activation, after the scan; a chord is as many as its keys."""
MOST_UNLOCK_KEYS = 10
"""Of the clerk for an unlocking, after the scan."""
MOST_RESERVE_CARD_KEYS = 15
"""Of an officer for a reserve card on level 2, from the person's page until the holder has it in the app, without scans."""
MOST_REPLACEMENT_KEYS = 13
"""Of the clerk from the person's page to the order of a new card and the revocation of the lost one."""


@dataclass
class Stage:
    """The running processes. `cards` is the app's reader."""

    portal: str
    app: str
    cards: Path
    people: Path
    logs: Path
    plastic: list[Card]
    carrier_of_first: UUID | None = None
    """The carrier whose certificates the first card holds."""

    def card(self, index: int) -> Plastic:
        """One of two cards, as good as new: the database forgets it after each test, and its code is set anew."""
        self.plastic[index].unblock(puk=PUK, new_code=TRANSPORT_DIGITS)
        return Plastic(self.plastic[index], code=TRANSPORT_DIGITS)

    def make_card(self, number: int, *, keys: str = "rsa-2048") -> Card:
        """A new card in the reader."""
        digits = f"97520000000000{number}"
        return Card.make(self.cards, digits + luhn_check_digit(digits), puk=PUK, transport_code=TRANSPORT, keys=keys)

    @property
    def log_files(self) -> list[Path]:
        """The log of each process."""
        return sorted(self.logs.glob("*.log"))

    def told(self) -> str:
        """All that the processes wrote."""
        return "\n".join(log.read_text() for log in self.log_files)


@contextlib.contextmanager
def process(command: list[str], log: Path, ready: Callable[[], bool], **env: str) -> Iterator[None]:
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", *command], cwd=settings.BASE_DIR, env=os.environ | env, stdout=output, stderr=output
        )
        try:
            deadline = time.monotonic() + 150
            while not ready():
                assert child.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < deadline, log.read_text()[-2000:]
                time.sleep(0.1)
            yield
        finally:
            child.terminate()
            try:
                child.wait(60)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def answers(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError):
        return requests.get(f"{url}/healthz/live", timeout=60).status_code == 200
    return False


@pytest.fixture(scope="module")
def stage(pki_snapshot: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    cards, people = folder / "cards", folder / "people.json"
    cards.mkdir()
    people.write_text("[]")
    ports = [free_port() for _ in range(3)]
    # The portal and the app on two host names: cookies do not tell ports apart.
    portal, app, directory = f"http://127.0.0.1:{ports[0]}", f"http://localhost:{ports[1]}", f"http://127.0.0.1:{ports[2]}"
    ask = {"DIRECTORY_URL": directory, "PERSON_REGISTER_URL": directory, "PORTAL_BASE_URL": portal, "EID_APP_URL": f"{app}/"}
    worker = [
        "-m", "celery", "-A", "siths_portal.celery", "worker", "-Q", "pki", "-n", f"pki@{ports[0]}", "-P", "threads", "-c", "2",
        "--without-gossip", "--without-mingle", "--loglevel", "INFO",
    ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        run = stack.enter_context
        run(process(
            ["manage.py", "directory_simulator", "--bind", f"127.0.0.1:{ports[2]}", "--data", str(people)],
            folder / "directory.log", lambda: answers(directory),
        ))  # fmt: skip
        run(process(worker, folder / "worker.log", lambda: " ready." in (folder / "worker.log").read_text(), **ask))
        run(serving("portal", folder / "portal.log", port=ports[0], **ask))
        run(process(
            ["manage.py", "eid_app_simulator", "--bind", f"127.0.0.1:{ports[1]}", "--portal", portal, "--cards", str(cards)],
            folder / "app.log", lambda: answers(app),
        ))  # fmt: skip
        made = Stage(portal, app, cards, people, folder, plastic=[])
        made.plastic += [made.make_card(number) for number in (4711, 4712)]
        yield made


@dataclass
class Scene:
    """A clerk, a holder whose card was sent, and the wire to the outside."""

    stage: Stage
    made: Made
    clerk: Actor
    other_clerk: Actor

    @property
    def carrier(self) -> Carrier:
        return self.made.fresh()

    @property
    def first_step(self) -> str:
        return self.stage.portal + reverse("activate", args=[self.made.carrier.pk])

    def transaction(self) -> EidAppTransaction:
        return EidAppTransaction.objects.filter(carrier=self.made.carrier).latest("created_at")


@pytest.fixture
def scene(stage: Stage, world: Any) -> Scene:
    keys = stage.card(0)
    made = first_card(world, ("scene", id(stage)), lambda: _make_scene(world, keys), keys=keys)
    if stage.carrier_of_first != made.carrier.pk:  # a scene may be a copy of rows from before the card was made again
        keys.store(made.certificates)
        stage.carrier_of_first = made.carrier.pk
    publish(world, stage.people)
    return Scene(stage, made, world.officer(), world.officer(world.region, Role.ID_ADMINISTRATOR, protected=True))


def _make_scene(world: Any, keys: Plastic) -> Made:
    set_receipt_text(actor=system("setup"), organisation_id=world.region.id, regional_addition="Dörrkort hämtas i receptionen.")
    post = world.post(given_name="Elva", surname="Tolvansson")
    made = sent_card(world, post, keys=keys)
    world.officer(world.region, Role.ID_ADMINISTRATOR, protected=True)
    wait_for(lambda: pki.secret_state(made.fresh().puk_secret_id) == "sealed")
    wait_for(rests_soon)
    return made


@contextlib.contextmanager
def at_the_desk(browser: Browser, scene: Scene, actor: Actor | None = None, **options: Any) -> Iterator[Page]:
    """A browser that a clerk is logged in with, at the first step; its console must stay silent."""
    with logged_in(browser, scene.stage, actor or scene.clerk, **options) as page:
        page.goto(scene.first_step)
        yield page


@contextlib.contextmanager
def logged_in(browser: Browser, stage: Stage, actor: Actor, **options: Any) -> Iterator[Page]:
    """A browser that somebody is logged in with; its console must stay silent."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
    context.set_default_timeout(SECONDS)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    log_in(context, stage, actor)
    said = collect_faults(context)
    yield context.new_page()
    context.close()
    assert [line for line in said if "422" not in line and "409" not in line] == []


def log_in(context: BrowserContext, stage: Stage, actor: Actor) -> None:
    person = Person.objects.get(pk=actor.person_id)
    context.add_cookies([session_cookie(person, stage.portal)])  # type: ignore[list-item]


def app_of(scene: Scene) -> EidAppClient:
    """An app without a window, with the holder's card."""
    return app_with(scene.stage, scene.made.keys.card)


def app_with(stage: Stage, card: Card) -> EidAppClient:
    """An app without a window, which waits for as long as a busy machine takes."""
    return EidAppClient(stage.portal, card, patience=150, timeout=(30, 150))


def heading(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text, timeout=SECONDS)
    page.wait_for_load_state("load")  # its script may move the focus until then


def identify(page: Page) -> None:
    page.locator("label", has_text="Körkort").click()
    page.get_by_role("button", name="Aktivera").click()
    heading(page, SIGNING)


def open_again(page: Page) -> None:
    """By the clerk's button at the end of the holder's page."""
    page.get_by_text("För ID-administratören").click()
    page.get_by_role("button", name="Öppna appen igen").click()


def handle_on(page: Page) -> str:
    """What the app is opened with."""
    return page.locator("[data-copy-text]").inner_text()


def open_app(page: Page) -> Page:
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Skriv under i SITHS eID-appen").click()
    app = opened.value
    heading(app, "Välj kort")
    return app


def put_card_in(app: Page, scene: Scene) -> None:
    app.get_by_role("radio", name=f"slutar på {scene.made.keys.serial[-4:]}").check()
    app.get_by_role("button", name="Fortsätt").click()


def choose_code(app: Page) -> None:
    heading(app, "Välj legitimeringskod")
    app.get_by_label("Legitimeringskod", exact=True).fill(CODE)
    app.get_by_label("Bekräfta legitimeringskod").fill(CODE)
    app.get_by_role("button", name="Legitimera").click()


def sign(app: Page) -> None:
    heading(app, "Skriv under")
    app.get_by_label("Legitimeringskod").fill(CODE)
    app.get_by_role("button", name="Skriv under").click()
    heading(app, "Klart. Du kan stänga fönstret.")


def now(page: Page, text: str) -> None:
    """What the live part says, without a reload."""
    expect(page.locator(".activation-now")).to_contain_text(text, timeout=SECONDS)


def test_the_whole_line_by_mouse(scene: Scene, browser: Browser) -> None:
    asked: list[Request] = []
    with at_the_desk(browser, scene) as page:
        page.context.on("request", lambda request: asked.append(request))
        look(page, "activation-1-identify")
        page.set_viewport_size({"width": 390, "height": 900})
        assert page.locator(".act-line").bounding_box()["y"] > 900  # below the screen, where it hides nothing in focus  # type: ignore[index]
        page.set_viewport_size({"width": 1440, "height": 900})
        answer = page.get_by_role("status").filter(has_text="kort")
        for typed, told in (("0000", "Fel kort."), ("12", "Skanna kortet igen"), (scene.made.keys.serial[-4:], "Rätt kort.")):
            page.get_by_label("Är det rätt kort?").fill(typed)
            page.get_by_role("button", name="Kontrollera kortet").click()
            expect(answer).to_contain_text(told)
        look(page, "activation-1-right-card")
        page.get_by_role("button", name="Aktivera").click()
        expect(page.get_by_role("alert")).to_be_focused()
        look(page, "activation-1-identify-error")
        identify(page)
        now(page, "Väntar på att du öppnar appen")
        look(page, "activation-2-waiting")
        page.get_by_role("button", name="Kopiera").click()
        copied = page.locator("[data-copy-text]").inner_text()
        wait_for(lambda: page.evaluate("navigator.clipboard.readText()") == copied, "the clipboard")
        app = open_app(page)
        assert app.evaluate("opener") is None
        assert copied not in app.url
        put_card_in(app, scene)
        heading(app, "Välj legitimeringskod")
        now(page, "Kortet är hittat. Välj din kod")
        assert page.get_by_role("link", name="Skriv under i SITHS eID-appen").count() == 0
        look(page, "activation-2-card-found")
        choose_code(app)
        now(page, "Koden är vald")
        look(page, "activation-2-code-chosen")
        heading(app, "Skriv under")
        look(app, "activation-app-sign")
        link = app.get_by_role("link", name="Läs hela kvittensen").get_attribute("href")
        assert requests.get(f"{scene.stage.app}{link}", timeout=60).content.startswith(b"%PDF-")
        sign(app)
        heading(page, ACTIVATED)
        expect(page.get_by_text("Dörrkort hämtas i receptionen.")).to_be_visible()
        look(page, "activation-3-done")
        page.get_by_role("button", name="Avsluta").click()
        expect(page.get_by_text("Aktivering lyckades! Ordinarie kort aktiverat")).to_be_visible()
        sent = [(request.url, str(request.all_headers())) for request in asked]
    assert scene.carrier.state == "active"
    assert scene.carrier.receipt is not None
    # Browsers report a link's fragment with its address, and send it to nobody.
    assert not any(copied in url.partition("#")[0] + headers for url, headers in sent)
    for origin, has_session in ((scene.stage.portal, True), (scene.stage.app, False)):
        cookies = [settings.SESSION_COOKIE_NAME in headers for url, headers in sent if url.startswith(origin)]
        assert cookies
        assert any(cookies) is has_session
    none_in_clear(scene.stage.log_files, copied, CODE, PUK)
    for secret in (scene.made.keys.serial, "Tolvansson"):
        assert secret not in scene.stage.told()


def test_the_whole_line_by_keyboard_alone(scene: Scene, browser: Browser) -> None:
    """The clerk's part; the holder's is in `tests/simulators/test_eid_app.py`."""
    with at_the_desk(browser, scene) as page:
        keys = Keys(page)
        expect(page.get_by_label("Är det rätt kort?")).to_be_focused()
        page.keyboard.type(scene.made.keys.serial)
        page.keyboard.press("Enter")
        expect(page.get_by_role("status").filter(has_text="Rätt kort.")).to_be_visible()
        keys.press("Tab", "Tab", "3")
        expect(page.get_by_role("radio", name="Skatteverkets id-kort")).to_be_checked()
        page.keyboard.press("Enter")  # changes nothing: a scanner sends it
        keys.press("Control+Enter")
        heading(page, SIGNING)
        keys.press("Tab", "Tab")
        assert focused(page) == "Skriv under i SITHS eID-appen"
        with page.context.expect_page() as opened:
            keys.press("Enter")
        heading(opened.value, "Välj kort")
        app_of(scene).activate(handle_on(page), CODE)
        heading(page, ACTIVATED)
        page.bring_to_front()
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        keys.press("Control+Enter")
        expect(page.get_by_text("Aktivering lyckades! Ordinarie kort aktiverat")).to_be_visible()
    print(f"An activation takes the clerk {keys.count} keys after the scan.")
    assert keys.count <= MOST_KEYS
    assert scene.carrier.state == "active"


def test_a_card_in_use_is_unlocked_by_keyboard_alone(scene: Scene, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    activate(scene, monkeypatch)
    card = scene.made.keys.card
    block(card)
    with at_the_desk(browser, scene) as page:
        page.goto(scene.stage.portal)
        page.locator("#id_text").fill(scene.made.keys.serial)
        page.keyboard.press("Enter")
        page.wait_for_url("**/sok/person/**")
        keys = Keys.from_where_the_page_begins(page)
        while focused(page) != "Lås upp kort":
            keys.press("Tab")
            assert keys.count <= MOST_UNLOCK_KEYS
        keys.press("Enter")
        heading(page, "Är det Elva Tolvansson?")
        keys.press("Tab", "3")
        expect(page.get_by_role("radio", name="Skatteverkets id-kort")).to_be_checked()
        keys.press("Control+Enter")
        heading(page, "Innehavaren väljer en ny kod")
        look(page, "unlock-2-follow")
        keys.press("Tab")
        assert focused(page) == "Öppna SITHS eID-appen"
        with page.context.expect_page() as opened:
            keys.press("Enter")
        app = opened.value
        heading(app, "Välj kort")
        put_card_in(app, scene)
        now(page, "Innehavaren väljer en ny kod")
        choose_code(app)
        heading(app, "Klart. Du kan stänga fönstret.")
        heading(page, "Kortet är upplåst")
        look(page, "unlock-3-done")
    print(f"An unlocking takes the clerk {keys.count} keys after the scan.")
    assert keys.count <= MOST_UNLOCK_KEYS
    assert (card.tries().code, scene.carrier.state) == (3, "active")
    assert card.sign("person-id-sign", b"", code=CODE)
    none_in_clear(scene.stage.log_files, PUK, CODE)


def activate(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at an earlier visit."""
    monkeypatch.setattr(settings, "PORTAL_BASE_URL", scene.stage.portal)
    begun = list[Opened]()
    wanted = {"actor": scene.clerk, "carrier_id": scene.carrier.pk, "identity_document": "passport"}
    aside(lambda: begun.append(activation.identify(**wanted)))
    app_of(scene).activate(begun[0].handle, CODE)


def aside(act: Callable[[], Any]) -> None:
    """In a thread of its own: the browser's event loop runs in this one, and a PDF needs another."""
    assert run_at_once(1, act) == []


def test_a_lost_card_is_replaced_by_keyboard_alone(
    scene: Scene, world: Any, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order revokes it at once. Another role sees it, and the new one in its place; nothing keeps a PUK in clear."""
    activate(scene, monkeypatch)
    old, last = scene.made, scene.made.keys.serial[-4:]
    with at_the_desk(browser, scene) as page:
        page.goto(scene.stage.portal)
        page.wait_for_load_state("load")
        page.locator("#id_text").fill(str(old.carrier.holder.identifiers.get().value))
        page.keyboard.press("Enter")
        page.wait_for_url("**/sok/person/**")
        keys = Keys.from_where_the_page_begins(page)
        while focused(page) != "Ersätt kort":
            keys.press("Tab")
            assert keys.count <= MOST_REPLACEMENT_KEYS
        keys.press("Enter")
        heading(page, f"Ersätt kortet som slutar på {last} för Elva Tolvansson")
        look(page, "replace-1-reason")
        keys.press("Tab", "1")
        expect(page.get_by_label("Det gamla kortets 4 sista siffror")).to_be_focused()
        look(page, "replace-2-lost")
        for key in (*last, "Enter"):
            page.wait_for_timeout(PACE)
            keys.press(key)
        heading(page, "Kortet till Elva Tolvansson är beställt")
        expect(page.get_by_text(f"Kortet som slutar på {last} är spärrat")).to_be_visible()
        look(page, "replace-3-ordered")
        assert (scene.carrier.state, scene.carrier.revocation_reason) == ("revoked", "lost_or_stolen")
        made = list[Made]()
        order = CardOrder.objects.get(replaced_carrier=old.carrier)
        aside(lambda: made.append(make_card(order, keys=scene.stage.card(1))))
        wait_for(lambda: pki.secret_state(made[0].fresh().puk_secret_id) == "sealed")
        scene.made = made[0]
        page.goto(scene.first_step)
        identify(page)
        app_of(scene).activate(handle_on(page), CODE)
        heading(page, ACTIVATED)
    none_in_clear(scene.stage.log_files, PUK, CODE)
    print(f"A replacement of a lost card takes the clerk {keys.count} keys from the person's page to the order.")
    assert keys.count <= MOST_REPLACEMENT_KEYS
    assert scene.carrier.state == "active"
    reader = portal_client(Person.objects.get(pk=world.officer(role=Role.READER).person_id))
    shown = text_of(reader.get(reverse("person", args=[old.carrier.person_id]), {"ogiltiga": "1"}))
    assert "Förlorat eller stulet" in shown
    assert f"Kort i bruk …{scene.made.keys.serial[-4:]}" in shown


def test_a_card_is_unlocked_with_the_puk_of_a_letter_in_the_app_alone(scene: Scene, browser: Browser) -> None:
    """The portal has no part in it: it has sent the letter."""
    card, context = scene.made.keys.card, browser.new_context()
    block(card)
    app = context.new_page()
    app.goto(scene.stage.app)
    app.get_by_role("link", name="Lås upp kortet med brevet").click()
    for puk, code, told in (
        ("", CODE, "Skriv upplåsningskoden"),
        ("1234", CODE, "9 försök kvar"),
        (PUK, "111111", "lätt att gissa"),
    ):
        fill_letter(app, scene, puk, code)
        expect(app.get_by_role("alert")).to_contain_text(told)
    fill_letter(app, scene, f"{PUK[:4]} {PUK[4:]}", CODE)
    heading(app, "Kortet är upplåst")
    context.close()
    assert (card.tries().code, card.tries().puk) == (3, 10)
    assert card.sign("person-id-sign", b"", code=CODE)
    none_in_clear(scene.stage.log_files, PUK, CODE)


def block(card: Card) -> None:
    """As a holder who has forgotten the code."""
    for _ in range(3):
        with pytest.raises(CardError):
            card.sign("person-id-sign", b"", code="00000000")
    assert card.tries().code == 0


def fill_letter(app: Page, scene: Scene, puk: str, code: str) -> None:
    app.get_by_role("radio", name=f"slutar på {scene.made.keys.serial[-4:]}").check()
    app.get_by_label("Upplåsningskod (PUK)").fill(puk)
    app.get_by_label("Ny legitimeringskod").fill(code)
    app.get_by_label("Bekräfta legitimeringskod").fill(code)
    app.get_by_role("button", name="Lås upp kortet").click()


@dataclass
class Keys:
    """The clerk's keys, counted."""

    page: Page
    count: int = 0

    @classmethod
    def from_where_the_page_begins(cls, page: Page) -> "Keys":
        """The browser gives the heading its focus when it first draws, which may be after the load: Tab would begin above it."""
        page.wait_for_load_state("load")
        expect(page.locator("[autofocus]:not(dialog *)")).to_be_focused()
        return cls(page)

    def press(self, *names: str) -> None:
        for name in names:
            self.page.keyboard.press(name)
            self.count += len(name.split("+"))


def focused(page: Page) -> str:
    """The text of the link, button or summary that has the focus."""
    return str(
        page.evaluate("document.activeElement.matches('a, button, summary') ? document.activeElement.innerText.trim() : ''")
    )


def reach(page: Page, text: str) -> None:
    for _ in range(60):
        if focused(page) == text:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {text}")


def test_the_whole_line_without_script(scene: Scene, browser: Browser) -> None:
    with at_the_desk(browser, scene, java_script_enabled=False) as page:
        identify(page)
        handle = handle_on(page)
        app = page.context.new_page()
        app.goto(scene.stage.app)
        app.get_by_label("Startkod").fill(handle)
        app.get_by_role("button", name="Fortsätt").click()
        put_card_in(app, scene)
        heading(app, "Välj legitimeringskod")  # the portal knows: this page does not ask again by itself
        page.get_by_role("link", name="Uppdatera sidan").click()
        now(page, "Kortet är hittat")
        page.get_by_role("link", name="Uppdatera med 10 sekunders mellanrum").click()
        choose_code(app)
        heading(app, "Skriv under")
        page.get_by_role("link", name="Sluta uppdatera av sig själv").click()  # else it may be at the end before the last press
        expect(page.get_by_role("link", name="Uppdatera med 10 sekunders mellanrum")).to_be_visible()
        sign(app)
        page.get_by_role("link", name="Uppdatera sidan").click()
        heading(page, ACTIVATED)


def test_a_lost_app_goes_on_by_opening_anew_and_a_code_blocked_before_signing_is_chosen_again(
    scene: Scene, browser: Browser
) -> None:
    """What the app knew is gone, as when it is started anew; the card has its code and the portal knows."""
    with at_the_desk(browser, scene) as page:
        identify(page)
        lost = app_of(scene)
        lost.choose_code(lost.start(page.locator("[data-copy-text]").inner_text()), CODE)
        now(page, "Koden är vald")
        open_again(page)
        now(page, "Väntar på att du öppnar appen")
        assert page.locator("[data-copy-text]").inner_text().startswith("sig.")
        look(page, "activation-2-reopened")
        app = open_app(page)
        put_card_in(app, scene)
        heading(app, "Skriv under")
        for told in ("2 försök kvar", "1 försök kvar"):
            wrong_code(app)
            now(page, told)
        wrong_code(app)
        heading(app, "Koden är spärrad")
        now(page, "Koden är spärrad efter 3 felaktiga försök")
        expect(page.get_by_text("Innehavaren kan skriva under först när en ny kod är vald.")).to_be_visible()
        expect(page.get_by_role("button", name="Ersätt kortet")).to_be_visible()
        look(page, "activation-2-blocked")
        page.get_by_role("button", name="Låt innehavaren välja en ny kod").click()
        now(page, "Väntar på att du öppnar appen")
        app = open_app(page)
        put_card_in(app, scene)
        choose_code(app)
        sign(app)
        heading(page, ACTIVATED)


def wrong_code(app: Page) -> None:
    app.get_by_label("Legitimeringskod").fill("999111")
    app.get_by_role("button", name="Skriv under").click()


def test_the_holder_cancels_and_the_clerks_page_says_so(scene: Scene, browser: Browser) -> None:
    with at_the_desk(browser, scene) as page:
        identify(page)
        app = open_app(page)
        put_card_in(app, scene)
        choose_code(app)
        heading(app, "Skriv under")
        app.get_by_role("button", name="Avbryt").click()
        heading(app, "Avbrutet")
        expect(page.get_by_role("heading", name="Aktiveringen är avbruten")).to_be_visible(timeout=SECONDS)
        expect(page.get_by_text("5 dagar kvar")).to_be_visible()
        look(page, "activation-2-cancelled")
        page.get_by_role("button", name="Öppna appen igen").click()
        app = open_app(page)
        put_card_in(app, scene)
        heading(app, "Skriv under")


def test_another_card_in_the_reader(scene: Scene, world: Any, browser: Browser) -> None:
    other = scene.stage.card(1)
    sent_card(world, world.post(given_name="Bo", surname="Exempel"), keys=other)
    with at_the_desk(browser, scene) as page:
        identify(page)
        app = open_app(page)
        app.get_by_role("radio", name=f"slutar på {other.serial[-4:]}").check()
        app.get_by_role("button", name="Fortsätt").click()
        expect(app.get_by_role("alert")).to_contain_text("Byt kort och försök igen")
        now(page, "Fel kort sitter i läsaren")
        put_card_in(app, scene)
        heading(app, "Välj legitimeringskod")
        now(page, "Kortet är hittat")


def test_two_tabs_reload_and_back(scene: Scene, browser: Browser) -> None:
    with at_the_desk(browser, scene) as page:
        identify(page)
        second = page.context.new_page()
        second.goto(page.url)
        open_again(second)
        expect(second.get_by_text("Den förra gäller inte längre")).to_be_visible()
        newest = second.locator("[data-copy-text]").inner_text()
        expect(page.locator("[data-copy-text]")).to_have_text(newest, timeout=SECONDS)
        page.reload()
        assert page.locator("[data-copy-text]").inner_text() == newest
        page.go_back()
        heading(page, "Är det Elva Tolvansson?")
        page.reload()
        look(page, "activation-1-under-way")
        page.get_by_role("link", name="Fortsätt där du var").click()
        expect(page.get_by_role("link", name="Skriv under i SITHS eID-appen")).to_be_visible()
        app_of(scene).activate(handle_on(page), CODE)
        heading(page, ACTIVATED)
        heading(second, ACTIVATED)
        page.go_back()
        page.reload()
        heading(page, ACTIVATED)
    assert EidAppTransaction.objects.count() == 1


def test_a_second_clerk_takes_over_what_is_not_begun_and_sees_who_has_what_is(scene: Scene, browser: Browser) -> None:
    with at_the_desk(browser, scene) as page, at_the_desk(browser, scene, scene.other_clerk) as other:
        identify(page)
        identify(other)
        heading(page, "En nyare aktivering har tagit över")
        look(page, "activation-2-superseded")
        app = app_of(scene)
        opened = app.start(handle_on(other))
        page.goto(scene.first_step)
        expect(page.get_by_text("aktiveras just nu hos en annan ID-administratör")).to_be_visible()
        look(page, "activation-1-second-clerk")
        page.locator("label", has_text="Körkort").click()
        page.get_by_role("button", name="Aktivera").click()
        expect(page.get_by_role("alert")).to_contain_text("Vänta tills det är klart eller avbrutet")
        look(page, "activation-1-refused")
        app.choose_code(opened, CODE)
        app.sign_receipt(opened, CODE)
        heading(other, ACTIVATED)


def test_a_lost_log_in_loses_nothing(scene: Scene, browser: Browser) -> None:
    with at_the_desk(browser, scene) as page:
        identify(page)
        address = page.url
        app = app_of(scene)
        opened = app.start(handle_on(page))
        app.choose_code(opened, CODE)
        page.context.clear_cookies()
        page.wait_for_url("**/logga-in/**", timeout=SECONDS)  # the poll finds it out
        app.sign_receipt(opened, CODE)
        log_in(page.context, scene.stage, scene.clerk)
        page.goto(address)
        heading(page, ACTIVATED)


def test_the_focus_and_the_words_stay_while_the_page_follows(scene: Scene, browser: Browser) -> None:
    with at_the_desk(browser, scene) as page:
        identify(page)
        reach(page, "För ID-administratören")
        page.keyboard.press("Enter")
        reach(page, "Avbryt")
        client = app_of(scene)
        opened = client.start(page.locator("[data-copy-text]").inner_text())
        now(page, "Kortet är hittat")
        assert focused(page) == "Avbryt"
        client.cancel(opened)
        expect(page.get_by_role("heading", name="Aktiveringen är avbruten")).to_be_visible(timeout=SECONDS)
        look(page, "activation-2-cancelled-without-code")
        assert scene.carrier.state == "sent"
        with pytest.raises(PortalRefused):
            client.cancel(client.start("act." + "x" * 22))


def test_the_texts_beside(scene: Scene, browser: Browser) -> None:
    with at_the_desk(browser, scene) as page:
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Läs mer om identifiering").click()
        heading(opened.value, "Så identifierar du innehavaren")
        look(opened.value, "activation-identification-help")
        page.goto(scene.stage.portal + reverse("terms"))
        heading(page, "Allmänna villkor för SITHS e-legitimation")
        look(page, "activation-terms")


@dataclass
class ReserveCards:
    """Two officers with cards of their own in the reader, two blank cards, and the persons who get them."""

    stage: Stage
    own_cards: list[Card]
    first: Actor
    second: Actor
    blanks: list[Envelope]
    posts: list[Any]


@pytest.fixture
def reserve_cards(stage: Stage, world: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReserveCards]:
    monkeypatch.setattr(settings, "PORTAL_BASE_URL", stage.portal)
    prepare(world.region, world.office)
    first, second = world.officer(), world.officer(role=Role.RESERVE_CARD_ADMIN_LOA3)
    own_cards = [stage.make_card(number, keys="ec-p256") for number in (4713, 4714)]  # quicker to make than RSA keys

    def give_cards() -> None:
        for card, officer in zip(own_cards, (first, second), strict=True):
            officer_with_card(world, officer, keys=Plastic(card))

    assert run_at_once(1, give_cards) == []  # in a thread of its own, as above
    posts = [world.post(given_name="Tora", surname="Tillfällig"), world.post(given_name="Rut", surname="Reserv")]
    blanks = [Envelope.make(stage.cards, code) for code in ("135790", "864209")]
    supply(bundle(world.region, world.office, 2), blanks)
    publish(world, stage.people)
    yield ReserveCards(stage, own_cards, first, second, blanks, posts)
    for card in (*own_cards, *(blank.card for blank in blanks)):  # other tests know two cards in the reader
        shutil.rmtree(card.folder)


def test_reserve_cards_from_the_bundle_to_their_holders(reserve_cards: ReserveCards, world: Any, browser: Browser) -> None:
    """One on level 3 by two officers, and one on level 2 by keyboard alone."""
    stage, portal = reserve_cards.stage, reserve_cards.stage.portal
    three, two = reserve_cards.blanks
    envelopes = [three.code, two.code]
    holder, other = reserve_cards.posts
    with logged_in(browser, stage, reserve_cards.first) as page:
        desk.receive(page, portal, [three.serial, two.serial])
        desk.hand_out(page, portal, holder.person_id, three.serial)
        desk.sign_statement(page, reserve_cards.own_cards[0].serial, CODE, see="reserve-app-statement")
        desk.reads(page, "Nu väntar utlämningen på en andra person.")
        with logged_in(browser, stage, reserve_cards.second) as colleague:
            desk.check(colleague, portal, three.serial)
            desk.sign_statement(colleague, reserve_cards.own_cards[1].serial, CODE)
            desk.reads(colleague, "Utlämningen är godkänd.")
        page.reload()
        desk.press(page, "Aktivera kort")
        heading(page, "Är det Tora Tillfällig?")
        look(page, "reserve-5-identify")
        desk.choose(page, "Pass")
        desk.press(page, "Aktivera")
        heading(page, "Tora, läs villkoren och skriv under")
        look(page, "reserve-6-waiting")
        app = desk.open_app(page, "Skriv under i SITHS eID-appen")
        desk.put_in(app, three.serial)
        desk.exchange_code(app, three.code, CODE)
        desk.sign(app, CODE)
        heading(page, ACTIVATED)
    with logged_in(browser, stage, world.officer(role=Role.READER)) as page:
        page.goto(portal + reverse("person", args=[holder.person_id]))
        desk.reads(page, "Aktiv")
        look(page, "reserve-8-person")
    assert [Carrier.objects.get(card_serial=each.serial).state for each in (three, two)] == ["active", "in_stock"]
    with logged_in(browser, stage, reserve_cards.first) as page:
        hand_out_by_keyboard(page, portal, other, two)
        app_with(stage, two.card).activate_reserve_card(handle_on(page), two.code, CODE)
        heading(page, ACTIVATED)
    assert Carrier.objects.get(card_serial=two.serial).assurance_level == 2
    none_in_clear(stage.log_files, *envelopes, CODE, PUK)
    for secret in (three.serial, two.serial, "Tillfällig", "Reserv,"):
        assert secret not in stage.told()


def hand_out_by_keyboard(page: Page, portal: str, post: Any, blank: Envelope) -> None:
    """A reserve card on level 2, as far as the holder's window of the app. Scans are not counted."""
    page.goto(portal + reverse("person", args=[post.person_id]))
    keys = Keys.from_where_the_page_begins(page)
    while focused(page) != "Nytt SITHS eID reservkort":
        keys.press("Tab")
        assert keys.count <= MOST_RESERVE_CARD_KEYS
    keys.press("Enter")
    expect(page.get_by_label("Kortserienummer")).to_be_focused()
    page.keyboard.type(blank.serial)
    page.keyboard.press("Enter")  # changes nothing: a scanner sends it
    expect(page.get_by_label("Kortserienummer")).to_have_value(blank.serial)
    keys.press("Tab", "2")
    expect(page.get_by_role("radio", name="Tillitsnivå 2")).to_be_checked()
    expect(page.get_by_role("radio", name="Körkort")).not_to_be_checked()  # the holder is identified at the activation
    keys.press("Control+Enter")
    heading(page, "Är det Rut Reserv?")
    keys.press("Tab")
    page.keyboard.press("8")
    expect(page.get_by_label("Namn på den som intygar")).to_be_focused()  # opened by the choice
    page.get_by_role("radio", name="Intyg av annan person").focus()
    keys.press("3")
    expect(page.get_by_role("radio", name="Skatteverkets id-kort").first).to_be_checked()
    keys.press("Control+Enter")
    heading(page, "Rut, läs villkoren och skriv under")
    keys.press("Tab", "Tab")
    assert focused(page) == "Skriv under i SITHS eID-appen"
    with page.context.expect_page() as opened:
        keys.press("Enter")
    print(f"A reserve card on level 2 takes the officer {keys.count} keys.")
    assert keys.count <= MOST_RESERVE_CARD_KEYS
    heading(opened.value, "Välj kort")
