"""The pages on a person in a real browser at a real process: axe in each state, both widths, reflow, by keyboard alone."""

import contextlib
import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from issuance.authz import Actor, system
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.imports.services import migration
from issuance.orders.models.drafts import OrderDraft
from issuance.people.models.persons import Person, Post
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from siths_portal.lib import clock
from tests.browser import collect_faults, look
from tests.issuance.activated import activated_beside_a_browser
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.person_page.test_mobile import mobile
from tests.portal import session_cookie


@contextlib.contextmanager
def logged_in(browser: Browser, url: str, actor: Actor, **options: Any) -> Iterator[Page]:
    """A page of a browser that the actor is logged in with; its console must stay silent."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
    context.add_cookies([session_cookie(Person.objects.get(pk=actor.person_id), url)])  # type: ignore[list-item]
    page = context.new_page()
    said = collect_faults(context)
    yield page
    context.close()
    assert [line for line in said if not re.search("404|409|422", line)] == []


def migrated(post: Post, **changes: Any) -> Carrier:
    return migration.register_migrated_card(actor=system("migration"), card=migrated_card(post, **changes), ca=CA)


def everything(world: Any, *, protected: bool = False) -> Post:
    """A person with a card in each state, a draft, an eID of another organisation and one that ends soon."""
    officer = world.officer(protected=True)
    post = world.post(given_name="Elva", surname="Tolvansson", protected=protected)
    for _ in range(2):
        world.order(post, actor=officer)
    sent, unsigned = Carrier.objects.filter(person=post.person).order_by("created_at")
    world.order(post, actor=officer)
    now = clock.now()
    Carrier.objects.filter(pk=sent.pk).update(state="sent", sent_at=now - dt.timedelta(days=83), card_serial="9752" + "1" * 15)
    Carrier.objects.filter(pk=unsigned.pk).update(
        state="activated_unsigned", code_set_at=now - dt.timedelta(days=3), sent_at=now, card_serial="9752" + "2" * 15
    )
    active, lost = migrated(post), migrated(post)
    Eid.objects.filter(carrier=active).update(valid_to=now + dt.timedelta(days=20))
    Carrier.objects.filter(pk=active.pk).update(mifare_id="1A2B3C4D")
    revocation.revoke_carrier(
        actor=officer, carrier_id=lost.id, reason=RevocationReason.LOST_OR_STOLEN, requester="organisation",
        requester_name="Chef Chefsson", channel="phone",
    )  # fmt: skip
    extra = world.post(world.city)
    Eid.objects.create(
        carrier=active, post=extra, organisation=world.city, hsa_id=extra.hsa_id, state="active", seq=1, activated_at=now,
        valid_from=now, valid_to=now + dt.timedelta(days=300), created_at=now,
    )  # fmt: skip
    OrderDraft.objects.create(
        person=post.person, owner_ref=officer.ref, post=post, article_id="631", created_at=now, updated_at=now
    )
    return post


@pytest.mark.usefixtures("authorities")
def test_every_state_of_the_pages_on_a_person(world: Any, portal: str, browser: Browser) -> None:
    actor, post = world.officer(protected=True), everything(world, protected=True)
    carriers = {carrier.state: carrier for carrier in Carrier.objects.filter(person=post.person)}
    certificate = CarrierCertificate.objects.filter(carrier=carriers["active"]).first()
    assert certificate
    with logged_in(browser, portal, actor) as page:
        page.goto(portal + reverse("person", args=[post.person_id]))
        look(page, "person")
        for summary in page.locator("main summary").all():
            if not summary.evaluate("node => node.parentElement.open"):
                summary.click()
        look(page, "person-open")
        page.get_by_role("link", name="Visa ogiltiga bärare").click()
        expect(page.locator("article[id^=barare] .carrier-head").get_by_text("Spärrat", exact=True)).to_be_visible()
        look(page, "person-invalid")
        page.goto(portal + reverse("person_history", args=[post.person_id]))
        look(page, "person-history")
        page.goto(portal + reverse("carrier_history", args=[carriers["revoked"].id]))
        look(page, "carrier-history")
        page.goto(portal + reverse("person_history", args=[post.person_id]))
        page.get_by_role("link", name="Visa för utskrift").click()
        expect(page.get_by_role("search")).to_have_count(0)
        look(page, "history-paper")
        page.goto(portal + reverse("carrier_revoke", args=[mobile(post).pk]))
        look(page, "mobile-revoke")
        page.goto(portal + reverse("certificate", args=[certificate.pk]))
        look(page, "certificate-serial-only")
        page.goto(portal + reverse("eid_revoke", args=[carriers["active"].eids.get(organisation=world.region).id]))
        look(page, "eid-revoke")
        Carrier.objects.filter(pk=carriers["active"].pk).update(state="expired")
        page.goto(portal + reverse("carrier_revoke", args=[carriers["active"].id]))
        look(page, "not-possible")
        page.goto(portal + reverse("person", args=[world.post().person_id]))
        look(page, "person-empty")


@pytest.mark.usefixtures("authorities")
def test_a_line_opens_by_keyboard_alone(world: Any, portal: str, browser: Browser) -> None:
    """With script and without, in two browsers on the same rows: neither changes one."""
    post = world.post()
    for _ in range(2):
        migrated(post)
    for java_script in (True, False):
        a_line_opens(world, portal, browser, post, java_script=java_script)


def a_line_opens(world: Any, portal: str, browser: Browser, post: Post, *, java_script: bool) -> None:
    with logged_in(browser, portal, world.officer(), java_script_enabled=java_script) as page:
        page.goto(portal + reverse("person", args=[post.person_id]))
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.locator("summary:focus").count():
                break
        revoke = page.get_by_role("link", name="Spärra SITHS eID").first
        assert not revoke.is_visible()
        page.keyboard.press("Enter")
        expect(revoke).to_be_visible()
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.locator(":focus").inner_text().strip() == "Spärra SITHS eID":
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/sparra/")


def test_the_certificate_and_the_receipt(world: Any, portal: str, demo_pki: Any, browser: Browser) -> None:
    """Of a card that its holder signed for. The PDF is read in place, and "Skriv ut" leads to it."""
    made = activated_beside_a_browser(world)
    with logged_in(browser, portal, world.officer()) as page:
        page.goto(portal + reverse("person", args=[made.carrier.person_id]))
        look(page, "person-active")
        page.locator(".carrier-eids summary").click()
        page.locator(".carrier-eids").get_by_role("link", name="Underskrift").click()
        page.wait_for_url("**/sok/certifikat/**")
        look(page, "certificate")
        page.go_back()
        page.locator(".carrier-acts summary").click()
        page.get_by_role("link", name="Visa elektronisk kvittens").click()
        page.wait_for_url("**/kvittens/")
        look(page, "receipt")
        page.emulate_media(media="print")
        assert not page.get_by_role("link", name="Skriv ut").is_visible()
        assert page.get_by_text("Mottagarens namn").is_visible()
        page.emulate_media(media="screen")
        address = page.get_by_role("link", name="Skriv ut").get_attribute("href")
        answer = page.context.request.get(f"{portal}{address}")
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.body().startswith(b"%PDF-")
