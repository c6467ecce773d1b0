"""Mina sidor in Chromium: a holder on a phone finds a lost card and revokes it; axe and both widths on the way.

What the browsers of this module ask for, and what the site logs and queues meanwhile, holds no personal data (S21).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from authn.services import sessions
from issuance.activation.models import EidAppTransaction
from issuance.authz import system
from issuance.authz.actor import card
from issuance.carriers.models import Carrier
from issuance.imports.services import migration
from issuance.minasidor.domain import Means
from issuance.orders.services import eid_orders
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.reserve_cards.services import own_activation
from siths_portal.demo import log_scan
from siths_portal.lib import clock
from tests.browser import look
from tests.issuance.activated import activated_beside_a_browser
from tests.issuance.carriers.making import mobile
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.minasidor.mina import session_key
from tests.issuance.mobile.enrolled import Device
from tests.issuance.mobile.makers import ROOTS, accepted_maker
from tests.issuance.reserve_cards.blank import hand_out, stocked
from tests.lib.faces import serving
from tests.lib.traffic import Traffic, findings

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log file of the site."""
    return tmp_path_factory.mktemp("minasidor") / "log"


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the root of the maker of phones is."""
    return tmp_path_factory.mktemp("maker")


@pytest.fixture(scope="module")
def site(django_db_setup: None, log: Path, roots: Path) -> Iterator[str]:
    """Mina sidor as a process of its own, on the tests' database."""
    with serving("minasidor", log, DEVICE_ATTESTATION_ROOTS=str(roots / ROOTS)) as url:
        yield url


@pytest.fixture
def traffic(log: Path) -> Iterator[Traffic]:
    """What the browsers of the test ask for. In the end neither it, nor the site's log, nor a queue names anybody (S21)."""
    from django.conf import settings

    found = Traffic()
    yield found
    found.read_queues(settings.REDIS_URL)
    assert findings(found, [log], log_scan.personal_terms()) == []


def page_of(browser: Browser, site: str, traffic: Traffic, ref: str, means: Means, name: str = "") -> Page:
    from tests.access.faces import settings_of

    cookie = settings_of("minasidor")["SESSION_COOKIE_NAME"]
    context = browser.new_context(viewport={"width": 390, "height": 844})
    traffic.watch(context)
    key, domain = session_key(ref, means, name), str(urlsplit(site).hostname)
    context.add_cookies([{"name": cookie, "value": key, "domain": domain, "path": "/", "httpOnly": True, "sameSite": "Lax"}])
    page = context.new_page()
    page.goto(site)
    return page


def test_a_holder_revokes_a_lost_card_on_a_phone(
    browser: Browser, site: str, traffic: Traffic, world: Any, authorities: None
) -> None:
    post = world.post(given_name="Elin", surname="Olsson")
    lost = migration.register_migrated_card(
        actor=system("migration"), card=migrated_card(post, card_serial="9753000000000009240"), ca=CA
    )
    mobile(post, is_in_use=True)
    sent = world.order(post).carrier
    Carrier.objects.filter(pk=sent.pk).update(state="sent", sent_at=sent.created_at, card_serial="9752000000000003188")
    disclosures.record(actor=world.officer(), person_id=post.person_id, shown=Shown.PERSON)
    page = page_of(browser, site, traffic, f"holder:{post.person_id}", Means.LOA3, "Elin Olsson")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hej Elin Olsson")
    look(page, "minasidor-start")
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("link", name="Spärra något jag har tappat").click()
    look(page, "minasidor-sparra")
    page.get_by_role("link", name="Kortet som slutar på 9240").click()
    page.get_by_role("button", name="Fortsätt").click()
    expect(page.get_by_role("alert")).to_be_focused()
    look(page, "minasidor-sparra-fel")
    page.get_by_label("Jag har tappat det").check()
    page.get_by_role("button", name="Fortsätt").click()
    look(page, "minasidor-sparra-bekrafta")
    page.get_by_role("button", name="Spärra kortet").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Kortet är spärrat")
    look(page, "minasidor-sparrat")
    assert Carrier.objects.get(pk=lost.pk).state == "revoked"
    page.get_by_role("button", name="In English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The card is revoked")
    for link, name in (("Settings", "minasidor-installningar"), ("Who looked?", "minasidor-tittat")):
        page.get_by_role("link", name=link).click()
        look(page, name)


