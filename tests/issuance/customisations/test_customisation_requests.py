"""What an issuer wishes of a card customisation: over HTTP from both sides, and in Chromium (ADR 0189)."""

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page

from authn.models import ServiceClient
from issuance.authz import Role
from issuance.customisations.models import CardCustomisation, CustomisationRequest
from issuance.customisations.services.customisation_requests import (
    close_customisation_request,
    request_customisation,
    use_generic_customisation,
    use_generic_customisation_in_area,
)
from issuance.customisations.services.customisations import (
    register_customisation,
    register_generic_customisation,
    verify_customisation,
)
from issuance.customisations.web.lists import PlaceWithoutList
from issuance.offices.services import close_office
from issuance.organisations.models import Organisation
from issuance.organisations.services.ending import end_organisation
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from siths_portal.demo.logotypes import put_logotype
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden
from tests.e2e.hands import Both, Hands
from tests.e2e.looking import Looker
from tests.issuance.operators.test_browser import button
from tests.issuance.organisations.test_browser import told
from tests.issuance.organisations.test_pages import MOST_QUERIES, admin, at, client_of, fields_of, issuer
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.search.test_browser import desk
from tests.issuance.world import SETUP, qualify

PAGE, WISH, CLOSE, GENERIC, AREA = (
    "organisation_customisation", "customisation_request", "customisation_request_close", "customisation_use_generic",
    "area_customisations",
)  # fmt: skip
SENT = {"back_text": "Upphittat kort:\nBox 7\n000 00 Orten", "logotype_note": "Vapnet, kort@example.org"}


def without(world: Any) -> None:
    ServiceClient.objects.get_or_create(client_ref="bureau", defaults={"kind": "supplier", "name": "Tryckeriet"})
    Organisation.objects.update(customisation=None)


def generic(*, verified: bool = True) -> CardCustomisation:
    row = register_generic_customisation(
        actor=SETUP,
        customisation_id="1000000000",
        name="SITHS eID",
        issuer_number="1000",
        back_text="Box 1",
        supplier_ref="bureau",
    )
    if verified:
        put_logotype(row)
        verify_customisation(actor=SETUP, customisation_id=row.id)
    return row


def press(client: Any, button_: str, organisation: Any, page: Any = None, **sent: str) -> Any:
    """A button of the organisation's page, as it is now or was when it was read."""
    page = page or client.get(at(PAGE, organisation))
    return client.post(at(button_, organisation), {"version": page.context["wish_version"], **sent}, follow=True)


