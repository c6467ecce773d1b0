"""Offices and receipt texts in Chromium at a real portal: axe and both widths, by mouse and by keyboard alone."""

from typing import Any

from playwright.sync_api import Browser, Page, expect

from issuance.authz import Role
from issuance.offices.models import Office
from issuance.receipt_texts.models import ReceiptText
from issuance.receipt_texts.services import set_receipt_text
from tests.e2e.hands import Both, Hands
from tests.e2e.looking import Looker
from tests.issuance.operators.test_browser import button, heading, link, refused
from tests.issuance.organisations.test_browser import told
from tests.issuance.search.test_browser import desk
from tests.issuance.world import SETUP


def walk(page: Page, portal: str, hands: Hands, see: Any, world: Any) -> None:
    """The issuer makes an office, connects it from both sides, changes it, disconnects it and closes it."""
    page.goto(f"{portal}/administrera/utgivningsomrade/{world.area.id}/")
    hands.press(page.get_by_role("link", name="Skapa kontor"))
    see.look(page, "new office")
    hands.press(button(page, "Skapa kontoret"))
    refused(page, see, "new office refused")
    hands.write(page.get_by_label("Kontorets namn"), "Borås stad (15)")
    hands.write(page.get_by_label("Fakturakommentar"), "Borås stad")
    hands.press(button(page, "Visa fakturaraden"))
    expect(page.locator("#fakturarad .invoice-line")).to_be_visible()
    see.look(page, "invoice line")
    hands.press(page.locator("summary", has_text="Leveransadress"))
    hands.write(page.get_by_label("Mottagande organisation"), "Borås Stad")
    hands.write(page.get_by_label("Intern mottagare"), "SITHS-kontoret")
    hands.write(page.get_by_label("Gatuadress"), "Demogatan 55")
    hands.write(page.get_by_label("Postnummer"), "0501")
    hands.write(page.get_by_label("Postort"), "Borås")
    hands.press(button(page, "Skapa kontoret"))
    refused(page, see, "postal code refused")
    hands.write(page.get_by_label("Postnummer"), "50180")
    hands.choose(page.get_by_label("Regionen", exact=True))
    hands.press(button(page, "Skapa kontoret"))
    told(page, "Kontoret Borås stad (15) är skapat. Kontoret är kopplat till 1 organisation.")
    see.look(page, "area with its new office")
    hands.press(page.get_by_role("status").get_by_role("link", name="Borås stad (15)"))
    see.look(page, "office")
    hands.press(page.get_by_role("link", name="Koppla organisation").first)
    hands.press(button(page, "Koppla organisationerna"))
    refused(page, see, "nothing marked")
    hands.choose(page.get_by_label("Staden"))
    hands.press(button(page, "Koppla organisationerna"))
    told(page, "Organisationerna är kopplade.")
    see.look(page, "connected office")
    hands.press(link(page, "Redigera"))
    hands.write(page.get_by_label("Fakturakommentar"), "Borås")
    hands.press(button(page, "Spara"))
    told(page, "Kontoret är sparat.")
    page.goto(f"{portal}/administrera/organisation/{world.clinic.id}/")
    hands.press(page.get_by_role("link", name="Koppla kontor"))
    see.look(page, "offices of an organisation")
    hands.choose(page.get_by_label("Borås stad (15)"))
    hands.press(button(page, "Koppla kontoren"))
    told(page, "Kontoret är kopplat.")
    hands.press(button(page, "Koppla bort Kontor A"))
    told(page, "Kliniken är bortkopplad från Kontor A.")
    see.look(page, "disconnected")
    hands.press(link(page, "Borås stad (15)"))
    hands.press(page.get_by_role("link", name="Stäng kontoret"))
    see.look(page, "close")
    hands.press(button(page, "Stäng kontoret"))
    told(page, "Kontoret är stängt.")
    see.look(page, "closed")
    hands.press(page.get_by_role("navigation", name="Kontor", exact=True).get_by_role("link", name="Historik"))
    heading(page, "Kontor: Borås stad (15)")
    see.look(page, "history")


def check(world: Any) -> None:
    made = Office.objects.get(name="Borås stad (15)")
    assert (made.invoice_comment, made.postal_code, made.closed_at is not None) == ("Borås", "501 80", True)
    assert set(made.organisations.all()) == {world.region, world.city, world.clinic}
    assert world.clinic not in world.office.organisations.all()


def test_by_keyboard_as_by_mouse_and_looked_at(world: Any, portal: str, browser: Browser) -> None:
    eye = Looker("administration-offices")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        walk(page, portal, Both(), eye, world)
    check(world)


def write(page: Page, portal: str, hands: Hands, see: Any, world: Any) -> None:
    """The issuer writes a receipt text and changes it."""
    page.goto(f"{portal}/administrera/organisation/{world.region.id}/")
    hands.press(page.get_by_role("link", name="Redigera kvittenstext"))
    see.look(page, "no text")
    page.get_by_label("Regionalt tillägg").fill("x" * 5001)  # as it is pasted
    hands.press(button(page, "Spara"))
    refused(page, see, "text refused")
    hands.write(page.get_by_label("Regionalt tillägg"), "Ett")
    hands.press(button(page, "Spara"))
    told(page, "Kvittenstexten är sparad.")
    hands.write(page.get_by_label("Regionalt tillägg"), "Frågor: kundservice")
    hands.press(button(page, "Spara"))
    expect(page.get_by_role("rowheader", name="2 (gäller)")).to_be_visible()
    see.look(page, "versions")
    page.goto(f"{portal}/administrera/organisation/{world.clinic.id}/kvittenstext/")
    see.look(page, "text from above")
    page.goto(f"{portal}/administrera/organisation/{world.region.id}/")
    hands.press(page.get_by_role("navigation", name="Organisation").get_by_role("link", name="Kvittenstext"))
    expect(page.get_by_text("Version 2 gäller.")).to_be_visible()
    see.look(page, "text to be read")
    texts = ReceiptText.objects.filter(organisation=world.region).order_by("version")
    assert [row.regional_addition for row in texts] == ["Ett", "Frågor: kundservice"]
    long = "Kundservice svarar på frågor om kort, koder och e-legitimation.\n" * 6
    set_receipt_text(actor=SETUP, organisation_id=world.region.id, regional_addition=long)
    page.goto(f"{portal}/administrera/organisation/{world.region.id}/historik/")
    hands.press(page.locator("summary", has_text="Regionalt tillägg: visa före och efter"))
    expect(page.get_by_text("Kundservice svarar")).to_be_visible()
    see.look(page, "history of texts")


def test_receipt_texts_by_keyboard_as_by_mouse_and_looked_at(world: Any, portal: str, browser: Browser) -> None:
    eye = Looker("administration-receipt-texts")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        write(page, portal, Both(), eye, world)
