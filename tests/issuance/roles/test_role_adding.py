"""Roles for people whom the portal does not know yet, the issuer of an area, next steps, and one's own training (ADR 0196)."""

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.authz import Actor, Role
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person, PersonIdentifier
from issuance.people.ports import DirectoryPost, PersonKey, RegisterPerson
from issuance.records.domain.ids import PersonId, PersonIdKind
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment
from issuance.search.models import Search
from siths_portal.lib import clock
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.world import ADDRESS, person_number
from tests.portal import portal_client

ASKED = ["posts", "person"]
"""What catalogue and register are asked about somebody whom the portal does not know."""


def client_of(actor: Actor) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


def newcomer(world: Any, *organisations: Organisation, protected: bool = False) -> PersonId:
    """Somebody in the catalogue, with a post in each of the organisations, whom the portal does not know."""
    person_id = person_number()
    key = PersonKey(person_id.kind.value, person_id.value)
    for number, organisation in enumerate(organisations):
        hsa_id = f"TST2321000131-{person_id.value[4:]}{number}"
        world.outside.posts[hsa_id] = DirectoryPost(hsa_id, organisation.hsa_id.lower(), key, "Ny", "Nilsson")
    world.outside.persons[key] = RegisterPerson("Ny", "Ny", "Nilsson", protected, False, False, None if protected else ADDRESS)
    return person_id


def number_of(person: Person) -> PersonId:
    return PersonId(PersonIdKind.PERSONNUMMER, person.identifiers.get().value)


def search(client: Client, address: str, text: str, *, role: str = "reader") -> Any:
    return client.post(address, {"role": role, "text": text, "sok": "1"})


def add(world: Any, client: Client, address: str, role: str, person_id: PersonId) -> Any:
    """Searches, takes the one who was found and gives the role."""
    found = found_by(search(client, address, person_id.value, role=role))
    return client.post(address, {"role": role, "text": person_id.value, **found, "lagg_till": "1"}, follow=True)


def found_by(answer: Any) -> dict[str, str]:
    """What the page sends back of the one who was found."""
    page = answer.content.decode()
    (picked,) = re.findall(r'name="person" value="([^"]+)"', page)
    (handle,) = re.findall(r'name="sokning" value="([^"]+)"', page)
    return {"person": picked, "sokning": handle}


@pytest.fixture
def address(world: Any) -> str:
    return reverse("organisation_role_add", args=[world.region.id])


