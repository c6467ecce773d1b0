"""How Administrera's pages lie in Chromium: long names, lists on a phone, lists beside the functions, and lists on paper."""

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from issuance.authz import Role
from issuance.offices.models import Office
from issuance.organisations.models import IssuingArea
from issuance.roles.models.grants import RoleGrant
from siths_portal.lib import clock
from tests.issuance.person_page.test_browser import logged_in
from tests.issuance.roles.test_pages import assign
from tests.issuance.search.test_holders import holder
from tests.targets import small_targets

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 900}
NARROW = (390, 320)
ONE_LONG_WORD = "Specialistläkarmottagningsverksamhetsutvecklingssamordningsenhet"
OF_ALL = ("administration", "role_holders", "articles", "customisations", "setup_import", "help", "settings")
OF_THE_AREA = ("area", "area_history", "area_articles")
OF_THE_ORGANISATION = tuple(f"organisation{page}" for page in ("", "_holders", "_roles", "_history", "_articles"))
_OVERFLOWS = """() => [...document.querySelectorAll(".table-frame")].filter(each => each.scrollWidth > each.clientWidth)
  .map(each => each.getAttribute("aria-labelledby"))"""
_LINES = """each => {
  const words = document.createRange();
  words.selectNodeContents(each);
  return new Set([...words.getClientRects()].map(box => Math.round(box.y))).size;
}"""
_PLACES_OF_VALUES = """() => {
  const words = document.createRange(), places = new Set();
  for (const each of document.querySelectorAll(".stacked td[data-label]")) {
    words.selectNodeContents(each);
    places.add(Math.round(Math.min(...[...words.getClientRects()].map(box => box.x)) - each.getBoundingClientRect().x));
  }
  return [...places];
}"""
"""How far from the edge of their row the values of a stacked table begin."""


def lists(world: Any) -> list[str]:
    """Addresses of pages with lists."""
    return [
        *(
            reverse(name)
            for name in ("administration", "role_holders", "articles", "customisations", "setup_import", "help", "settings")
        ),
        *(reverse(name, args=[world.area.id]) for name in OF_THE_AREA),
        *(reverse(name, args=[world.region.id]) for name in OF_THE_ORGANISATION),
    ]


def opened(page: Page) -> None:
    """All that is folded on the page is opened."""
    page.evaluate("document.querySelectorAll('main details').forEach(each => each.open = true)")


def with_content(world: Any) -> Any:
    """A responsible issuer of an area where somebody has a role and somebody a card."""
    person = world.post(given_name="Bengt", surname="Almén").person
    assign(world, person, Role.ID_ADMINISTRATOR, organisation_id=world.region.id)
    world.region.name = "Västra Götalandsregionen"
    world.region.save()
    holder(world, "Götalandsson")
    world.post(given_name="Cilla", surname="Almén")
    return world.officer(role=Role.RESPONSIBLE_ISSUER)