def test_a_holder_begins_to_get_a_mobile_eid_on_a_phone(
    browser: Browser, site: str, traffic: Traffic, roots: Path, world: Any, authorities: None, settings: Any
) -> None:
    post = world.post(given_name="Elin", surname="Olsson")
    migration.register_migrated_card(actor=system("migration"), card=migrated_card(post), ca=CA)
    mobile(post, is_in_use=True)
    page = page_of(browser, site, traffic, f"holder:{post.person_id}", Means.LOA3, "Elin Olsson")
    device = Device(accepted_maker(settings, roots))
    page.get_by_role("link", name="Skaffa eller hantera Mobilt SITHS").click()
    look(page, "minasidor-mobilt")
    page.get_by_role("link", name="Byt namn på").click()
    look(page, "minasidor-mobilt-namn")
    page.go_back()
    page.get_by_role("link", name="Skaffa Mobilt SITHS").click()
    page.get_by_role("button", name="Fortsätt").click()
    expect(page.get_by_role("alert")).to_be_focused()
    look(page, "minasidor-mobilt-fel")
    page.get_by_label("Bara jag").check()
    page.get_by_label("Jag har läst villkoren och godkänner dem").check()
    page.get_by_role("button", name="Fortsätt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Logga in en gång till")
    look(page, "minasidor-mobilt-logga-in")
    log_in_again(page)
    page.get_by_role("button", name="Visa startkoden").click()
    expect(page.get_by_alt_text("QR-kod med startkoden")).to_be_visible()
    look(page, "minasidor-mobilt-startkod")
    device.start(re.findall(r"mob\.[A-Za-z0-9_-]{22}", page.content())[0])
    expect(page.get_by_role("heading", level=1)).to_have_text("Fortsätt i SITHS eID-appen")
    look(page, "minasidor-mobilt-appen")
    page.get_by_role("button", name="Avbryt").click()
    expect(page.get_by_text("Du har avbrutit.")).to_be_visible()


def log_in_again(page: Page) -> None:
    """The step-up, as the provider's answer would do it, and the way back to the page."""
    (cookie,) = (each for each in page.context.cookies() if each["httpOnly"] and sessions.find(each["value"]))
    row = sessions.find(cookie["value"])
    assert row is not None
    renewed = sessions.renew(row.pk, sessions.LogIn(clock.now(), "", {}), means=Means.LOA3.value)
    assert renewed is not None
    page.context.add_cookies([{**cookie, "value": renewed[1]}])
    page.reload()


def test_a_card_without_a_person_and_a_visitor_have_pages(browser: Browser, site: str, traffic: Traffic, world: Any) -> None:
    carrier = world.order().carrier
    Carrier.objects.filter(pk=carrier.pk).update(card_serial="9752000000000003188", state="sent")
    page = page_of(browser, site, traffic, f"card:{carrier.pk}", Means.CARD)
    expect(page.get_by_role("heading", level=1)).to_have_text("Reservkortet som slutar på 3188")
    look(page, "minasidor-reservkort")
    visitor = browser.new_context()
    traffic.watch(visitor)
    page = visitor.new_page()
    for path, name in (("/", "minasidor-valkommen"), ("/logga-in/?next=/", "minasidor-logga-in"), ("/hjalp/", "minasidor-hjalp")):
        page.goto(f"{site}{path}")
        look(page, name)


def test_a_holder_fetches_unlocks_and_tests_on_a_phone(
    browser: Browser, site: str, traffic: Traffic, world: Any, demo_pki: Any
) -> None:
    made = activated_beside_a_browser(world)
    person = made.carrier.holder
    eid_orders.order_renewed_eid(actor=world.officer(), eid_id=made.carrier.eids.get().pk)
    page = page_of(browser, site, traffic, f"holder:{person.pk}", Means.LOA3, "Prov Provsson")
    page.get_by_role("link", name="Förnya").click()
    look(page, "minasidor-hamta")
    page.get_by_role("button", name="Förnya").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Öppna SITHS eID-appen")
    look(page, "minasidor-hamtar")
    page.get_by_role("button", name="Avbryt").click()
    page.get_by_role("link", name="Lås upp ett kort").click()
    look(page, "minasidor-las-upp")
    page.get_by_role("link", name="Till Start").click()
    page.get_by_role("link", name="Testa mitt SITHS eID").click()
    look(page, "minasidor-testa")
    page.get_by_role("button", name="Testa Legitimering, SITHS eID för Regionen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Testa: Legitimering, SITHS eID för Regionen")
    look(page, "minasidor-testar")
    row = EidAppTransaction.objects.get(statement__purpose="own_test")
    EidAppTransaction.objects.filter(pk=row.pk).update(state="completed")
    expect(page.get_by_role("heading", level=1)).to_have_text("Certifikatet fungerar")
    look(page, "minasidor-testat")


def test_a_card_is_activated_on_a_phone_as_far_as_the_app(
    browser: Browser, site: str, traffic: Traffic, world: Any, demo_pki: Any
) -> None:
    (blank,) = stocked(world)
    hand_out(blank, world.post(), world.officer(), document="passport")
    page = page_of(browser, site, traffic, f"card:{blank.carrier.pk}", Means.CARD)
    page.get_by_role("link", name="Aktivera reservkortet").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Aktivera reservkortet")
    look(page, "minasidor-aktivera")
    opened = own_activation.open_for(actor=card(blank.carrier.pk)).transaction
    page.goto(f"{site}/aktiverar/{opened.pk}/")
    page.get_by_role("button", name="Öppna appen igen").click()
    expect(page.get_by_role("link", name="Öppna SITHS eID-appen")).to_be_visible()
    page.context.grant_permissions(["clipboard-write"])
    page.get_by_role("button", name="Kopiera startkod").click()
    expect(page.get_by_text("Kopierat")).to_be_visible()
    expect(page.get_by_role("button", name="Kopiera startkod")).to_be_visible()  # before the picture is taken
    look(page, "minasidor-aktiverar")
    own_activation.cancel(actor=card(blank.carrier.pk), transaction_id=opened.pk)
    expect(page.get_by_role("heading", level=1)).to_have_text("Kortet är inte aktiverat")  # the page follows by itself
