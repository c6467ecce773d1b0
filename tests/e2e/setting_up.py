"""A new issuing area from nothing, as a visitor with README and guide sets it up: places, offices, articles, role holders."""

import re
from collections.abc import Sequence

from playwright.sync_api import Browser, expect

from siths_portal.demo.newcomers import AREA, ARTICLES, OFFICES, PLACES, REGION, Newcomer, NewPlace, newcomers
from siths_portal.lib import clock
from tests.e2e import walk
from tests.e2e.desk import Desk, desk
from tests.e2e.effort import CountedMouse
from tests.e2e.outside import Registry, clerk
from tests.e2e.stage import Stage
from tests.lib.traffic import findings

MASTER_DATA_ADMIN = 0
MOST_SECONDS = 600
"""Ten minutes, by the keystroke-level model."""
ONE_MORE = "Skapa och lägg till en till"
ADD = "Lägg till rollen"


def set_up(stage: Stage, browser: Browser, registry: Registry) -> None:
    """The administration makes the area and appoints its issuer, who gives the other roles; no address names anybody."""
    issuer, *others = newcomers()
    hands = CountedMouse()
    with desk(stage, browser, hands, "nytt-omrade") as made:
        hands.effort.watch(made.page.context)
        seen = [made.traffic]
        walk.log_in(made, clerk(MASTER_DATA_ADMIN))
        places(made)
        offices(made)
        articles(made)
        appoint(made, issuer)
        train(made, 1)
        made.look("Utgivningsområdet")
    with desk(stage, browser, hands, "nytt-omrade-utgivaren") as made:
        hands.effort.watch(made.page.context)
        seen.append(made.traffic)
        walk.log_in(made, issuer.person)
        made.look("Utgivarens första sida")
        give_roles(made, others)
        to_administration(made)
        made.press("Rollinnehavare")
        made.show("Rollinnehavare")
        for one in newcomers():
            made.reads(re.compile(one.person.register.surname))
    print(hands.effort, f"{hands.effort.seconds:.0f} s")
    assert hands.effort.seconds < MOST_SECONDS, hands.effort
    forbidden = registry.forbidden()
    assert [findings(each, [], forbidden) for each in seen] == [[], []]


def to_administration(made: Desk) -> None:
    """From anywhere."""
    made.hands.press(made.page.get_by_role("navigation", name="Huvudmeny").get_by_role("link", name="Administrera"))
    made.see("Översikt")


def fill(made: Desk, label: str, text: str) -> None:
    made.hands.write(made.page.get_by_role("main").get_by_label(label), text)


def told(made: Desk, text: str) -> None:
    expect(made.page.get_by_role("status").filter(has_text=text)).to_be_visible()


def places(made: Desk) -> None:
    to_administration(made)
    made.show("Översikt")
    made.press("Skapa utgivningsområde")
    made.show("Nytt utgivningsområde")
    fill(made, "Namn på utgivningsområde", AREA)
    fill(made, "Fakturareferens", "9200170")
    made.press("Skapa utgivningsområdet")
    told(made, "Utgivningsområdet är skapat.")
    made.show("Tomt utgivningsområde")
    made.press("Skapa organisationen")
    made.show("Ny organisation")
    organisation(made, REGION)
    made.page.get_by_label("Län").select_option("Östergötlands län")
    made.choose(re.compile("^Ja$"))
    made.press(ONE_MORE)
    told(made, f"Organisationen {REGION.name} är skapad.")
    made.look("En organisation till")
    organisation(made, PLACES[1])
    made.press(ONE_MORE)
    told(made, f"Organisationen {PLACES[1].name} är skapad.")
    organisation(made, PLACES[2])
    made.press("Skapa organisationen")
    told(made, f"Organisationen {PLACES[2].name} är skapad.")
    made.show("Utgivningsområde med organisationer")
    made.press(REGION.name)
    made.press("Skapa underorganisation")
    made.show("Ny underorganisation")
    organisation(made, PLACES[3])
    made.choose(re.compile("^Den generella"))
    made.press("Skapa underorganisationen")
    told(made, f"Underorganisationen {PLACES[3].name} är skapad.")
    made.look("Ny underorganisation är skapad")


