"""Who had which role where, and when: in the histories of places and of persons, and ended roles on a person's page."""

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.authz import Actor, Role
from issuance.people.models.persons import Person
from issuance.records.models.events import ROLE_ACTIONS, Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment
from issuance.roles.services.role_periods import Period
from siths_portal.lib import clock
from tests import superuser
from tests.issuance import events_of_others
from tests.issuance.organisations.test_pages import MOST_QUERIES, admin, at
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_pages import DAY, assign, client_of, issuer_of, rows_of
from tests.issuance.world import SETUP


def old_event(grant: RoleGrant, **facts: Any) -> None:
    """As such events were before they named their place."""
    Event.record(
        actor_ref=SETUP.ref, action="role.assigned", subject_type="person", subject_ref=str(grant.person_id),
        facts={"grant": str(grant.id), "role": grant.role, **facts},
    )  # fmt: skip


def granted(world: Any, person: Person, role: Role = Role.READER, **where: Any) -> RoleGrant:
    """A role without an event."""
    place = where or {"organisation": world.region}
    return RoleGrant.objects.create(person=person, role=role.value, valid_from=clock.now(), **place)


def told(answer: Any) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    return [(entry.what, entry.facts) for entry in answer.context["list"].lines if entry.what.startswith("Behörighetsroll")]


class TestOfPlaces:
    def test_an_organisations_history_tells_who_had_which_role_from_when_to_when(self, world: Any) -> None:
        post = world.post(given_name="Bengt", surname="Persson")
        first, last = clock.today() + 2 * DAY, clock.today() + 9 * DAY
        grant = assign(world, post.person, period=Period(first, last))
        issuer = issuer_of(world, protected=True)
        role_assignment.change_role(actor=issuer, grant_id=grant.id, version=1, protected_persons=True, last=last + DAY)
        role_assignment.end_role(actor=issuer, grant_id=grant.id)
        assign(world, world.post(surname="Underson").person, organisation_id=world.clinic.id)
        answer = client_of(issuer).get(at("organisation_history", world.region))
        who = ("Innehavare", f"Bengt Persson {post.hsa_id}")
        ended, changed, assigned = told(answer)
        role, begins = ("Roll", "ID-administratör"), ("Gäller från", str(first))
        assert assigned == ("Behörighetsroll gavs", (who, role, begins, ("Gäller till", str(last))))
        assert changed == ("Behörighetsroll ändrades", (who, role))
        assert ended[0] == "Behörighetsroll avslutades"
        assert ended[1][:4] == (who, role, ("Sekretess", "Ja"), begins)
        text = text_of(answer)
        assert "Sekretess: från Nej → till Ja" in text
        assert f"Gäller till: från {last} → till {last + DAY}" in text
        assert "Underson" not in text  # stands in the sub-organisation's
        assert "Underson" in text_of(client_of(issuer).get(at("organisation_history", world.clinic)))

    def test_an_areas_history_tells_of_its_responsible_issuers(self, world: Any) -> None:
        person = world.post(surname="Utgivarsson").person
        role_assignment.assign_role(
            actor=world.officer(role=Role.MASTER_DATA_ADMIN),
            person_id=person.id,
            role=Role.RESPONSIBLE_ISSUER,
            area_id=world.area.id,
        )
        ((what, facts),) = told(admin(world).get(at("area_history", world.area)))
        assert (what, facts[1], facts[2]) == (
            "Behörighetsroll gavs", ("Roll", "Ansvarig utgivare"), ("Gäller från", str(clock.today())),
        )  # fmt: skip
        assert "Utgivarsson" in facts[0][1]
        assert told(admin(world).get(at("area_history", world.stranger.area))) == []

    @pytest.mark.parametrize("role", [Role.READER, Role.GLOBAL_READER, Role.DEPUTY_ISSUER], ids=str)
    def test_who_sees_the_configuration_reads_it(self, world: Any, role: Role) -> None:
        assign(world, world.post(surname="Innehavarsson").person)
        answer = client_of(world.officer(role=role)).get(at("organisation_history", world.region))
        assert "Innehavarsson" in text_of(answer)

    def test_a_protected_holder_makes_no_difference_to_who_may_not_see_him(self, world: Any) -> None:
        """In content, count, pages and queries (S13)."""
        for number in range(51):
            granted_now = assign(world, world.post(surname=f"Nr{number:02}").person)
        client, address = client_of(issuer_of(world)), at("organisation_history", world.region)
        client.get(address)
        with CaptureQueriesContext(connection) as without:
            before = client.get(address)
        person = world.post(protected=True, surname="Hemligsson").person
        grant = assign(world, person)
        role_assignment.end_role(actor=SETUP, grant_id=grant.id)
        with CaptureQueriesContext(connection) as with_him:
            after = client.get(address)
        assert after.context["list"].lines == before.context["list"].lines
        assert after.context["list"].next_url == before.context["list"].next_url != ""
        assert len(with_him) == len(without) <= MOST_QUERIES
        assert "Hemligsson" not in after.content.decode()
        with_add_on = client_of(issuer_of(world, protected=True)).get(address)
        assert text_of(with_add_on).count("Hemligsson") == 2
        assert granted_now.person.surname in text_of(with_add_on)

    def test_older_events_stand_there_too(self, world: Any) -> None:
        """They name no place. What they name, the grant, knows it, also after a move."""
        first, second = (world.post(surname=name).person for name in ("Förstasson", "Andrasson"))
        old_event(granted(world, first, organisation=world.clinic), scope_path="/somewhere/else/")
        old_event(granted(world, second, Role.RESPONSIBLE_ISSUER, area=world.area))
        ((_what, facts),) = told(client_of(issuer_of(world)).get(at("organisation_history", world.clinic)))
        assert (facts[0][1].split(" ")[1], facts[1:]) == ("Förstasson", (("Roll", "Läs"),))
        assert "Andrasson" in text_of(client_of(issuer_of(world)).get(at("area_history", world.area)))

    def test_the_page_finds_all_its_events_by_indexes(self, world: Any) -> None:
        """None of them by reading the whole table, nor all that is of one kind, where others have many."""
        for _ in range(2):
            assign(world, world.post().person)
        with superuser.cursor() as cursor:
            cursor.execute(events_of_others.SQL)
        with CaptureQueriesContext(connection) as queries:
            admin(world).get(at("organisation_history", world.region))
        (asked,) = [query["sql"] for query in queries if "-> 'grant'" in query["sql"]]
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + asked)
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert "Seq Scan" not in plan
        used = set(re.findall(r"Bitmap Index Scan on issuance_event_(\w+)", plan))
        assert used >= {"organisation", "grant"}, plan
        assert used & {"subject", "one_per_step"}, (
            plan
        )  # which begin with the same columns, so that few rows cost the same by both

    def test_many_roles_cost_what_few_do(self, world: Any) -> None:
        client, address = client_of(issuer_of(world)), at("organisation_history", world.region)
        assign(world, world.post().person)
        client.get(address)
        with CaptureQueriesContext(connection) as few:
            client.get(address)
        for _ in range(20):
            assign(world, world.post().person)
        with CaptureQueriesContext(connection) as many:
            client.get(address)
        assert len(few) == len(many) <= MOST_QUERIES