class TestWish:
    """The issuer writes it, the administration sees it where it works, and registering does it."""

    def test_from_none_to_an_own(self, world: Any, django_assert_max_num_queries: Any) -> None:
        without(world)
        issues, administers = issuer(world), admin(world)
        page = text_of(issues.get(at(PAGE, world.region)))
        assert "Önska en egen kortanpassning" in page
        assert "Skapa kortanpassning" not in page
        response = issues.post(at(WISH, world.region), SENT, follow=True)
        assert "Önskemålet är sparat." in text_of(response)
        assert "Box 7" in text_of(response)
        assert "1 önskemål om kortanpassning väntar" in text_of(administers.get(reverse("administration")))
        with django_assert_max_num_queries(MOST_QUERIES):
            listed = administers.get(reverse("customisations"))
        assert at(PAGE, world.region) in listed.content.decode()
        assert "Be kortleverantören" in text_of(administers.get(at(PAGE, world.region)))
        form = administers.get(at("customisation_new", world.region))
        assert form.context["form"]["back_text"].value() == SENT["back_text"]
        assert "Önskad logotyp: Vapnet" in text_of(form)
        new = {**fields_of(form), "customisation_id": "1234567890"}
        assert administers.post(at("customisation_new", world.region), new).status_code == 302
        assert "önskemål" not in text_of(administers.get(reverse("administration")))
        history = text_of(issues.get(at("organisation_history", world.region)))
        assert "Önskemålet om kortanpassning avslutades" in history
        assert "Kortanpassning önskades Baksidestext: Upphittat kort:" in history

    def test_it_is_changed_taken_back_and_marked_as_done(self, world: Any) -> None:
        issues, administers = issuer(world), admin(world)
        assert issues.get(at(WISH, world.region)).context["form"]["back_text"].value() == "Upphittat kort skickas till Box 1"
        issues.post(at(WISH, world.region), SENT)
        issues.post(at(WISH, world.region), SENT)
        assert Event.objects.filter(action="organisation.customisation_requested").count() == 1
        issues.post(at(WISH, world.region), {**fields_of(issues.get(at(WISH, world.region))), "back_text": "Ny"})
        assert issues.get(at(WISH, world.region)).context["form"]["back_text"].value() == "Ny"
        assert CustomisationRequest.objects.filter(answered_at=None).count() == 1
        assert "tillbakataget" in text_of(press(issues, WISH, world.region, ta_tillbaka="1"))
        issues.post(at(WISH, world.region), {**fields_of(issues.get(at(WISH, world.region))), **SENT})
        assert "Markera som klart" in text_of(administers.get(at(PAGE, world.region)))
        assert "markerat som klart" in text_of(press(administers, CLOSE, world.region))
        assert not CustomisationRequest.objects.filter(answered_at=None).exists()

    def test_what_cannot_be_wished_is_told_at_its_field(self, world: Any) -> None:
        client = issuer(world)
        for sent, field in (
            ({}, "back_text"),
            ({"back_text": "x" * 46}, "back_text"),
            ({"logotype_note": "x" * 501}, "logotype_note"),
        ):
            response = client.post(at(WISH, world.region), sent)
            assert (response.status_code, list(response.context["form"].errors)) == (422, [field])
        lines = "x" * 248 + "\r\n\r\n\r\n" + "x" * 249  # a new line is one character, however a browser sends it
        assert client.post(at(WISH, world.region), {"logotype_note": lines, "version": "0"}).status_code == 302

    def test_who_may(self, world: Any) -> None:
        with pytest.raises(Forbidden):
            request_customisation(
                actor=world.officer(role=Role.GLOBAL_READER), organisation_id=world.region.id, back_text="A", logotype_note=""
            )
        with pytest.raises(Forbidden):
            close_customisation_request(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), organisation_id=world.region.id)
        reader = client_of(world.officer(role=Role.GLOBAL_READER))
        assert at(WISH, world.region) not in reader.get(at(PAGE, world.region)).content.decode()

    def test_an_organisation_that_ends_wishes_nothing(self, world: Any) -> None:
        issuer(world).post(at(WISH, world.clinic), SENT)
        end_organisation(actor=SETUP, organisation_id=world.clinic.id, reason="Fel")
        assert not CustomisationRequest.objects.filter(answered_at=None).exists()


