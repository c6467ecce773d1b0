"""Roles in a real browser at a real process: axe in each state, both widths, by mouse and by keyboard alone."""

import datetime as dt
import re
from typing import Any

from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from issuance.authz import Role
from issuance.organisations.models import Organisation
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, Post
from issuance.roles.domain import QualificationKind
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import role_tree
from issuance.roles.services import qualifications, role_assignment
from siths_portal.lib import clock
from tests.browser import look
from tests.e2e.hands import Both, Keyboard
from tests.issuance.person_page.test_browser import logged_in
from tests.issuance.roles.test_role_requests import administrator
from tests.issuance.world import SETUP


def test_a_role_from_the_organisation_and_its_end(world: Any, browser: Browser, portal: str) -> None:
    """Given, changed, trained for and ended; by keyboard alone, where the mouse could do it too."""
    person, hands = world.post(given_name="Bengt", surname="Persson").person, Both()
    role_assignment.assign_role(
        actor=SETUP, person_id=world.post(given_name="Jörgen", surname="Sand").person_id, role=Role.ID_ADMINISTRATOR,
        organisation_id=world.region.id,
    )  # fmt: skip
    issuer = world.officer(role=Role.RESPONSIBLE_ISSUER, protected=True)
    with logged_in(browser, portal, issuer) as page:
        page.goto(portal + reverse("organisation", args=[world.region.id]))
        hands.press(page.get_by_role("link", name="Redigera roller"))
        look(page, "roller-organisation")
        give_the_role(page, hands, person)
        look(page, "roller-person")
        change_it_and_record_training(page, hands)
        hands.press(page.get_by_role("link", name="Ta bort ID-administratör"))
        look(page, "roller-ta-bort")
        hands.press(page.get_by_role("button", name="Ta bort"))
        expect(page.get_by_text("Behörighetsrollen är borttagen")).to_have_count(1)
        page.goto(portal + reverse("person_roles", args=[person.id]))
        page.get_by_role("link", name="Visa avslutade behörighetsroller").click()
        expect(page.get_by_role("row", name="ID-administratör Nej Regionen")).to_have_count(1)
        look(page, "roller-person-avslutade")
        page.goto(portal + reverse("organisation_history", args=[world.region.id]))
        assert page.get_by_text("Innehavare: Bengt Persson").count() == 3
        look(page, "roller-organisation-historik")
    grant = person.role_grants.get()
    assert (grant.protected_persons, grant.valid_to is not None, person.qualifications.count()) == (False, True, 1)


def give_the_role(page: Page, hands: Both, person: Person) -> None:
    """From the organisation's roles to the person's."""
    hands.press(page.get_by_role("link", name="Lägg till behörighetsroll"))
    look(page, "roller-lagg-till")
    page.get_by_text("Vad får rollen göra?").click()
    look(page, "roller-lagg-till-rattigheter")
    hands.choose(page.get_by_label("ID-administratör", exact=True))
    hands.choose(page.get_by_label("Hantera skyddade personer"))
    hands.write(page.get_by_label("Sök person"), person.identifiers.get().value)
    hands.press(page.locator("main").get_by_role("button", name="Sök", exact=True))
    look(page, "roller-traff")
    assert page.get_by_label("ID-administratör", exact=True).is_checked()
    hands.press(page.get_by_role("button", name="Lägg till rollen", exact=True))
    expect(page.get_by_role("row", name="Persson, Bengt ID-administratör Ja Regionen")).to_have_count(1)
    hands.press(page.get_by_role("link", name="Persson, Bengt", exact=True))


def change_it_and_record_training(page: Page, hands: Both) -> None:
    """The role loses its right to protected persons, which it was given with."""
    hands.press(page.get_by_role("link", name="Ändra ID-administratör"))
    hands.choose(page.get_by_label("Hantera skyddade personer"))
    hands.press(page.get_by_role("button", name="Spara"))
    page.get_by_text("Behörighetsrollen är ändrad").wait_for()
    hands.press(page.get_by_role("link", name="Registrera utbildning eller personkontroll"))
    hands.choose(page.get_by_label("Utbildning", exact=True))
    hands.reach(page.get_by_label("Genomförd och godkänd den"))
    for _ in ("year", "month", "day"):
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowRight")
    hands.press(page.get_by_role("button", name="Registrera"))
    page.wait_for_url("**/roller/")


