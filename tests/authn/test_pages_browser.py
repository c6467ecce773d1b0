"""The log-in's pages and the provider's windows in Chromium: looked at by axe, by keyboard, without script, and after log-out."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

from authn.models import Session
from issuance.authz import system
from issuance.carriers.models import Carrier
from issuance.imports.services import migration
from issuance.mobile.models import MobileEnrolment
from issuance.people.models.persons import Person
from siths_portal.lib import clock
from tests.authn.stage import CODE, Authority, Stage
from tests.axe import ask_axe
from tests.browser import browser
from tests.e2e.hands import Keyboard
from tests.issuance.conftest import authorities
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.mobile.makers import accepted_maker
from tests.portal import session_cookie
from tests.targets import small_targets

__all__ = ["authorities", "browser"]
pytestmark = pytest.mark.django_db(transaction=True)

# What waits for an answer that has come goes on before this: its body is read, and what follows is planned. The page's own
# clock has been replaced, so no timer can be waited for.
READ = """async () => {
  for (let turn = 0; turn < 10; turn++)
    await new Promise(go => { const way = new MessageChannel(); way.port1.onmessage = go; way.port2.postMessage(0); });
}"""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1440, "height": 900})
    yield made
    made.close()


def look(page: Page) -> None:
    """No finding by axe, one h1, and at 320 pixels no sideways scrolling and no target that is too small."""
    page.wait_for_load_state()
    ask_axe(page, page.url)
    assert page.locator("h1").count() == 1
    size = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert small_targets(page) == []
    page.set_viewport_size(size or {"width": 1440, "height": 900})


def test_log_in_by_keyboard_log_out_and_back(context: BrowserContext, stage: Stage, clerk: Person) -> None:
    stage.know(clerk)
    page = context.new_page()
    page.goto(f"{stage.portal}/installningar/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Logga in")
    page.get_by_role("button", name="Logga in").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Legitimera dig")
    page.get_by_label("Namn, roll eller enhet").fill(clerk.surname)
    with page.expect_navigation():  # to a page with the same heading
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Legitimera dig")
    page.get_by_role("button", name=f"Logga in som {clerk.given_name_in_use}").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{stage.portal}/installningar/")
    assert clerk.surname not in page.title()
    page.get_by_role("button", name="Logga ut").click()
    # The browser goes on to the provider by itself and comes back.
    expect(page).to_have_url(f"{stage.portal}/logga-ut/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Du är utloggad")
    expect(page.get_by_role("button", name="Logga in igen")).to_be_visible()
    look(page)
    # S20: what was shown is not shown again.
    hsa_id = clerk.posts.get().hsa_id
    page.goto(f"{stage.portal}/tillganglighet/")
    for _ in range(4):
        with contextlib.suppress(Error):  # Chromium says so of a page that came by POST and was not kept
            page.go_back()
        expect(page.get_by_text(hsa_id)).to_have_count(0)


def test_a_holder_logs_in_and_has_a_start_code_for_a_phone_by_keyboard_alone(
    browser: Browser, stage: Stage, clerk: Person, authorities: None, settings: Any
) -> None:
    """At the width of a phone, with both log-ins at the provider. What has the focus is seen, and has its role and name."""
    migration.register_migrated_card(actor=system("migration"), card=migrated_card(clerk.posts.get()), ca=CA)
    accepted_maker(settings, stage.folder)
    stage.know(clerk)
    mina = stage.start_mina_sidor(DEVICE_ATTESTATION_ROOTS=settings.DEVICE_ATTESTATION_ROOTS)
    context, keys = browser.new_context(viewport={"width": 390, "height": 844}), Keyboard()
    page = context.new_page()

    def press(heading: str, role: Any, name: str) -> None:
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        keys.press(page.get_by_role(role, name=name))

    page.goto(mina)
    press("Mina sidor", "button", "Logga in")
    press("Legitimera dig", "button", "Logga in som")
    press("Hej Handläggare Provsson", "link", "Skaffa eller hantera Mobilt SITHS")
    press("Mobilt SITHS", "link", "Skaffa Mobilt SITHS")
    # Providers give whole seconds, and a log-in in the second of the first one is no second log-in.
    Session.objects.update(authenticated_at=clock.now() - dt.timedelta(seconds=2))
    keys.choose(page.get_by_role("radio", name="Bara jag"))
    keys.choose(page.get_by_role("checkbox", name="Jag har läst villkoren och godkänner dem"))
    press("Skaffa Mobilt SITHS", "button", "Fortsätt")
    press("Logga in en gång till", "button", "Logga in igen")
    press("Legitimera dig igen", "button", "Legitimera")
    press("Legitimera dig", "button", "Logga in som")
    press("Ha telefonen till hands", "button", "Visa startkoden")
    expect(page.get_by_role("heading", level=1)).to_have_text("Skaffa Mobilt SITHS")
    expect(page.get_by_role("img", name="QR-kod med startkoden")).to_be_visible()
    keys.reach(page.get_by_role("button", name="Kopiera startkod"))
    assert MobileEnrolment.objects.get().state == "offered"
    context.close()


def test_without_script_the_same_way(browser: Browser, stage: Stage, clerk: Person) -> None:
    stage.know(clerk)
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{stage.portal}/installningar/")
    page.get_by_role("button", name="Logga in").click()
    page.get_by_role("button", name=f"Logga in som {clerk.given_name_in_use}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Inställningar")
    refresh = page.locator('noscript meta[http-equiv="refresh"]').get_attribute("content") or ""
    # Two seconds after the session's end, so that the log-in page finds it ended.
    assert refresh.startswith("902;url=/logga-in/?next="), "an unattended screen without script shows nothing for long"
    page.get_by_role("button", name="Logga ut").click()
    page.get_by_role("button", name="Logga ut även hos inloggningstjänsten").click()
    expect(page).to_have_url(f"{stage.portal}/logga-ut/")
    context.close()


def test_the_choice_of_post_and_the_refusal(context: BrowserContext, stage: Stage, clerk: Person, world: Any) -> None:
    from tests.authn.test_round_trip import person_id

    world.post(world.clinic, person_id=person_id(clerk))
    stage.know(clerk, defer_choice=True)
    page = context.new_page()
    page.goto(f"{stage.portal}/installningar/")
    page.get_by_role("button", name="Logga in").click()
    page.get_by_role("button", name=f"Logga in som {clerk.given_name_in_use}").click()
    expect(page).to_have_url(f"{stage.portal}/logga-in/uppdrag/")
    look(page)
    page.get_by_role("button", name="Fortsätt").click()
    expect(page.get_by_role("alert")).to_be_focused()
    look(page)
    page.get_by_label("Kliniken").check()
    page.get_by_role("button", name="Fortsätt").click()
    expect(page).to_have_url(f"{stage.portal}/installningar/")
    page.goto(f"{stage.portal}/logga-in/svar/?state=x&code=y")
    expect(page.get_by_role("heading", level=1)).to_have_text("Inloggningen gick inte att slutföra")
    look(page)


def test_the_providers_windows_with_cards(context: BrowserContext, stage: Stage, clerk: Person, world: Any) -> None:
    from tests.authn.test_round_trip import person_id

    world.post(world.clinic, person_id=person_id(clerk))
    stage.know(clerk)
    authority = Authority(stage.trust)
    authority.card(stage.cards, stage.people[0])
    page = context.new_page()
    page.goto(f"{stage.portal}/installningar/")
    page.get_by_role("button", name="Logga in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Legitimera dig")
    look(page)
    page.get_by_role("button", name="Fortsätt med kort").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Jag legitimerar mig hos")
    look(page)
    page.get_by_label("Ange pinkod").fill("1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Koden är 6–8 siffror.")
    look(page)
    page.get_by_label("Ange pinkod").fill(CODE)
    page.get_by_role("button", name="Legitimera").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Välj uppdrag")
    look(page)
    page.get_by_label("Kliniken").check()
    page.get_by_role("button", name="Fortsätt").click()
    expect(page).to_have_url(f"{stage.portal}/installningar/")
    page.goto(f"{stage.issuer}/finns-inte")
    look(page)
    page.goto(f"{stage.issuer}/logout")
    look(page)
    authority.stop()
    for card in stage.cards.iterdir():
        card.rename(stage.folder / f"away-{card.name}")


def test_the_warning_before_the_end_and_the_way_on(context: BrowserContext, stage: Stage, clerk: Person) -> None:
    """WCAG 2.2.1. Time is the page's own clock and the row's last use; both are moved, nobody waits."""
    context.add_cookies([session_cookie(clerk, stage.portal)])  # type: ignore[list-item]
    page = context.new_page()
    page.clock.install()
    page.goto(f"{stage.portal}/installningar/")
    warning = page.get_by_role("dialog", name="Du loggas snart ut")
    expect(warning).to_be_hidden()
    Session.objects.update(last_seen_at=clock.now() - dt.timedelta(minutes=13, seconds=5))
    page.clock.fast_forward("13:05")
    expect(warning).to_be_visible()
    expect(warning.get_by_role("heading")).to_be_focused()  # no button: a scan's Enter would press it
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Fortsätt")).to_be_focused()
    look(page)
    with page.expect_response("**/logga-in/fortsatt/") as kept:
        page.keyboard.press("Enter")
    kept.value.finished()
    expect(warning).to_be_hidden()
    page.evaluate(READ)  # the next question is planned when the answer is read, after the warning has gone
    assert Session.objects.get().last_seen_at > clock.now() - dt.timedelta(minutes=1)
    # Another tab was used meanwhile: no warning.
    with page.expect_response("**/logga-in/tid/") as asked:
        page.clock.fast_forward("13:05")
    assert asked.value.ok
    asked.value.finished()
    page.evaluate(READ)
    expect(warning).to_be_hidden()
    # Nobody goes on: the page is left, and with it what it showed.
    Session.objects.update(last_seen_at=clock.now() - dt.timedelta(minutes=16))
    page.clock.fast_forward("13:05")
    expect(page).to_have_url(f"{stage.portal}/logga-in/?next=%2Finstallningar%2F")
    expect(page.get_by_text("inte hade gjort något")).to_be_visible()
    look(page)


def test_what_is_typed_when_the_session_ends_is_there_after_the_next_log_in(
    context: BrowserContext, stage: Stage, clerk: Person, world: Any
) -> None:
    """The page sends a form that was typed in, and the server carries nothing out. It sends no untouched form."""
    stage.know(clerk)
    context.add_cookies([session_cookie(clerk, stage.portal)])  # type: ignore[list-item]
    card = world.order().carrier
    address, typed = reverse("carrier_revoke", args=[card.pk]), "Kortet är kvar på tåget"
    page = context.new_page()
    page.clock.install()

    def log_in_after_the_end(kept: str) -> None:
        Session.objects.filter(end_reason="").update(last_seen_at=clock.now() - dt.timedelta(minutes=16))
        page.clock.fast_forward("13:05")
        expect(page).to_have_url(f"{stage.portal}/logga-in/?{urlencode({'next': address})}{kept}")
        expect(page.get_by_text("Det du skrev finns kvar")).to_have_count(1 if kept else 0)
        page.get_by_role("button", name="Logga in").click()
        page.get_by_role("button", name=f"Logga in som {clerk.given_name_in_use}").click()
        expect(page).to_have_url(stage.portal + address)
        assert Carrier.objects.get(pk=card.pk).state == "ordered"

    page.goto(stage.portal + address)
    log_in_after_the_end("")
    page.get_by_label("Skriv mer om orsaken").check()
    page.get_by_label("Beskrivning").fill(typed)
    page.get_by_label("Skriv mer om orsaken").uncheck()  # the text alone counts
    for _ in ("typed", "shown again and not touched"):
        log_in_after_the_end("&skickat=kvar")
        expect(page.get_by_label("Beskrivning")).to_have_value(typed)
    page.goto(stage.portal + address)
    expect(page.get_by_label("Beskrivning")).to_have_value("")
    page.get_by_role("radio", name="Annan orsak").check()
    log_in_after_the_end("&skickat=kvar")
    expect(page.get_by_role("radio", name="Annan orsak")).to_be_checked()


def test_a_step_up_page(context: BrowserContext, stage: Stage, clerk: Person) -> None:
    context.add_cookies([session_cookie(clerk, stage.portal)])  # type: ignore[list-item]
    page = context.new_page()
    from django.conf import settings

    from authn.models import Session
    from authn.sessions import SessionStore

    key = next(c["value"] for c in context.cookies() if c["name"] == settings.SESSION_COOKIE_NAME)
    store = SessionStore(key)
    store["step_up"] = {"path": "/installningar/", "sent": True}
    store.save()
    assert Session.objects.get().data
    page.goto(f"{stage.portal}/logga-in/?next=/installningar/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Legitimera dig igen")
    look(page)
    stage.know(clerk)
    page.get_by_role("button", name="Legitimera").click()
    page.get_by_role("button", name=f"Logga in som {clerk.given_name_in_use}").click()
    expect(page.get_by_text("Du har legitimerat dig igen")).to_be_visible()
    expect(page).to_have_url(f"{stage.portal}/installningar/")
    look(page)