class TestOfPersons:
    def history(self, actor: Actor, person: Person) -> str:
        return text_of(client_of(actor).get(reverse("person_history", args=[person.id])))

    def test_the_place_and_the_first_day_are_told(self, world: Any) -> None:
        person = world.post().person
        assign(world, person, period=Period(clock.today() + DAY))
        assign(world, person, Role.RESPONSIBLE_ISSUER, organisation_id=None, area_id=world.area.id)
        assign(world, person, Role.GLOBAL_READER, organisation_id=None)
        text = self.history(issuer_of(world), person)
        for expected in (
            f"Roll: ID-administratör Omfång: Regionen Gäller från: {clock.today() + DAY}",
            f"Roll: Ansvarig utgivare Omfång: Utgivningsområdet Regionen Gäller från: {clock.today()}",
            f"Roll: Global Läs Omfång: Hela portalen Gäller från: {clock.today()}",
        ):
            assert expected in text, expected

    def test_a_place_out_of_reach_is_not_named(self, world: Any) -> None:
        person = world.post(world.clinic).person
        for organisation in (world.clinic, world.city):
            assign(world, person, Role.READER, organisation_id=organisation.id)
        text = self.history(world.officer(world.clinic, Role.ID_ADMINISTRATOR), person)
        assert "Roll: Läs Omfång: Kliniken" in text
        assert "Roll: Läs Omfång: utanför din behörighet" in text
        assert "Staden" not in text

    def test_older_events_tell_their_place_too(self, world: Any) -> None:
        person = world.post().person
        old_event(granted(world, person))
        assert "Roll: Läs Omfång: Regionen" in self.history(issuer_of(world), person)

    def test_many_roles_cost_what_one_does(self, world: Any) -> None:
        person = world.post().person
        client, address = client_of(issuer_of(world)), reverse("person_history", args=[person.id])
        assign(world, person)
        client.get(address)
        with CaptureQueriesContext(connection) as few:
            client.get(address)
        for organisation in (world.clinic, world.city):
            assign(world, person, organisation_id=organisation.id)
        assign(world, person, Role.RESPONSIBLE_ISSUER, organisation_id=None, area_id=world.area.id)
        with CaptureQueriesContext(connection) as many:
            client.get(address)
        assert len(few) == len(many) <= MOST_QUERIES

    def test_an_event_names_its_place(self, world: Any) -> None:
        person = world.post().person
        grants = [
            assign(world, person),
            assign(world, person, Role.RESPONSIBLE_ISSUER, organisation_id=None, area_id=world.area.id),
            assign(world, person, Role.GLOBAL_READER, organisation_id=None),
        ]
        role_assignment.end_roles(actor=SETUP, grant_ids=[grant.id for grant in grants])
        named = {
            (event.action, event.facts["role"], event.facts.get("organisation"), event.facts.get("area"))
            for event in Event.objects.filter(subject_ref=str(person.id), action__in=ROLE_ACTIONS)
        }
        assert named == {
            (action, role, organisation, area)
            for action in ("role.assigned", "role.ended")
            for role, organisation, area in (
                ("id_administrator", str(world.region.id), None),
                ("responsible_issuer", None, str(world.area.id)),
                ("global_reader", None, None),
            )
        }