class TestFromTheCatalogue:
    def test_with_the_posts_in_reach_and_no_others(self, world: Any, address: str) -> None:
        person_id = newcomer(world, world.region, world.city, world.stranger)
        answer = add(world, client_of(world.officer(role=Role.RESPONSIBLE_ISSUER)), address, "id_administrator", person_id)
        assert "Behörighetsrollen är tillagd" in text_of(answer)
        person = PersonIdentifier.objects.get(value=person_id.value).person
        assert person.role_grants.get().organisation == world.region
        assert {post.organisation for post in person.posts.all()} == {world.region, world.city}
        event = Event.objects.get(action="person.registered", subject_ref=str(person.pk))
        assert event.actor_ref == "system:register-reading"

    def test_who_was_found_and_got_no_role_can_have_a_card_ordered(self, world: Any, address: str) -> None:
        """As the demo's guide says of the employees of the new area."""
        person_id, clerk = newcomer(world, world.region), client_of(world.officer())
        find = {"text": person_id.value}  # one who is found opens at once
        search(client_of(world.officer(role=Role.RESPONSIBLE_ISSUER)), address, person_id.value)
        person = PersonIdentifier.objects.get(value=person_id.value).person
        assert not person.role_grants.exists()
        page = clerk.post(reverse("search"), find, follow=True)
        assert page.request["PATH_INFO"] == reverse("person", args=[person.pk])
        assert f'action="{reverse("order_start", args=[person.pk])}"' in page.content.decode()

    def test_a_new_post_of_somebody_known(self, world: Any, address: str) -> None:
        post = world.post(world.stranger)
        key = world.key_of(post.person)
        world.outside.posts["TST2321000131-NY"] = DirectoryPost("TST2321000131-NY", world.region.hsa_id, key, "Prov", "Provsson")
        page = search(client_of(world.officer(role=Role.RESPONSIBLE_ISSUER)), address, key.value)
        assert "Provsson, Prov" in text_of(page)
        assert post.person.posts.count() == 2

    def test_a_protected_person_is_told_from_nobody_by_nothing(self, world: Any, address: str) -> None:
        """Nor by what the outside and the database are asked, nor by the budget of searches; known to the mirror or not."""
        known = number_of(world.post(protected=True).person)
        hidden, nobody, elsewhere = (
            newcomer(world, world.region, protected=True),
            person_number(),
            newcomer(world, world.stranger),
        )
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        search(client, address, person_number().value)
        seen = set()
        for person_id in (hidden, hidden, known, nobody, elsewhere):
            world.outside.calls.clear()
            searches = Search.objects.count()
            with CaptureQueriesContext(connection) as asked:
                page = search(client, address, person_id.value)
            assert world.outside.calls == ASKED
            body = re.sub(r"[0-9a-f-]{36}|value=\"[^\"]*\"", "", page.content.decode())
            seen.add((page.status_code, body, len(asked), Search.objects.count() - searches))
        assert len(seen) == 1
        assert not PersonIdentifier.objects.filter(value=hidden.value).exists()
        with_it = search(client_of(world.officer(role=Role.RESPONSIBLE_ISSUER, protected=True)), address, hidden.value)
        assert "Nilsson, Ny" in text_of(with_it)

    def test_s46_who_is_hidden_and_nobody_leave_at_the_end_of_a_step(self, world: Any, address: str, held: list[float]) -> None:
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        for person_id in (newcomer(world, world.region, protected=True), person_number()):
            held.clear()
            search(client, address, person_id.value)
            assert len(held) == 1
        held.clear()
        assert "Nilsson, Ny" in text_of(search(client, address, newcomer(world, world.region).value))
        assert held == []

    def test_a_protected_person_comes_with_the_posts_where_the_add_on_shows_him(self, world: Any, address: str) -> None:
        person_id, clerk = newcomer(world, world.region, world.city, protected=True), world.post(world.region).person
        for organisation, add_on in ((world.region, True), (world.city, False)):
            role_assignment.assign_role(
                actor=world.officer(role=Role.RESPONSIBLE_ISSUER, protected=True), person_id=clerk.pk, role=Role.DEPUTY_ISSUER,
                organisation_id=organisation.pk, protected_persons=add_on,
            )  # fmt: skip
        assert "Nilsson, Ny" in text_of(search(portal_client(clerk), address, person_id.value))
        person = PersonIdentifier.objects.get(value=person_id.value).person
        assert [post.organisation for post in person.posts.all()] == [world.region]

    def test_who_is_taken_in_is_found_by_one_search(self, world: Any, address: str) -> None:
        actor = world.officer(role=Role.RESPONSIBLE_ISSUER)
        person_id = newcomer(world, world.region)
        assert "Nilsson, Ny" in text_of(search(client_of(actor), address, person_id.value))
        row, person = Search.objects.get(), PersonIdentifier.objects.get(value=person_id.value).person
        assert (row.hits, row.person, row.owner_ref) == (1, person, actor.ref)
        noted = [
            (event.subject_ref, event.facts["persons"]) for event in Event.objects.filter(action="search.made").order_by("id")
        ]
        assert noted == [(str(row.pk), []), (str(row.pk), [str(person.pk)])]

    def test_who_is_known_costs_the_outside_nothing(self, world: Any, address: str) -> None:
        person = world.post().person
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        world.outside.calls.clear()
        for text in (person.identifiers.get().value, "XQZ"):
            assert search(client, address, text).status_code == 200
        assert world.outside.calls == []

    def test_a_catalogue_that_does_not_answer_is_told(self, world: Any, address: str) -> None:
        person_id = newcomer(world, world.region)
        world.outside.down = True
        page = search(client_of(world.officer(role=Role.RESPONSIBLE_ISSUER)), address, person_id.value)
        assert (page.status_code, "svarar inte" in text_of(page)) == (503, True)
        assert not PersonIdentifier.objects.filter(value=person_id.value).exists()


