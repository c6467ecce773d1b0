"""Card customisations over HTTP and in Chromium: how a card looks, what is missing, verification, edits, history."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from authn.models import ServiceClient
from issuance.authz import Role
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import (
    CustomisationData,
    edit_customisation,
    register_generic_customisation,
    verify_customisation,
)
from issuance.organisations.models import Organisation
from issuance.organisations.services.ending import end_organisation
from siths_portal.demo.logotypes import put_logotype
from tests.e2e.hands import Keyboard, Mouse
from tests.e2e.looking import Looker
from tests.issuance.operators.test_browser import button, heading, link, refused
from tests.issuance.organisations.test_browser import told
from tests.issuance.organisations.test_pages import MOST_QUERIES, admin, at, client_of, fields_of, issuer
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.search.test_browser import desk
from tests.issuance.world import SETUP, verified_customisation


def own(world: Any) -> CardCustomisation:
    return CardCustomisation.objects.get(organisations=world.region)


def unverified(world: Any, **values: Any) -> CardCustomisation:
    CardCustomisation.objects.filter(organisations=world.region).update(verified_at=None, verified_by_ref="", **values)
    return own(world)


def generic(world: Any) -> CardCustomisation:
    row = register_generic_customisation(
        actor=SETUP,
        customisation_id="1000000000",
        name="Generell",
        issuer_number="1000",
        back_text="Box 1",
        supplier_ref="bureau",
    )
    Organisation.objects.filter(pk=world.clinic.pk).update(customisation=row)
    return row


def seen(page: Any) -> dict[str, str]:
    """What the page's form of verification would send."""
    return dict(re.findall(r'name="(version|logotyp)" value="([^"]*)"', page.content.decode()))


class TestPage:
    """A customisation as it is printed, and what its reader may do."""

    def test_the_issuer_verifies_what_he_saw(self, world: Any) -> None:
        row, client = unverified(world), issuer(world)
        page = client.get(at("customisation", row))
        text = text_of(page)
        assert "Kort kan inte beställas med kortanpassningen förrän den är verifierad." in text
        assert "data:image/png;base64,iVBOR" in page.content.decode()
        assert "Väntar på verifiering" in text
        for drawn in ("Utfärdarnummer 1549.", "Baksidestext: Upphittat kort skickas till Box 1."):
            assert drawn in page.content.decode()
        assert client.post(at("customisation", row), seen(page)).url == at("customisation", row)
        text = text_of(client.get(at("customisation", row)))
        assert re.search(r"Verifierad \d{4}-\d\d-\d\d av Handläggare Provsson", text)
        assert "Kortanpassningen verifierades" in text_of(client.get(at("customisation_history", row)))
        assert "Kortanpassningen verifierades" in text_of(client.get(at("organisation_history", world.region)))

    @pytest.mark.parametrize(
        ("part", "told_"),
        [("logotype", "Logotyp Kortleverantören laddar upp logotypen"), ("issuer_number", "Utfärdarnummer SITHS-förvaltningen"),
         ("back_text", "Baksidestext SITHS-förvaltningen")],
    )  # fmt: skip
    def test_what_is_missing_is_told_and_cannot_be_verified(self, world: Any, part: str, told_: str) -> None:
        row, client = unverified(world, **{part: None if part == "logotype" else ""}), issuer(world)
        page = client.get(at("customisation", row))
        assert told_ in text_of(page)
        assert seen(page) == {}
        sent = {"version": row.version, "logotyp": row.logotype_id or ""}
        assert client.post(at("customisation", row), sent).status_code == 409
        assert own(world).verified_at is None

    def test_what_changed_meanwhile_is_shown_again_and_not_verified(self, world: Any) -> None:
        row, client = unverified(world), issuer(world)
        sent = seen(client.get(at("customisation", row)))
        edit_customisation(
            actor=SETUP, customisation_id=row.id, version=1, data=CustomisationData("Kort", "1550", "Box 2", "bureau")
        )
        page = client.post(at("customisation", row), sent)
        assert page.status_code == 409
        assert "ändrades sedan du öppnade sidan" in text_of(page)
        assert "Utfärdarnummer 1550." in page.content.decode()
        assert client.post(at("customisation", row), seen(page)).status_code == 302
        for odd in ("", "x", "9" * 30):
            unverified(world)
            assert client.post(at("customisation", row), {"version": odd}).status_code == 409

    def test_the_generic_one_is_read_by_all_and_kept_by_the_administration(self, world: Any) -> None:
        row = generic(world)
        page = issuer(world).get(at("customisation", row))
        assert "Generell kortanpassning : Generell" in text_of(page)
        assert "Redigera" not in text_of(page)
        assert issuer(world).get(at("customisation_edit", row)).status_code == 403
        assert "Kliniken TST2321000131-1004" in text_of(page)
        assert "Redigera" in text_of(admin(world).get(at("customisation", row)))
        assert "den generella kortanpassningen, som SITHS-förvaltningen sköter" in text_of(
            issuer(world).get(at("organisation_customisation", world.clinic))
        )

    def test_long_lines_are_drawn_within_the_card(self, world: Any) -> None:
        row = unverified(world, back_text="Kort\n" + "W" * 45)
        content = issuer(world).get(at("customisation", row)).content.decode()
        assert content.count('textLength="760"') == 1
        assert "style=" not in content[content.index("<svg viewBox") :]