def test_long_names_stay_on_the_page(world: Any, browser: Browser, portal: str) -> None:
    """As the longest organisation's name in one word, and an area's of a hundred characters."""
    world.clinic.name = ONE_LONG_WORD
    world.clinic.save()
    Office.objects.filter(pk=world.office.pk).update(name=ONE_LONG_WORD[:60], invoice_comment=ONE_LONG_WORD[:60])
    IssuingArea.objects.filter(pk=world.area.pk).update(name=("Samordnade rehabiliteringsverksamheter " * 3)[:100])
    pages = (
        *(reverse(name, args=[world.area.id]) for name in ("area", "area_tree", "office_new", "area_role_add")),
        *(reverse(name, args=[world.clinic.id]) for name in ("organisation", "organisation_articles", "organisation_offices")),
    )
    with logged_in(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        for address in pages:
            page.goto(portal + address)
            for width in (*NARROW, 1440):
                page.set_viewport_size({**WIDE, "width": width})
                assert page.evaluate("document.documentElement.scrollWidth") == width, address
                assert width == 1440 or small_targets(page) == [], (width, address)
            assert page.evaluate(_OVERFLOWS) == [], address
        page.set_viewport_size(PHONE)
        page.goto(portal + pages[2])
        name = page.get_by_role("navigation", name="Du är här").locator(f"a[href='{pages[0]}']")
        below = name.evaluate("each => each.getBoundingClientRect().y - each.parentElement.getBoundingClientRect().y")
        assert below < 8, "a name stands beside its slash"
        page.goto(portal + pages[-1])
        steps = page.get_by_role("navigation", name="Du är här").locator("li")
        *above, here = steps.all()
        heights = [step.bounding_box()["height"] for step in above]  # type: ignore[index]
        assert all(20 < height < 40 for height in heights), "each step is in sight, and one longer than the line ends in …"
        assert not here.is_visible(), "which is the heading"


@pytest.mark.usefixtures("authorities")
def test_each_list_is_whole_beside_the_functions_on_paper_and_on_a_phone(world: Any, browser: Browser, portal: str) -> None:
    """Each page is opened once and drawn at each width and on paper; all that is folded is opened for the narrow screens."""
    with logged_in(browser, portal, with_content(world)) as page:
        for address in lists(world):
            page.goto(portal + address)
            for width in (1366, 1440):
                page.set_viewport_size({**WIDE, "width": width})
                assert page.evaluate(_OVERFLOWS) == [], (width, address)
            on_paper_it_goes_on(page)
            opened(page)
            for width in NARROW:
                page.set_viewport_size({**PHONE, "width": width})
                assert page.evaluate(_OVERFLOWS) == [], (width, address)
            page.set_viewport_size(WIDE)
        page.goto(portal + reverse("organisation_holders", args=[world.region.id]))
        assert page.get_by_role("cell", name="TST2321000131-").first.evaluate(_LINES) == 1
    with logged_in(browser, portal, world.officer(role=Role.MASTER_DATA_ADMIN)) as page:
        page.goto(portal + reverse("articles"))
        expect(page.get_by_role("link", name="Skapa artikel")).to_be_visible()
        assert page.evaluate(_OVERFLOWS) == []


def on_paper_it_goes_on(page: Page) -> None:
    """Nothing of a list is beyond the edge, and a long one goes on on the next sheet."""
    page.set_viewport_size({"width": 720, "height": 1000})
    page.emulate_media(media="print")
    for frame in page.locator(".table-frame").all():
        expect(frame).to_have_css("overflow-x", "visible")
        expect(frame.locator("table").first).to_have_css("break-inside", "auto")
    assert page.locator(".list-filters").filter(visible=True).count() == 0
    page.emulate_media(media="screen")


@pytest.mark.usefixtures("authorities")
def test_on_a_phone_hits_are_whole_lists_are_sorted_and_filters_fold(world: Any, browser: Browser, portal: str) -> None:
    with logged_in(browser, portal, with_content(world)) as page:
        hits_are_whole_and_a_list_can_be_sorted(page, portal)
        values_stand_in_a_column_and_filters_fold(page, portal, world)


def hits_are_whole_and_a_list_can_be_sorted(page: Page, portal: str) -> None:
    page.set_viewport_size(PHONE)
    page.goto(portal + reverse("search"))
    page.get_by_label("Namn", exact=True).fill("Almén")
    page.get_by_label("Namn", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="2 träffar")).to_be_visible()
    page.wait_for_load_state()  # to ask for a layout does not wait for style sheets
    for width in NARROW:
        page.set_viewport_size({**PHONE, "width": width})
        assert page.evaluate(_OVERFLOWS) == [], width
        assert page.locator(".hsa-id").first.evaluate(_LINES) == 1, width
    page.set_viewport_size(PHONE)
    page.goto(portal + reverse("role_holders"))
    assert _said_before(page, ".stacked thead tr") == '"Sortera efter"'
    assert _said_before(page, "[aria-sort] .sort-mark") == '", stigande "'
    page.get_by_role("link", name="Namn", exact=True).click()
    page.wait_for_url("**ordning=-namn")
    assert _said_before(page, "[aria-sort] .sort-mark") == '", fallande "'
    expect(page.get_by_role("columnheader", name="Namn")).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_role("row", name="Almén, Bengt")).to_contain_text("ID-administratör")


