"""Training and person check recorded of several role holders at once, and the step of the area that leads there (11.2)."""

import re
import uuid
from typing import Any

import pytest
from django.urls import reverse

from issuance.authz import Action, Actor, Role, policy
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.roles.domain import QualificationKind
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.queries import holders_to_train
from issuance.roles.queries.holders_to_train import HolderToTrain
from issuance.roles.services import qualifications
from issuance.roles.services.actors import scope_path_of
from issuance.roles.web.lists import HolderToTrainList
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden, Invalid, NotFound
from siths_portal.lib.lists import Order
from tests.issuance.organisations.test_pages import MOST_QUERIES
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_pages import DAY, assign, client_of, issuer_of
from tests.issuance.world import SETUP

BOTH = tuple(QualificationKind)


@pytest.fixture
def world(world: Any) -> Any:
    """A region whose officers have no records."""
    world.qualifies = False
    return world


def address_of(area: Any = None) -> str:
    return reverse("holders_training") + (f"?omrade={area if isinstance(area, uuid.UUID) else area.id}" if area else "")


def clerks(world: Any, *names: str, organisation: Any = None) -> list[Person]:
    made = [world.post(organisation, surname=name).person for name in names]
    for person in made:
        assign(world, person, organisation_id=(organisation or world.region).id)
    return made


def sent(*people: Person, **more: str) -> dict[str, Any]:
    return {"kind": "both", "passed_on": f"{clock.today()}", "person": [str(person.id) for person in people], **more}


def rows(actor: Actor, area: Any = None) -> list[HolderToTrain]:
    found = holders_to_train.to_train(actor=actor, area_id=area.id if area else None)
    return list(found.every(Order("namn"), ["sort_name"]))


def names(actor: Actor, area: Any = None) -> list[str]:
    return [row.name.split(",")[0] for row in rows(actor, area)]


def ticked(page: Any) -> set[str]:
    return set(re.findall(r'name="person" value="([^"]+)" id="person_\d+" checked', page.content.decode()))


def step_of(client: Any, world: Any) -> str:
    page = client.get(reverse("area", args=[world.area.id]))
    return " ".join(step.text for step in page.context["steps"] if step.url == address_of(world.area))


