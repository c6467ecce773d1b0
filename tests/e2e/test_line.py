"""The whole line in Chromium on the running house, by keyboard as by mouse, and a new area by mouse.

One module, so that one worker founds one house. Each test takes people of its own, and the order of tests does not matter. What
people do wrong on the way is tested where it costs less: `tests/issuance/orders`, `activation`, `revocation`, `tests/authn`.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, expect

from siths_portal.demo.portraits import portrait_of
from tests.browser import browser
from tests.e2e import outside, setting_up, walk
from tests.e2e.desk import Desk, desk
from tests.e2e.hands import Both, Hands
from tests.e2e.outside import FIRST_CLERK, Holder, Registry, await_ocsp, clerk
from tests.e2e.stage import Stage
from tests.e2e.stage import stage as running_stage
from tests.lib.traffic import findings, log_findings

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.timeout(1800)

ISSUER, READER = 3, 9
CODE = "19283746"
LOST = "Förlorat eller stulet"
ALL_FOUR = 4


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """The house; what all tests leave in its database and logs has no PUK, code or PIN in clear, and its logs name nobody.

    Logs only grow, so they are read once. A read of the register may rename a person while a test runs, so the names of each
    test are looked for.
    """
    with running_stage() as made:
        yield made
        assert made.in_clear(CODE) == []
        made.forbidden()
        assert log_findings([made.house.var / "log"], made.ever_forbidden) == []


@pytest.fixture(scope="module")
def registry(stage: Stage) -> Registry:
    return Registry(stage)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "foto.jpg"
    file.write_bytes(portrait_of(5))
    return file


def leak_free(registry: Registry, made: Desk) -> None:
    """Nothing personal was seen in the desk's traffic or lies in a queue."""
    forbidden = registry.forbidden()
    assert findings(made.traffic, [], forbidden) == []
    queued = registry.queued()
    assert [term for term in forbidden if len(term) > 7 and term in queued] == []


def test_the_line(stage: Stage, browser: Browser, registry: Registry, photo: Path, tmp_path: Path) -> None:
    """From log-in to log-out as the slides show it; the new card's holder logs in with it in between."""
    hands, holder = Both(), registry.role_holder(READER)
    with desk(stage, browser, hands, "linjen") as made:
        made.see("SITHS eID Portal")
        made.show("Startsidan")
        walk.log_in(made, clerk(FIRST_CLERK), look=True)
        made.see(walk.SEARCHES)
        made.look("Dagen", tour="search")
        look_at_cards_in_every_state(made)
        order_it(made, registry, holder, photo)
        registry.await_state(holder, "sent")
        activate_it(made, registry, holder, tmp_path)
        log_in_with_it(stage, browser, hands)
        revoke_it(made, registry, holder)
        publish_it(stage, registry, holder, made)
        leave(made, holder)
        leak_free(registry, made)
        invoices(stage, browser, registry, hands)


def look_at_cards_in_every_state(made: Desk) -> None:
    """From Dagen and back: a scan of an old card's serial, in groups, opens that card; others that ended come on demand."""
    day = made.page.url
    walk.find(made, "9752 9000 000 0000 0001")
    expect(made.page.locator("article[id^=barare]")).to_have_count(3)
    walk.open_carrier(made)
    made.hands.press(walk.function(made, "Visa ogiltiga bärare"))
    expect(made.page.locator("article[id^=barare]")).to_have_count(4)
    for status in ("Aktiv", "Spärrat", "Utgånget"):
        expect(made.page.locator("article[id^=barare] .carrier-head").get_by_text(status, exact=True)).to_be_visible()
    made.look("Alla lägen", tour="person")
    made.page.goto(day)


def order_it(made: Desk, registry: Registry, holder: Holder, photo: Path) -> None:
    walk.find(made, holder.written)
    made.show("Person utan kort")
    walk.order(made, photo, look=True)
    walk.choose_office(made, office="Privata vårdgivare")
    made.show("Beställning efter ändring", tour="order-review")
    made.press("Beställ kortet")
    made.see(re.compile("är beställt$"))
    made.show("Beställt")
    walk.at_ordered(made)
    made.show("Beställd")
    assert registry.carriers(holder) in (["ordered"], ["sent"])


