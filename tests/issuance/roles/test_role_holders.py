"""Role holders' training and person check, and the list of all with what is to be followed up (rules/issuance 1.4)."""

import re
import uuid
from typing import Any

import pytest
from django.urls import reverse

from issuance import tasks
from issuance.authz import Role
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.roles.domain import QualificationKind
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.queries import holders_to_train, role_holders
from issuance.roles.queries.role_holders import EVERYBODY, Choice, HolderLine, RoleSummary, Shown
from issuance.roles.services import qualifications, role_assignment, role_periods
from issuance.roles.web.lists import RoleHolderList
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden, NotFound
from siths_portal.lib.lists import Cursor, Order
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.roles.test_pages import DAY, assign, client_of, issuer_of, rows_of, shown_on
from tests.issuance.world import SETUP
from tests.portal import portal_client


def holders_listed(*, actor: Any, choice: Choice = EVERYBODY) -> list[HolderLine]:
    return list(role_holders.holders(actor=actor, choice=choice).every(Order("namn"), ["sort_name"]))


class TestQualifications:
    @pytest.fixture
    def world(self, world: Any) -> Any:
        """A region whose officers have no records."""
        world.qualifies = False
        return world

    def test_recorded_shown_and_withdrawn(self, world: Any) -> None:
        person = world.post().person
        assign(world, person)
        client, address = client_of(issuer_of(world)), reverse("person_roles", args=[person.id])
        before = text_of(client.get(address))
        assert "Får inte utfärda Personen får inte beställa eller aktivera" in before
        assert before.count("Saknas") == 2
        passed = clock.today() - 2 * DAY
        said = {"person_check": "Personkontrollen är registrerad.", "training": "Utbildningen är registrerad."}
        for kind, words in said.items():
            sent = {"kind": kind, "passed_on": f"{passed}"}
            told = client.post(reverse("qualification_add", args=[person.id]), sent, follow=True)
            assert words in text_of(told)
        after = text_of(client.get(address))
        assert "Gäller" in after
        assert f"{passed}, gäller till {passed + 365 * DAY}" in after
        assert f"beställa och aktivera kort till och med {passed + 365 * DAY}." in after
        assert "Handläggare Provsson" in after, "who recorded it"
        training = Qualification.objects.get(kind="training")
        assert client.post(reverse("qualification_withdraw", args=[training.id])).status_code == 302
        assert "Återtagen" in text_of(client.get(address))
        assert {event.action for event in Event.objects.filter(action__startswith="qualification.")} == {
            "qualification.recorded", "qualification.withdrawn",
        }  # fmt: skip

    def test_both_at_once(self, world: Any) -> None:
        person = world.post().person
        assign(world, person)
        sent = {"kind": "both", "passed_on": f"{clock.today()}"}
        told = client_of(issuer_of(world)).post(reverse("qualification_add", args=[person.id]), sent, follow=True)
        assert "Personkontrollen och utbildningen är registrerade." in text_of(told)
        assert set(Qualification.objects.values_list("kind", flat=True)) == {kind.value for kind in QualificationKind}

    def test_a_role_that_begins_later_needs_them_too(self, world: Any) -> None:
        world.qualifies = True
        person, begins = world.post(surname="Framtid").person, clock.today() + 5 * DAY
        RoleGrant.objects.create(
            person=person, role="id_administrator", organisation=world.region, valid_from=clock.start_of_day(begins)
        )
        issuer = issuer_of(world)
        client = client_of(issuer)
        page = text_of(client.get(reverse("person_roles", args=[person.id])))
        assert f"Får inte utfärda Rollen börjar {begins}. Personen får inte beställa" in page
        rows = rows_of(client.get(reverse("role_holders") + f"?visa={Shown.FOLLOW_UP}"))
        assert [row[4] for row in rows if row[0].startswith("Framtid")] == [f"Får inte utfärda Rollen börjar {begins}"]
        assert [one.pk for one in holders_to_train.to_train(actor=issuer).queryset] == [person.id]
        (blocked,) = holders_listed(actor=issuer, choice=Choice(Shown.BLOCKED))
        assert blocked.person_id == person.id

    def test_a_role_that_begins_later_is_not_shown_as_current(self, world: Any) -> None:
        """It has a status of its own on the person's page, in the list of holders and on the area's page."""
        person, day = world.post(surname="Framtid").person, clock.today() + 5 * DAY
        later = {"person": person, "valid_from": clock.start_of_day(day)}
        RoleGrant.objects.create(role="id_administrator", organisation=world.region, **later)
        RoleGrant.objects.create(role="responsible_issuer", area=world.area, **later)
        for kind in QualificationKind:
            qualifications.record(actor=SETUP, person_id=person.id, kind=kind, passed_on=clock.today())
        client = client_of(world.officer(role=Role.MASTER_DATA_ADMIN))
        page = text_of(client.get(reverse("person_roles", args=[person.id])))
        present, coming = page.split("Behörighetsroller som börjar senare")
        assert "Personen har ingen roll som gäller nu" in present.split("Aktuella behörighetsroller")[1]
        assert f"Börjar {day}" in coming
        assert "Vilar" not in coming
        (row,) = [row for row in rows_of(client.get(reverse("role_holders"))) if row[0].startswith("Framtid")]
        assert f"Ansvarig utgivare (börjar {day})" in row[1]
        assert f"ID-administratör (börjar {day})" in row[1]
        assert row[4] == f"Har inte börjat Rollen börjar {day}"
        area = text_of(client.get(reverse("area", args=[world.area.id])))
        assert "Ingen är ansvarig utgivare nu." in area
        assert f"Prov Framtid : behörighetsroller : rollen börjar {day}" in area

    def test_whoever_gives_a_role_sees_at_once_that_training_has_run_out(self, world: Any) -> None:
        """Whether the role holds now or begins later (ADR 0187)."""
        world.qualifies = True
        person, issuer, now = world.post(surname="Åter").person, issuer_of(world), clock.now()
        RoleGrant.objects.create(
            person=person, role="id_administrator", organisation=world.city, valid_from=now - 900 * DAY, valid_to=now - 400 * DAY
        )
        for kind in QualificationKind:
            qualifications.record(actor=SETUP, person_id=person.id, kind=kind, passed_on=clock.today() - 800 * DAY)
        client, begins = client_of(issuer), clock.today() + 5 * DAY
        where = reverse("person_role_add", args=[person.id])
        sent = {"role": "id_administrator", "valid_from": f"{begins}", "plats": str(world.region.id)}
        told = text_of(client.post(f"{where}?roll=id_administrator", sent, follow=True))
        assert "Utbildning har gått ut. Registrera utbildning eller personkontroll" in told
        assert f"Får inte utfärda Rollen börjar {begins}. Personen får inte beställa eller aktivera kort förrän" in told
        (row,) = holders_listed(actor=issuer, choice=Choice(Shown.BLOCKED))
        assert (row.person_id, row.standing and row.standing.code) == (person.id, "blocked")
        assert [one.pk for one in holders_to_train.to_train(actor=issuer).queryset] == [person.id]

    def test_what_is_wrong_is_told(self, world: Any) -> None:
        person = world.post().person
        client, address = client_of(issuer_of(world)), reverse("qualification_add", args=[person.id])
        for sent, told in (
            ({}, "Välj personkontroll, utbildning eller båda"),
            ({"kind": "training", "passed_on": f"{clock.today() + DAY}"}, "Ange en dag som har varit"),
            ({"kind": "training", "passed_on": "x"}, "Skriv ett datum"),
        ):
            answer = client.post(address, sent)
            assert (answer.status_code, told in text_of(answer)) == (422, True), sent

    def test_no_way_to_vouch_for_those_above(self, world: Any) -> None:
        issuer, deputy = issuer_of(world), world.officer(role=Role.DEPUTY_ISSUER)
        client = client_of(deputy)
        page = text_of(client.get(reverse("person_roles", args=[issuer.person_id])))
        assert "Personen har en roll på din nivå eller över den" in page
        assert client.get(reverse("qualification_add", args=[issuer.person_id])).status_code == 403

    def test_the_clerk_whose_training_is_overdue_is_told_why(self, world: Any) -> None:
        post, client = world.post(), client_of(world.officer())
        page = client.get(reverse("person", args=[post.person_id]))
        assert "Din utbildning eller personkontroll saknas eller har gått ut" in text_of(page)
        refused = client.post(reverse("order_start", args=[post.person_id]))
        assert refused.status_code == 403
        assert "Din utbildning eller personkontroll saknas eller har gått ut" in text_of(refused)


