"""Whole errands of finance by keys alone, and the states of a month that are rare, as a browser shows them."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from billing.credit.models import CreditRequest
from billing.delivery.models import Delivery
from billing.delivery.ports import AccessPoint, OutgoingDocument, Report, Status
from billing.delivery.services import sending
from billing.invoices.models import Invoice
from billing.invoices.services import series
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun, RunState
from billing.runs.services import approvals, requests, schedule
from billing.service import run_month
from issuance.authz import Actor, Role
from issuance.people.models.persons import Person
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Unavailable
from tests.axe import run_axe
from tests.billing.facts import Facts, uid
from tests.billing.page_world import PageWorld
from tests.billing.woken import Woken
from tests.billing.world import MUNICIPALITY, REGION, customer, slide_prices, tamper
from tests.browser import PICTURES, browser
from tests.portal import session_cookie

__all__ = ["browser"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)
RUNS = "/fakturor/manadskorning/"
MOST_STOPS = 60
"""How many presses of Tab a button may be away: the keyboard is no way if it is further."""
MOST_KEYS = 100

# Where the focus is, "" if it is nowhere, and whether a person sees it: it or its
# field has a ring, and nothing lies over it.
_FOCUS = """() => {
  const shown = document.activeElement;
  if (!shown || shown === document.body) return ["", false];
  const ringed = shown.closest(".ds-field:has(input[type=radio], input[type=checkbox])") ?? shown;
  const box = shown.getBoundingClientRect(), style = getComputedStyle(ringed);
  const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
  const x = (Math.max(box.left, 0) + Math.min(box.right, innerWidth)) / 2;
  const y = (Math.max(box.top, 0) + Math.min(box.bottom, innerHeight)) / 2;
  const top = document.elementFromPoint(x, y);
  const seen = top && (shown.contains(top) || top.contains(shown) || top.closest("label")?.control === shown);
  return [shown.outerHTML.slice(0, 120), Boolean(ring && seen)];
}"""


@dataclass
class Keys:
    """Hands that have a keyboard only. Each Tab has to land where a person sees it."""

    page: Page
    pressed: int = 0

    def press(self, key: str) -> None:
        """Presses one key."""
        self.page.keyboard.press(key)
        self.pressed += 1

    def write(self, text: str) -> None:
        """Types a text into the field that has the focus."""
        self.page.keyboard.type(text, delay=60)  # slower than a scanner
        self.pressed += len(text)

    def go_to(self, wanted: Locator) -> None:
        """Presses Tab until `wanted` has the focus, first through the link past the frame if the page has put it nowhere."""
        expect(wanted).to_be_visible()
        if self.page.evaluate("document.activeElement === document.body"):
            self.press("Tab")
            self.press("Enter")
            expect(self.page.locator("#innehall")).to_be_focused()  # the link moves the focus after the key
        for _ in range(MOST_STOPS):
            self.press("Tab")
            where, seen = self.page.evaluate(_FOCUS)
            assert where, "the focus is lost"
            assert seen, f"nobody sees the focus on {where}"
            if wanted.evaluate("each => each === document.activeElement"):
                return
        raise AssertionError(f"{MOST_STOPS} stops from where the focus was: {wanted}")

    def enter(self, wanted: Locator) -> None:
        """Goes to a link or a button and presses it."""
        self.go_to(wanted)
        self.press("Enter")


@dataclass
class Scene:
    """The month before this one by the real clock, with a customer's cards, and two people of finance with their browsers."""

    url: str
    month: Month
    facts: Facts
    people: list[Person]
    contexts: list[BrowserContext]

    def page(self, who: int) -> Page:
        """A new page of one of the two."""
        return self.contexts[who].new_page()

    def actor(self, who: int) -> Actor:
        """One of the two as services know them."""
        return actor_of_person(self.people[who].pk)

    def sold(self, party: Any, **data: Any) -> None:
        """Adds a customer with three cards in the month."""
        customer(party, **data)
        office = self.facts.office(f"office {party}", "Kontor A")
        self.facts.card(party, office, "589", self.month.start + dt.timedelta(days=10), n=3)

    @property
    def address(self) -> str:
        """The page of the month."""
        return f"{self.url}{RUNS}{self.month.code()}/"


@pytest.fixture
def scene(page_world: PageWorld, facts: Facts, browser: Browser, portal: str, woken: Woken) -> Iterator[Scene]:
    slide_prices()
    people = [page_world.person(Role.FINANCE_ADMIN, each) for each in (page_world.region, page_world.municipality)]
    now = dt.datetime.now(dt.UTC)
    with clock.moved_to(now):  # the portal uses the real clock
        contexts = []
        for person in people:
            contexts.append(browser.new_context(viewport={"width": 1440, "height": 900}))
            contexts[-1].add_cookies([session_cookie(person, portal)])  # type: ignore[list-item]
        made = Scene(portal, Month.of(now).previous(), facts, people, contexts)
        made.sold(REGION, name="Västra Götalandsregionen", organisation_number="2329990010")
        yield made
        for context in contexts:
            context.close()