def test_one_after_the_other_in_the_area(world: Any, browser: Browser, portal: str) -> None:
    """By keyboard: a miss, another number, who was found is confirmed, places are ticked, and the page stays."""
    people, hands = [world.post(given_name="Bengt", surname=name).person for name in ("Almén", "Ekblad")], Keyboard()
    with logged_in(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        page.goto(portal + reverse("area", args=[world.area.id]))
        hands.press(page.get_by_role("link", name="Lägg till roller").first)
        page.wait_for_url("**/lagg-till-roller/")
        look(page, "roller-i-omradet")
        field = page.get_by_label("Sök person")
        hands.write(field, "Finns Inte")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Inga träffar")).to_be_visible()
        look(page, "roller-i-omradet-ingen")
        expect(field).to_be_focused()
        hands.write(field, people[0].identifiers.get().value)
        expect(page.get_by_text("Inga träffar")).to_be_hidden()
        hands.choose(page.get_by_label("ID-administratör", exact=True))
        for place in ("Kliniken", "Staden"):
            hands.choose(page.get_by_label(place, exact=True))
        hands.press(page.get_by_role("button", name="Lägg till rollen", exact=True))
        expect(page.get_by_text("Rollen är inte tillagd än")).to_be_visible()
        expect(page.get_by_label("Almén, Bengt")).to_be_checked()
        look(page, "roller-i-omradet-traff")
        hands.press(page.get_by_role("button", name="Lägg till rollen", exact=True))
        expect(
            page.get_by_role("status").filter(has_text="Bengt Almén har rollen ID-administratör i Kliniken och Staden.")
        ).to_be_visible()
        expect(field).to_be_focused()
        expect(page.get_by_label("ID-administratör", exact=True)).not_to_be_checked()
        look(page, "roller-i-omradet-nasta")
        hands.write(field, "Ekblad")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Ekblad, Bengt")).to_be_checked()
        hands.choose(page.get_by_label("ID-administratör", exact=True))
        hands.choose(page.get_by_label("Regionen", exact=True))
        hands.press(page.get_by_role("button", name="Lägg till rollen", exact=True))
        expect(page.get_by_role("status").filter(has_text="Bengt Ekblad har rollen ID-administratör i Regionen.")).to_be_visible()
        hands.press(page.get_by_role("link", name="Registrera utbildning eller personkontroll", exact=True))
        expect(page.get_by_role("heading", level=1)).to_have_text("Registrera utbildning eller personkontroll")
    assert [person.role_grants.count() for person in people] == [2, 1]


def test_organisations_of_a_large_area_are_asked_for(world: Any, browser: Browser, portal: str) -> None:
    """By keyboard: Enter in their field asks for them and for nobody, and what is ticked stays."""
    Organisation.objects.bulk_create(
        Organisation(
            area=world.area,
            name=f"Ort {number:03}",
            hsa_id=f"TST2120001561-9{number:03}",
            organisation_number="2120001561",
            scope_path=f"{world.area.scope_path}ort{number:03}/",
            created_at=clock.now(),
        )
        for number in range(role_tree.MOST)
    )
    person, hands = world.post(given_name="Bengt", surname="Almén").person, Keyboard()
    with logged_in(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        page.goto(portal + reverse("area_role_add", args=[world.area.id]))
        hands.write(page.get_by_label("Sök person"), "Almén")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Almén, Bengt")).to_be_checked()
        hands.choose(page.get_by_label("Läs", exact=True))
        for name in ("Ort 017", "Klin"):
            hands.write(page.get_by_label("Sök organisation"), name)
            with page.expect_navigation():  # to a page that says the same as the one before
                page.keyboard.press("Enter")
            expect(page.get_by_text("1 organisation passar")).to_be_visible()
            hands.choose(page.get_by_label(re.compile(f"^{name}")))
            assert page.get_by_label("Almén, Bengt").is_checked()
        look(page, "roller-i-stort-omrade")
        hands.press(page.get_by_role("button", name="Lägg till rollen", exact=True))
        expect(page.get_by_role("status").filter(has_text="Bengt Almén har rollen Läs i Kliniken och Ort 017.")).to_be_visible()
    assert person.role_grants.count() == 2


def test_places_in_the_tree_by_keyboard_alone(world: Any, browser: Browser, portal: str) -> None:
    person = world.post(given_name="Bengt", surname="Persson").person
    issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
    with logged_in(browser, portal, issuer) as page:
        page.goto(portal + reverse("person_roles", args=[person.id]))
        look(page, "roller-person-inga")
        page.get_by_role("link", name="Lägg till behörighetsroll").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/roller/ny/")
        look(page, "roller-valj-roll")
        page.get_by_label("Biträdande utgivare", exact=True).focus()
        page.keyboard.press("ArrowDown")
        assert page.get_by_label("ID-administratör", exact=True).is_checked()
        page.keyboard.press("Enter")
        page.wait_for_url("**/?roll=id_administrator*")
        look(page, "roller-trad")
        page.keyboard.press("Tab")
        for place in ("Kliniken", "Staden"):
            for _ in range(40):
                if page.evaluate("document.activeElement.labels?.[0]?.innerText") == place:
                    break
                page.keyboard.press("Tab")
            page.keyboard.press("Space")
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**/roller/")
        look(page, "roller-person-tva")
    assert {grant.organisation for grant in person.role_grants.select_related("organisation")} == {world.clinic, world.city}


def test_a_global_role_is_requested_by_one_and_given_by_another(world: Any, browser: Browser, portal: str) -> None:
    first, second = administrator(world), administrator(world, given_name="Ester", surname="Andra")
    person = world.post(given_name="Bo", surname="Ny").person
    with logged_in(browser, portal, first) as page:
        page.goto(portal + reverse("search"))
        page.get_by_label("Person-id, tjänste-id").fill(person.identifiers.get().value)
        page.locator("main").get_by_role("button", name="Sök", exact=True).click()
        page.get_by_role("link", name="Administrera behörighetsroller").click()
        page.get_by_role("link", name="Lägg till behörighetsroll").click()
        expect(page.get_by_role("radio", checked=True)).to_have_count(0)
        page.get_by_label("Förvaltningsadmin PKI", exact=True).check()
        page.get_by_role("button", name="Nästa").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Begär rollen Förvaltningsadmin PKI")
        look(page, "roller-begar")
        page.get_by_label("Skäl", exact=True).fill("Ny i förvaltningen")
        act = page.locator("form.panel button[name=gor][value=utfor]")
        expect(act).to_have_text("Begär rollen")
        act.click()
        expect(page.get_by_text("Rollen Förvaltningsadmin PKI är begärd. Personen får den när en annan")).to_be_visible()
        expect(page.get_by_text("Ingen behörighetsroll gäller nu. 1 väntar på beslut.")).to_be_visible()
        look(page, "roller-person-begard")
        page.get_by_role("link", name=re.compile("^Ny, Bo")).click()
        expect(page.get_by_text("Du har själv lämnat begäran. Be en kollega att besluta.")).to_be_visible()
        expect(page.get_by_role("radio")).to_have_count(0)
        assert page.locator("main [name=gor][value=utfor]:visible").all_inner_texts() == ["Ta tillbaka begäran"]
        look(page, "roller-begard-egen")
    assert not person.role_grants.exists()
    with logged_in(browser, portal, second) as page:
        page.goto(portal + reverse("administration"))
        page.get_by_role("link", name="begärd roll väntar på ditt beslut", exact=True).click()
        page.get_by_role("link", name=re.compile("^Ny, Bo")).click()
        expect(page.get_by_role("radio", checked=True)).to_have_count(0)
        look(page, "roller-begard-besluta")
        page.get_by_label("Godkänn, så får personen rollen").check()
        page.get_by_role("button", name="Spara beslutet").click()
        expect(page.get_by_text("Ny, Bo har fått rollen Förvaltningsadmin PKI.")).to_be_visible()
        look(page, "roller-begarda")
    assert person.role_grants.get().role == Role.PKI_OPERATOR


def test_training_and_the_list_of_holders(world: Any, browser: Browser, portal: str) -> None:
    people = [world.post(given_name="Prov", surname=f"{name}sson").person for name in ("Alm", "Björk", "Ek")]
    long_ago = clock.now() - dt.timedelta(days=500)
    for person, days in zip(people, (10, 370, 450), strict=True):
        RoleGrant.objects.create(person=person, role="id_administrator", organisation=world.region, valid_from=long_ago)
        for kind in QualificationKind:
            passed = clock.today() - dt.timedelta(days=days)
            qualifications.record(actor=SETUP, person_id=person.id, kind=kind, passed_on=passed)
    issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
    left = world.post(given_name="Prov", surname="Slutat")
    RoleGrant.objects.create(person=left.person, role="reader", organisation=world.region, valid_from=long_ago)
    Post.objects.filter(pk=left.pk).update(ended_at=clock.now())
    PersonScope.objects.filter(person=left.person).delete()
    with logged_in(browser, portal, issuer) as page:
        page.goto(portal + reverse("role_holders"))
        look(page, "rollinnehavare")
        page.get_by_label("Visa").select_option("stoppade")
        page.get_by_role("button", name="Filtrera").click()
        look(page, "rollinnehavare-stoppade")
        page.get_by_label("Visa").select_option("vilande")
        page.get_by_label("Namn, eller början av det").fill("s")
        page.get_by_label("Namn, eller början av det").press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("Skriv minst 2 bokstäver")
        look(page, "rollinnehavare-fel")
        page.get_by_label("Namn, eller början av det").fill("Slut")
        page.get_by_role("button", name="Filtrera").click()
        expect(page).to_have_url(re.compile(r"\?visa=vilande&sokning=[0-9a-f-]+$"))
        look(page, "rollinnehavare-vilande")
        page.get_by_role("link", name="Ta bort Läs, Slutat, Prov").click()
        look(page, "roller-ta-bort-slutat")
        page.get_by_role("button", name="Ta bort").click()
        expect(page.get_by_text("Ingen rollinnehavare")).to_be_visible()
        page.get_by_role("link", name="Registrera utbildning och personkontroll").click()
        look(page, "utbildning-flera")
        page.get_by_role("button", name="Registrera").click()
        look(page, "utbildning-flera-fel")
        first = page.get_by_label("Björksson, Prov")
        page.get_by_label("Alla 2 i listan").check()
        assert (first.is_checked(), page.get_by_label("Eksson, Prov").is_checked()) == (True, True)
        page.get_by_label("Eksson, Prov").uncheck()
        assert (page.get_by_label("Alla 2 i listan").is_checked(), first.is_checked()) == (False, True)
        page.get_by_label("Båda").check()
        page.get_by_label("Genomförd och godkänd den").fill(f"{clock.today()}")
        page.get_by_role("button", name="Registrera").click()
        expect(page.get_by_role("status").filter(has_text="utbildningen är registrerade för 1 rollinnehavare")).to_be_visible()
        page.goto(f"{portal}{reverse('role_holders')}?visa=stoppade")
        page.get_by_role("link", name="Eksson, Prov").click()
        look(page, "roller-person-stoppad")
        page.get_by_role("link", name="Registrera utbildning eller personkontroll").click()
        page.get_by_role("button", name="Registrera").click()
        look(page, "utbildning-fel")
        page.get_by_label("Utbildning", exact=True).check()
        page.get_by_label("Genomförd och godkänd den").fill(f"{clock.today()}")
        page.get_by_role("button", name="Registrera").click()
        page.wait_for_url("**/roller/")
        look(page, "roller-person-utbildad")
        page.goto(portal + reverse("role_rights"))
        frame = page.locator(".table-frame")
        for width, shadow in ((390, True), (1440, False)):
            page.set_viewport_size({"width": width, "height": 900})
            assert frame.evaluate("each => each.scrollWidth > each.clientWidth") is shadow
            expect(frame).to_have_css("box-shadow", re.compile("inset" if shadow else "^none$"))
        look(page, "rattigheter")
        grant = people[0].role_grants.get()
        page.goto(portal + reverse("role_change", args=[grant.id]))
        look(page, "roller-andra")
