"""Roles for people whom the portal does not know yet, the issuer of an area, next steps, and one's own training (ADR 0196)."""

import datetime as dt
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from issuance.authz import Actor, Role
from issuance.domain.ids import PersonId
from issuance.models import Event, Organisation, Person, PersonIdentifier, RoleGrant
from issuance.ports import DirectoryPost, PersonKey, RegisterPerson
from siths_portal.lib import clock
from tests.issuance.world import ADDRESS, person_number
from tests.portal import portal_client
from tests.portal_pages.test_person import text_of

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


def search(client: Client, address: str, text: str, *, role: str = "reader") -> Any:
    return client.post(address, {"role": role, "text": text, "sok": "1"})


def add(world: Any, client: Client, address: str, role: str, person_id: PersonId) -> Any:
    """Searches, takes the one who was found and gives the role."""
    page = search(client, address, person_id.value, role=role).content.decode()
    (picked,) = re.findall(r'name="person" value="([^"]+)"', page)
    return client.post(address, {"role": role, "person": picked, "lagg_till": "1"}, follow=True)


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

    def test_a_new_post_of_somebody_known(self, world: Any, address: str) -> None:
        post = world.post(world.stranger)
        key = world.key_of(post.person)
        world.outside.posts["TST2321000131-NY"] = DirectoryPost("TST2321000131-NY", world.region.hsa_id, key, "Prov", "Provsson")
        page = search(client_of(world.officer(role=Role.RESPONSIBLE_ISSUER)), address, key.value)
        assert "Provsson, Prov" in text_of(page)
        assert post.person.posts.count() == 2

    def test_a_protected_person_is_told_from_nobody_by_nothing(self, world: Any, address: str) -> None:
        hidden, nobody, elsewhere = (
            newcomer(world, world.region, protected=True),
            person_number(),
            newcomer(world, world.stranger),
        )
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        seen = set()
        for person_id in (hidden, hidden, nobody, elsewhere):
            world.outside.calls.clear()
            page = search(client, address, person_id.value)
            assert world.outside.calls == ASKED
            body = re.sub(r"[0-9a-f-]{36}|value=\"[^\"]*\"", "", page.content.decode())
            seen.add((page.status_code, body))
        assert len(seen) == 1
        with_it = search(client_of(world.officer(role=Role.RESPONSIBLE_ISSUER, protected=True)), address, hidden.value)
        assert "Nilsson, Ny" in text_of(with_it)

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


class TestTheResponsibleIssuer:
    def test_is_appointed_on_the_areas_page(self, world: Any) -> None:
        client, area = client_of(world.officer(role=Role.SYSTEM_ADMIN)), reverse("area", args=[world.area.id])
        page = client.get(area).content.decode()
        (link,) = set(re.findall(r'href="([^"]*ansvarig-utgivare/)"', page))
        answer = add(world, client, link, "responsible_issuer", newcomer(world, world.region))
        assert answer.redirect_chain == [(area, 302)]
        grant = RoleGrant.objects.get(role="responsible_issuer")
        assert grant.area == world.area
        assert reverse("person_roles", args=[grant.person_id]) in answer.content.decode()
        assert "Ansvariga utgivare Ny Nilsson" in text_of(answer)

    def test_gives_none_there_himself(self, world: Any) -> None:
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        link = reverse("area_issuer_add", args=[world.area.id])
        client = client_of(issuer)
        assert link not in client.get(reverse("area", args=[world.area.id])).content.decode()
        assert "Inga roller att dela ut här" in text_of(client.get(link))
        other = world.post().person
        assert client.post(link, {"role": "responsible_issuer", "person": str(other.id)}).status_code == 422
        assert not other.role_grants.exists()

    def test_is_named_to_readers_and_opened_by_those_above(self, world: Any) -> None:
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        link, area = reverse("person_roles", args=[issuer.person_id]), reverse("area", args=[world.area.id])
        for role, opens in ((Role.SYSTEM_ADMIN, True), (Role.GLOBAL_READER, False), (Role.RESPONSIBLE_ISSUER, False)):
            page = client_of(world.officer(role=role)).get(area)
            assert "Ansvariga utgivare Handläggare Provsson" in text_of(page), role
            assert (link in page.content.decode()) is opens, role


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
        section = re.search(r'<section class="panel next-steps".*?</section>', client.get(at).content.decode(), re.S)
        assert section is not None
        links = re.findall(r'href="([^"]+)"', section[0])
        assert len(links) >= 3
        assert {link: client.get(link).status_code for link in links} == dict.fromkeys(links, 200)
        RoleGrant.objects.create(
            person=world.post().person, role="id_administrator", organisation=world.region, valid_from=clock.now()
        )
        assert "Nästa steg" not in text_of(client.get(reverse("organisation", args=[world.clinic.id])))

    def test_are_for_those_who_may(self, world: Any) -> None:
        new = world.organisation("Kommun Ek", "TST2120001562-1000", "2120001561", area=world.area)
        page = client_of(world.officer(role=Role.GLOBAL_READER)).get(reverse("organisation", args=[new.id]))
        assert "Nästa steg" not in text_of(page)


class TestOwnTraining:
    """What a role holder reads of his own training on the page that he starts at."""

    @pytest.mark.parametrize(("days", "said"), [(0, "till och med"), (31, "förrän din personkontroll och utbildning")])
    def test_before_and_after_it_stops_him(self, world: Any, days: int, said: str) -> None:
        clerk = world.officer()
        last = clock.today() + dt.timedelta(days=30)
        nine = clock.start_of_day(clock.today() + dt.timedelta(days=days)) + dt.timedelta(hours=9)
        with clock.moved_to(nine if days else clock.now()):
            text = text_of(client_of(clerk).get(reverse("search")))
        assert said in text
        assert (f"till och med {last}" in text) is (days == 0)