class TestTwoAtOnce:
    """Whoever comes second is told what the other wrote; nothing typed is lost, and nothing unseen is overwritten or ended."""

    def test_the_second_wish_is_told_of_the_first(self, world: Any) -> None:
        first, second = issuer(world), client_of(world.officer(role=Role.DEPUTY_ISSUER))
        form = fields_of(second.get(at(WISH, world.region)))
        first.post(at(WISH, world.region), {**fields_of(first.get(at(WISH, world.region))), **SENT})
        again = second.post(at(WISH, world.region), {**form, "back_text": "Mitt"})
        assert (again.status_code, "Baksidestext: – → Upphittat kort:" in text_of(again)) == (409, True)
        assert "Nu står det: Upphittat kort:" in text_of(again)
        assert (fields_of(again)["back_text"], fields_of(again)["logotype_note"]) == ("Mitt", SENT["logotype_note"])
        assert CustomisationRequest.objects.get(answered_at=None).back_text == SENT["back_text"]
        assert second.post(at(WISH, world.region), fields_of(again)).status_code == 302
        assert CustomisationRequest.objects.get(answered_at=None).back_text == "Mitt"

    def test_lines_as_they_are_sent_are_not_taken_for_typed(self, world: Any) -> None:
        client = issuer(world)
        client.post(at(WISH, world.region), {**fields_of(client.get(at(WISH, world.region))), **SENT})
        form = fields_of(client.get(at(WISH, world.region)))
        sent = {**form, "back_text": form["back_text"].replace("\n", "\r\n"), "logotype_note": "Vår"}
        client.post(at(WISH, world.region), {**form, "back_text": "Deras"})
        again = client.post(at(WISH, world.region), sent)
        assert (again.status_code, fields_of(again)["back_text"], fields_of(again)["logotype_note"]) == (409, "Deras", "Vår")

    def test_a_wish_that_was_done_meanwhile_is_told_and_what_is_typed_stays(self, world: Any) -> None:
        issues, administers = issuer(world), admin(world)
        issues.post(at(WISH, world.region), {**fields_of(issues.get(at(WISH, world.region))), **SENT})
        form = fields_of(issues.get(at(WISH, world.region)))
        press(administers, CLOSE, world.region)
        again = issues.post(at(WISH, world.region), {**form, "back_text": "Ny"})
        assert (again.status_code, "Önskemålet avslutat: –" in text_of(again)) == (409, True)
        assert (fields_of(again)["back_text"], fields_of(again)["logotype_note"]) == ("Ny", SENT["logotype_note"])
        assert issues.post(at(WISH, world.region), fields_of(again)).status_code == 302

    def test_neither_done_nor_taken_back_is_what_was_not_read(self, world: Any) -> None:
        issues, administers = issuer(world), admin(world)
        issues.post(at(WISH, world.region), {**fields_of(issues.get(at(WISH, world.region))), **SENT})
        theirs, own = administers.get(at(PAGE, world.region)), issues.get(at(PAGE, world.region))
        issues.post(at(WISH, world.region), {**fields_of(issues.get(at(WISH, world.region))), "back_text": "Ny"})
        for client, button_, page, sent in (
            (administers, CLOSE, theirs, {}),
            (issues, WISH, own, {"ta_tillbaka": "1"}),
            (administers, CLOSE, theirs, {"version": ""}),
        ):
            told_ = press(client, button_, world.region, page, **sent)
            assert "Önskemålet ändrades sedan du öppnade sidan, och är kvar." in text_of(told_)
            assert "Ny" in text_of(told_)
        assert CustomisationRequest.objects.get(answered_at=None).back_text == "Ny"
        page = administers.get(at(PAGE, world.region))
        press(administers, CLOSE, world.region, page)
        assert "Önskemålet var redan avslutat." in text_of(press(administers, CLOSE, world.region, page))

    def test_laying_up_does_not_do_a_wish_that_was_not_read(self, world: Any) -> None:
        without(world)
        issues, administers = issuer(world), admin(world)
        issues.post(at(WISH, world.region), {**fields_of(issues.get(at(WISH, world.region))), **SENT})
        form = fields_of(administers.get(at("customisation_new", world.region)))
        issues.post(at(WISH, world.region), {**fields_of(issues.get(at(WISH, world.region))), "back_text": "Ny"})
        again = administers.post(at("customisation_new", world.region), {**form, "customisation_id": "1234567890"})
        assert (again.status_code, "→ Ny" in text_of(again)) == (409, True)
        assert (fields_of(again)["customisation_id"], fields_of(again)["back_text"]) == ("1234567890", "Ny")
        assert not Organisation.objects.filter(pk=world.region.pk).exclude(customisation=None).exists()
        assert administers.post(at("customisation_new", world.region), fields_of(again)).status_code == 302
        assert CardCustomisation.objects.get(organisations=world.region).back_text == "Ny"


class TestGenericMeanwhile:
    """Where none holds the issuer may take the generic one, also at the top, until there is an own."""

    def test_cards_can_be_ordered_and_an_own_takes_its_place(self, world: Any) -> None:
        without(world)
        row, client = generic(), issuer(world)
        assert "Använd den generella kortanpassningen tills vidare" in text_of(client.get(at(PAGE, world.region)))
        page = text_of(client.post(at(GENERIC, world.region), follow=True))
        assert "Organisationens kort har den generella kortanpassningen" in page
        world.region.refresh_from_db()
        assert world.region.customisation_id == row.id
        world.order()
        own = register_customisation(
            actor=SETUP, organisation_id=world.region.id, customisation_id="1234567890", name="Egen", issuer_number="",
            back_text="", supplier_ref="bureau",
        )  # fmt: skip
        world.region.refresh_from_db()
        assert (world.region.customisation_id, world.region.pending_customisation_id) == (row.id, own.id)

    def test_not_where_one_holds_or_where_it_is_not_verified(self, world: Any) -> None:
        client = issuer(world)
        generic(verified=False)
        assert "har redan en kortanpassning" in text_of(client.post(at(GENERIC, world.clinic), follow=True))
        without(world)
        assert "Använd den generella" not in text_of(client.get(at(PAGE, world.region)))
        with pytest.raises(Conflict, match="no-generic"):
            use_generic_customisation(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), organisation_id=world.region.id)