def test_a_month_and_a_credit_note_by_keys_alone(scene: Scene) -> None:
    first, second = Keys(scene.page(0)), Keys(scene.page(1))
    page = first.page
    page.goto(scene.url + RUNS)
    first.enter(page.get_by_role("button", name=f"Öppna {scene.month}"))
    expect(page.get_by_text("Utkasten görs.")).to_be_visible()
    run = InvoiceRun.objects.get()
    schedule.draft(run.pk)
    first.enter(page.get_by_role("button", name="Släpp 1 faktura"))
    expect(page.get_by_role("heading", name="En annan person godkänner")).to_be_visible()

    other = second.page
    other.goto(f"{scene.url}/dagen/")
    waits = other.get_by_role("listitem").filter(has_text=f"Fakturorna för {scene.month} väntar på att godkännas")
    second.enter(waits.get_by_role("link").last)
    second.enter(other.get_by_role("button", name="Godkänn 1 faktura"))
    expect(other.get_by_text("Du har godkänt 1 faktura.")).to_be_visible()
    schedule.issue(run.pk)
    second.enter(other.get_by_role("link", name="Visa fakturorna"))
    number = Invoice.objects.get().number or ""
    second.enter(other.get_by_role("link", name=number, exact=True))
    second.enter(other.get_by_role("link", name="Kreditera rader"))
    second.go_to(other.get_by_role("radio", name="Fakturera igen"))
    second.press("Space")
    second.go_to(other.get_by_role("textbox", name="Antal att kreditera").first)
    second.write("1")
    second.go_to(other.get_by_role("textbox", name="Skäl"))
    second.write("Fel antal.")
    second.enter(other.get_by_role("button", name="Förhandsgranska kreditfakturan"))
    second.enter(other.get_by_role("button", name="Begär kreditering"))
    expect(other.get_by_role("heading", name="En annan person måste godkänna")).to_be_visible()

    page.goto(f"{scene.url}/fakturor/krediteringar/")
    first.enter(page.get_by_role("link", name=number, exact=True))
    first.enter(page.get_by_role("button", name="Godkänn krediteringen"))
    expect(page.get_by_role("heading", level=1, name="Kreditfaktura")).to_be_visible()
    assert CreditRequest.objects.get().credit_note is not None
    look(page, f"{scene.url}/fakturor/", "partly-credited")
    print(f"keys: {first.pressed} of the first person, {second.pressed} of the second")
    assert first.pressed + second.pressed <= MOST_KEYS


class Point:
    """An access point whose receiver rejects the first document, and that is down for all others."""

    def __init__(self) -> None:
        self.asked = 0

    def submit(self, document: OutgoingDocument) -> Report:
        self.asked += 1
        if self.asked > 1:
            raise Unavailable("access-point", "Borta.")
        return Report(Status.REJECTED, "Order number missing")

    def status(self, document: OutgoingDocument) -> Report:
        raise Unavailable("access-point", "Borta.")


def test_rare_states_of_a_month_are_clean_and_fit(scene: Scene) -> None:
    page, other = scene.page(0), scene.page(1)
    scene.sold(MUNICIPALITY, name="Demo kommun", organisation_number="2129990012")
    run_month(scene.month, actor_ref="user:test", issue=True)
    _send()
    (rejected, waiting) = (Delivery.objects.get(state=state).invoice.number for state in ("rejected", "waiting"))
    look(page, scene.address, "month-refused")
    look(page, f"{scene.url}/fakturor/leveranser/", "deliveries")
    look(page, f"{scene.url}/fakturor/leveranser/{rejected}/", "delivery-rejected")
    look(page, f"{scene.url}/fakturor/leveranser/{waiting}/", "delivery-waiting")
    look(page, f"{scene.url}/fakturor/{waiting}/", "invoice-on-its-way")

    scene.sold(uid("other"), name="Kommun Väst", organisation_number="2129990004")
    run_month(scene.month, actor_ref="user:test")
    run = InvoiceRun.objects.get()
    seen = approvals.reviewed(run).sha256
    approvals.release(actor=scene.actor(0), run_id=run.pk, seen=seen)
    approvals.approve(actor=scene.actor(1), run_id=run.pk, seen=seen)
    tamper(f"UPDATE billing_counter SET last_date = '{clock.today() + dt.timedelta(days=40)}'")
    schedule.issue(run.pk)
    assert InvoiceRun.objects.get().state == RunState.APPROVED
    look(page, scene.address, "month-stopped")
    look(page, f"{scene.url}/fakturor/nummerserie/", "series-locked")
    series.request_correction(actor=scene.actor(0), reason="Klockan gick före när månaden utfärdades.")
    look(page, f"{scene.url}/fakturor/nummerserie/", "series-own")
    look(other, f"{scene.url}/fakturor/nummerserie/", "series-pending")
    look(page, scene.address, "month-stopped-pending")

    requests.redraft(actor=scene.actor(0), run_id=run.pk)
    look(page, scene.address, "month-redrafting")
    schedule.draft(run.pk)
    expect(page.get_by_text("Ingen kund är stoppad.")).to_be_visible()  # the page has seen by itself that the drafts are made
    look(page, "", "month-redrafted")


def _send() -> None:
    before = ports.get(AccessPoint)
    ports.connect(AccessPoint, Point())
    sending.send_due()
    ports.connect(AccessPoint, before)


def look(page: Page, address: str, name: str) -> None:
    """No finding of axe, on a screen and on a phone; no sideways scroll, on a screen of tables neither."""
    if address:
        page.goto(address)
    assert page.locator("h1").count() == 1, name
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        if PICTURES:
            page.screenshot(path=f"{PICTURES}/{name}-{width}.png", full_page=True)
        results = run_axe(page)
        assert results.violations_count == 0, f"{name} at {width}: {results.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth") == width, f"{name} is wider than {width}"
        if width == 1440:
            frames = page.locator(".table-frame").evaluate_all("all => all.map(e => e.scrollWidth - e.clientWidth)")
            assert not any(frames), f"{name}: a column is hidden at full width"
    page.set_viewport_size({"width": 1440, "height": 900})
