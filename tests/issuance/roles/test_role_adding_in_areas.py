"""Lägg till roller: one person after the other in an area, each in several organisations at once (ADR 0188)."""

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.authz import Role
from issuance.people.models.persons import Person
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import role_tree
from issuance.roles.services import role_assignment
from issuance.search.models import Search
from siths_portal.lib import clock
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_role_adding import client_of, found_by, search, typed_in
from tests.issuance.world import SETUP


class TestInTheArea:
    @pytest.fixture
    def at(self, world: Any) -> str:
        return reverse("area_role_add", args=[world.area.id])

    def found(self, client: Client, at: str, person: Person) -> dict[str, str]:
        return {"text": person.identifiers.get().value, **found_by(search(client, at, person.identifiers.get().value))}

    def test_several_places_at_once_and_the_next_person(self, world: Any, at: str) -> None:
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        assert f'href="{at}"' in client.get(reverse("area", args=[world.area.id])).content.decode()
        for name, role, called, places in (
            ("Alm", "id_administrator", "ID-administratör", (world.clinic, world.city)),
            ("Ek", "reader", "Läs", (world.region,)),
        ):
            person = world.post(surname=name).person
            sent = {"role": role, "plats": [str(place.id) for place in places], **self.found(client, at, person)}
            answer = client.post(at, {**sent, "lagg_till": "1"}, follow=True)
            assert answer.redirect_chain == [(at, 302)]
            told = " och ".join(place.name for place in places)
            assert f"Prov {name} har rollen {called} i {told}." in text_of(answer)
            page = answer.content.decode()
            assert (typed_in(page, "plats"), sent["text"] in page) == ([], False)
            assert {grant.organisation for grant in person.role_grants.select_related("organisation")} == set(places)

    def test_all_or_none_and_nothing_typed_is_lost(self, world: Any, at: str) -> None:
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        person = world.post().person
        role_assignment.assign_role(actor=SETUP, person_id=person.id, role=Role.READER, organisation_id=world.city.id)
        both = [str(world.clinic.id), str(world.city.id)]
        sent = {"role": "reader", "plats": both, "valid_to": f"{clock.today()}", **self.found(client, at, person)}
        answer = client.post(at, {**sent, "lagg_till": "1"})
        page = answer.content.decode()
        assert (answer.status_code, "har redan rollen i Staden" in text_of(answer)) == (409, True)
        assert sorted(typed_in(page, "plats")) == sorted(both)
        assert all(kept in page for kept in (sent["valid_to"], sent["text"], f'value="{person.id}"'))
        for wrong, status, told in (
            ({"plats": []}, 422, "Kryssa för minst en organisation"),
            ({"plats": ["x"]}, 422, "Kryssa för minst en organisation"),
            ({"plats": [both[0], str(world.stranger.id)]}, 404, ""),
            ({"role": "responsible_issuer"}, 422, "Välj en behörighetsroll i listan"),
        ):
            answer = client.post(at, {**sent, **wrong, "lagg_till": "1"})
            assert (answer.status_code, told in text_of(answer)) == (status, True), wrong
            if "plats" in wrong and status == 422:  # at the boxes too, where the summary leads
                page = answer.content.decode()
                assert f'<a class="ds-link" href="#plats_{world.region.id}">Organisationer: {told}' in page
                assert f'id="plats_{world.region.id}"' in page
                assert told in page.partition('id="platser_error"')[2].partition("</div>")[0]
        assert person.role_grants.count() == 1

    def test_which_roles_the_found_has_in_reach_is_told(self, world: Any, at: str, django_assert_num_queries: Any) -> None:
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        client, person = client_of(issuer), world.post().person
        sent = {**self.found(client, at, person), "ort": "x", "sok_plats": "1", "text": person.identifiers.get().value}
        assert "Har rollerna" in text_of(client.post(at, sent))
        with CaptureQueriesContext(connection) as without:
            client.post(at, sent)
        RoleGrant.objects.bulk_create([
            RoleGrant(person=person, role=role.value, organisation=place, valid_from=clock.now())
            for role, place in (
                (Role.READER, world.clinic), (Role.READER, world.city), (Role.REVOKER, world.city),
                (Role.ID_ADMINISTRATOR, world.stranger),
            )
        ])  # fmt: skip
        with django_assert_num_queries(len(without)):
            told = text_of(client.post(at, sent))
        assert "Läs Kliniken, Staden" in told
        assert world.stranger.name not in told

    def test_who_gives_no_role_there_is_told_who_does(self, world: Any, at: str) -> None:
        client = client_of(world.officer(role=Role.MASTER_DATA_ADMIN))
        assert "Inga roller att ge här" in text_of(client.get(at))
        page = client.get(reverse("area", args=[world.area.id]))
        assert "Områdets ansvariga utgivare ger rollerna" in text_of(page)
        assert f'href="{at}"' not in page.content.decode()

    def test_a_log_in_of_now_keeps_places_and_text(self, world: Any, at: str) -> None:
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        with clock.moved_to(clock.now() + dt.timedelta(minutes=14)):
            client.get("/sok/")
        sent = {"role": "reader", "plats": [str(world.clinic.id), str(world.city.id)], "text": "Provsson"}
        with clock.moved_to(clock.now() + dt.timedelta(minutes=16)):
            assert client.post(at, sent).url.startswith("/logga-in/?")
        page = client.get(at).content.decode()
        assert sorted(typed_in(page, "plats")) == sorted(sent["plats"])
        assert 'value="Provsson"' in page

    def test_of_many_organisations_those_asked_for(
        self, world: Any, at: str, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
    ) -> None:
        monkeypatch.setattr(role_tree, "MOST", 2)
        client = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        client.get(at)
        with django_assert_max_num_queries(15):
            empty = client.get(at)
        assert "Området har 3 organisationer" in text_of(empty)
        assert 'name="plats"' not in empty.content.decode()
        ticked = {"plats": [str(world.city.id)], "ort": "klin", "text": ""}
        for button in ({"sok_plats": "1"}, {"sok": "1", "ort_sokt": ""}):
            with django_assert_max_num_queries(15):
                answer = client.post(at, {**ticked, **button})
            page = answer.content.decode()
            assert answer.status_code == 200
            places = (world.region, world.clinic, world.city)
            assert re.findall(r'name="plats" value="([^"]+)"', page) == [str(place.id) for place in places]
            assert typed_in(page, "plats") == ticked["plats"], "what is ticked stays, and stays ticked"
            assert "1 organisation passar" in text_of(answer)
        assert not Search.objects.exists(), "Enter among the organisations searches for nobody"
        many = text_of(client.post(at, {"ort": "TST", "sok_plats": "1"}))
        assert "3 organisationer passar, och bara de första visas" in many
        none = text_of(client.post(at, {"ort": "finns inte", "sok_plats": "1"}))
        assert "0 organisationer passar" in none