class TestHolders:
    def standing(self, world: Any) -> dict[str, Person]:
        """Somebody in each state: all holds, soon due, stopped on the first day, and long stopped."""
        today, made = clock.today(), {}
        for name, training, since in (("Gäller", 0, 100), ("Snart", 320, 400), ("Ute", 366, 400), ("Stopp", 400, 500)):
            person = world.post(surname=name).person
            RoleGrant.objects.create(
                person=person, role="id_administrator", organisation=world.region, valid_from=clock.now() - since * DAY
            )
            qualifications.record(
                actor=SETUP, person_id=person.id, kind=QualificationKind.TRAINING, passed_on=today - training * DAY
            )
            qualifications.record(
                actor=SETUP, person_id=person.id, kind=QualificationKind.PERSON_CHECK, passed_on=today - training * DAY
            )
            made[name] = person
        return made

    def test_training_standing_and_last_log_in(self, world: Any) -> None:
        made = self.standing(world)
        reader = world.post(surname="Läsare").person
        assign(world, reader, Role.READER)
        portal_client(made["Gäller"])
        issuer = issuer_of(world)
        rows = {row[0].split(",")[0]: row for row in rows_of(client_of(issuer).get(reverse("role_holders")))}
        assert [rows[name][4] for name in ("Gäller", "Snart", "Ute", "Stopp", "Läsare")] == [
            "Gäller", "Ska snart förnyas", "Får inte utfärda", "Får inte utfärda", "Krävs inte",
        ]  # fmt: skip
        assert rows["Gäller"][1] == "ID-administratör Regionen"
        assert re.search(r"Inloggad \d{4}-\d\d-\d\d \d\d:\d\d$", rows["Gäller"][0])
        assert rows["Snart"][0].endswith("Har aldrig loggat in")
        own = Person.objects.get(pk=issuer.person_id).surname
        why = "Du kan inte ändra dina egna roller."
        assert [name for name, row in rows.items() if why in row[0]] == [own], "its name is no link, and that is told why"

    @pytest.mark.parametrize(
        ("shown", "names"),
        [
            (Shown.ALL, ["Gäller", "Snart", "Stopp", "Ute"]),
            (Shown.FOLLOW_UP, ["Snart", "Stopp", "Ute"]),
            (Shown.BLOCKED, ["Stopp", "Ute"]),
        ],
    )
    def test_the_work_lists_are_the_rule(self, world: Any, shown: Shown, names: list[str]) -> None:
        """What the database is asked is what the rule says of each."""
        self.standing(world)
        found = holders_listed(actor=issuer_of(world), choice=Choice(shown))
        rows = [row for row in found if row.name.split(",")[0] in ("Gäller", "Snart", "Stopp", "Ute")]
        assert [row.name.split(",")[0] for row in rows] == names
        expected = {Shown.FOLLOW_UP: {"due_soon", "blocked"}, Shown.BLOCKED: {"blocked"}}.get(shown)
        assert expected is None or {row.standing.code for row in found if row.standing} <= expected

    @pytest.mark.parametrize(
        ("asked", "names"),
        [
            ("namn", "Aldrig Gäller Snart Stopp Ute"),
            ("-namn", "Ute Stopp Snart Gäller Aldrig"),
            ("kontroll", "Aldrig Stopp Ute Snart Gäller"),
            ("-utbildning", "Gäller Snart Ute Stopp Aldrig"),
        ],
    )
    def test_each_column_orders_the_list_over_pages(self, world: Any, asked: str, names: str) -> None:
        self.standing(world)
        assign(world, world.post(surname="Aldrig").person)
        issuer, found, after = issuer_of(world), [], None
        order = Order(asked.removeprefix("-"), asked.startswith("-"))
        (by,) = [column.by for column in RoleHolderList.columns if column.key == order.key]
        rows = role_holders.holders(actor=issuer, choice=Choice(role="id_administrator"))
        for _ in range(5):
            page = rows.page(order, by, Cursor(str(after)) if after else None, 1)
            found += [row.name.split(",")[0] for row in page.lines]
            after = page.next
        assert after is None
        assert found == names.split()

    def test_the_heads_keep_what_is_chosen(self, world: Any) -> None:
        self.standing(world)
        address = reverse("role_holders")
        page = client_of(issuer_of(world)).get(f"{address}?visa=folj-upp&ordning=-utbildning").content.decode()
        assert f'aria-sort="descending"><a class="sort" href="{address}?visa=folj-upp&amp;ordning=utbildning">' in page
        assert '<input type="hidden" name="ordning" value="-utbildning">' in page

    def test_only_holders_in_reach_and_only_their_roles_there(self, world: Any) -> None:
        person = world.post(world.clinic, surname="Klinikus").person
        for organisation, role in ((world.clinic, Role.READER), (world.city, Role.REVOKER)):
            assign(world, person, role, organisation_id=organisation.id)
        secret = world.post(world.clinic, protected=True, surname="Hemligsson").person
        assign(world, secret, Role.READER, organisation_id=world.clinic.id)
        deputy = world.officer(world.clinic, Role.DEPUTY_ISSUER)
        rows = holders_listed(actor=deputy)
        assert {row.person_id: row.roles for row in rows} == {
            person.id: (RoleSummary("Läs", ("Kliniken",), 0),),
            deputy.person_id: (RoleSummary("Biträdande utgivare", ("Kliniken",), 0),),
        }  # fmt: skip
        assert [row.opens for row in rows if row.person_id == deputy.person_id] == [False]

    def test_many_places_are_named_as_far_as_they_find_room(self, world: Any) -> None:
        person = world.post(surname="Mångsson").person
        places = [world.organisation(f"Ort {n}", f"TST2321000131-400{n}", "2321000131", area=world.area) for n in range(5)]
        for place in places:
            assign(world, person, Role.READER, organisation_id=place.id)
        text = text_of(client_of(issuer_of(world)).get(reverse("role_holders")))
        assert "Läs Ort 0, Ort 1, Ort 2 och 2 till" in text

    def test_the_overview_tells_how_many_are_to_be_followed_up(
        self, world: Any, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
    ) -> None:
        self.standing(world)
        issuer = issuer_of(world)
        listed = holders_listed(actor=issuer, choice=Choice(Shown.FOLLOW_UP))
        client, address = client_of(issuer), reverse("administration")
        sees_two = client_of(world.officer(role=Role.MASTER_DATA_ADMIN))
        with django_assert_max_num_queries(8):  # one of them for requested roles, one for areas with steps left
            assert "behöver följas upp" in text_of(sees_two.get(address))
        with django_assert_max_num_queries(11):  # an only area tells also whether steps are left
            told = client.get(address)
        assert f"{len(listed)} rollinnehavare behöver följas upp" in text_of(told)
        assert f'href="{reverse("role_holders")}?visa=folj-upp"' in told.content.decode()
        monkeypatch.setattr(role_holders, "MOST", 2)
        assert "2 rollinnehavare eller fler behöver följas upp" in text_of(client.get(address))
        assert "följas upp" not in text_of(client_of(world.officer(role=Role.READER)).get(address))

    def test_filters_pages_and_queries(self, world: Any, django_assert_max_num_queries: Any) -> None:
        people = [world.post(surname=f"Nr{number:03}").person for number in range(60)]
        RoleGrant.objects.bulk_create(
            RoleGrant(person=person, role="revoker", organisation=world.region, valid_from=clock.now()) for person in people
        )
        assign(world, world.post().person, Role.READER)
        client, address = client_of(issuer_of(world)), f"{reverse('role_holders')}?roll=revoker&visa=alla"
        names: list[str] = []
        while address:
            with django_assert_max_num_queries(15):
                answer = client.get(address.replace("&amp;", "&"))
            names += [row[0] for row in rows_of(answer)]
            (address,) = re.findall(r'href="([^"]*efter=[^"]*)"', answer.content.decode()) or [""]
        assert len(names) == 60
        assert names == sorted(names)
        assert client.get(f"{reverse('role_holders')}?roll=x&visa=y&efter=z").status_code == 200