def _said_before(page: Page, selector: str) -> str:
    found: str = page.locator(selector).first.evaluate("each => getComputedStyle(each, '::before').content")
    return found


def values_stand_in_a_column_and_filters_fold(page: Page, portal: str, world: Any) -> None:
    """A wide screen shows the filters and nothing that folds them. A phone shows a set one as a chip, and all if one is wrong."""
    address = portal + reverse("organisation_holders", args=[world.region.id])
    page.set_viewport_size(WIDE)
    fold, field = page.locator("main .list-frame .filter-fold"), page.get_by_label("Status")
    page.goto(address)
    expect(field).to_be_visible()
    expect(fold.locator("summary")).to_be_hidden()
    page.set_viewport_size(PHONE)
    expect(field).to_be_hidden()
    assert len(page.evaluate(_PLACES_OF_VALUES)) == 1
    for width in NARROW:
        page.set_viewport_size({**PHONE, "width": width})
        assert page.get_by_role("cell", name="TST2321000131-").first.evaluate(_LINES) == 1, width
    fold.get_by_text("Filtrera listan").press("Enter")
    page.get_by_role("search", name="Filtrera listan").get_by_label("Status").select_option("Skickat")
    page.get_by_role("button", name="Filtrera").click()
    expect(page.get_by_role("link", name="Ta bort filtret Status: Skickat")).to_be_visible()
    expect(field).to_be_hidden()
    page.goto(f"{address}?status=borta")
    expect(page.locator(".ds-error-summary")).to_be_focused()
    expect(field).to_be_visible()
    page.goto(portal + reverse("role_holders"))
    expect(page.get_by_label("Behörighetsroll")).to_be_hidden()
    page.goto(f"{portal}{reverse('role_holders')}?roll={Role.READER.value}")
    expect(page.get_by_label("Behörighetsroll")).to_be_hidden()
    page.get_by_role("link", name="Ta bort filtret Behörighetsroll: Läs").click()
    page.wait_for_url(f"**{reverse('role_holders')}")


def test_who_the_page_is_about_is_told_in_whole_words_on_a_phone(world: Any, browser: Browser, portal: str) -> None:
    person = world.post(given_name="Bengt", surname="Almén").person
    with logged_in(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        page.goto(portal + reverse("person_roles", args=[person.id]))
        for width in (390, 360, 320):
            page.set_viewport_size({**PHONE, "width": width})
            for word in ("name", "id"):
                assert page.locator(f".person-head .person-{word}").evaluate(_LINES) == 1, (width, word)
            assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_main_menu_opens_on_a_phone(world: Any, browser: Browser, portal: str) -> None:
    """Of a person who has all three parts of the administration, and so every entry: Dagen, Sök, Registervård and those three."""
    admin = world.officer(role=Role.MASTER_DATA_ADMIN)
    for role in (Role.PKI_OPERATOR, Role.FINANCE_ADMIN):
        RoleGrant.objects.create(person_id=admin.person_id, role=role.value, valid_from=clock.now())
    with logged_in(browser, portal, admin) as page:
        page.set_viewport_size(PHONE)
        page.goto(portal + reverse("administration"))
        page.get_by_role("button", name="Meny").click()
        entries = page.get_by_role("navigation", name="Huvudmeny").locator(":scope > ul > li").all()
        assert len(entries) == 6
        for each in entries:
            expect(each.get_by_role("link").first).to_be_in_viewport()