def typed_in(page: str, name: str) -> list[str]:
    """The values of the boxes that are ticked."""
    return re.findall(rf'name="{name}" value="([^"]+)"[^>]* checked', page)


class TestWhoWasFound:
    """A role goes to nobody but the one whom the text in the field names."""

    def test_another_text_is_searched_for_first(self, world: Any, address: str) -> None:
        one, other = (world.post(given_name=name, surname="Persson").person for name in ("Bengt", "Britta"))
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        first = found_by(search(client, address, one.identifiers.get().value))
        for button in ({"lagg_till": "1"}, {"fortsatt": "1"}, {"sok": "1"}, {}):
            sent = {"role": "reader", "text": other.identifiers.get().value, **first, **button}
            answer = client.post(address, sent)
            assert answer.status_code == 200
            assert ("Rollen är inte tillagd än" in text_of(answer)) is ("sok" not in button)
            assert found_by(answer)["person"] == str(other.id)
            assert not RoleGrant.objects.filter(role="reader").exists()
        done = client.post(address, {**sent, **found_by(answer), "lagg_till": "1"}, follow=True)
        assert "Behörighetsrollen är tillagd. Britta Persson har rollen Läs i Regionen." in text_of(done)
        assert RoleGrant.objects.get(role="reader").person == other

    def test_a_miss_is_followed_by_the_next_search(self, world: Any, address: str) -> None:
        person = world.post().person
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        missed = search(client, address, person_number().value)
        assert "Inga träffar" in text_of(missed)
        (handle,) = re.findall(r'name="sokning" value="([^"]+)"', missed.content.decode())
        sent = {"role": "reader", "text": person.identifiers.get().value, "sokning": handle, "lagg_till": "1"}
        answer = client.post(address, sent)
        assert "Inga träffar" not in text_of(answer)
        assert found_by(answer)["person"] == str(person.id)

    def test_the_same_number_written_otherwise_is_the_same(self, world: Any, address: str) -> None:
        person = world.post().person
        number = person.identifiers.get().value
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        found = found_by(search(client, address, number))
        sent = {"role": "reader", "text": f" {number[:8]}-{number[8:]}", **found, "lagg_till": "1"}
        assert client.post(address, sent).status_code == 302

    def test_nobody_is_taken_whom_the_search_did_not_show(self, world: Any, address: str) -> None:
        one, other = world.post().person, world.post().person
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        client, number = client_of(issuer), one.identifiers.get().value
        found = found_by(search(client, address, number))
        another = found_by(search(client_of(world.officer(role=Role.DEPUTY_ISSUER)), address, number))
        for wrong in ({"person": str(other.id)}, {"person": "x"}, {"person": ""}, {"text": "", "lagg_till": "1"}):
            answer = client.post(address, {"role": "reader", "text": number, **found, **wrong})
            assert (answer.status_code, "Sök och välj en person" in text_of(answer)) == (422, True), wrong
        for handle in (another["sokning"], "x", ""):
            answer = client.post(address, {"role": "reader", "text": number, **found, "sokning": handle})
            assert "Rollen är inte tillagd än" in text_of(answer), "another session's search is none: it is made anew"
        assert not RoleGrant.objects.filter(role="reader").exists()

    def test_by_name_in_ones_own_organisations(self, world: Any, address: str) -> None:
        person = world.post(given_name="Bengt", surname="Sällsynt").person
        world.post(world.stranger, given_name="Bertil", surname="Sällsynt")
        world.post(given_name="Bo", surname="Sällsynt", protected=True)
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        world.outside.calls.clear()
        for text in ("sällsynt", "Bengt Sällsynt", "Sällsynt, B"):
            found = found_by(search(client, address, text))
            assert found["person"] == str(person.id), text
        assert world.outside.calls == []
        nobody, hidden = search(client, address, "Finns Inte"), search(client, address, "Sällsynt, Bo")
        assert "Inga träffar" in text_of(nobody)
        assert re.sub(r'value="[^"]*"', "", hidden.content.decode()) == re.sub(r'value="[^"]*"', "", nobody.content.decode())
        assert client.post(address, {"role": "reader", "text": "SÄLLSYNT,  b", **found, "lagg_till": "1"}).status_code == 302
        assert {row.kind for row in Search.objects.all()} == {"name"}, "within the budget of names"

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "Skriv ett namn, ett person-id eller slutet av ett tjänste-id"),
            ("  ", "Skriv ett namn, ett person-id eller slutet av ett tjänste-id"),
            ("a", "Skriv minst 2 bokstäver"),
            ("a, b, c", "högst ett kommatecken"),
            ("18500101-9801", "Den sista siffran stämmer inte"),
            ("x" * 101, "Texten är för lång"),
        ],
    )
    def test_a_text_that_means_nothing_is_told(self, world: Any, address: str, text: str, told: str) -> None:
        answer = search(client_of(world.officer(role=Role.RESPONSIBLE_ISSUER)), address, text)
        assert (answer.status_code, told in text_of(answer)) == (422, True)
        assert f'value="{text.strip()}"' in answer.content.decode() or not text.strip()

    def test_a_spent_budget_is_told_on_the_form(self, world: Any, address: str, settings: Any) -> None:
        settings.SEARCHES_BY_ENDING_PER_HOUR = 1
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        assert search(client, address, "Sällsynt").status_code == 200
        answer = client.post(address, {"role": "reader", "text": "Ovanlig", "valid_to": "2030-01-31", "lagg_till": "1"})
        assert (answer.status_code, "Gränsen för sökningar på namn" in text_of(answer)) == (429, True)
        assert all(kept in answer.content.decode() for kept in ("Ovanlig", "2030-01-31"))

    def test_another_log_in_keeps_what_was_typed_and_searches_anew(self, world: Any, address: str) -> None:
        person = world.post().person
        issuer, number = world.officer(role=Role.RESPONSIBLE_ISSUER), person.identifiers.get().value
        found = found_by(search(client_of(issuer), address, number))
        client = client_of(issuer)
        answer = client.post(address, {"role": "reader", "text": number, **found, "lagg_till": "1"})
        assert (answer.status_code, found_by(answer)["person"]) == (200, str(person.id))