def activate_it(made: Desk, registry: Registry, holder: Holder, folder: Path) -> None:
    walk.open_person(made, holder.written)
    made.reads("Skickat")
    made.show("Nytt kort")
    walk.begin_activation(made, look=True)
    made.show("Väntar på appen", tour="activate-follow")
    app = walk.open_app(made)
    assert app.evaluate("window.opener") is None, "the app must not reach the clerk's page"
    walk.insert_card(made, app, registry.serial(holder), look=True)
    made.reads("Välj din kod i appen")
    made.show("Kortet hittat")
    for pair in registry.certificates(holder).values():
        await_ocsp(pair, "ON_HOLD")
    walk.choose_code(made, app, CODE, look=True)
    made.reads("Koden är vald")
    assert registry.carriers(holder) == ["activated_unsigned"]
    walk.sign(made, app, CODE, look=True)
    app.close()
    made.see(re.compile("kort är aktiverat$"))
    made.show("Aktiverad", tour="activated")
    assert registry.carriers(holder) == ["active"]
    made.press("Avsluta")
    walk.at_person(made)
    made.reads("Aktivering lyckades! Ordinarie kort aktiverat")
    walk.open_carrier(made)
    made.show("Aktivt kort")
    walk.show_other_errands(made)
    made.hands.press(walk.function(made, "Visa elektronisk kvittens"))
    made.see(re.compile("[Kk]vittens"))
    made.show("Kvittensen")
    printed = made.page.get_by_role("link", name=re.compile("^Skriv ut")).get_attribute("href")
    answer = made.page.context.request.get(f"{made.stage.portal}{printed}")
    assert answer.headers["content-type"] == "application/pdf"
    outside.check_receipt(answer.body(), registry, holder, folder)
    made.hands.press(walk.function(made, "Tillbaka till personen"))
    for pair in registry.certificates(holder).values():
        await_ocsp(pair, "GOOD")


def log_in_with_it(stage: Stage, browser: Browser, hands: Hands) -> None:
    with desk(stage, browser, hands, "kortet") as own:
        walk.log_in_with_card(own, clerk(READER), CODE)
        own.see(walk.SEARCHES)
        own.look("Inloggad med kortet")


def revoke_it(made: Desk, registry: Registry, holder: Holder) -> None:
    walk.at_person(made)
    walk.open_carrier(made)
    walk.revoke(made, "Spärra SITHS eID", "Avslutad anställning", look=True)
    made.look("SITHS eID spärrat")
    pairs = registry.certificates(holder)
    for profile, pair in pairs.items():
        await_ocsp(pair, "REVOKED" if "hsaid" in profile else "GOOD")
    assert (registry.carriers(holder), registry.eids(holder)) == (["active"], ["revoked"])
    made.press("Till personen")
    walk.at_person(made)
    walk.open_carrier(made)
    made.look("Kort med spärrat SITHS eID")
    walk.revoke(made, "Spärra kort", LOST, look=True, tour=True)
    for pair in pairs.values():
        await_ocsp(pair, "REVOKED")
    made.reads("Syns nu")
    made.show("Kort spärrat", tour="revoked")
    assert registry.carriers(holder) == ["revoked"]


def publish_it(stage: Stage, registry: Registry, holder: Holder, made: Desk) -> None:
    pairs = registry.certificates(holder)
    assert len(pairs) == ALL_FOUR
    stage.manage("pki_publish_crls")
    for pair in pairs.values():
        assert pair[0].serial_number in outside.crl_numbers(pair)
    made.page.reload()
    expect(made.page.get_by_text("Publicerad", exact=True)).to_have_count(2)
    made.look("Spärrlistorna publicerade")


def leave(made: Desk, holder: Holder) -> None:
    """Logs out; neither the back button nor the address shows the person again."""
    made.press("Till personen")
    walk.at_person(made)
    address = made.page.url
    made.hands.press(made.page.get_by_role("button", name="Logga ut"))
    made.see("Du är utloggad")
    for _ in range(3):
        made.page.wait_for_load_state("networkidle")
        with contextlib.suppress(Error):  # the answer to a form is not shown again
            made.page.go_back()
        expect(made.page.get_by_text(holder.written)).to_have_count(0)
    made.page = made.new_tab()  # in the old one the last way back may still be under way
    made.page.goto(address)
    made.see("Logga in")


def invoices(stage: Stage, browser: Browser, registry: Registry, hands: Hands) -> None:
    """The issuer's invoices of last month, down to the events, where nobody is named."""
    month = registry.last_month()
    stage.manage("billing_run", "--month", month, "--issue")
    with desk(stage, browser, hands, "fakturor") as made:
        walk.log_in(made, clerk(ISSUER))
        made.hands.press(made.page.get_by_role("navigation").get_by_role("link", name="Fakturor", exact=True))
        made.see("Fakturor")
        made.look("Fakturor")
        made.hands.press(made.page.get_by_role("main").get_by_role("link", name=re.compile(r"^\d{4}-\d{6}$")).first)
        made.see(re.compile(r"^Faktura \d{4}-\d{6}$"))
        made.look("En faktura", tour="invoice")
        made.hands.press(made.page.get_by_role("main").get_by_role("table").locator("tbody").get_by_role("link").first)
        expect(made.page).to_have_url(re.compile("/rad/"))
        made.reads("Personer visas inte")
        made.look("En rad med sina händelser")
        said = made.page.get_by_role("main").inner_text()
        assert [word for word in registry.forbidden() if len(word) > 7 and word in said] == []
        leak_free(registry, made)


def test_a_new_area_is_set_up(stage: Stage, browser: Browser, registry: Registry) -> None:
    """As a new user does it with README and guide: a region, two municipalities, a private provider, offices, articles, roles."""
    setting_up.set_up(stage, browser, registry)
    setting_up.check(stage)