class TestOrganisation:
    """Which customisation holds for an organisation."""

    def test_from_above_it_is_shown_and_opens_for_those_who_see_above(self, world: Any) -> None:
        deputy = client_of(world.officer(world.clinic, Role.DEPUTY_ISSUER))
        page = deputy.get(at("organisation_customisation", world.clinic))
        assert "Den från Regionen gäller" in text_of(page)
        assert "Utfärdarnummer 1549." in page.content.decode()
        assert "Öppna kortanpassningen" not in text_of(page)
        assert deputy.get(at("customisation", own(world))).status_code == 404
        assert "Öppna kortanpassningen" in text_of(issuer(world).get(at("organisation_customisation", world.clinic)))

    def test_the_administration_gives_an_organisation_its_own(self, world: Any) -> None:
        page = admin(world).get(at("organisation_customisation", world.clinic))
        assert at("customisation_new", world.clinic) in page.content.decode()
        ServiceClient.objects.create(client_ref="bureau", kind="supplier", name="Tryckeriet")
        sent = {"name": "Kliniken", "customisation_id": "7837803902", "issuer_number": "154", "back_text": ""}
        sent |= {"supplier_ref": "bureau"}
        refused_ = admin(world).post(at("customisation_new", world.clinic), sent)
        assert (refused_.status_code, "4 siffror" in text_of(refused_)) == (422, True)
        taken = admin(world).post(at("customisation_new", world.clinic), sent | {"issuer_number": ""})
        assert (taken.status_code, "Det finns redan" in text_of(taken)) == (409, True)
        made = admin(world).post(
            at("customisation_new", world.clinic), sent | {"issuer_number": "", "customisation_id": "7837803999"}
        )
        row = CardCustomisation.objects.get(pending_at=world.clinic)
        assert made.url == at("customisation", row)
        assert "Ofullständig" in text_of(admin(world).get(made.url))

    def test_before_an_own_one_is_registered_the_form_says_what_holds_until_it_is_verified(self, world: Any) -> None:
        ward, ended = (
            world.organisation(name, f"TST2321000131-{number}", "2321000131", area=world.area, parent=world.clinic)
            for name, number in (("Avdelningen", 7001), ("Den nedlagda", 7002))
        )
        end_organisation(actor=SETUP, organisation_id=ended.id, reason="Fel")
        client, address = admin(world), at("customisation_new", world.clinic)
        with CaptureQueriesContext(connection) as queries:
            text = text_of(client.get(address))
        assert len(queries) <= MOST_QUERIES
        assert "Kort för Kliniken beställs nu med kortanpassningen Kort (från Regionen)." in text
        assert "Den fortsätter att gälla tills" in text
        assert "När den nya är verifierad gäller den också för Avdelningen." in text
        verified_customisation(ward, "7837803906")
        assert "gäller den också" not in text_of(client.get(address))
        Organisation.objects.filter(pk=world.clinic.pk).update(customisation=generic(world))
        put_logotype(generic_ := CardCustomisation.objects.get(generic=True))
        assert "beställs nu" not in text_of(client.get(address))
        verify_customisation(actor=SETUP, customisation_id=generic_.id)
        assert "med kortanpassningen Generell (den generella)." in text_of(client.get(address))
        Organisation.objects.update(customisation=None)
        assert "beställs nu" not in text_of(client.get(address))

    def test_many_below_are_counted(self, world: Any) -> None:
        for count in range(12):
            world.organisation(
                f"Enhet {count:02}", f"TST2321000131-{7000 + count}", "2321000131", area=world.area, parent=world.clinic
            )
        page = text_of(admin(world).get(at("customisation_new", world.clinic)))
        assert "Enhet 00, Enhet 01, " in page
        assert "Enhet 09 och 2 till." in page

    def test_none_says_what_to_do(self, world: Any) -> None:
        Organisation.objects.update(customisation=None)
        assert "Ingen kortanpassning" in text_of(issuer(world).get(at("organisation_customisation", world.region)))