def begins_in_the_search(page: str) -> bool:
    (field,) = re.findall(r'<input type="text"[^>]* name="text"[^>]*>', page)
    return " autofocus" in field


class TestOneAfterTheOther:
    def test_the_page_begins_where_one_searches_and_an_error_has_the_focus_itself(self, world: Any, address: str) -> None:
        area = [world.area.id]
        for role, at in (
            (Role.RESPONSIBLE_ISSUER, address),
            (Role.RESPONSIBLE_ISSUER, reverse("area_role_add", args=area)),
            (Role.MASTER_DATA_ADMIN, reverse("area_issuer_add", args=area)),
        ):
            client = client_of(world.officer(role=role))
            assert begins_in_the_search(client.get(at).content.decode()), at
            refused = client.post(at, {"role": "reader", "text": "", "sok": "1"})
            assert (refused.status_code, begins_in_the_search(refused.content.decode())) == (422, False), at
            assert '<div class="ds-error-summary" tabindex="-1" autofocus' in refused.content.decode()

    def test_on_the_organisations_page(self, world: Any, address: str) -> None:
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        for name in ("Alm", "Ek"):
            person = world.post(surname=name).person
            sent = {"role": "reader", "text": person.identifiers.get().value}
            found = found_by(client.post(address, {**sent, "sok": "1"}))
            answer = client.post(address, {**sent, **found, "fortsatt": "1"}, follow=True)
            assert answer.redirect_chain == [(address, 302)]
            assert f"Prov {name} har rollen Läs i Regionen." in text_of(answer)
            page = answer.content.decode()
            assert begins_in_the_search(page)
            assert "checked" not in page
            assert 'name="person"' not in page
            assert sent["text"] not in page
        assert RoleGrant.objects.filter(role="reader", organisation=world.region).count() == 2

    def test_what_the_role_needs_is_said_before_and_after(self, world: Any, address: str) -> None:
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        before = text_of(client.get(address))
        assert "Roller som beställer eller aktiverar kort kräver personkontroll och utbildning. Utan dem kan" in before
        assert "kan personen bara söka och spärra. Du kan registrera dem före eller efter rollen." in before
        person = world.post().person
        lacking = add(world, client, address, "id_administrator", number_of(person))
        assert "Personkontroll och utbildning saknas. Registrera utbildning eller personkontroll" in text_of(lacking)
        link = reverse("qualification_add", args=[person.id])
        assert f'href="{link}">Registrera utbildning eller personkontroll' in lacking.content.decode()
        assert client.get(link).status_code == 200
        reader = add(world, client, address, "reader", number_of(person))
        assert "saknas" not in text_of(reader), "who issues nothing needs nothing"


