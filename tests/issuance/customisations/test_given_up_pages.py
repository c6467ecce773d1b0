"""An organisation gives its own card customisation up over HTTP and in Chromium; the supplier of a customisation's cards."""

import re
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from playwright.sync_api import Browser

from authn.models import ServiceClient
from issuance.authz import Role
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import register_customisation, register_generic_customisation
from issuance.customisations.services.removal import remove_customisation
from issuance.organisations.models import Organisation
from tests.e2e.hands import Keyboard
from tests.e2e.looking import Looker
from tests.issuance.operators.test_browser import button, heading, link
from tests.issuance.organisations.test_browser import told
from tests.issuance.organisations.test_pages import MOST_QUERIES, admin, at, client_of, fields_of, issuer
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.search.test_browser import desk
from tests.issuance.world import SETUP, verified_customisation

NUMBER = "7837803905"


def own(organisation: Organisation) -> CardCustomisation | None:
    return Organisation.objects.select_related("customisation").get(pk=organisation.pk).customisation


def shown(page: Any) -> dict[str, str]:
    """What the page's form would send."""
    return dict(re.findall(r'name="(egen|ovanifran)" value="([^"]*)"', page.content.decode()))


class TestGivingUp:
    """What comes of it is told before; what changed meanwhile is told anew."""

    def test_told_then_done_then_in_both_histories(self, world: Any) -> None:
        ServiceClient.objects.create(client_ref="bureau", kind="supplier", name="Tryckeriet")
        row, client = verified_customisation(world.clinic, NUMBER), admin(world)
        CardCustomisation.objects.filter(pk=row.pk).update(name="Klinikens")
        world.organisation("Avdelningen", "TST2321000131-1007", "2321000131", area=world.area, parent=world.clinic)
        lower = world.organisation("Enheten", "TST2321000131-1008", "2321000131", area=world.area, parent=world.clinic)
        verified_customisation(lower, "7837803906")
        world.organisation("Rummet", "TST2321000131-1009", "2321000131", area=world.area, parent=lower)
        world.order(world.post(world.clinic))
        address = at("customisation_give_up", world.clinic)
        assert address in client.get(at("organisation_customisation", world.clinic)).content.decode()
        page = client.get(address)
        for expected in (
            "Nya kort får kortanpassningen Kort (7837803902) från Regionen i stället för Klinikens (7837803905).",
            "Det gäller också 1 underorganisation, som inte har en egen.",
            "1 beställning som kortleverantören inte har tagit emot behåller den gamla.", "Så ser nya kort ut",
        ):  # fmt: skip
            assert expected in text_of(page), expected
        assert "inte verifierad" not in text_of(page)
        done = client.post(address, shown(page), follow=True)
        assert done.redirect_chain == [(at("organisation_customisation", world.clinic), 302)]
        assert "Den egna kortanpassningen är borttagen" in text_of(done)
        assert "Den från Regionen gäller" in text_of(done)
        assert address not in done.content.decode()
        for history in (at("organisation_history", world.clinic), at("customisation_history", row)):
            assert "Kortanpassningen togs bort från organisationen" in text_of(client.get(history))
        assert "Inga nya kort får den." in text_of(client.get(at("customisation", row)))
        listed = text_of(client.get(reverse("customisations")))
        assert f"Klinikens {NUMBER} 1549 Ingen Verifierad" in listed
        assert issuer(world).get(at("customisation", row)).status_code == 404
        sent = fields_of(client.get(at("customisation_new", world.clinic))) | {"customisation_id": NUMBER, "back_text": "Box 2"}
        assert client.post(at("customisation_new", world.clinic), sent).status_code == 302
        again = text_of(client.get(at("customisation_history", row)))
        for expected in (
            "Kortanpassningen skapades", "Namn: från Klinikens → till Kliniken", "Utfärdarnummer: från 1549 → till –",
            "Baksidestext: från Upphittat kort skickas till Box 1 → till Box 2", "Baksidestext: Upphittat kort skickas",
        ):  # fmt: skip
            assert expected in again, expected

    def test_one_above_that_cannot_be_used_yet_is_told(self, world: Any) -> None:
        verified_customisation(world.clinic, NUMBER)
        client, address = admin(world), at("customisation_give_up", world.clinic)
        CardCustomisation.objects.filter(organisations=world.region).update(verified_at=None)
        assert "Den kortanpassningen är inte verifierad." in text_of(client.get(address))
        Organisation.objects.filter(pk=world.region.pk).update(customisation=None)
        page = client.get(address)
        assert "så kort kan inte beställas" in text_of(page)
        assert shown(page)["ovanifran"] == ""
        assert client.post(address, shown(page)).status_code == 302
        assert own(world.clinic) is None

    def test_what_changed_meanwhile_is_told_anew(self, world: Any) -> None:
        row = verified_customisation(world.clinic, NUMBER)
        client, address = admin(world), at("customisation_give_up", world.clinic)
        sent = shown(client.get(address))
        Organisation.objects.filter(pk=world.region.pk).update(customisation=own(world.city))
        for form in (sent, {}, {"egen": "x"}):
            page = client.post(address, form)
            assert (page.status_code, own(world.clinic)) == (409, row)
            assert "ändrades sedan du öppnade sidan" in text_of(page)
        assert client.post(address, shown(page)).status_code == 302

    def test_where_it_cannot_be_the_page_says_why_and_has_no_way_to_it(self, world: Any) -> None:
        client = admin(world)
        for place, why in ((world.clinic, "ingen egen kortanpassning"), (world.region, "har verifierat den generella")):
            address, back = at("customisation_give_up", place), at("organisation_customisation", place)
            assert address not in client.get(back).content.decode()
            for answer in (client.get(address, follow=True), client.post(address, follow=True)):
                assert (answer.redirect_chain, why in text_of(answer)) == ([(back, 302)], True)

    def test_few_queries(self, world: Any) -> None:
        verified_customisation(world.clinic, NUMBER)
        for count in range(40):
            world.organisation(
                f"Enhet {count}", f"TST2321000131-{7000 + count}", "2321000131", area=world.area, parent=world.clinic
            )
        client, address = admin(world), at("customisation_give_up", world.clinic)
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert "40 underorganisationer" in text_of(client.get(address))
        assert len(queries) <= MOST_QUERIES


