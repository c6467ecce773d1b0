"""An organisation is ended and taken up again over HTTP, and in Chromium (ADR 0222)."""

from typing import Any

from playwright.sync_api import Browser, Page

from issuance.authz import Role
from issuance.organisations.models import Organisation
from issuance.organisations.services.organisations import OrganisationData, edit_organisation
from issuance.receipt_texts.services import set_receipt_text
from issuance.roles.models.grants import RoleGrant
from siths_portal.lib import clock
from tests.e2e.hands import Both, Hands
from tests.e2e.looking import Looker
from tests.issuance.operators.test_browser import button
from tests.issuance.organisations.test_browser import told
from tests.issuance.organisations.test_ended_organisations import end, ward
from tests.issuance.organisations.test_pages import MOST_QUERIES, admin, at, client_of, issuer
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.search.test_browser import desk
from tests.issuance.world import SETUP

END, REOPEN = "organisation_end", "organisation_reopen"


def test_it_is_ended_with_a_reason_and_taken_up_again(world: Any) -> None:
    client, page = issuer(world), at("organisation", world.clinic)
    assert at(END, world.clinic) in client.get(page).content.decode()
    asked = text_of(client.get(at(END, world.clinic)))
    assert "Kontoren kopplas bort från organisationen." in asked
    assert "Abonnemangsavgiften" not in asked
    for reason in ("", "x" * 501):
        assert client.post(at(END, world.clinic), {"reason": reason}).status_code == 422
    ended = client.post(at(END, world.clinic), {"reason": "Fel nivå"}, follow=True)
    text = text_of(ended)
    for each in ("Avslutad organisation", "Organisationen är avslutad.", "av HANDLÄGGARE PROVSSON", "Skäl: Fel nivå"):
        assert each.casefold() in text.casefold()
    for name in ("organisation_edit", "organisation_move", "organisation_articles", "sub_organisation_new", END):
        assert at(name, world.clinic) not in ended.content.decode()
    assert client.get(at(END, world.clinic)).url == page
    assert "Skäl: Fel nivå" in text_of(client.get(at("organisation_history", world.clinic)))
    again = client.post(at(REOPEN, world.clinic), follow=True)
    assert "Organisationen är återupptagen." in text_of(again)
    assert at(END, world.clinic) in again.content.decode()


def test_lists_leave_it_out_and_its_area_names_it_apart(world: Any) -> None:
    end(world.clinic)
    client = issuer(world)
    area = client.get(at("area", world.area))
    assert [line.name for line in area.context["ended"]] == ["Kliniken"]
    assert "1 avslutad organisation" in text_of(area)
    for name, place in (("area_tree", world.area), ("area_articles", world.area), ("office_connect", world.office)):
        assert "Kliniken" not in text_of(client.get(at(name, place))), name
    assert not client.get(at("organisation", world.region)).context["organisations"]
    end(world.city)
    own = admin(world).get(at("area_edit", world.area))
    assert "Staden" not in text_of(own)


def test_who_had_a_form_open_is_told_that_it_was_ended(world: Any) -> None:
    """Not that his role is amiss; what he typed is where the browser goes back to."""
    end(world.city)
    administers = admin(world)
    clients = dict.fromkeys(("customisation_new", "organisation_edit", "organisation_move", "organisation_fee"), administers)
    names = (
        "sub_organisation_new",
        "organisation_receipt_text",
        "organisation_articles",
        "organisation_offices",
        "customisation_request",
        *clients,
    )
    for name in names:
        page = clients.get(name, issuer(world)).post(at(name, world.city), {"regional_addition": "Nytt", "version": "0"})
        assert page.status_code == 409, name
        assert "Organisationen är avslutad, så inget i den kan ändras och inget har sparats." in text_of(page), name
    assert client_of(world.officer(role=Role.READER)).get(at("organisation_articles", world.region)).status_code == 403


def test_a_place_that_was_ended_meanwhile_is_said_to_be_none(world: Any) -> None:
    """Of the move that was to go there, before it is asked for and when it is confirmed."""
    end(world.city)
    client, target = issuer(world), f"organisation:{world.city.id}"
    for sent in ({"target": target}, {"target": target, "bekrafta": "1", "version": "1"}):
        page = client.post(at("organisation_move", world.clinic), sent)
        assert page.status_code == 403
        assert "Organisationen kan inte ligga där längre. Sök en annan plats." in text_of(page)
        assert page.context["form"]["text"].id_for_label in page.content.decode()


