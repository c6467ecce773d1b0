"""A new issuing area from nothing, as a visitor with README and guide sets it up: places, offices, articles, role holders."""

import re
from collections.abc import Sequence

from playwright.sync_api import Browser, expect

from siths_portal.demo.newcomers import AREA, PLACES, REGION, Newcomer, NewPlace, newcomers
from tests.e2e import walk
from tests.e2e.desk import Desk, desk
from tests.e2e.hands import Mouse
from tests.e2e.outside import Registry, clerk
from tests.e2e.stage import Stage
from tests.lib.traffic import findings

SYSTEM_ADMIN = 0
OFFICES = (("Regionens kortkontor (70)", "Kortkontor Ost"), ("Ekköping (71)", "Ekköping"), ("Lindby (72)", "Lindby"))
CONNECTED: Sequence[tuple[str, ...]] = (("Region Ost", "Ost Privat Vård"), ("Ekköpings kommun",), ("Lindby kommun",))
ARTICLES = ("631 - Liggande kort utan foto", "677 - Liggande kort med foto")
ROLES = ("Biträdande utgivare", "ID-administratör", "ID-administratör", "ID-administratör")
"""Of the people after the first, who becomes responsible issuer."""


def set_up(stage: Stage, browser: Browser, registry: Registry) -> None:
    """The administration makes the area and appoints its issuer, who gives the other roles; no address or log names anybody."""
    issuer, *others = newcomers()
    with desk(stage, browser, Mouse(), "nytt-omrade") as made:
        seen = [made.traffic]
        walk.log_in(made, clerk(SYSTEM_ADMIN))
        places(made)
        offices(made)
        articles(made)
        appoint(made, issuer)
    with desk(stage, browser, Mouse(), "nytt-omrade-utgivaren") as made:
        seen.append(made.traffic)
        walk.log_in(made, issuer.person)
        made.reads("behöver registreras eller förnyas")
        made.look("Utgivarens första sida")
        give_roles(made, others)
        to_administration(made)
        made.press("Rollinnehavare")
        made.look("Rollinnehavare")
        for one in newcomers():
            made.reads(re.compile(one.person.register.surname))
    forbidden = registry.forbidden()
    assert [findings(each, [stage.house.var / "log"], forbidden) for each in seen] == [[], []]


def to_administration(made: Desk) -> None:
    """From anywhere."""
    made.hands.press(made.page.get_by_role("navigation", name="Huvudmeny").get_by_role("link", name="Administrera"))
    made.see("Översikt")


def to_area(made: Desk) -> None:
    """From anywhere."""
    to_administration(made)
    made.press(AREA)
    made.see(re.compile(AREA))


def to_organisation(made: Desk, name: str) -> None:
    """From anywhere; a sub-organisation stands on the page of the region."""
    to_area(made)
    if name in [place.name for place in PLACES if place.parent]:
        made.press(REGION.name)
    made.press(name)
    made.see(re.compile(f": {re.escape(name)}$"))


def fill(made: Desk, label: str, text: str) -> None:
    made.hands.write(made.page.get_by_role("main").get_by_label(label), text)


def told(made: Desk, text: str) -> None:
    expect(made.page.get_by_role("status").filter(has_text=text)).to_be_visible()


def places(made: Desk) -> None:
    to_administration(made)
    made.look("Översikt")
    made.press("Skapa utgivningsområde")
    made.look("Nytt utgivningsområde")
    fill(made, "Namn på utgivningsområde", AREA)
    fill(made, "Fakturareferens", "9200170")
    made.press("Skapa")
    told(made, "Utgivningsområdet är skapat.")
    made.look("Tomt utgivningsområde")
    made.press("Skapa organisationen")
    made.look("Ny organisation")
    organisation(made, REGION, fee=True)
    made.look("Ny region")
    for place in PLACES[1:3]:
        to_area(made)
        made.press("Skapa organisation")
        organisation(made, place, fee=True)
    to_organisation(made, REGION.name)
    made.press("Skapa underorganisation")
    made.look("Ny underorganisation")
    organisation(made, PLACES[3], fee=False)