class TestAllOfAnArea:
    """The page that the area's Nästa steg leads to: where none holds, and one button for all of them."""

    def test_those_at_the_top_stand_with_how_many_lie_below(self, world: Any, django_assert_max_num_queries: Any) -> None:
        without(world)
        generic()
        client = issuer(world)
        steps = {step.url: (step.text, step.why) for step in client.get(at("area", world.area)).context["steps"]}
        text, why = steps[at(AREA, world.area)]
        assert (text, "Välj den generella kortanpassningen, som kan gälla direkt, eller vänta på en egen." in why) == (
            "3 organisationer saknar kortanpassning",
            True,
        )
        with django_assert_max_num_queries(MOST_QUERIES):
            page = client.get(at(AREA, world.area))
        assert [(place.name, place.below) for place in page.context["list"].lines] == [("Regionen", 1), ("Staden", 0)]
        assert "Använd den generella kortanpassningen tills vidare för 3 organisationer" in text_of(page)
        assert "Regionen och 1 underorganisation TST" in text_of(page)
        assert at(PAGE, world.city) in page.content.decode()

    def test_one_press_serves_all_and_leaves_those_that_have_one(self, world: Any) -> None:
        generic()
        client = issuer(world)
        assert "Alla har en kortanpassning" in text_of(client.get(at(AREA, world.area)))
        assert "Inget ändrades." in text_of(client.post(at(AREA, world.area), follow=True))
        Organisation.objects.filter(pk=world.region.pk).update(customisation=None)
        response = client.post(at(AREA, world.area), follow=True)
        assert response.redirect_chain == [(at("area", world.area), 302)]
        assert "gäller nu för 2 organisationer, tills de har egna." in text_of(response)
        assert at(AREA, world.area) not in response.content.decode()
        assert "har den generella kortanpassningen" in text_of(client.get(at(PAGE, world.clinic)))
        assert "Organisationen har en egen kortanpassning." in text_of(client.get(at(PAGE, world.city)))

    def test_without_a_verified_generic_one_it_says_who_puts_it_up(self, world: Any) -> None:
        without(world)
        generic(verified=False)
        client = issuer(world)
        assert "Det finns ingen generell kortanpassning än" in text_of(client.get(at("area", world.area)))
        page = text_of(client.get(at(AREA, world.area)))
        assert "SITHS-förvaltningen skapar och verifierar den." in page
        assert "Använd den generella" not in page
        refused = client.post(at(AREA, world.area), follow=True)
        assert "Det finns ingen verifierad generell kortanpassning än." in text_of(refused)

    def test_the_administration_reads_the_same_list_and_the_issuer_lets_it_hold(self, world: Any) -> None:
        without(world)
        client = admin(world)
        nothing = client.get(at(AREA, world.area))
        assert "Skapa eller verifiera den" in text_of(nothing)
        assert reverse("customisations") in nothing.content.decode()
        generic()
        step = next(each for each in client.get(at("area", world.area)).context["steps"] if "kortanpassning" in each.text)
        assert (step.url, "utgivare väljer den generella kortanpassningen eller väntar på en egen." in step.why) == ("", True)
        page = client.get(at(AREA, world.area))
        assert [(place.name, place.below) for place in page.context["list"].lines] == [("Regionen", 1), ("Staden", 0)]
        assert "kan områdets ansvariga utgivare välja den generella kortanpassningen tills vidare" in text_of(page)
        assert "Använd den generella" not in text_of(page)
        assert client.post(at(AREA, world.area)).status_code == 403

    def test_the_area_tells_the_administration_when_what_is_left_is_of_others(self, world: Any) -> None:
        """The steps stay, to be read by all; only what is waited for alone is said to be."""
        without(world)
        client, issues = admin(world), issuer(world)
        for person in Person.objects.all():
            qualify(person.id)

        def left() -> str:
            page = client.get(at("area", world.area))
            assert "Stegen som är kvar" not in text_of(issues.get(at("area", world.area)))  # some of it is his own
            said: str = page.context["left_to"]
            assert said in text_of(page)
            return said

        assert left() == ""  # the administration puts the generic one up
        generic()
        assert left() == "Stegen som är kvar görs av ansvarig utgivare och kortleverantören."
        open_request = CustomisationRequest.objects.create(
            organisation=world.city, back_text="Box 7", created_at=clock.now(), created_by_ref="user:x"
        )
        assert left() == ""  # a wish waits for the administration
        assert "En egen kortanpassning är önskad." in text_of(client.get(at("area", world.area)))
        CustomisationRequest.objects.filter(pk=open_request.pk).update(answered_at=clock.now())
        use_generic_customisation_in_area(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), area_id=world.area.id)
        for person in Person.objects.all():
            qualify(person.id)
        assert left() == "Stegen som är kvar görs av ansvarig utgivare."  # the clerks
        close_office(actor=SETUP, office_id=world.office.id)
        assert left() == ""

    def test_more_than_it_lists_are_served_too(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(PlaceWithoutList, "page_size", 1)
        without(world)
        generic()
        client = issuer(world)
        page = client.get(at(AREA, world.area))
        assert (len(page.context["list"].lines), page.context["list"].count) == (1, "2 organisationer")
        assert len(client.get(page.context["list"].next_url.split("#")[0]).context["list"].lines) == 1
        assert "gäller nu för 3 organisationer" in text_of(client.post(at(AREA, world.area), follow=True))


def walk(page: Page, portal: str, hands: Hands, see: Any, world: Any) -> None:
    """The issuer of a region without a customisation wishes one and takes the generic one meanwhile."""
    without(world)
    generic()
    page.goto(f"{portal}/administrera/organisation/{world.region.id}/")
    hands.press(page.get_by_role("link", name="Välj kortanpassning"))
    see.look(page, "none")
    hands.press(page.get_by_role("link", name="Önska en egen kortanpassning"))
    hands.write(page.get_by_label("Önskad baksidestext"), "Upphittat kort: Box 7")
    hands.write(page.get_by_label("Önskad logotyp"), "Regionens vapen, kort@example.org")
    see.look(page, "wish")
    hands.press(button(page, "Spara önskemålet"))
    told(page, "Önskemålet är sparat.")
    hands.press(button(page, "Använd den generella kortanpassningen tills vidare"))
    told(page, "Den generella kortanpassningen gäller tills organisationen har en egen.")
    see.look(page, "wished")
    without(world)
    page.goto(f"{portal}/administrera/utgivningsomrade/{world.area.id}/")
    see.look(page, "area")
    hands.press(page.get_by_role("link", name="Välj kortanpassning"))
    see.look(page, "area-without")
    hands.press(button(page, "Använd den generella kortanpassningen tills vidare för 3 organisationer"))
    told(page, "Den generella kortanpassningen gäller nu för 3 organisationer, tills de har egna.")
    page.goto(f"{portal}/administrera/utgivningsomrade/{world.area.id}/kortanpassningar/")
    see.look(page, "area-all-have")


def test_by_keyboard_as_by_mouse_and_looked_at(world: Any, portal: str, browser: Browser) -> None:
    eye = Looker("customisation-requests")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        walk(page, portal, Both(), eye, world)
    with desk(browser, portal, world.officer(role=Role.MASTER_DATA_ADMIN)) as page:
        eye.follow(page.context)
        page.goto(f"{portal}/administrera/kortanpassningar/")
        eye.look(page, "list")
        page.get_by_role("link", name="Regionen", exact=True).click()
        page.get_by_role("heading", name="Önskemål till SITHS-förvaltningen").wait_for()
        eye.look(page, "administration")