class TestTheResponsibleIssuer:
    def test_is_appointed_on_the_areas_page(self, world: Any) -> None:
        client, area = client_of(world.officer(role=Role.MASTER_DATA_ADMIN)), reverse("area", args=[world.area.id])
        page = client.get(area).content.decode()
        (link,) = set(re.findall(r'href="([^"]*ansvarig-utgivare/)"', page))
        answer = add(world, client, link, "responsible_issuer", newcomer(world, world.region))
        assert answer.redirect_chain == [(area, 302)]
        grant = RoleGrant.objects.get(role="responsible_issuer")
        assert grant.area == world.area
        assert reverse("person_roles", args=[grant.person_id]) in answer.content.decode()
        assert "Ansvariga utgivare Ny Nilsson" in text_of(answer)

    def test_who_has_no_valid_post_in_the_area_is_told_before_he_is_picked(self, world: Any) -> None:
        client, link = client_of(world.officer(role=Role.MASTER_DATA_ADMIN)), reverse("area_issuer_add", args=[world.area.id])
        why, here = "Har inget giltigt uppdrag i utgivningsområdet. Kontrollera HSA-katalogen.", world.post().person
        elsewhere, left = world.post(world.stranger).person, world.post().person
        left.posts.update(valid_to=clock.today() - dt.timedelta(days=1))
        for person, place in ((elsewhere, world.stranger.name), (left, "Regionen"), (here, "Regionen")):
            answer = client.post(link, {"role": "responsible_issuer", "text": number_of(person).value, "lagg_till": "1"})
            page, told = answer.content.decode(), text_of(answer)
            off = person != here
            assert (why in told, "Rollen är inte tillagd än" in told, f">{place}</td>" in page) == (off, not off, True)
            assert (f'id="person_1" {"disabled" if off else "checked"}' in page, found_by(answer)["person"]) == (
                True,
                str(person.id),
            )

    def test_gives_none_there_himself(self, world: Any) -> None:
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        link = reverse("area_issuer_add", args=[world.area.id])
        client = client_of(issuer)
        assert link not in client.get(reverse("area", args=[world.area.id])).content.decode()
        assert "Inga roller att ge här" in text_of(client.get(link))
        other = world.post().person
        assert client.post(link, {"role": "responsible_issuer", "person": str(other.id)}).status_code == 422
        assert not other.role_grants.exists()

    def test_is_named_to_readers_and_opened_by_those_above(self, world: Any) -> None:
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        link, area = reverse("person_roles", args=[issuer.person_id]), reverse("area", args=[world.area.id])
        for role, opens in ((Role.MASTER_DATA_ADMIN, True), (Role.GLOBAL_READER, False), (Role.RESPONSIBLE_ISSUER, False)):
            page = client_of(world.officer(role=role)).get(area)
            assert "Ansvariga utgivare Handläggare Provsson" in text_of(page), role
            assert (link in page.content.decode()) is opens, role