def test_the_list_by_state_and_scope(world: Any) -> None:
    unverified(world, logotype=None)
    row = generic(world)
    client, address = issuer(world), reverse("customisations")
    rows = client.get(f"{address}?ordning=-id").context["list"].lines
    assert [each.customisation_id for each in rows] == ["7837803903", "7837803902", "1000000000"]
    assert [each.name for each in client.get(f"{address}?status=verified").context["list"].lines] == ["Kort"]
    assert [each.organisation for each in client.get(f"{address}?status=incomplete&ordning=id").context["list"].lines] == [
        "",
        "Regionen",
    ]
    assert client.get(f"{address}?status=vad").status_code == 422
    stranger = client_of(world.officer(world.stranger, Role.RESPONSIBLE_ISSUER))
    assert [each.id for each in stranger.get(address).context["list"].lines] == [row.id]


def test_the_second_of_two_who_edit_is_told_and_loses_nothing_typed(world: Any) -> None:
    row, client = own(world), admin(world)
    page = client.get(at("customisation_edit", row))
    assert "verifieringen" in text_of(page)
    sent = {**fields_of(page), "back_text": "Mitt"}
    edit_customisation(actor=SETUP, customisation_id=row.id, version=1, data=CustomisationData("Kort", "1549", "Deras", "bureau"))
    again = client.post(at("customisation_edit", row), sent)
    assert again.status_code == 409
    assert "Baksidestext: Upphittat kort skickas till Box 1 → Deras" in text_of(again)
    assert fields_of(again)["back_text"] == "Mitt"
    assert client.post(at("customisation_edit", row), fields_of(again)).status_code == 302
    assert own(world).back_text == "Mitt"


def test_who_chose_the_generic_one_before_another_gave_an_own_is_told(world: Any) -> None:
    register_generic_customisation(
        actor=SETUP,
        customisation_id="1000000000",
        name="Generell",
        issuer_number="1000",
        back_text="Box 1",
        supplier_ref="bureau",
    )
    client, address = issuer(world), at("organisation_edit", world.clinic)
    sent = fields_of(client.get(address)) | {"customisation": "generic", "name": "Mitt namn"}
    row = verified_customisation(world.clinic, "7837803905")
    again = client.post(address, sent)
    assert (again.status_code, fields_of(again)["name"]) == (409, "Mitt namn")
    for told_ in ("Kortanpassning: ingen egen → Kort", "Kortanpassning kan inte längre väljas här. Valet sparades inte."):
        assert told_ in text_of(again)
    assert client.post(address, fields_of(again)).status_code == 302
    world.clinic.refresh_from_db()
    assert (world.clinic.name, world.clinic.customisation_id) == ("Mitt namn", row.id)
    assert client.post(address, fields_of(client.get(address)) | {"customisation": "generic"}).status_code == 409


def test_the_generic_one_is_made_on_a_page(world: Any) -> None:
    client, address = admin(world), reverse("customisation_new_generic")
    assert address in client.get(reverse("customisations")).content.decode()
    ServiceClient.objects.create(client_ref="bureau", kind="supplier", name="Tryckeriet")
    sent = {"name": "SITHS eID", "customisation_id": "1000000000", "issuer_number": "1000", "back_text": "Box 1"}
    missing = client.post(address, sent)
    assert (missing.status_code, "Välj kortleverantör." in text_of(missing)) == (422, True)
    sent |= {"supplier_ref": "bureau"}
    assert client.post(address, sent).status_code == 302
    assert client.post(address, sent | {"customisation_id": "1000000001"}).status_code == 409
    assert address not in client.get(reverse("customisations")).content.decode()