class TestEndedRoles:
    def address(self, person: Person) -> str:
        return f"{reverse('person_roles', args=[person.id])}?avslutade=1"

    def test_they_are_shown_on_demand_with_place_and_days(self, world: Any) -> None:
        person = world.post().person
        past = clock.now() - 30 * DAY
        with clock.moved_to(past):
            grant = assign(world, person, protected_persons=True, period=Period(None, past.date() + 10 * DAY))
        later = assign(world, person, Role.READER, period=Period(clock.today() + 5 * DAY))
        role_assignment.end_role(actor=SETUP, grant_id=later.id)
        client = client_of(issuer_of(world, protected=True))
        plain = client.get(reverse("person_roles", args=[person.id]))
        assert "Visa avslutade behörighetsroller" in text_of(plain)
        assert rows_of(plain) == []
        shown = client.get(self.address(person))
        assert rows_of(shown) == [
            ["Läs", "Nej", f"Regionen {world.region.hsa_id}", str(clock.today() + 5 * DAY), "Togs bort innan den började gälla"],
            [
                "ID-administratör", "Ja", f"Regionen {world.region.hsa_id}",
                str(grant.valid_from.astimezone(clock.STOCKHOLM).date()), str(past.date() + 10 * DAY),
            ],
        ]  # fmt: skip

    def test_those_out_of_reach_are_not_there(self, world: Any) -> None:
        person = world.post(world.clinic).person
        for organisation in (world.clinic, world.city):
            role_assignment.end_role(actor=SETUP, grant_id=assign(world, person, Role.READER, organisation_id=organisation.id).id)
        answer = client_of(world.officer(world.clinic, Role.DEPUTY_ISSUER)).get(self.address(person))
        assert [row[2].split(" ")[0] for row in rows_of(answer)] == ["Kliniken"]
        assert "Staden" not in text_of(answer)

    def test_none_says_so(self, world: Any) -> None:
        assert "Ingen avslutad roll" in text_of(client_of(issuer_of(world)).get(self.address(world.post().person)))

    def test_many_are_paged_at_the_same_cost(self, world: Any) -> None:
        person, now = world.post().person, clock.now()
        client = client_of(issuer_of(world))
        client.get(self.address(person))
        RoleGrant.objects.bulk_create(
            RoleGrant(
                person=person, role="reader", organisation=world.region, valid_from=now - dt.timedelta(days=200 - number),
                valid_to=now - dt.timedelta(days=200 - number, hours=-20),
            )
            for number in range(60)
        )  # fmt: skip
        with CaptureQueriesContext(connection) as one:
            first = client.get(self.address(person))
        with CaptureQueriesContext(connection) as two:
            second = client.get(first.context["ended"].next_url.split("#")[0])
        assert len(one) <= len(two) <= MOST_QUERIES
        lines = [line for page in (first, second) for line in page.context["ended"].lines]
        assert len(lines) == 60
        assert [line.last for line in lines] == sorted((line.last for line in lines), reverse=True)
        assert second.context["ended"].first_url.endswith("?avslutade=1&ordning=-till#avslutade")
        assert client.get(f"{self.address(person)}&efter=x").status_code == 200