def test_the_person_is_asked_for_first_wherever_a_role_is_given(world: Any) -> None:
    issues, administers = (client_of(world.officer(role=role)) for role in (Role.RESPONSIBLE_ISSUER, Role.MASTER_DATA_ADMIN))
    area, region = world.area.id, world.region.id
    for client, name, place in (
        (issues, "area_role_add", area), (issues, "organisation_role_add", region), (administers, "area_issuer_add", area),
    ):  # fmt: skip
        text = text_of(client.get(reverse(name, args=[place])))
        assert -1 < text.index("Sök person") < text.index("kräver personkontroll") < text.index("Gäller från"), name
        assert ("Rollen kräver" in text) is (name == "area_issuer_add"), name


class TestNextSteps:
    """Nästa steg names what is missing, and leads to pages that open."""

    def test_of_an_organisation_until_cards_can_be_ordered(self, world: Any) -> None:
        new = world.organisation("Kommun Ek", "TST2120001562-1000", "2120001561", area=world.area)
        client, at = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER)), reverse("organisation", args=[new.id])
        text = text_of(client.get(at))
        for step in (
            "Koppla kontor Utan",
            "Välj beställningsbara artiklar",
            "Kortanpassning saknas",
            "Lägg till behörighetsroll",
        ):
            assert step in text, step
        sections = re.findall(r'<section class="(?:deep|sheet next-steps)".*?</section>', client.get(at).content.decode(), re.S)
        links = re.findall(r'href="([^"]+)"', "".join(sections))
        assert len(links) >= 3
        assert {link: client.get(link).status_code for link in links} == dict.fromkeys(links, 200)
        world.clerk_of(world.region)
        assert "Nästa steg" not in text_of(client.get(reverse("organisation", args=[world.clinic.id])))

    def test_the_administration_is_told_that_nobody_orders_and_who_mends_it(self, world: Any) -> None:
        """The same steps as who gives the roles there (ADR 0221); that one is text alone, since it is another's."""
        new = world.organisation("Kommun Ek", "TST2120001562-1000", "2120001561", area=world.area)
        address = reverse("organisation", args=[new.id])
        issues, administers = (
            client_of(world.officer(role=role)).get(address).context["steps"]
            for role in (Role.RESPONSIBLE_ISSUER, Role.MASTER_DATA_ADMIN)
        )
        assert [step.text for step in administers] == [step.text for step in issues]
        told = {step.text: step for step in administers}["Lägg till behörighetsroll"]
        assert (told.url, told.why) == (
            "",
            "Ingen ID-administratör eller biträdande utgivare med uppdrag får beställa kort för organisationen nu. "
            "Områdets ansvariga utgivare ger rollerna.",
        )  # fmt: skip
        for role in ("reader", "revoker"):
            RoleGrant.objects.create(person=world.post().person, role=role, organisation=new, valid_from=clock.now())
        clerk = world.clerk_of(new)
        client = client_of(world.officer(role=Role.MASTER_DATA_ADMIN))
        assert "Lägg till behörighetsroll" not in [step.text for step in client.get(address).context["steps"]]
        RoleGrant.objects.filter(pk=clerk.pk).update(valid_to=clock.now())
        assert "Lägg till behörighetsroll" in [step.text for step in client.get(address).context["steps"]]

    def test_are_for_those_who_may(self, world: Any) -> None:
        new = world.organisation("Kommun Ek", "TST2120001562-1000", "2120001561", area=world.area)
        page = client_of(world.officer(role=Role.GLOBAL_READER)).get(reverse("organisation", args=[new.id]))
        assert "Nästa steg" not in text_of(page)


class TestOwnTraining:
    """What a role holder reads of his own training on the page that he starts at."""

    @pytest.mark.parametrize(("days", "said"), [(310, "till och med"), (366, "förrän din personkontroll och utbildning")])
    def test_before_and_after_it_stops_him(self, world: Any, days: int, said: str) -> None:
        clerk = world.officer()
        last = clock.today() + dt.timedelta(days=365)
        nine = clock.start_of_day(clock.today() + dt.timedelta(days=days)) + dt.timedelta(hours=9)
        with clock.moved_to(nine):
            text = text_of(client_of(clerk).get(reverse("search")))
        assert said in text
        assert (f"till och med {last}" in text) is (days == 310)