def test_few_queries(world: Any) -> None:
    client, row = issuer(world), own(world)
    addresses = [reverse("customisations"), at("organisation_customisation", world.clinic)]
    for address in (*addresses, at("customisation", row), at("customisation_history", row)):
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        assert len(queries) <= MOST_QUERIES, address


def walk(page: Page, portal: str, see: Any, world: Any) -> None:
    """The administration gives an organisation its own customisation and an article; nothing is verified before it is whole."""
    mouse = Mouse()
    page.goto(f"{portal}/administrera/organisation/{world.clinic.id}/")
    mouse.press(page.get_by_role("navigation").get_by_role("link", name="Kortanpassning"))
    mouse.press(link(page, "Skapa en egen"))
    mouse.press(button(page, "Skapa kortanpassningen"))
    refused(page, see, "refused")
    mouse.write(page.get_by_label("Kortanpassnings-id"), "7837803905")
    mouse.press(button(page, "Skapa kortanpassningen"))
    told(page, "Kortanpassningen är skapad.")
    see.look(page, "nothing yet")
    mouse.press(link(page, "Redigera"))
    mouse.write(page.get_by_label("Utfärdarnummer"), "5874")
    text = "Upphittat kort skickas ituklippt till:\nKliniken\nBox 17703\n123 45 Demostad\nKundservice: 0771 - 00 00 00"
    mouse.write(page.get_by_label("Baksidestext"), text)
    mouse.press(button(page, "Spara"))
    told(page, "Kortanpassningen är sparad.")
    mouse.press(page.get_by_role("navigation", name="Du är här").get_by_role("link", name="Kortanpassningar"))
    see.look(page, "list")
    page.goto(f"{portal}/administrera/organisation/{world.clinic.id}/kortanpassning/")
    see.look(page, "pending")
    mouse.press(page.get_by_role("navigation", name="Du är här").get_by_role("link", name="Administrera"))
    mouse.press(page.get_by_role("link", name="Artiklar"))
    see.look(page, "catalogue")
    mouse.press(link(page, "Skapa artikel"))
    mouse.press(button(page, "Skapa artikeln"))
    refused(page, see, "article refused")
    mouse.write(page.get_by_label("Artikelnummer"), "777")
    mouse.write(page.get_by_label("Namn"), "Liggande kort med foto")
    page.get_by_label("Slag").select_option(label="Ordinarie kort")
    mouse.choose(page.get_by_label("Liggande"))
    mouse.choose(page.get_by_role("group", name="Foto på kortet").get_by_label("Ja"))
    mouse.press(button(page, "Skapa artikeln"))
    told(page, "Artikeln är skapad.")
    see.look(page, "article")


def verify(page: Page, portal: str, see: Any, row: CardCustomisation) -> None:
    """The issuer verifies it by keyboard alone."""
    keys = Keyboard()
    page.goto(f"{portal}/administrera/kortanpassning/{row.id}/")
    see.look(page, "whole")
    keys.press(button(page, "Verifiera kortanpassningen"))
    told(page, "Kortanpassningen är verifierad och gäller nu för nya kort för Kliniken.")
    see.look(page, "verified")
    keys.press(page.get_by_role("link", name="Historik"))
    heading(page, "Kortanpassning: Kliniken")
    expect(page.get_by_role("rowheader").filter(has_text="Kortanpassningen verifierades")).to_be_visible()
    see.look(page, "history")


def test_in_a_browser(world: Any, portal: str, browser: Browser) -> None:
    ServiceClient.objects.create(client_ref="bureau", kind="supplier", name="Tryckeriet")
    eye = Looker("administration-customisations")
    with desk(browser, portal, world.officer(role=Role.MASTER_DATA_ADMIN)) as page:
        eye.follow(page.context)
        walk(page, portal, eye, world)
    row = CardCustomisation.objects.get(pending_at=world.clinic)
    put_logotype(row)
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        verify(page, portal, eye, row)
    row.refresh_from_db()
    assert row.verified_by_ref == world.officer(role=Role.RESPONSIBLE_ISSUER).ref
