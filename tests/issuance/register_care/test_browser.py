"""Register care in Chromium at a real portal, by an issuer: from Dagen to a list, rows ticked, reminded, postponed; axe."""

import datetime as dt
from typing import Any

from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from issuance.authz import Role
from issuance.people.models.persons import Post
from issuance.register_care.models import CardReminder, WorkItem
from issuance.tasks import count_outcome
from siths_portal.lib import clock
from tests.e2e.hands import Both, Hands
from tests.e2e.looking import Looker
from tests.issuance.day.test_outcome import activated
from tests.issuance.operators.test_browser import button, link, refused
from tests.issuance.organisations.test_browser import told
from tests.issuance.register_care.works import active, night, sent
from tests.issuance.search.test_browser import desk


def care(page: Page, portal: str, hands: Hands, see: Looker) -> None:
    """The officer reminds two holders, and postpones the row about a person who left."""
    page.goto(f"{portal}{reverse('day')}")
    hands.press(page.get_by_text("Visa som tabell").last)
    expect(page.get_by_role("table", name="3 kort spärras inom")).to_be_visible()
    expect(page.get_by_text("Aktiverade kort per vecka")).to_be_visible()
    expect(page.get_by_role("complementary", name="Skickade kort per kontor").get_by_text("Kontor A")).to_be_visible()
    see.look(page, "day")
    hands.press(page.get_by_role("navigation", name="Huvudmeny").get_by_role("link", name="Registervård"))
    expect(page.get_by_text("4 saker väntar.")).to_be_visible()
    see.look(page, "overview", tour="register-care")
    hands.press(link(page, "Kort som har väntat länge"))
    see.look(page, "list")
    hands.press(button(page, "Spara"))
    refused(page, see, "nothing ticked")
    for box in page.locator("tbody").get_by_role("checkbox").all()[:2]:
        hands.choose(box)
    expect(page.get_by_text("Valda rader: 2")).to_be_visible()
    every = page.get_by_label("Alla rader på sidan")
    every.check()
    expect(page.get_by_text("Valda rader: 3")).to_be_visible()
    page.locator("tbody").get_by_role("checkbox").last.uncheck()
    expect(every).not_to_be_checked()
    expect(page.get_by_label("Skäl")).to_be_hidden()
    hands.press(button(page, "Spara"))
    told(page, "2 påminnelser skickas om en stund.")
    hands.press(page.get_by_role("navigation", name="Du är här").get_by_role("link", name="Registervård"))
    hands.press(link(page, "Avslutade personer med giltigt kort"))
    see.look(page, "ended")
    hands.press(page.locator("tbody th a"))
    see.look(page, "row")
    hands.press(link(page, "Visa person"))
    expect(page.get_by_role("heading", name="Registervård")).to_be_visible()
    see.look(page, "person")
    hands.press(link(page, "Avslutade personer med giltigt kort"))
    hands.press(link(page, "Till listan"))
    hands.choose(page.locator("tbody").get_by_role("checkbox").first)
    hands.choose(page.get_by_label("Skjut upp raderna"))
    hands.press(button(page, "Spara"))
    refused(page, see, "without reason")
    page.get_by_label("Visa dem igen").fill(str(clock.today() + dt.timedelta(days=7)))
    hands.write(page.get_by_label("Skäl"), "Chefen är ledig.")
    hands.press(button(page, "Spara"))
    told(page, "1 rad är uppskjuten.")
    see.look(page, "empty")


def test_an_officer_takes_care_of_rows(world: Any, portal: str, browser: Browser, settings: Any) -> None:
    settings.REMINDER_DAYS = []
    for left in (3, 20, 70):
        sent(world, world.post(), days_left=left)
    post = world.post()
    active(world, post)
    Post.objects.filter(pk=post.pk).update(ended_at=clock.now())
    night()
    activated(world, world.region, days=10, waited=9)
    count_outcome()
    eye = Looker("register-care")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        care(page, portal, Both(), eye)
    assert CardReminder.objects.count() == 2
    row = WorkItem.objects.get(kind="ended")
    assert (row.state, row.reason) == ("postponed", "Chefen är ledig.")