def organisation(made: Desk, place: NewPlace) -> None:
    """Fills in what no two have in common in the form that is open."""
    fill(made, "Organisationsnamn", place.name)
    fill(made, "Organisations-id i användarkatalog", place.hsa_id)
    fill(made, "Organisationsnummer", place.organisation_number)


def offices(made: Desk) -> None:
    made.hands.press(made.page.get_by_role("navigation", name="Du är här").get_by_role("link", name="Utgivningsområde"))
    made.press("Skapa kontor")
    for number, office in enumerate(OFFICES):
        fill(made, "Kontorets namn", office.name)
        fill(made, "Fakturakommentar", office.invoice_comment)
        made.reads(re.compile(rf"^\d+, {office.invoice_comment}$"))
        for connected in office.of:
            made.hands.choose(made.page.get_by_label(connected, exact=True))
        last = number == len(OFFICES) - 1
        look = made.look if last else made.show
        look("Ett kontor till" if number else "Nytt kontor")
        made.press("Skapa kontoret" if last else ONE_MORE)
        told(made, f"Kontoret {office.name} är skapat")


def articles(made: Desk) -> None:
    made.look("Utgivningsområde utan artiklar")
    made.press("4 organisationer saknar artiklar")
    for article in ARTICLES:
        made.hands.choose(made.page.get_by_label(article, exact=True))
    made.hands.choose(made.page.get_by_label("Alla 4 i utgivningsområdet"))
    made.show("Artiklar för flera organisationer")
    made.press("Lägg till artiklarna")
    told(made, f"{len(ARTICLES)} artiklar är tillagda för 4 organisationer.")


def appoint(made: Desk, issuer: Newcomer) -> None:
    made.look("Utgivningsområde utan utgivare")
    made.press("Utse ansvarig utgivare")
    made.look("Utse ansvarig utgivare")
    find(made, issuer, button="Utse ansvarig utgivare")
    made.look(f"Hittad, {issuer.place.name}")
    give(made, issuer, button="Utse ansvarig utgivare")


def find(made: Desk, one: Newcomer, *, button: str = ADD) -> None:
    """Writes the number, and is shown whose it is."""
    fill(made, "Sök person", one.person.person_id.value)
    made.press(button)
    expect(made.page.get_by_role("radio", name=re.compile(one.person.register.surname))).to_be_checked()


def give(made: Desk, one: Newcomer, *, button: str = ADD) -> None:
    """Gives what is chosen to whom was found."""
    made.press(button)
    told(made, one.person.register.surname)


def train(made: Desk, count: int) -> None:
    """Of all in the area who lack it, where the area's next step leads."""
    made.reads(f"{count} rollinnehavare saknar utbildning eller personkontroll")
    step = made.link("Registrera utbildning").or_(made.link(f"{count} rollinnehavare saknar utbildning eller personkontroll"))
    made.hands.press(step.first)
    made.show(f"Utbildning saknas, {count}")
    if count > 1:  # one alone is picked already
        made.hands.choose(made.page.get_by_label(f"Alla {count} i listan"))
    made.choose("Båda")
    fill(made, "Genomförd och godkänd den", f"{clock.today()}")
    made.press("Registrera för de valda")
    told(made, f"Personkontrollen och utbildningen är registrerade för {count} rollinnehavare")


def give_roles(made: Desk, others: Sequence[Newcomer]) -> None:
    made.reads("Det finns steg kvar att göra i utgivningsområdet innan kort kan beställas.")
    made.press("Visa stegen")
    made.see(re.compile(AREA))
    made.show("Utgivarens område")
    made.reads("3 organisationer saknar kortanpassning")
    made.press("Välj kortanpassning")
    made.show("Utan kortanpassning")
    made.press("Använd den generella kortanpassningen tills vidare för 3 organisationer")
    told(made, "Den generella kortanpassningen gäller nu för")
    made.reads("4 organisationer saknar någon som beställer")
    made.press("Lägg till roller")
    for one in others:
        made.choose(one.role)
        made.hands.choose(made.page.get_by_label(one.place.name, exact=True))
        find(made, one)
        made.show(f"Hittad, {one.place.name}")
        give(made, one)
    made.show("Roller i området")
    made.press("Till utgivningsområdet")
    train(made, len(others))
    made.reads("Faktureringen är inte klar")
    made.reads("Stegen som är kvar görs av SITHS-förvaltningen")
    made.look("Färdigt område")


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