def test_what_lives_on_it_is_named_with_the_way_to_mend_it(world: Any, django_assert_max_num_queries: Any) -> None:
    ward(world)
    world.order(world.post(world.clinic))
    world.officer(world.clinic)
    client = issuer(world)
    with django_assert_max_num_queries(MOST_QUERIES):
        page = client.get(at(END, world.clinic))
    assert [bool(each.url) for each in page.context["against"]] == [True] * 4
    assert "Varför avslutas" not in text_of(page)
    sent = client.post(at(END, world.clinic), {"reason": "Fel"})
    assert (sent.status_code, "kan inte avslutas än" in text_of(sent)) == (409, True)
    top = admin(world).get(at(END, world.region))
    assert at("area_edit", world.area) in top.content.decode()


def test_one_below_an_ended_one_waits_for_it(world: Any) -> None:
    below = ward(world)
    end(below)
    end(world.clinic)
    client = issuer(world)
    assert "Organisationen ovanför är avslutad." in text_of(client.get(at("organisation", below)))
    assert "Återuppta den först." in text_of(client.post(at(REOPEN, below), follow=True))
    assert Organisation.objects.get(pk=below.pk).closed_at


def test_who_may_not_is_not_offered_it(world: Any) -> None:
    reader = client_of(world.officer(role=Role.GLOBAL_READER))
    for row, client in ((world.city, issuer(world)), (world.clinic, reader)):
        assert at(END, row) not in client.get(at("organisation", row)).content.decode()
        end(row)
        assert "Återuppta organisationen" not in text_of(client.get(at("organisation", row)))
        assert client.post(at(REOPEN, row)).status_code == 403


LONG = f"https://intranat.example.org/{'a' * 80}"
"""One word that is wider than a phone: every page takes it in lines (`look`)."""


def walk(page: Page, portal: str, hands: Hands, see: Any, world: Any) -> None:
    """The issuer ends a role that hinders, then the clinic, finds it in the area and takes it up again."""
    world.officer(world.clinic)
    page.goto(f"{portal}/administrera/organisation/{world.clinic.id}/")
    hands.press(page.get_by_role("link", name="Avsluta organisationen"))
    page.get_by_role("link", name="Ta bort rollerna").wait_for()
    see.look(page, "hindered")
    RoleGrant.objects.filter(organisation=world.clinic).update(valid_to=clock.now())
    page.reload()
    hands.write(page.get_by_label("Varför avslutas organisationen?"), f"Upplagd av misstag, se {LONG}")
    see.look(page, "asked")
    hands.press(button(page, "Avsluta organisationen"))
    told(page, "Organisationen är avslutad.")
    see.look(page, "ended")
    page.goto(f"{portal}/administrera/utgivningsomrade/{world.area.id}/")
    hands.press(page.locator("summary", has_text="1 avslutad organisation"))
    see.look(page, "listed")
    hands.press(page.get_by_role("link", name="Kliniken"))
    hands.press(button(page, "Återuppta organisationen"))
    told(page, "Organisationen är återupptagen.")


def test_by_keyboard_as_by_mouse_and_looked_at(world: Any, portal: str, browser: Browser) -> None:
    eye = Looker("ended-organisations")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        walk(page, portal, Both(), eye, world)
        for place in (world.region, world.clinic):
            set_receipt_text(actor=SETUP, organisation_id=place.id, regional_addition=f"Läs {LONG}")
        data = OrganisationData("Å" * 60, world.clinic.hsa_id, world.clinic.organisation_number)
        world.clinic.refresh_from_db()
        edit_organisation(actor=SETUP, organisation_id=world.clinic.id, version=world.clinic.version, data=data)
        page.set_viewport_size({"width": 320, "height": 900})
        for name, place in (("organisation_receipt_texts", world.region), ("organisation_history", world.region),
                            ("organisation", world.clinic)):  # fmt: skip
            page.goto(f"{portal}{at(name, place)}")
            assert page.evaluate("document.documentElement.scrollWidth") == 320, name
        page.goto(f"{portal}{at('organisation_receipt_text', world.clinic)}")
        page.get_by_role("button", name="Använd texten ovanifrån").wait_for()
        eye.look(page, "text from above")