class TestHistory:
    """The organisation's history names what it had; not what another, out of sight, has made of it since (S13)."""

    def test_the_issuer_reads_which_ones_the_organisation_had(self, world: Any) -> None:
        row = verified_customisation(world.clinic, NUMBER)
        CardCustomisation.objects.filter(pk=row.pk).update(name="Klinikens")
        remove_customisation(actor=SETUP, organisation_id=world.clinic.id)
        register_generic_customisation(
            actor=SETUP,
            customisation_id="1000000000",
            name="Generell",
            issuer_number="1000",
            back_text="Box 1",
            supplier_ref="bureau",
        )
        client = issuer(world)
        for choice in ("generic", "above"):
            sent = fields_of(client.get(at("organisation_edit", world.clinic))) | {"customisation": choice}
            assert client.post(at("organisation_edit", world.clinic), sent).status_code == 302
        with CaptureQueriesContext(connection) as queries:
            history = text_of(client.get(at("organisation_history", world.clinic)))
        assert len(queries) <= MOST_QUERIES
        for expected in (
            "Kortanpassning: från ingen egen → till Klinikens", "Kortanpassning: från Klinikens → till ingen egen",
            "Kortanpassning: från ingen egen → till Generell", "Kortanpassning: från Generell → till ingen egen",
            f"Kortanpassning: Klinikens Kortanpassnings-id: {NUMBER}",
        ):  # fmt: skip
            assert expected in history, expected
        assert "utanför din behörighet" not in history
        assert f"Kortanpassning: {NUMBER}" not in history
        assert client.get(at("customisation", row)).status_code == 404

    def test_what_another_out_of_sight_made_of_it_is_not_named(self, world: Any) -> None:
        verified_customisation(world.clinic, NUMBER)
        remove_customisation(actor=SETUP, organisation_id=world.clinic.id)
        other = world.organisation(
            "Annan klinik", "TST2321000016-1004", "2321000016", area=world.stranger.area, parent=world.stranger
        )
        told_ = {"name": "Hemlig", "issuer_number": "", "back_text": "", "supplier_ref": "bureau"}
        register_customisation(actor=SETUP, organisation_id=other.id, customisation_id=NUMBER, **told_)
        theirs = client_of(world.officer(world.stranger, Role.RESPONSIBLE_ISSUER))
        for last in (False, True):
            history = text_of(issuer(world).get(at("organisation_history", world.clinic)))
            assert "Kortanpassning: från utanför din behörighet → till ingen egen" in history
            assert "Hemlig" not in history
            assert "Kortanpassning: från ingen egen → till Hemlig" in text_of(theirs.get(at("organisation_history", other)))
            if not last:
                remove_customisation(actor=SETUP, organisation_id=other.id)


