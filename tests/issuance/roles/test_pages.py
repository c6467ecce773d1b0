"""Roles on pages: from the organisation's side, from the person's, training and person check, and the list of role holders."""

import datetime as dt
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from issuance.authz import Actor, Role
from issuance.authz.roles import ALLOWED, ASSIGNABLE
from issuance.organisations.models import Organisation
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person
from issuance.roles.domain import QualificationKind
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.role_requests import RoleRequest
from issuance.roles.queries import role_words, roles
from issuance.roles.services import qualifications, role_assignment, role_periods
from issuance.roles.services.actors import actor_of_person
from issuance.roles.web.lists import OrganisationRoleList
from issuance.search.models import Search
from siths_portal.lib import clock
from siths_portal.lib.lists import Cursor, Order
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.world import SETUP
from tests.portal import portal_client

DAY = dt.timedelta(days=1)


def client_of(actor: Actor) -> Client:
    return portal_client(Person.objects.get(pk=actor.person_id))


def issuer_of(world: Any, *, protected: bool = False) -> Actor:
    actor: Actor = world.officer(role=Role.RESPONSIBLE_ISSUER, protected=protected)
    return actor


def number_of(person: Person) -> str:
    return str(person.identifiers.get().value)


def rows_of(answer: Any) -> list[list[str]]:
    """The cells of every row of the tables on the page."""
    body = answer.content.decode()
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", re.sub(r"<thead>.*?</thead>", "", body, flags=re.S), re.S)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in rows]
    return [[re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", cell)).strip() for cell in row] for row in cells]


def shown_on(answer: Any) -> dict[str, list[str]]:
    """What the page that asks before roles end sends with the answer: the roles that it showed."""
    return {"visad": re.findall(r'name="visad" value="([^"]+)"', answer.content.decode())}


def assign(world: Any, person: Person, role: Role = Role.ID_ADMINISTRATOR, **more: Any) -> RoleGrant:
    arguments = {"actor": SETUP, "person_id": person.id, "role": role, "organisation_id": world.region.id, **more}
    return role_assignment.assign_role(**arguments)


class TestFromTheOrganisation:
    def test_the_administration_is_told_who_gives_the_roles_here(self, world: Any) -> None:
        address = reverse("organisation_roles", args=[world.region.id])
        adding = reverse("organisation_role_add", args=[world.region.id])
        told = client_of(world.officer(role=Role.MASTER_DATA_ADMIN)).get(address)
        assert "Områdets ansvariga utgivare ger rollerna" in text_of(told)
        assert f'href="{adding}"' not in told.content.decode()
        assert f'href="{adding}"' in client_of(issuer_of(world)).get(address).content.decode()

    def test_the_list_has_the_columns_of_the_slides(self, world: Any) -> None:
        assign(world, world.post(given_name="Jörgen", surname="Sand").person)
        assign(world, world.post(given_name="Britta", surname="Norgren").person, Role.READER, organisation_id=world.clinic.id)
        assign(world, world.post(world.city).person, Role.READER, organisation_id=world.city.id)
        answer = client_of(issuer_of(world)).get(reverse("organisation_roles", args=[world.region.id]))
        assert answer.status_code == 200
        assert [row[:4] for row in rows_of(answer)] == [
            ["Norgren, Britta", "Läs", "Nej", "Kliniken"],
            ["Sand, Jörgen", "ID-administratör", "Nej", "Regionen"],
        ]
        heads = re.findall(r'<th scope="col"[^>]*>(?:<a [^>]*>)?([^<]+)<', answer.content.decode())
        assert heads[:4] == ["Namn", "Behörighetsroll", "Sekretess", "Organisation"]

    def test_the_organisation_leads_there(self, world: Any) -> None:
        address = reverse("organisation_roles", args=[world.region.id])
        for role, leads in ((Role.RESPONSIBLE_ISSUER, True), (Role.DEPUTY_ISSUER, True), (Role.GLOBAL_READER, False)):
            page = client_of(world.officer(role=role)).get(reverse("organisation", args=[world.region.id]))
            assert (f'href="{address}"' in page.content.decode()) is leads, role

    def test_a_protected_holder_is_on_no_page_without_the_add_on(self, world: Any) -> None:
        assign(world, world.post(protected=True, surname="Hemligsson").person, Role.READER)
        address = reverse("organisation_roles", args=[world.region.id])
        plain, with_it = client_of(issuer_of(world)).get(address), client_of(issuer_of(world, protected=True)).get(address)
        assert "Hemligsson" in text_of(with_it)
        assert "Hemligsson" not in plain.content.decode()
        assert "Ingen har en roll här" in text_of(plain)

    def test_search_choose_and_add(self, world: Any) -> None:
        person = world.post(given_name="Bengt", surname="Persson").person
        second = world.post(world.clinic, person_id=None).hsa_id
        client, address = client_of(issuer_of(world)), reverse("organisation_role_add", args=[world.region.id])
        for at in (address, reverse("area_role_add", args=[world.area.id])):
            choices = re.findall(r'<input[^>]*name="role"[^>]*>', client.get(at).content.decode())
            assert (len(choices) > 1, [one for one in choices if "checked" in one]) == (True, []), at
        chosen = {"role": "id_administrator", "text": number_of(person), "valid_from": "", "valid_to": ""}
        found = client.post(address, {**chosen, "sok": "1"})
        assert found.status_code == 200
        page = found.content.decode()
        hsa_id = person.posts.get().hsa_id
        assert next(row for row in rows_of(found) if "Persson, Bengt" in row[0])[2] == hsa_id
        assert second not in page
        assert re.search(r'value="id_administrator"[^>]* checked', page), "what was chosen stays chosen"
        assert number_of(person) not in found.request["PATH_INFO"] + found.request["QUERY_STRING"]
        (picked,) = re.findall(r'name="person" value="([^"]+)"', page)
        (search,) = re.findall(r'name="sokning" value="([^"]+)"', page)
        done = client.post(address, {**chosen, "person": picked, "sokning": search, "lagg_till": "1"}, follow=True)
        assert done.redirect_chain == [(reverse("organisation_roles", args=[world.region.id]), 302)]
        assert ["Persson, Bengt", "ID-administratör", "Nej", "Regionen"] in [row[:4] for row in rows_of(done)]
        assert "Behörighetsrollen är tillagd" in text_of(done)

    def test_only_those_in_sight_are_found(self, world: Any) -> None:
        client, address = client_of(issuer_of(world)), reverse("organisation_role_add", args=[world.region.id])
        for person in (world.post(world.stranger).person, world.post(protected=True).person):
            answer = client.post(address, {"text": number_of(person), "sok": "1"})
            assert "Inga träffar" in text_of(answer)
            assert str(person.id) not in answer.content.decode()
        assert Search.objects.count() == 2

    def test_oneself_is_told_and_not_to_be_chosen(self, world: Any) -> None:
        issuer = issuer_of(world)
        address = reverse("organisation_role_add", args=[world.region.id])
        client, number = client_of(issuer), number_of(Person.objects.get(pk=issuer.person_id))
        answer = client.post(address, {"text": number, "sok": "1"})
        assert "Du kan inte ge dig själv en roll" in text_of(answer)
        (search,) = re.findall(r'name="sokning" value="([^"]+)"', answer.content.decode())
        forced = {"role": "reader", "text": number, "sokning": search, "person": str(issuer.person_id), "lagg_till": "1"}
        assert client.post(address, forced).status_code == 403
        assert not RoleGrant.objects.filter(person_id=issuer.person_id, role="reader").exists()

    def test_what_is_wrong_is_told_and_nothing_typed_is_lost(self, world: Any) -> None:
        person = world.post().person
        assign(world, person)
        client, address = client_of(issuer_of(world)), reverse("organisation_role_add", args=[world.region.id])
        found = client.post(address, {"role": "id_administrator", "text": number_of(person), "sok": "1"}).content.decode()
        (search,) = re.findall(r'name="sokning" value="([^"]+)"', found)
        typed = {
            "role": "id_administrator", "text": number_of(person), "person": str(person.id), "sokning": search,
            "valid_to": f"{clock.today() + 5 * DAY}",
        }  # fmt: skip
        answer = client.post(address, typed)
        assert answer.status_code == 409
        assert "har redan rollen" in text_of(answer)
        for kept in (typed["valid_to"], str(person.id), number_of(person)):
            assert kept in answer.content.decode()
        for wrong, told in (
            ({"person": ""}, "Sök och välj en person"),
            ({"role": ""}, "Välj en behörighetsroll"),
            ({"role": "responsible_issuer"}, "Välj en behörighetsroll i listan"),
            ({"valid_to": "2020-01-01"}, "sista dag"),
            ({"valid_to": "i morgon"}, "Skriv ett datum"),
        ):
            answer = client.post(address, typed | wrong)
            assert (answer.status_code, told in text_of(answer)) == (422, True), wrong
        assert person.role_grants.count() == 1

    @pytest.mark.parametrize(("role", "add_on"), [(Role.RESPONSIBLE_ISSUER, False), (Role.DEPUTY_ISSUER, True)])
    def test_only_what_may_be_given_is_offered(self, world: Any, role: Role, add_on: bool) -> None:
        page = client_of(world.officer(role=role, protected=add_on)).get(
            reverse("organisation_role_add", args=[world.region.id])
        ).content.decode()  # fmt: skip
        assert set(re.findall(r'name="role"[^>]* value="([^"]+)"', page)) == {one.value for one in ASSIGNABLE[role]}
        assert ('name="protected_persons"' in page) is add_on

    def test_who_gives_no_role_there_is_told_who_does(self, world: Any) -> None:
        page = client_of(world.officer(role=Role.MASTER_DATA_ADMIN)).get(reverse("organisation_role_add", args=[world.region.id]))
        assert "Områdets utgivare ger roller i organisationer" in text_of(page)
        assert 'name="role"' not in page.content.decode()

    def test_a_page_of_many(self, world: Any, django_assert_max_num_queries: Any) -> None:
        people = [world.post(surname=f"Nr{number:03}").person for number in range(60)]
        RoleGrant.objects.bulk_create(
            RoleGrant(person=person, role="reader", organisation=world.region, valid_from=clock.now()) for person in people
        )
        client, address = client_of(issuer_of(world)), reverse("organisation_roles", args=[world.region.id])
        client.get(address)
        names: list[str] = []
        while address:
            with django_assert_max_num_queries(15):
                answer = client.get(address.replace("&amp;", "&"))
            names += [row[0] for row in rows_of(answer)]
            (address,) = re.findall(r'href="([^"]*efter=[^"]*)"', answer.content.decode()) or [""]
        assert names == sorted(names)
        assert len(names) == 60

    @pytest.mark.parametrize(
        ("asked", "names"),
        [
            ("", "Alm Berg Ceder Dahl"),
            ("-namn", "Dahl Ceder Berg Alm"),
            ("roll", "Berg Alm Ceder Dahl"),  # Biträdande utgivare, ID-administratör, Läs, Spärr
            ("-organisation", "Ceder Dahl Alm Berg"),  # Staden, Regionen, Kliniken twice
            ("till", "Dahl Berg Alm Ceder"),
            ("finns-inte", "Alm Berg Ceder Dahl"),
        ],
    )
    def test_each_column_orders_the_list_over_pages(self, world: Any, asked: str, names: str) -> None:
        day = clock.today()
        for surname, role, place, last in (
            ("Alm", Role.ID_ADMINISTRATOR, world.clinic, None),
            ("Berg", Role.DEPUTY_ISSUER, world.clinic, day + 9 * DAY),
            ("Ceder", Role.READER, world.city, None),
            ("Dahl", Role.REVOKER, world.region, day + DAY),
        ):
            person = world.post(surname=surname).person
            assign(world, person, role, organisation_id=place.id, period=role_periods.Period(None, last))
        Organisation.objects.filter(pk=world.city.pk).update(scope_path=f"{world.region.scope_path}ort/")
        columns = {column.key: column.by for column in OrganisationRoleList.columns if column.by}
        order = Order.parse(asked, columns, Order("namn"))
        actor, found, after = issuer_of(world), [], None
        for _ in range(4):
            rows = roles.of_organisation(actor=actor, organisation=world.region)
            page = rows.page(order, columns[order.key], Cursor(str(after)) if after else None, 1)
            found += [row.holder.removesuffix(", Prov") for row in page.lines]
            after = page.next
        assert after is None
        ties = {"-organisation": {"Alm", "Berg"}, "till": {"Alm", "Ceder"}}.get(asked, set())
        expected = names.split()
        assert [name for name in found if name not in ties] == [name for name in expected if name not in ties]
        assert [name in ties for name in found] == [name in ties for name in expected]

    def test_the_heads_turn_the_order_round(self, world: Any) -> None:
        assign(world, world.post().person)
        client, address = client_of(issuer_of(world)), reverse("organisation_roles", args=[world.region.id])
        page = client.get(address).content.decode()
        assert f'<th scope="col" aria-sort="ascending"><a class="sort" href="{address}?ordning=-namn">' in page
        turned = client.get(f"{address}?ordning=-roll").content.decode()
        assert f'aria-sort="descending"><a class="sort" href="{address}?ordning=roll">' in turned
        assert turned.count("aria-sort") == 1


class TestFromThePerson:
    def test_the_persons_page_leads_there(self, world: Any) -> None:
        person = world.post().person
        address = reverse("person_roles", args=[person.id])
        for role, shown in ((Role.RESPONSIBLE_ISSUER, True), (Role.ID_ADMINISTRATOR, False), (Role.READER, False)):
            page = client_of(world.officer(role=role)).get(reverse("person", args=[person.id])).content.decode()
            assert (f'href="{address}"' in page) is shown, role
        issuer = issuer_of(world)
        own = client_of(issuer).get(reverse("person", args=[issuer.person_id]))
        assert "Du kan inte ändra dina egna roller" in text_of(own)

    def test_roles_with_their_places(self, world: Any) -> None:
        person = world.post().person
        assign(world, person)
        assign(world, person, organisation_id=world.city.id)
        assign(world, person, Role.READER, protected_persons=True)
        answer = client_of(issuer_of(world, protected=True)).get(reverse("person_roles", args=[person.id]))
        text = text_of(answer)
        assert "ID-administratör i organisation" in text
        assert [row[0].split(" ")[0] for row in rows_of(answer)] == ["Regionen", "Staden", "Regionen"]
        assert "Sekretess: Ja" in text
        assert "Sekretess: Nej" in text

    def test_roles_out_of_reach_are_not_there(self, world: Any) -> None:
        """A deputy of the clinic sees the clinic's alone, of a person who has others."""
        person = world.post(world.clinic).person
        for organisation in (world.clinic, world.city):
            assign(world, person, Role.READER, organisation_id=organisation.id)
        answer = client_of(world.officer(world.clinic, Role.DEPUTY_ISSUER)).get(reverse("person_roles", args=[person.id]))
        assert [row[0].split(" ")[0] for row in rows_of(answer)] == ["Kliniken"]
        assert "Staden" not in text_of(answer)

    def test_a_role_is_picked_then_its_places_in_the_tree(self, world: Any) -> None:
        person = world.post().person
        assign(world, person, organisation_id=world.city.id)
        client, address = client_of(issuer_of(world)), reverse("person_role_add", args=[person.id])
        first = client.get(address).content.decode()
        assert set(re.findall(r'name="roll"[^>]* value="([^"]+)"', first)) == {
            one.value for one in ASSIGNABLE[Role.RESPONSIBLE_ISSUER]
        }
        assert not re.search(r'name="roll"[^>]* checked', first), "whoever presses on gives no role unseen"
        unpicked = client.get(f"{address}?vidare=1")
        assert (unpicked.status_code, text_of(unpicked).count("Välj en behörighetsroll.")) == (422, 2)
        tree = client.get(f"{address}?roll=id_administrator")
        assert "Lägg till rollen</button>" in tree.content.decode()
        page = tree.content.decode()
        assert re.findall(r'name="plats" value="([^"]+)"', page) == [
            str(each.id) for each in (world.region, world.clinic, world.city)
        ], "a sub-organisation stands under its own, and nothing of another area"
        assert re.search(f'value="{world.city.id}"[^>]* disabled', page)
        assert "har redan rollen här" in text_of(tree)
        done = client.post(
            f"{address}?roll=id_administrator", {"role": "id_administrator", "plats": [str(world.clinic.id)]}, follow=True
        )
        assert done.redirect_chain == [(reverse("person_roles", args=[person.id]), 302)]
        assert {grant.organisation for grant in person.role_grants.select_related("organisation")} == {world.city, world.clinic}

    def test_nothing_picked_and_nothing_out_of_reach(self, world: Any) -> None:
        person = world.post().person
        client, address = client_of(issuer_of(world)), f"{reverse('person_role_add', args=[person.id])}?roll=reader"
        answer = client.post(address, {"role": "reader", "valid_to": f"{clock.today()}"})
        body = answer.content.decode()
        assert (answer.status_code, text_of(answer).count("Välj minst en organisation")) == (422, 2)
        leads_to = re.search(r'<li><a[^>]*href="#([^"]+)">Omfång: Välj minst en organisation', body)
        assert leads_to is not None
        assert re.search(rf'<input[^>]*type="checkbox"[^>]*id="{leads_to[1]}"(?![^>]* disabled)', body)
        assert f"{clock.today()}" in body
        both = [str(world.region.id), str(world.stranger.id)]
        assert client.post(address, {"role": "reader", "plats": both}).status_code == 404
        assert client.post(address, {"role": "reader", "plats": ["x"]}).status_code == 422
        assert client.post(address, {"role": "id_administrator", "plats": both[:1]}).status_code == 422
        assert not person.role_grants.exists()

    def test_the_add_on_is_offered_to_those_who_may_give_it_and_refused_elsewhere_at_its_field(self, world: Any) -> None:
        """Nothing that was picked is lost; a role is changed by others without the box."""
        deputy, person = world.post().person, world.post().person
        for place, add_on in ((world.region, True), (world.city, False)):
            assign(world, deputy, Role.DEPUTY_ISSUER, organisation_id=place.id, protected_persons=add_on)
        client, address = portal_client(deputy), f"{reverse('person_role_add', args=[person.id])}?roll=reader"
        sent = {"role": "reader", "protected_persons": "on", "plats": [str(world.region.id), str(world.city.id)]}
        refused = client.post(address, sent)
        assert (refused.status_code, "Du har inte tilläggsrollen Sekretess överallt" in text_of(refused)) == (403, True)
        assert re.search(r'name="protected_persons"[^>]* checked', refused.content.decode())
        assert len(re.findall(r'name="plats" value="[^"]+"[^>]* checked', refused.content.decode())) == 2
        assert client.post(address, sent | {"plats": sent["plats"][:1]}).status_code == 302
        there, elsewhere = person.role_grants.get(), assign(world, person, organisation_id=world.city.id)
        for grant, offered in ((there, True), (elsewhere, False)):
            change = reverse("role_change", args=[grant.id])
            assert ('name="protected_persons"' in client.get(change).content.decode()) is offered
        last = clock.today() + 3 * DAY
        assert client.post(change, {"version": "1", "valid_to": f"{last}", "protected_persons": "on"}).status_code == 302
        elsewhere.refresh_from_db()
        assert (elsewhere.protected_persons, role_periods.last_day_of(elsewhere)) == (False, last)

    def test_the_administration_gives_issuers_their_area_and_requests_global_roles(self, world: Any) -> None:
        person = world.post().person
        client, address = client_of(world.officer(role=Role.MASTER_DATA_ADMIN)), reverse("person_role_add", args=[person.id])
        page = client.get(f"{address}?roll=responsible_issuer").content.decode()
        assert str(world.area.id) in re.findall(r'name="plats" value="([^"]+)"', page)
        sent = {"role": "responsible_issuer", "plats": [str(world.area.id)]}
        assert client.post(f"{address}?roll=responsible_issuer", sent).status_code == 302
        page = client.get(f"{address}?roll=global_reader").content.decode()
        assert ('name="plats"' in page, "Begär rollen</button>" in page) == (False, True)
        sent = {"role": "global_reader"}
        assert client.post(f"{address}?roll=global_reader", sent).status_code == 422, "a reason is missing"
        told = client.post(f"{address}?roll=global_reader", {**sent, "reason": "Ny i förvaltningen"}, follow=True)
        assert "Rollen Global Läs är begärd." in text_of(told)
        assert set(person.role_grants.values_list("role", flat=True)) == {"responsible_issuer"}
        assert RoleRequest.objects.get().person == person

    def test_change_and_what_another_did_meanwhile(self, world: Any) -> None:
        person = world.post().person
        grant = assign(world, person)
        client, address = client_of(issuer_of(world, protected=True)), reverse("role_change", args=[grant.id])
        shown = client.get(address).content.decode()
        assert re.search(r'name="version" value="1"', shown)
        role_assignment.change_role(
            actor=SETUP, grant_id=grant.id, version=1, protected_persons=False, last=clock.today() + 3 * DAY
        )
        sent = {"version": "1", "protected_persons": "on", "valid_to": f"{clock.today() + 9 * DAY}"}
        told = client.post(address, sent)
        assert told.status_code == 409
        page = told.content.decode()
        assert f"till {clock.today() + 3 * DAY}" in text_of(told), "what stands now"
        assert f"Gäller till: – → {clock.today() + 3 * DAY} (" in text_of(told), "who did what meanwhile"
        assert f"Nu står det: {clock.today() + 3 * DAY}" in text_of(told)
        assert sent["valid_to"] in page, "what was typed"
        assert re.search(r'name="version" value="2"', page)
        assert client.post(address, {**sent, "version": "2"}).status_code == 302
        grant.refresh_from_db()
        assert (grant.protected_persons, role_periods.last_day_of(grant)) == (True, clock.today() + 9 * DAY)

    def test_what_another_did_to_a_field_that_was_not_touched_stays(self, world: Any) -> None:
        grant = assign(world, world.post().person)
        client, address = client_of(issuer_of(world, protected=True)), reverse("role_change", args=[grant.id])
        role_assignment.change_role(actor=SETUP, grant_id=grant.id, version=1, protected_persons=True, last=None)
        sent = {"version": "1", "valid_to": f"{clock.today() + 9 * DAY}"}
        told = client.post(address, sent)
        assert told.status_code == 409
        assert "Sekretess: Nej → Ja" in text_of(told)
        assert re.search(r'name="protected_persons"[^>]* checked', told.content.decode()), "the box was not touched"
        assert client.post(address, {**sent, "version": "2", "protected_persons": "on"}).status_code == 302
        grant.refresh_from_db()
        assert (grant.protected_persons, role_periods.last_day_of(grant)) == (True, clock.today() + 9 * DAY)

    def test_a_role_that_another_ended_meanwhile_says_by_whom_and_when(self, world: Any) -> None:
        grant = assign(world, world.post().person)
        clients = [client_of(issuer_of(world)), client_of(world.officer(role=Role.DEPUTY_ISSUER))]
        assert clients[0].post(reverse("role_end", args=[grant.id])).status_code == 302
        for name, sent in (("role_change", {"version": "1"}), ("role_end", {})):
            told = clients[1].post(reverse(name, args=[grant.id]), sent)
            assert told.status_code == 409
            for words in ("Rollen är avslutad", "ID-administratör", "Regionen", "av Handläggare Provsson", f"{clock.today()}"):
                assert words in text_of(told)
        stranger = client_of(world.officer(world.stranger, Role.RESPONSIBLE_ISSUER))
        assert stranger.get(reverse("role_end", args=[grant.id])).status_code == 404

    def test_a_role_whose_last_day_has_passed_says_so(self, world: Any) -> None:
        grant = assign(world, world.post().person)
        RoleGrant.objects.filter(pk=grant.pk).update(valid_to=clock.now())
        told = client_of(issuer_of(world)).get(reverse("role_change", args=[grant.id]))
        assert told.status_code == 409
        assert "efter sin sista dag" in text_of(told)

    def test_a_role_that_has_not_begun_ends_without_a_word_of_log_ins(self, world: Any) -> None:
        period = role_periods.Period(clock.today() + 5 * DAY, None)
        grant = assign(world, world.post().person, period=period)
        client, address = client_of(issuer_of(world)), reverse("role_end", args=[grant.id])
        assert "Rollen har inte börjat gälla" in text_of(client.get(address))
        told = client.post(address, follow=True)
        assert "borttagen innan den började gälla" in text_of(told)
        assert "inloggningar har avslutats" not in text_of(told)

    def test_the_history_tells_before_and_after(self, world: Any) -> None:
        person = world.post().person
        grant = assign(world, person)
        role_assignment.change_role(
            actor=SETUP, grant_id=grant.id, version=1, protected_persons=True, last=clock.today() + 3 * DAY
        )
        qualifications.record(actor=SETUP, person_id=person.id, kind=QualificationKind.TRAINING, passed_on=clock.today())
        told = text_of(client_of(issuer_of(world)).get(reverse("person_history", args=[person.id])))
        for words in (
            "Behörighetsroll gavs Roll: ID-administratör", "Behörighetsroll ändrades", "Sekretess: Nej → Ja",
            f"Gäller till: tills vidare → {clock.today() + 3 * DAY}", "Vad: Utbildning", f"Godkänd: {clock.today()}",
        ):  # fmt: skip
            assert words in told, words

    def test_an_end_is_asked_for_and_ends_the_log_in(self, world: Any) -> None:
        person = world.post().person
        grants = [assign(world, person), assign(world, person, organisation_id=world.city.id)]
        holder, client = portal_client(person), client_of(issuer_of(world))
        assert holder.get("/sok/").status_code == 200
        address = reverse("role_end", args=[grants[0].id])
        asked = client.get(f"{address}?alla=1")
        assert "Rollen upphör genast" in text_of(asked)
        assert "Regionen" in text_of(asked)
        assert "Staden" in text_of(asked)
        assert holder.get("/sok/").status_code == 200, "asking ends nothing"
        assert client.post(f"{address}?alla=1", shown_on(asked)).status_code == 302
        assert holder.get("/sok/").status_code == 403
        assert actor_of_person(person.id).grants == ()
        assert client.get(address).status_code == 409, "an ended role is there no more to end"

    def test_a_role_whose_add_on_one_may_not_give_can_be_ended_and_no_more(self, world: Any) -> None:
        person = world.post().person
        grants = [assign(world, person, protected_persons=True, organisation_id=place.id) for place in (world.region, world.city)]
        client, address = client_of(issuer_of(world)), reverse("role_end", args=[grants[0].id])
        for shown in (reverse("person_roles", args=[person.id]), reverse("organisation_roles", args=[world.region.id])):
            page = client.get(shown).content.decode()
            assert f'href="{address}"' in page
            assert f'href="{reverse("role_change", args=[grants[0].id])}"' not in page
            assert "Lägg till organisation" not in page
        assert client.get(reverse("role_change", args=[grants[0].id])).status_code == 403
        asked = client.get(f"{address}?alla=1")
        assert client.post(f"{address}?alla=1", shown_on(asked)).status_code == 302
        assert actor_of_person(person.id).grants == ()

    def test_like_roles_that_are_others_than_the_page_showed_are_asked_for_again(self, world: Any) -> None:
        person, another = world.post().person, world.post(surname="Annan").person
        first, second, third = (
            assign(world, person, organisation_id=place.id) for place in (world.region, world.city, world.clinic)
        )
        alien = assign(world, another)
        ward = world.organisation("Avdelningen", "TST2321000131-1044", "2321000131", area=world.area, parent=world.clinic)
        client, address = client_of(issuer_of(world)), f"{reverse('role_end', args=[first.id])}?alla=1"
        shown = shown_on(client.get(address))
        assert len(shown["visad"]) == 3
        role_assignment.end_role(actor=SETUP, grant_id=second.id)
        role_assignment.change_role(
            actor=SETUP, grant_id=third.id, version=1, protected_persons=False, last=clock.today() + 5 * DAY
        )
        given = assign(world, person, organisation_id=ward.id)
        again = client.post(address, {"visad": [*shown["visad"], f"{alien.id}.1", "x", "."]})
        told = text_of(again)
        assert again.status_code == 409
        for words in (
            "Rollerna har ändrats sedan sidan visades", "Har tillkommit: Avdelningen",
            "Har ändrats: Kliniken", "Är inte kvar här: Staden", "Inget är borttaget",
        ):  # fmt: skip
            assert words in told, words
        assert told.count("Är inte kvar här") == 1, "a mark of another's role tells nothing"
        assert client.post(address).status_code == 409, "what no page showed ends not"
        rows = RoleGrant.objects.filter(pk__in=[first.pk, third.pk, given.pk, alien.pk])
        assert not rows.filter(valid_to__lte=clock.now()).exists()
        assert client.post(address, shown_on(again)).status_code == 302
        assert set(rows.filter(valid_to__lte=clock.now())) == {first, third, given}

    def test_a_change_bites_on_the_next_request(self, world: Any) -> None:
        person, secret = world.post().person, world.post(protected=True).person
        grant = assign(world, person, protected_persons=True)
        holder = portal_client(person)
        assert holder.get(reverse("person", args=[secret.id])).status_code == 200
        sent = {"version": "1", "valid_to": ""}
        client_of(issuer_of(world, protected=True)).post(reverse("role_change", args=[grant.id]), sent)
        assert holder.get(reverse("person", args=[secret.id])).status_code == 404
        assert holder.get("/sok/").status_code == 200

    def test_a_change_asks_for_a_log_in_of_now(self, world: Any) -> None:
        person = world.post().person
        grant = assign(world, person)
        client = client_of(issuer_of(world))
        with clock.moved_to(clock.now() + dt.timedelta(minutes=14)):
            client.get("/sok/")
        with clock.moved_to(clock.now() + dt.timedelta(minutes=16)):
            for name, pk in (("role_change", grant.id), ("person_role_add", person.id), ("qualification_add", person.id)):
                answer = client.get(reverse(name, args=[pk]))
                assert (answer.status_code, answer.url.startswith("/logga-in/?")) == (302, True)
            answer = client.post(reverse("role_end", args=[grant.id]))
            assert (answer.status_code, answer.url.startswith("/logga-in/?")) == (302, True)
        grant.refresh_from_db()
        assert grant.valid_to is None

    def test_nothing_typed_is_lost_by_a_new_log_in(self, world: Any) -> None:
        person = world.post().person
        grant, day = assign(world, person), f"{clock.today() + 5 * DAY}"
        client = client_of(issuer_of(world, protected=True))
        with clock.moved_to(clock.now() + dt.timedelta(minutes=14)):
            client.get("/sok/")
        city = str(world.city.id)
        forms = (
            (f"{reverse('person_role_add', args=[person.id])}?roll=reader", {"role": "reader", "plats": [city]}, city),
            (reverse("role_change", args=[grant.id]), {"version": "1", "protected_persons": "on"}, ""),
            (reverse("organisation_role_add", args=[world.region.id]), {"role": "reader", "text": "1024"}, "reader"),
        )
        for address, typed, ticked in forms:
            with clock.moved_to(clock.now() + dt.timedelta(minutes=16)):
                assert client.post(address, {**typed, "valid_to": day}).url.startswith("/logga-in/?")
            again = client.get(address).content.decode()
            assert f'value="{day}"' in again, address
            box = f'value="{ticked}"' if ticked else 'name="protected_persons"'
            assert re.search(f"{box}[^>]* checked", again), address
        assert 'value="1024"' in again
        assert person.role_grants.count() == 1


class TestRights:
    def test_the_table_is_the_policys(self, world: Any) -> None:
        answer = client_of(world.officer(role=Role.READER)).get(reverse("role_rights"))
        cells = {row[0]: row[1:] for row in rows_of(answer) if len(row) == len(Role) + 1}
        told = {action: text for group in role_words.GROUPS.values() for action, text in group.items()}
        assert set(told) == set().union(*ALLOWED.values())
        for action, text in told.items():
            assert [cell == "Ja" for cell in cells[text]] == [action in ALLOWED[role] for role in Role], action


@pytest.mark.parametrize("name", ["organisation_role_add", "person_roles", "person_role_add", "qualification_add"])
def test_pages_cost_few_queries(world: Any, name: str, django_assert_max_num_queries: Any) -> None:
    person = world.post().person
    for organisation in (world.region, world.clinic, world.city):
        assign(world, person, organisation_id=organisation.id)
    for kind in QualificationKind:
        qualifications.record(actor=SETUP, person_id=person.id, kind=kind, passed_on=clock.today())
    client = client_of(issuer_of(world))
    address = reverse(name, args=[world.region.id if name.startswith("organisation") else person.id])
    with django_assert_max_num_queries(15):
        assert client.get(address).status_code == 200


def test_a_holder_from_above_is_named_and_not_opened(world: Any) -> None:
    """Who has a role in the clinic is named there, also where his person is out of the deputy's sight."""
    person = world.post(world.city, surname="Stadsson").person
    assign(world, person, Role.READER, organisation_id=world.clinic.id)
    assert not PersonScope.objects.filter(person=person, organisation=world.clinic).exists()
    clinic = Organisation.objects.get(pk=world.clinic.pk)
    answer = client_of(world.officer(clinic, Role.DEPUTY_ISSUER)).get(reverse("organisation_roles", args=[clinic.pk]))
    assert "Stadsson" in text_of(answer)
    assert reverse("person_roles", args=[person.id]) not in answer.content.decode()
