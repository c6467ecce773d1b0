"""Mina sidor in Chromium: a holder on a phone finds a lost card and revokes it; axe and both widths on the way."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from issuance.authz import system
from issuance.carriers.models import Carrier
from issuance.imports.services import migration
from issuance.minasidor.domain import Means
from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from tests.browser import look
from tests.issuance.carriers.making import mobile
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.minasidor.mina import session_key
from tests.lib.faces import serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def site(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Mina sidor as a process of its own, on the tests' database."""
    with serving("minasidor", tmp_path_factory.mktemp("minasidor") / "log") as url:
        yield url


def page_of(browser: Browser, site: str, ref: str, means: Means, name: str = "") -> Page:
    from tests.access.faces import settings_of

    cookie = settings_of("minasidor")["SESSION_COOKIE_NAME"]
    context = browser.new_context(viewport={"width": 390, "height": 844})
    key, domain = session_key(ref, means, name), str(urlsplit(site).hostname)
    context.add_cookies([{"name": cookie, "value": key, "domain": domain, "path": "/", "httpOnly": True, "sameSite": "Lax"}])
    page = context.new_page()
    page.goto(site)
    return page


def test_a_holder_revokes_a_lost_card_on_a_phone(browser: Browser, site: str, world: Any, authorities: None) -> None:
    post = world.post(given_name="Elin", surname="Olsson")
    card = migration.register_migrated_card(
        actor=system("migration"), card=migrated_card(post, card_serial="9753000000000009240"), ca=CA
    )
    mobile(post, is_in_use=True)
    sent = world.order(post).carrier
    Carrier.objects.filter(pk=sent.pk).update(state="sent", sent_at=sent.created_at, card_serial="9752000000000003188")
    disclosures.record(actor=world.officer(), person_id=post.person_id, shown=Shown.PERSON)
    page = page_of(browser, site, f"holder:{post.person_id}", Means.LOA3, "Elin Olsson")
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
    assert Carrier.objects.get(pk=card.pk).state == "revoked"
    page.get_by_role("button", name="In English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The card is revoked")
    for link, name in (("Settings", "minasidor-installningar"), ("Who looked?", "minasidor-tittat")):
        page.get_by_role("link", name=link).click()
        look(page, name)


def test_a_card_without_a_person_has_a_page(browser: Browser, site: str, world: Any) -> None:
    carrier = world.order().carrier
    Carrier.objects.filter(pk=carrier.pk).update(card_serial="9752000000000003188", state="sent")
    page = page_of(browser, site, f"card:{carrier.pk}", Means.CARD)
    expect(page.get_by_role("heading", level=1)).to_have_text("Reservkortet som slutar på 3188")
    look(page, "minasidor-reservkort")