class TestSupplier:
    """Which supplier makes the cards is seen by all who see the customisation, and chosen by the administration."""

    def test_chosen_shown_and_in_the_history(self, world: Any) -> None:
        for ref, name in (("press", "Tryckeriet"), ("old", "Gamla tryckeriet")):
            ServiceClient.objects.create(client_ref=ref, kind="supplier", name=name)
        ServiceClient.objects.create(client_ref="bureau", kind="supplier", name="Byrån")
        row, client = own(world.region), admin(world)
        assert row is not None
        assert "Kortleverantör Byrån" in text_of(issuer(world).get(at("customisation", row)))
        page = client.get(at("customisation_edit", row))
        sent = fields_of(page)
        assert sent["supplier_ref"] == "bureau"
        none = client.post(at("customisation_edit", row), sent | {"supplier_ref": ""})
        assert (none.status_code, "Välj kortleverantör." in text_of(none)) == (422, True)
        refused = client.post(at("customisation_edit", row), sent | {"supplier_ref": "nobody"})
        assert (refused.status_code, "Välj en kortleverantör i listan." in text_of(refused)) == (422, True)
        assert client.post(at("customisation_edit", row), sent | {"supplier_ref": "press"}).status_code == 302
        assert "Kortleverantör Tryckeriet" in text_of(issuer(world).get(at("customisation", row)))
        told_ = text_of(client.get(at("customisation_history", row)))
        assert "Kortleverantör: från Byrån → till Tryckeriet" in told_
        other = client.post(at("customisation_edit", row), sent | {"supplier_ref": "old"})
        assert (other.status_code, "Nu står det: Tryckeriet" in text_of(other)) == (409, True)

    def test_one_that_is_gone_may_stay(self, world: Any) -> None:
        ServiceClient.objects.create(client_ref="old", kind="supplier", name="Gamla", active=False)
        CardCustomisation.objects.filter(organisations=world.region).update(supplier_ref="old")
        row, client = own(world.region), admin(world)
        assert row is not None
        page = client.get(at("customisation_edit", row))
        assert "Gamla (inte längre registrerad)" in text_of(page)
        assert client.post(at("customisation_edit", row), fields_of(page) | {"name": "Nytt"}).status_code == 302
        row.refresh_from_db()
        assert (row.name, row.supplier_ref) == ("Nytt", "old")

    def test_chosen_where_one_is_new(self, world: Any) -> None:
        ServiceClient.objects.create(client_ref="press", kind="supplier", name="Tryckeriet")
        sent = {"name": "Kliniken", "customisation_id": NUMBER, "supplier_ref": "press"}
        assert admin(world).post(at("customisation_new", world.clinic), sent).status_code == 302
        assert CardCustomisation.objects.get(customisation_id=NUMBER).supplier_ref == "press"


def test_in_a_browser_by_keyboard(world: Any, portal: str, browser: Browser) -> None:
    ServiceClient.objects.create(client_ref="press", kind="supplier", name="Tryckeriet")
    row, keys, eye = verified_customisation(world.clinic, NUMBER), Keyboard(), Looker("customisations-given-up")
    with desk(browser, portal, world.officer(role=Role.MASTER_DATA_ADMIN)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/administrera/kortanpassning/{row.id}/redigera/")
        page.get_by_label("Kortleverantör").select_option(label="Tryckeriet")
        eye.look(page, "supplier")
        keys.press(button(page, "Spara"))
        told(page, "Kortanpassningen är sparad.")
        page.goto(f"{portal}/administrera/organisation/{world.clinic.id}/kortanpassning/")
        eye.look(page, "own")
        keys.press(link(page, "Ta bort den egna"))
        heading(page, "Underorganisation Kliniken: Ta bort den egna kortanpassningen")
        eye.look(page, "what comes of it")
        keys.press(button(page, "Ta bort den egna"))
        told(page, "Den egna kortanpassningen är borttagen från organisationen.")
        eye.look(page, "from above")
    assert own(world.clinic) is None