def organisation(made: Desk, place: NewPlace, *, fee: bool) -> None:
    """Fills the form that is open and sends it."""
    fill(made, "Organisationsnamn", place.name)
    fill(made, "Organisations-id i användarkatalog", place.hsa_id)
    fill(made, "Organisationsnummer", place.organisation_number)
    if fee:
        made.page.get_by_label("Län").select_option("Östergötlands län")
        made.choose(re.compile("^Ja$"))
    else:
        made.choose(re.compile("^Den generella"))
    made.press("Skapa")
    told(made, "rganisationen är skapad.")


def offices(made: Desk) -> None:
    for number, (name, comment) in enumerate(OFFICES):
        to_area(made)
        made.press("Skapa kontor")
        fill(made, "Kontorets namn", name)
        fill(made, "Fakturakommentar", comment)
        made.reads(f"631, {comment}")
        if not number:
            made.look("Nytt kontor")
        made.press("Skapa")
        told(made, "Kontoret är skapat.")
        made.press("Koppla organisation")
        for connected in CONNECTED[number]:
            made.hands.choose(made.page.get_by_label(connected, exact=True))
        if not number:
            made.look("Koppla organisation")
        made.press("Koppla")
        told(made, "Organisationerna är kopplade.")
    made.look("Kontor")


def articles(made: Desk) -> None:
    for place in PLACES:
        to_organisation(made, place.name)
        made.press("Välj beställningsbara artiklar")
        for article in ARTICLES:
            made.hands.choose(made.page.get_by_label(article, exact=True))
        if place is REGION:
            made.look("Artiklar")
        made.press("Spara")
        told(made, "Beställningsbara artiklar är sparade.")


def appoint(made: Desk, issuer: Newcomer) -> None:
    to_area(made)
    made.look("Utgivningsområde utan utgivare")
    made.press("Utse ansvarig utgivare")
    made.look("Utse ansvarig utgivare")
    find(made, issuer)
    made.look("Hittad i katalogen")
    made.press("Lägg till")
    told(made, "Behörighetsrollen är tillagd.")
    made.look("Utgivningsområdet")


def find(made: Desk, one: Newcomer) -> None:
    """Searches by number, and the one who is found is chosen already."""
    fill(made, "Sök person", one.person.person_id.value)
    made.press("Sök")
    expect(made.page.get_by_role("radio", name=re.compile(one.person.register.surname))).to_be_checked()


def give_roles(made: Desk, others: Sequence[Newcomer]) -> None:
    for number, (one, role) in enumerate(zip(others, ROLES, strict=True)):
        to_organisation(made, one.place.name)
        if not number:
            made.look("Utgivarens region")
        made.hands.press(made.page.get_by_role("main").get_by_role("link", name=re.compile("^(Lägg till|Redigera) .*roll")).first)
        made.see(re.compile("Behörighetsroller|Lägg till behörighetsroll"))
        if made.page.get_by_role("heading", level=1).inner_text().endswith("Behörighetsroller"):
            made.press("Lägg till behörighetsroll")
        made.choose(role)
        find(made, one)
        made.press("Lägg till")
        told(made, "Behörighetsrollen är tillagd.")
    made.look("Roller i organisationen")


def check(stage: Stage) -> None:
    """What the walk made is there."""
    of_area = f"FROM issuance_issuingarea a JOIN issuance_organisation o ON o.area_id = a.id WHERE a.name = '{AREA}'"
    assert stage.ask(f"SELECT count(*), count(o.parent_id) {of_area}") == "4|1"
    offices_of = f"SELECT count(*) FROM issuance_office f JOIN issuance_issuingarea a ON a.id = f.area_id WHERE a.name = '{AREA}'"
    assert stage.ask(offices_of) == "3"
    ticks = "SELECT count(*) FROM issuance_organisationarticle t JOIN issuance_organisation o ON o.id = t.organisation_id"
    assert stage.ask(f"{ticks} WHERE t.orderable AND o.hsa_id IN ({', '.join(repr(place.hsa_id) for place in PLACES)})") == "8"
    grants = "SELECT g.role FROM issuance_rolegrant g LEFT JOIN issuance_organisation o ON o.id = g.organisation_id "
    grants += f"JOIN issuance_issuingarea a ON a.id = coalesce(g.area_id, o.area_id) WHERE a.name = '{AREA}' ORDER BY 1"
    assert stage.ask(grants).split() == ["deputy_issuer", *["id_administrator"] * 3, "responsible_issuer"]