class TestResting:
    def test_who_has_left_is_to_be_followed_up_until_his_role_is_ended(self, world: Any, settings: Any) -> None:
        settings.ROLE_HOLDERS_READ_PER_SECOND = 0
        post, issuer = world.post(surname="Slutat"), issuer_of(world)
        grant = assign(world, post.person, Role.READER)
        client, list_ = client_of(issuer), reverse("role_holders")
        overview, resting = reverse("administration"), f"{list_}?visa=vilande"
        before = role_holders.to_follow_up(actor=issuer)
        assert "Ingen rollinnehavare" in text_of(client.get(resting))
        del world.outside.posts[post.hsa_id.upper()]
        tasks.read_role_holders()
        assert role_holders.to_follow_up(actor=issuer) == before + 1
        assert f"{before + 1} rollinnehavare behöver följas upp" in text_of(client.get(overview))
        for address in (list_, resting, f"{list_}?visa=folj-upp"):
            (row,) = [row for row in rows_of(client.get(address)) if row[0].startswith("Slutat")]
            assert row[2:4] == ["–", "–"]
            assert row[4] == "Krävs inte Vilande: inget uppdrag Ta bort Läs, Slutat, Prov"
        assert "inget uppdrag i utgivningsområdet enligt HSA-katalogen" in text_of(client.get(resting))
        role_assignment.end_role(actor=SETUP, grant_id=grant.id)
        assert "Slutat" not in text_of(client.get(resting))
        assert role_holders.to_follow_up(actor=issuer) == before

    def left(self, world: Any, **assigned: Any) -> RoleGrant:
        """A role of somebody who has lost his only post, and nobody sees him by it any more."""
        post = world.post(surname="Slutat", protected=assigned.pop("protected", False))
        grant = assign(world, post.person, Role.READER, **assigned)
        Post.objects.filter(pk=post.pk).update(ended_at=clock.now())
        PersonScope.objects.filter(person=post.person_id).delete()
        return grant

    def test_the_issuer_ends_it_from_the_list_and_another_is_told(self, world: Any) -> None:
        """Whether the role has the add-on, which the issuer lacks, or not (ADR 0186)."""
        grant, issuer = self.left(world, protected_persons=True), issuer_of(world)
        other = RoleGrant.objects.create(
            person=grant.person, role="reader", organisation=world.city, valid_from=clock.now(), protected_persons=True
        )
        client, list_ = client_of(issuer), reverse("role_holders")
        assert client.get(reverse("person_roles", args=[grant.person_id])).status_code == 404
        assert client.get(reverse("role_change", args=[grant.id])).status_code == 404
        address = f"{reverse('role_end', args=[grant.id])}?alla=1"
        listed = client.get(f"{list_}?visa=vilande").content.decode()
        assert f'href="{address}"' in listed
        assert (
            reverse("role_end", args=[grant.id])
            in client.get(reverse("organisation_roles", args=[world.region.id])).content.decode()
        )
        asked = client.get(address)
        for told in ("Logga ut", "Slutat, Prov", "Regionen Staden", "Personen har inget uppdrag kvar i utgivningsområdet"):
            assert told in text_of(asked)
        unseen = client.post(address)
        assert (unseen.status_code, "Rollerna har ändrats" in text_of(unseen)) == (409, True)
        assert client.post(address, shown_on(asked)).status_code == 302
        for row in (grant, other):
            row.refresh_from_db()
            assert row.valid_to is not None
        assert Event.objects.filter(action="role.ended", actor_ref=issuer.ref).count() == 2
        again = client.post(address)
        assert (again.status_code, "Rollen är avslutad" in text_of(again), "Logga ut" in text_of(again)) == (409, True, True)
        assert "Slutat" not in text_of(client.get(f"{list_}?visa=vilande"))

    def test_nobody_else_does(self, world: Any) -> None:
        grant, secret = self.left(world), self.left(world, protected=True)
        stranger = world.officer(world.stranger, Role.RESPONSIBLE_ISSUER)
        afar = world.officer(world.stranger, Role.RESPONSIBLE_ISSUER, protected=True)
        elsewhere = world.officer(world.city, Role.DEPUTY_ISSUER, protected=True)
        refused = ((stranger, grant), (world.officer(), grant), *((one, secret) for one in (issuer_of(world), afar, elsewhere)))
        for actor, row in refused:
            for each in (row.id, uuid.uuid4()):
                assert client_of(actor).post(reverse("role_end", args=[each])).status_code in (403, 404), actor
            with pytest.raises((NotFound, Forbidden)):
                role_assignment.end_role(actor=actor, grant_id=row.id)
        assert not RoleGrant.objects.filter(pk__in=[grant.pk, secret.pk]).exclude(valid_to=None).exists()

    def test_a_protected_leavers_role_is_ended_by_the_add_on_alone_and_others_learn_nothing(self, world: Any) -> None:
        without, holder = issuer_of(world), issuer_of(world, protected=True)
        resting, overview = f"{reverse('role_holders')}?visa=vilande", reverse("organisation_roles", args=[world.region.id])
        counted = role_holders.to_follow_up(actor=without)
        grant = self.left(world, protected=True, protected_persons=True)
        assert role_holders.to_follow_up(actor=without) == counted
        address = f"{reverse('role_end', args=[grant.id])}?alla=1"
        for page in (resting, reverse("role_holders"), overview):
            assert "Slutat" not in text_of(client_of(without).get(page)), page
            assert "Slutat" in text_of(client_of(holder).get(page)), page
        client = client_of(holder)
        assert f'href="{address}"' in client.get(resting).content.decode()
        assert client.get(reverse("person_roles", args=[grant.person_id])).status_code == 404
        asked = client.get(address)
        assert "Slutat, Prov" in text_of(asked)
        assert client.post(address, shown_on(asked)).status_code == 302
        grant.refresh_from_db()
        assert grant.valid_to is not None
        assert Event.objects.get(action="role.ended").actor_ref == holder.ref
        assert client.post(address).status_code == 409
        assert client_of(without).post(address).status_code == 404
        assert "Slutat" not in text_of(client.get(resting))

    def test_a_role_that_does_not_rest_is_no_leavers(self, world: Any) -> None:
        """Whoever is out of one's sight but has a post in the area is for those above."""
        post = world.post(world.city, surname="Kvar")
        grant = assign(world, post.person, Role.READER, organisation_id=world.clinic.id)
        deputy = world.officer(world.clinic, Role.DEPUTY_ISSUER)
        assert client_of(deputy).post(reverse("role_end", args=[grant.id])).status_code == 404
        with pytest.raises(NotFound):
            role_assignment.end_role(actor=deputy, grant_id=grant.id)

    def test_a_role_to_come_and_one_with_another_post_in_the_area_do_not_rest(self, world: Any) -> None:
        later, moved, elsewhere = world.post(surname="Sen"), world.post(surname="Flyttad"), world.post(surname="Annan")
        assign(world, later.person, Role.READER, period=role_periods.Period(clock.today() + DAY))
        assign(world, moved.person, Role.READER)
        assign(world, elsewhere.person, Role.READER)
        Post.objects.filter(pk__in=[later.pk, elsewhere.pk]).update(ended_at=clock.now())
        Post.objects.filter(pk=moved.pk).update(organisation=world.city)
        found = holders_listed(actor=issuer_of(world), choice=Choice(Shown.RESTING))
        assert [row.person_id for row in found] == [elsewhere.person_id]