class TestPage:
    def test_the_area_counts_who_lacks_them_and_leads_to_where_they_are_recorded(self, world: Any) -> None:
        first, second, third = clerks(world, "Alm", "Björk", "Ceder")
        client = client_of(issuer_of(world))
        assert step_of(client, world) == "3 rollinnehavare saknar utbildning eller personkontroll"
        area, guide = (text_of(client.get(address)) for address in (reverse("area", args=[world.area.id]), reverse("help")))
        assert "De får inte beställa eller aktivera kort förrän utbildning och personkontroll är registrerade." in area
        assert "kan du bara söka och spärra tills din utgivare har registrerat det som saknas" in guide
        assert client.post(address_of(world.area), sent(first, second))["Location"] == reverse("area", args=[world.area.id])
        told = text_of(client.get(reverse("area", args=[world.area.id])))
        assert "Personkontrollen och utbildningen är registrerade för 2 rollinnehavare." in told
        assert step_of(client, world) == "1 rollinnehavare saknar utbildning eller personkontroll"
        told = text_of(client.post(address_of(world.area), sent(third, kind="training"), follow=True))
        assert "Utbildningen är registrerad för 1 rollinnehavare." in told
        assert step_of(client, world) == "1 rollinnehavare saknar utbildning eller personkontroll"
        client.post(address_of(world.area), sent(third, kind="person_check"))
        assert step_of(client, world) == ""
        assert "Ingen saknar något" in text_of(client.get(address_of(world.area)))
        events = Event.objects.filter(action="qualification.recorded", actor_ref=issuer_of(world).ref)
        assert sorted(events.values_list("subject_ref", flat=True)) == sorted(2 * [str(one.id) for one in (first, second, third)])

    def test_one_alone_is_picked_already(self, world: Any) -> None:
        first, second = clerks(world, "Alm", "Björk")
        client = client_of(issuer_of(world))
        page = client.get(address_of())
        assert (ticked(page), "Alla 2 i listan" in text_of(page)) == (set(), True)
        client.post(address_of(), sent(second))
        page = client.get(address_of())
        assert (ticked(page), "i listan" in text_of(page)) == ({str(first.id)}, False)

    def test_all_in_the_list_are_those_who_were_shown(self, world: Any) -> None:
        first, second, later = clerks(world, "Alm", "Björk", "Ceder")
        client = client_of(issuer_of(world))
        client.post(address_of(), {**sent(alla="1"), "listad": [str(first.id), str(second.id)]})
        assert set(Qualification.objects.values_list("person", flat=True)) == {first.id, second.id}
        assert not later.qualifications.exists()

    def test_what_is_wrong_is_told_and_nothing_typed_is_lost(self, world: Any) -> None:
        (person,) = clerks(world, "Alm")
        client = client_of(issuer_of(world))
        for form, told in (
            (sent(), "Välj minst en person"),
            (sent(person, kind=""), "Välj personkontroll, utbildning eller båda"),
            (sent(person, passed_on="x"), "Skriv ett datum"),
            (sent(person, passed_on=f"{clock.today() + DAY}"), "Ange en dag som har varit"),
        ):
            answer = client.post(address_of(world.area), form)
            assert (answer.status_code, told in text_of(answer)) == (422, True), told
            assert ticked(answer) == ({str(person.id)} if form["person"] else set())
        empty = text_of(client.post(address_of(world.area), {}))
        assert re.search(r"rättas Rollinnehavare: Välj minst en person\. Vad ska registreras\? Välj personkontroll", empty)
        assert (
            '<a class="ds-link" href="#person_1">Rollinnehavare: Välj minst en person.</a>'
            in client.post(address_of(), {}).content.decode()
        )
        assert not Qualification.objects.exists()

    def test_an_area_out_of_sight_is_as_one_that_is_not(self, world: Any) -> None:
        client = client_of(issuer_of(world))
        hidden = client.get(address_of(world.stranger.area))
        missing = client.get(address_of(uuid.uuid4()))
        assert (hidden.status_code, missing.status_code, client.get(f"{address_of()}?omrade=x").status_code) == (404, 404, 404)
        assert len({re.sub(r"\b[0-9a-f]{32}\b", "", text_of(answer)) for answer in (hidden, missing)}) == 1
        assert client_of(world.officer()).get(address_of(world.area)).status_code == 403

    def test_they_can_be_ordered_by_what_expires_first(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(HolderToTrainList, "page_size", 1)
        for person, days in zip(clerks(world, "Alm", "Björk", "Ceder"), (350, 370, 360), strict=True):
            qualifications.record_of_several(
                actor=SETUP, person_ids=[person.id], kinds=BOTH, passed_on=clock.today() - days * DAY
            )
        client, url, found = client_of(issuer_of(world)), f"{address_of(world.area)}&ordning=lage", []
        while url:
            shown = client.get(url).context["list"]
            found += [line.name.split(",")[0] for line in shown.lines]
            url = shown.next_url
        assert found == ["Björk", "Ceder", "Alm"]

    def test_many_in_few_queries(self, world: Any, django_assert_max_num_queries: Any) -> None:
        people = clerks(world, *(f"Nr{number:02}" for number in range(12)))
        client = client_of(issuer_of(world))
        with django_assert_max_num_queries(MOST_QUERIES):
            assert len(client.get(address_of(world.area)).context["list"].lines) == 12
        with django_assert_max_num_queries(MOST_QUERIES):
            assert client.post(address_of(world.area), sent(*people)).status_code == 302


class TestWho:
    def test_those_of_the_area_whose_role_issues_and_does_not_rest(self, world: Any) -> None:
        clerks(world, "Alm")
        clerks(world, "Stad", organisation=world.city)
        assign(world, world.post(surname="Läsare").person, Role.READER)
        resting = clerks(world, "Slutat")
        Post.objects.filter(person__in=resting).update(ended_at=clock.now())
        soon, well = clerks(world, "Snart", "Väl")
        for person, days in ((soon, 350), (well, 10)):
            qualifications.record_of_several(
                actor=SETUP, person_ids=[person.id], kinds=BOTH, passed_on=clock.today() - days * DAY
            )
        stranger = world.officer(world.stranger, Role.RESPONSIBLE_ISSUER)
        assert names(issuer_of(world), world.area) == ["Alm", "Snart", "Stad"]
        assert holders_to_train.count_lacking(actor=issuer_of(world), area_id=world.area.id) == 2
        assert (names(stranger), names(stranger, world.area)) == ([], [])
        assert names(world.officer(world.city, Role.DEPUTY_ISSUER)) == ["Stad"]

    def test_the_administration_records_of_the_issuer_and_he_never_of_himself(self, world: Any) -> None:
        issuer, admin = issuer_of(world), world.officer(role=Role.MASTER_DATA_ADMIN)
        assert issuer.person_id is not None
        assert names(admin, world.area) == ["Provsson"]
        assert step_of(client_of(admin), world) == "1 rollinnehavare saknar utbildning eller personkontroll"
        assert names(issuer, world.area) == []
        with pytest.raises(Forbidden):
            qualifications.record_of_several(actor=issuer, person_ids=[issuer.person_id], kinds=BOTH, passed_on=clock.today())
        client_of(admin).post(address_of(world.area), sent(Person.objects.get(pk=issuer.person_id)))
        assert step_of(client_of(admin), world) == ""

    def test_one_who_is_refused_refuses_all(self, world: Any) -> None:
        (person,) = clerks(world, "Alm")
        deputy, issuer = world.officer(role=Role.DEPUTY_ISSUER), issuer_of(world)
        assert deputy.person_id is not None
        assert issuer.person_id is not None
        secret = world.post(protected=True).person
        assign(world, secret)
        for other, error in ((issuer.person_id, Forbidden), (deputy.person_id, Forbidden), (secret.id, NotFound)):
            with pytest.raises(error):
                qualifications.record_of_several(actor=deputy, person_ids=[person.id, other], kinds=BOTH, passed_on=clock.today())
        for people, kinds in (([], BOTH), ([person.id], ()), ([uuid.uuid4() for _ in range(qualifications.MOST + 1)], BOTH)):
            with pytest.raises(Invalid):
                qualifications.record_of_several(actor=deputy, person_ids=people, kinds=kinds, passed_on=clock.today())
        assert not Qualification.objects.exists()

    def test_a_protected_holder_is_listed_and_counted_for_the_add_on_alone(self, world: Any) -> None:
        secret = world.post(protected=True, surname="Hemlig").person
        assign(world, secret)
        assert names(issuer_of(world)) == []
        assert holders_to_train.count_lacking(actor=issuer_of(world), area_id=world.area.id) == 0
        assert names(issuer_of(world, protected=True)) == ["Hemlig"]

    def test_the_list_is_what_the_policy_says_of_each(self, world: Any) -> None:
        """People with roles in one place or two, asked by everybody who assigns roles: listed are those whom `record` takes."""
        for first in (Role.ID_ADMINISTRATOR, Role.DEPUTY_ISSUER):
            for other in (None, Role.READER, Role.DEPUTY_ISSUER, Role.RESPONSIBLE_ISSUER):
                person = world.post(world.clinic, surname=f"{first}-{other}").person
                assign(world, person, first, organisation_id=world.clinic.id)
                if other is Role.RESPONSIBLE_ISSUER:
                    RoleGrant.objects.create(person=person, role=other.value, area=world.area, valid_from=clock.now())
                elif other:
                    assign(world, person, other, organisation_id=world.city.id)
        askers = [
            issuer_of(world),
            world.officer(role=Role.MASTER_DATA_ADMIN),
            world.officer(role=Role.DEPUTY_ISSUER),
            world.officer(world.clinic, Role.DEPUTY_ISSUER),
            world.officer(world.city, Role.DEPUTY_ISSUER),
        ]
        issuing = RoleGrant.objects.filter(role__in=[Role.ID_ADMINISTRATOR, Role.DEPUTY_ISSUER, Role.RESPONSIBLE_ISSUER])
        for actor in askers:
            listed = {row.person_id for row in rows(actor)}
            expected = set()
            for person in Person.objects.visible_to(actor, Action.ASSIGN_ROLE).filter(pk__in=issuing.values("person")):
                held = [(Role(row.role), scope_path_of(row)) for row in person.role_grants.all()]
                if person.pk != actor.person_id and policy.is_above(actor, held):
                    expected.add(person.pk)
            assert listed == expected, actor
            assert listed or actor is askers[-1]
