"""A mass revocation in Chromium at a real portal: from the empty list to the report, looked at on each page by axe."""

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from issuance.authz import Actor
from pki.mass_revocation import MassRevocationView, execution, mass_revocation
from pki.models import CertificateAuthority, MassRevocation, ProfileVersion
from siths_portal.lib import clock
from tests.browser import look
from tests.issuance.operators.operators import operator
from tests.issuance.operators.test_mass_revocation import approve, asked, client_of
from tests.issuance.person_page.test_browser import logged_in
from tests.pki.mass_revocation.test_mass_revocation import profile, rows_like

SECONDS = 60_000


def made_certificates() -> None:
    ca = CertificateAuthority.objects.get(slug="person-hsaid-3")
    for name in ("person-hsaid-auth", "person-hsaid-sign"):
        rows_like(None, 26, ca, profile_version=_version(name))
    ended = {"status": "revoked", "revoked_at": clock.now(), "reason": "superseded"}
    rows_like(None, 3, ca, profile_version=_version("person-hsaid-auth"), **ended)


def _version(name: str) -> ProfileVersion:
    return ProfileVersion.objects.filter(name=name).first() or profile(name)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def follow(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()


def done(page: Page, text: str) -> None:
    """The numbers that the page fetched by itself."""
    expect(page.locator("label[for=framsteg]")).to_have_text(text, timeout=SECONDS)


def the_one() -> MassRevocationView:
    return mass_revocation(MassRevocation.objects.get().id)


def count_and_ask(page: Page, portal: str) -> None:
    page.goto(portal + reverse("pki_mass_revocations"))
    look(page, "mass-empty")
    follow(page, "Ny masspärr")
    look(page, "mass-new")
    press(page, "Räkna på prov")
    expect(page.get_by_role("alert")).to_contain_text("Välj minst ett villkor.")
    look(page, "mass-new-refused")
    page.get_by_label("DEMO SITHS e-id Person HSA-id 3 CA v1 (1)").check()
    page.get_by_label("Serienummer").fill("4711")
    press(page, "Räkna på prov")
    expect(page.get_by_role("heading", level=1)).to_have_text("Urvalet träffar inga certifikat")
    look(page, "mass-trial-empty")
    follow(page, "Ändra urvalet")
    expect(page.get_by_label("Serienummer")).to_have_value("4711")
    page.get_by_label("Serienummer").fill("")
    press(page, "Räkna på prov")
    expect(page.get_by_role("heading", level=1)).to_have_text("Urvalet träffar 55 certifikat")
    look(page, "mass-trial")
    press(page, "Begär masspärren")
    expect(page.get_by_role("alert")).to_contain_text("Välj en spärrorsak.")
    look(page, "mass-trial-refused")
    page.locator("label", has_text="Nyckeln kan vara röjd").click()
    page.get_by_label("Motivering").fill("Kortens nycklar gjordes med en svag generator")
    press(page, "Begär masspärren")
    asked = "Spärra 52 certifikat från DEMO SITHS e-id Person HSA-id 3 CA v1"
    expect(page.get_by_role("heading", level=1)).to_have_text(asked)
    look(page, "mass-requested")


def test_from_the_empty_list_to_the_report(
    world: Any, demo_pki: Any, portal: str, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "BATCH", 50)
    made_certificates()
    actor = operator(world)
    with logged_in(browser, portal, actor) as page:
        count_and_ask(page, portal)
        approve(world, the_one())
        page.reload()
        look(page, "mass-approved")
        follow(page, "Starta masspärren")
        look(page, "mass-start")
        press(page, "Starta masspärren")
        done(page, "0 av 55 certifikat behandlade")
        execution._batch(the_one().id)
        done(page, "50 av 55 certifikat behandlade")  # without a reload
        look(page, "mass-running")
        follow(page, "Stoppa masspärren")
        look(page, "mass-stop")
        page.get_by_label("Motivering").fill("Kontrollerar underlaget")
        press(page, "Stoppa masspärren")
        expect(page.get_by_text("Stoppad", exact=True)).to_be_visible()
        look(page, "mass-stopped")
        follow(page, "Fortsätt masspärren")
        press(page, "Fortsätt masspärren")
        done(page, "50 av 55 certifikat behandlade")
        finish()
        # The page draws itself anew when the state changes, with other functions.
        expect(page.get_by_role("heading", name="Rapport")).to_be_visible(timeout=SECONDS)
        expect(page.get_by_text("Resultatet är som det godkända underlaget.")).to_be_visible()
        expect(page.get_by_role("link", name="Stoppa masspärren")).to_have_count(0)
        look(page, "mass-finished")
        page.goto(portal + reverse("pki_mass_revocations"))
        look(page, "mass-list")


def finish() -> None:
    """What the worker does."""
    MassRevocation.objects.update(claimed_until=None)
    while execution.run(the_one().id):
        pass
    assert the_one().state == "finished"


def test_without_script_it_is_followed_by_a_link(
    world: Any, demo_pki: Any, portal: str, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That a browser fetches such a page again by itself is waited for in `test_imports_browser.py`."""
    monkeypatch.setattr(execution, "BATCH", 50)
    rows_like(None, 52, CertificateAuthority.objects.get(slug="person-hsaid-3"))
    actor: Actor = operator(world)
    client = client_of(actor)
    made = asked(client)
    approve(world, made)
    with logged_in(browser, portal, actor, java_script_enabled=False) as page:
        page.goto(portal + reverse("pki_mass_revocation", args=[made.id]))
        follow(page, "Starta masspärren")
        press(page, "Starta masspärren")
        done(page, "0 av 52 certifikat behandlade")
        execution._batch(made.id)
        follow(page, "Uppdatera sidan")
        done(page, "50 av 52 certifikat behandlade")
        follow(page, "Uppdatera med 10 sekunders mellanrum")
        expect(page.get_by_role("link", name="Sluta uppdatera av sig själv")).to_be_visible()
        expect(page.locator('meta[http-equiv="refresh"][content="10"]')).to_have_count(1)
        finish()
        follow(page, "Uppdatera sidan")
        expect(page.get_by_role("heading", name="Rapport")).to_be_visible()
