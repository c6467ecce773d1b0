"""The catalogue from a file into the mirror: all of it or nothing, nobody's eID to another, and again changes nothing."""

import datetime as dt
import logging
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from issuance.authz import Action, Actor
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import drafts
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import CatalogueName, Person, PersonIdentifier, Post
from issuance.people.ports import DirectoryPost, PersonKey, RegisterPerson
from issuance.people.queries.scope_check import scope_faults
from issuance.people.services import directory_import, people
from issuance.people.services.directory_import import DirectoryImportOptions
from issuance.people.services.people_integrity import verify_people
from issuance.records.models.events import Event
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid
from tests.issuance.people.directory_world import Importing, codes, everything, new_events
from tests.issuance.world import ADDRESS, person_number

DAY = dt.timedelta(days=1)


@pytest.fixture
def importing(world: Any, tmp_path: Path) -> "Importing":
    return Importing(world, tmp_path / "katalogen.csv")


def loops() -> str:
    with connection.connection.cursor() as cursor:
        cursor.execute("SHOW enable_nestloop")
        return str(cursor.fetchone()[0])


def holds(actor: Actor) -> int:
    assert actor.person_id is not None
    return len(actor_of_person(actor.person_id).grants)


class TestWhoIsNew:
    def test_comes_with_name_number_posts_protection_and_where_he_is_visible(self, importing: Importing) -> None:
        clerk = importing.world.officer()
        nova = importing.row(mail="nova@example.org", upn="nova@upn.example.org", valid_to="2199-12-31", title="Överläkare")
        importing.row(person_id=nova["person_id"], organisation_hsa_id=importing.world.city.hsa_id.lower(), surname="Annat")
        hidden = importing.row(protected="ja", person_id=person_number(coordination=True).value)
        foreign = importing.row(person_id="xz12", person_id_kind="passport", given_name="Ana", surname="Şen")
        outcome = importing.run()
        assert outcome.whole
        assert (outcome.counts.rows, outcome.counts.new_people, outcome.counts.posts) == (4, 3, {"add": 4})
        person = Person.objects.get(identifiers__value=nova["person_id"])
        assert (person.given_names, person.given_name_in_use, person.surname) == ("Nova", "Nova", "Nyberg")
        assert (person.sort_name, person.is_protected, person.register_read_at) == ("Nyberg, Nova", False, None)
        assert person.synthetic
        first, second = person.posts.order_by("hsa_id")
        assert (first.title, first.mail, first.upn) == ("Överläkare", "nova@example.org", "nova@upn.example.org")
        assert (first.valid_to, first.organisation, second.organisation) == (
            dt.date(2199, 12, 31), importing.world.region, importing.world.city,
        )  # fmt: skip
        assert Person.objects.visible_to(clerk, Action.VIEW).filter(pk=person.pk).exists()
        secret = Person.objects.get(identifiers__value=hidden["person_id"])
        assert (secret.is_protected, secret.protected_person_indicator) == (True, True)
        assert secret.identifiers.get().kind == "samordningsnummer"
        assert not Person.objects.visible_to(clerk, Action.VIEW).filter(pk=secret.pk).exists()
        assert PersonIdentifier.objects.get(value="XZ12").kind == "passport"
        assert PersonIdentifier.objects.get(value="XZ12").person.surname == foreign["surname"]
        assert scope_faults().ok

    def test_is_told_by_events_of_the_import_without_what_is_in_the_file(self, importing: Importing) -> None:
        before = everything()
        nova = importing.row()
        outcome = importing.run(full=False)
        person = Person.objects.get(identifiers__value=nova["person_id"])
        assert new_events(before) == [("person.registered", str(person.pk)), ("catalogue.imported", "import")]
        assert verify_people().wrong == ()
        told = Event.objects.get(action="catalogue.imported")
        assert told.actor_ref == "system:directory-import"
        assert (told.facts["sha256"], told.facts["people_new"], told.facts["refused"]) == (outcome.sha256, 1, 0)
        assert nova["person_id"] not in str(told.facts)

    def test_the_same_file_again_changes_nothing(self, importing: Importing) -> None:
        importing.everybody()
        importing.row(protected="ja")
        importing.row(valid_to=clock.today())
        importing.run(full=True)
        before = everything()
        for row in importing.rows:
            row["hsa_id"] = row["hsa_id"].swapcase()
        outcome = importing.run(full=True)
        assert outcome.counts.changes == 0
        assert everything() == before

    def test_is_compared_with_the_mirror_whole_and_not_row_by_row(self, importing: Importing) -> None:
        """Also right after a first file, of whose rows the database knows nothing yet: the comparison took over eight minutes of
        600,000 people, where it takes seconds."""
        importing.row()
        seen = set()

        def look(execute: Any, sql: str, *rest: Any) -> Any:
            if "import_post AS" in sql or "import_lost AS" in sql:
                seen.add(loops())
            return execute(sql, *rest)

        with connection.execute_wrapper(look):
            importing.run()
        assert (seen, loops()) == ({"off"}, "on")

    def test_a_second_row_of_a_post_is_that_post_and_what_lasts_longest_counts(self, importing: Importing) -> None:
        row = importing.row(valid_to=clock.today() - DAY, title="Första")
        importing.row(hsa_id=row["hsa_id"].lower(), person_id=row["person_id"], valid_to=clock.today() + DAY, title="Andra")
        importing.row(hsa_id=row["hsa_id"], person_id=row["person_id"], valid_to=clock.today() + DAY, title="Tredje")
        assert importing.run().whole
        assert Post.objects.get(hsa_id__iexact=row["hsa_id"]).title == "Andra"

    def test_a_post_whose_last_day_has_passed_gives_nobody(self, importing: Importing) -> None:
        row = importing.row(valid_to=clock.today() - DAY)
        assert importing.run().counts.posts == {"over": 1}
        assert not PersonIdentifier.objects.filter(value=row["person_id"]).exists()

    def test_an_organisation_that_is_none_of_ours_is_counted_and_no_fault(self, importing: Importing) -> None:
        for _ in range(3):
            importing.row(organisation_hsa_id="TST5560000000-1")
        importing.row()
        assert "3 rader hör till 1 organisationer som inte finns i portalen" in importing.command()
        assert Person.objects.filter(surname="Nyberg").count() == 1


class TestWhoIsThere:
    def test_gets_what_the_catalogue_says_of_his_post_and_a_second_one(self, importing: Importing) -> None:
        post = importing.world.post()
        importing.row(post, title="Överläkare", valid_to="20991231230000Z", mail="")
        importing.row(post, hsa_id="TST2321000131-SECOND", organisation_hsa_id=importing.world.city.hsa_id)
        before = everything()
        outcome = importing.run()
        assert outcome.counts.posts == {"change": 1, "add": 1}
        post.refresh_from_db()
        assert (post.title, post.mail, post.valid_to) == ("Överläkare", "", dt.date(2099, 12, 31))
        second = Post.objects.get(hsa_id="TST2321000131-SECOND")
        told = [("post.changed", str(post.pk)), ("post.registered", str(second.pk)), ("catalogue.imported", "import")]
        assert new_events(before) == told
        assert Event.objects.filter(action="post.changed").latest("id").facts["fields"] == ["title", "mail", "valid_to"]
        assert verify_people().wrong == ()
        assert PersonScope.objects.filter(person=post.person, organisation=importing.world.city).exists()
        assert scope_faults().ok

    def test_keeps_the_registers_name_but_takes_the_files_where_the_register_was_not_asked(self, importing: Importing) -> None:
        known, row = importing.world.post(), importing.row()
        importing.run()
        row |= {"given_name": "Nova Maria", "surname": "Ängvall"}
        importing.row(known, surname="Felstavad")
        assert importing.run().counts.changed_people == 1
        known.person.refresh_from_db()
        assert known.person.surname == "Provsson"
        person = Person.objects.get(identifiers__value=row["person_id"])
        assert (person.given_names, person.surname, person.sort_name) == ("Nova Maria", "Ängvall", "Ängvall, Nova Maria")
        told = Event.objects.get(action="person.changed", subject_ref=str(person.pk))
        assert told.facts == {"fields": ["given_names", "given_name_in_use", "surname"]}
        assert PersonScope.objects.get(person=person).sort_name == "Ängvall, Nova Maria"
        assert scope_faults().ok

    def test_keeps_a_name_that_differs_from_the_registers_until_it_does_not(self, importing: Importing) -> None:
        known = importing.world.post()
        row = importing.row(known, surname="Felstavad")
        assert importing.run().counts.named_otherwise == 1
        named = CatalogueName.objects.get()
        assert (named.person_id, named.given_name, named.surname) == (known.person_id, "Prov", "Felstavad")
        assert importing.run().counts.changes == 0
        row |= {"given_name": "prov andra", "surname": "PROVSSON"}
        assert importing.run().counts.changes == 1
        assert not CatalogueName.objects.exists()
        assert importing.run().counts.changes == 0

    def test_becomes_protected_by_any_row_and_is_never_uncovered_by_a_file(self, importing: Importing) -> None:
        post, clerk = importing.world.post(), importing.world.officer()
        importing.row(post)
        importing.row(post, hsa_id="TST5560000000-X", organisation_hsa_id="TST5560000000-1", protected="ja")
        assert importing.run().counts.shielded == 1
        assert not Person.objects.visible_to(clerk, Action.VIEW).filter(pk=post.person_id).exists()
        told = Event.objects.get(action="person.changed", subject_ref=str(post.person_id))
        assert told.facts == {"fields": ["protected_person_indicator"]}
        importing.rows[1]["protected"] = "nej"
        assert importing.run().counts.changes == 0
        assert Person.objects.get(pk=post.person_id).is_protected

    def test_goes_to_another_organisation_by_a_new_post_and_his_roles_rest(self, importing: Importing) -> None:
        clerk = importing.world.officer()
        post = Post.objects.get(person=clerk.person_id)
        importing.row(post, organisation_hsa_id=importing.world.stranger.hsa_id)
        before = everything()
        assert importing.run().counts.posts == {"move": 1}
        post.refresh_from_db()
        there = Post.objects.get(hsa_id=post.hsa_id, ended_at=None)
        assert (post.ended_at is not None, there.organisation, holds(clerk)) == (True, importing.world.stranger, 0)
        told = [("post.ended", str(post.pk)), ("post.registered", str(there.pk)), ("catalogue.imported", "import")]
        assert new_events(before) == told
        assert {row.organisation for row in PersonScope.objects.filter(person=clerk.person_id)} == {importing.world.stranger}
        before = everything()
        importing.run()
        assert everything() == before

    def test_goes_and_gets_nothing_there_where_he_has_left_too(self, importing: Importing) -> None:
        post = importing.world.post()
        importing.row(post, organisation_hsa_id=importing.world.city.hsa_id, valid_to=clock.today() - DAY)
        assert importing.run().counts.posts == {"end": 1}
        assert not Post.objects.filter(hsa_id=post.hsa_id, ended_at=None).exists()
        assert importing.run().counts.changes == 0

    def test_what_was_read_from_the_catalogue_after_the_file_was_made_stays(self, importing: Importing) -> None:
        changed, lost, gone = importing.world.post(), importing.world.post(), importing.world.post()
        importing.everybody()
        importing.row(changed, hsa_id="TST2321000131-FILE")
        importing.rows[-1]["protected"] = "ja"
        made = clock.now()
        with clock.moved_to(made + dt.timedelta(minutes=1)):
            live = importing.world.outside.change_post
            live(changed.hsa_id, title="Nyare")
            people.remember(post_id=changed.pk, live=people.read_live(changed))
            del importing.world.outside.posts[lost.hsa_id.upper()]
            people.remember(post_id=lost.pk, live=people.read_live(lost))
        importing.rows = [row for row in importing.rows if row["hsa_id"] != gone.hsa_id]
        with clock.moved_to(made + dt.timedelta(minutes=2)):
            fresh = importing.world.post()
            outcome = importing.run(full=True, as_of=made)
        assert outcome.counts.posts["newer"] == 2
        changed.refresh_from_db()
        assert (changed.title, changed.person.is_protected) == ("Nyare", False)
        assert not Post.objects.filter(hsa_id=lost.hsa_id, ended_at=None).exists()
        assert Post.objects.filter(pk=fresh.pk, ended_at=None).exists()
        assert not Post.objects.filter(pk=gone.pk, ended_at=None).exists()

    def test_a_card_is_ordered_for_who_came_by_a_file_with_what_the_register_says(self, importing: Importing) -> None:
        row, world = importing.row(mail="n@example.org"), importing.world
        importing.run()
        post = Post.objects.get(hsa_id=row["hsa_id"])
        key = PersonKey("personnummer", row["person_id"])
        world.outside.posts[row["hsa_id"].upper()] = DirectoryPost(
            row["hsa_id"], world.region.hsa_id, key, "Nova", "Nyberg", row["title"], row["mail"]
        )
        world.outside.persons[key] = RegisterPerson("Nova Maria", "Nova", "Nyberg", False, False, False, ADDRESS)
        assert world.order(post).eid.post == post
        post.person.refresh_from_db()
        assert (post.person.given_names, post.person.register_read_at is not None) == ("Nova Maria", True)
        assert importing.run().counts.changes == 0


class TestWhoHasLeft:
    def test_keeps_his_post_unless_the_file_is_said_to_be_whole(self, importing: Importing) -> None:
        clerk, holder = importing.world.officer(), importing.world.post()
        draft = drafts.start(actor=clerk, person_id=holder.person_id)
        post = Post.objects.get(person=clerk.person_id)
        importing.row(holder)
        assert importing.run().counts.changes == 0
        before = everything()
        outcome = importing.run(full=True)
        assert outcome.counts.lost == 1
        post.refresh_from_db()
        assert post.ended_at is not None
        assert ("post.ended", str(post.pk)) in new_events(before)
        assert holds(clerk) == 0
        assert OrderDraft.objects.get(pk=draft.pk).state == "abandoned"
        assert not PersonScope.objects.filter(person=clerk.person_id).exists()
        assert scope_faults().ok

    def test_comes_back_with_the_next_file(self, importing: Importing) -> None:
        clerk, holder = importing.world.officer(), importing.world.post()
        importing.everybody()
        leaver = next(row for row in importing.rows if row["hsa_id"] != holder.hsa_id)
        importing.rows.remove(leaver)
        importing.run(full=True)
        assert holds(clerk) == 0
        importing.rows.append(leaver)
        importing.run(full=True)
        assert holds(clerk) == 1
        assert Post.objects.filter(person=clerk.person_id).count() == 2

    def test_for_an_organisation_that_is_none_of_ours_has_left_if_the_file_is_whole(self, importing: Importing) -> None:
        post = importing.world.post()
        importing.row(post, organisation_hsa_id="TST5560000000-1")
        assert importing.run().counts.changes == 0
        assert importing.run(full=True).counts.lost == 1
        assert not Post.objects.filter(pk=post.pk, ended_at=None).exists()

    def test_a_file_without_too_many_of_them_ends_nothing_until_it_is_accepted(self, importing: Importing) -> None:
        posts = [importing.world.post() for _ in range(5)]
        importing.row(posts[0], title="Överläkare")
        for number, post in enumerate(posts[1:3]):
            importing.row(post, organisation_hsa_id=(importing.world.stranger, importing.world.city)[number].hsa_id)
        importing.row()
        _, line = importing.refused("--full")
        assert line.startswith("4 av 5 uppdrag skulle avslutas eller flyttas; inget avslutades.")
        assert Post.objects.filter(pk__in=[post.pk for post in posts], ended_at=None).count() == 5
        assert Post.objects.filter(title="Överläkare").exists()  # all that ends nobody's post is done
        assert Event.objects.filter(action="catalogue.imported").latest("id").facts["held"] == 4
        report = importing.command("--full", "--accept-losses")
        assert "2 flyttade, 2 avslutade" in report
        assert Post.objects.filter(pk__in=[post.pk for post in posts], ended_at=None).count() == 1

    def test_a_last_day_that_has_passed_is_a_leaving_too(self, importing: Importing) -> None:
        clerk, holder = importing.world.officer(), importing.world.post()
        draft = drafts.start(actor=clerk, person_id=holder.person_id)
        post = Post.objects.get(person=clerk.person_id)
        importing.row(holder)
        importing.row(post, valid_to=clock.today() - DAY)
        before = everything()
        assert "0 flyttade, 1 avslutade" in importing.command()
        assert new_events(before)[0] == ("post.changed", str(post.pk))
        assert holds(clerk) == 0
        assert OrderDraft.objects.get(pk=draft.pk).state == "abandoned"
        assert importing.run().counts.changes == 0
        importing.rows[-1]["valid_to"] = str(clock.today() - 2 * DAY)
        assert importing.run().counts.posts == {"same": 1, "change": 1}

    def test_a_file_by_which_too_many_last_days_have_passed_ends_nothing_until_it_is_accepted(self, importing: Importing) -> None:
        posts = [importing.world.post() for _ in range(4)]
        for post in posts:
            importing.row(post, valid_to=clock.today() - DAY)
        _, line = importing.refused()
        assert line.startswith("4 av 4 uppdrag skulle avslutas eller flyttas; inget avslutades.")
        assert not Post.objects.exclude(valid_to=None).exists()
        importing.command("--accept-losses")
        assert Post.objects.filter(valid_to=clock.today() - DAY).count() == 4

    def test_the_share_is_a_setting(self, importing: Importing, settings: Any) -> None:
        posts = [importing.world.post() for _ in range(10)]
        importing.row(posts[0])
        for post in posts[5:]:
            importing.row(post)
        settings.DIRECTORY_IMPORT_LOST_PERCENT = 39
        assert importing.run(full=True).counts.held == 4
        settings.DIRECTORY_IMPORT_LOST_PERCENT = 40
        assert importing.run(full=True).counts.lost == 4

    def test_where_a_row_cannot_be_read_at_all_nobody_is_known_to_have_left(self, importing: Importing) -> None:
        importing.world.post()
        bad = importing.row(hsa_id="???")
        importing.row()
        report, line = importing.refused("--full")
        assert "rad 2: hsa_id är inget HSA-id för den här miljön" in report
        assert "1 av 1 uppdrag skulle avslutas eller flyttas, och 1 rader går inte att läsa; inget avslutades" in line
        # Of this row the HSA-id is known, so that it is no reason to wait.
        bad |= {"hsa_id": "TST2321000131-BAD", "person_id": "1"}
        _, line = importing.refused("--full")
        assert line == "1 av 2 rader togs inte; se listan ovan"
        assert Post.objects.filter(ended_at=None).count() == 1

    def test_where_the_file_names_nobody_protected_nobody_protected_is_known_to_have_left(self, importing: Importing) -> None:
        """Who may not read them in the catalogue has a file without them."""
        secret, leaver = importing.world.post(protected=True), importing.world.post()
        importing.row(importing.world.post())
        _, line = importing.refused("--full")
        assert line == (
            "1 uppdrag för personer med skyddade personuppgifter skulle avslutas, men filen har ingen sådan person; de "
            "avslutades inte. Kontrollera att den som hämtade filen får läsa dem; stämmer den, kör med --accept-losses"
        )
        assert [Post.objects.filter(pk=post.pk, ended_at=None).exists() for post in (secret, leaver)] == [True, False]
        told = Event.objects.filter(action="catalogue.imported").latest("id").facts
        assert (told["held"], told["posts_ended"]) == (1, 1)
        importing.refused("--full")
        assert Post.objects.filter(pk=secret.pk, ended_at=None).exists()
        importing.row(protected="ja")
        assert importing.run(full=True).counts.lost == 1
        assert not Post.objects.filter(pk=secret.pk, ended_at=None).exists()

    def test_unless_it_is_accepted(self, importing: Importing) -> None:
        secret = importing.world.post(protected=True)
        importing.row(importing.world.post())
        importing.command("--full", "--accept-losses")
        assert not Post.objects.filter(pk=secret.pk, ended_at=None).exists()

    def test_nor_by_rows_that_a_stray_quotation_mark_joins(self, importing: Importing) -> None:
        first, second = importing.world.post(), importing.world.post()
        importing.row(first, title='"Läkare')
        importing.row(second, title='Kurator"', mail="second@example.org")
        report, line = importing.refused("--full")
        assert "rad 2: title innehåller en radbrytning; ett citattecken kan ha slagit ihop flera rader" in report
        assert "2 av 2 uppdrag skulle avslutas eller flyttas, och 1 rader går inte att läsa; inget avslutades" in line
        assert not Post.objects.filter(mail="second@example.org").exists()
        assert Post.objects.filter(pk__in=[first.pk, second.pk], ended_at=None).count() == 2

    def test_who_stands_in_the_file_in_a_row_that_is_refused_has_not_left(self, importing: Importing) -> None:
        post = importing.world.post()
        importing.row(post, mail="x" * 300)
        assert codes(importing.run(full=True)) == [(2, "mail", "too-long")]
        assert Post.objects.filter(pk=post.pk, ended_at=None).exists()


class TestWhoseIsIt:
    """No eID moves to another person by a file (tillitsnivå 3)."""

    def test_a_post_of_somebody_is_refused_to_anybody_else(self, importing: Importing) -> None:
        post = importing.world.post()
        importing.row(post, person_id=person_number().value, hsa_id=post.hsa_id.lower())
        before = everything()
        outcome = importing.run(full=True)
        assert codes(outcome) == [(2, "hsa_id", "hsa-id-of-another")]
        assert everything() == before

    def test_also_when_he_has_lost_it(self, importing: Importing) -> None:
        post, other = importing.world.post(), importing.world.post()
        importing.row(other)
        importing.run(full=True)
        importing.row(other, hsa_id=post.hsa_id)
        importing.row(hsa_id=post.hsa_id.lower())
        assert {code for _, _, code in codes(importing.run())} == {"hsa-id-twice"}
        importing.rows.pop()
        assert codes(importing.run()) == [(3, "hsa_id", "hsa-id-was-anothers")]
        assert not Post.objects.filter(hsa_id__iexact=post.hsa_id, ended_at=None).exists()

    def test_a_number_that_has_ended_makes_nobody_new(self, importing: Importing) -> None:
        post = importing.world.post()
        row = importing.row(post, hsa_id="TST2321000131-OTHER")
        PersonIdentifier.objects.filter(person=post.person).update(valid_to=clock.now())
        assert codes(importing.run()) == [(2, "person_id", "person-id-ended")]
        assert PersonIdentifier.objects.filter(value=row["person_id"]).count() == 1

    def test_a_post_that_the_file_gives_to_several_people_or_places_is_nobodys(self, importing: Importing) -> None:
        first = importing.row()
        importing.row(hsa_id=first["hsa_id"].lower())
        third = importing.row()
        importing.row(hsa_id=third["hsa_id"], person_id=third["person_id"], organisation_hsa_id=importing.world.city.hsa_id)
        importing.row()
        outcome = importing.run()
        assert codes(outcome) == [(line, "hsa_id", "hsa-id-twice") for line in (2, 3, 4, 5)]
        assert (outcome.counts.new_people, outcome.counts.unread) == (1, 0)

    def test_two_numbers_of_one_person_are_he(self, importing: Importing) -> None:
        post, other = importing.world.post(), person_number(coordination=True)
        PersonIdentifier.objects.create(person=post.person, kind=other.kind.value, value=other.value, valid_from=clock.now())
        importing.row(post)
        importing.row(post, person_id=other.value, protected="ja")
        importing.row(post, person_id=other.value, hsa_id="TST2321000131-MORE")
        outcome = importing.run()
        assert (outcome.whole, outcome.counts.new_people, outcome.counts.shielded) == (True, 0, 1)
        assert Post.objects.get(hsa_id="TST2321000131-MORE").person == post.person


BAD_ROWS: list[tuple[dict[str, str], str, str]] = [
    ({"hsa_id": ""}, "hsa_id", "missing"),
    ({"hsa_id": "TST2321000131-å"}, "hsa_id", "not-hsa-id"),
    ({"organisation_hsa_id": ""}, "organisation_hsa_id", "missing"),
    ({"organisation_hsa_id": "X" * 40}, "organisation_hsa_id", "too-long"),
    ({"organisation_hsa_id": "X\0"}, "organisation_hsa_id", "control"),
    ({"person_id": "\uff11\uff18500101-9807"}, "person_id", "not-person-id"),
    ({"person_id": "1850010\uff11-9807"}, "person_id", "not-person-id"),
    ({"upn": "x" * 5000}, "upn", "too-long"),
    ({"person_id": ""}, "person_id", "missing"),
    ({"person_id": "189912319999"}, "person_id", "not-person-id"),
    ({"person_id": "XZ12"}, "person_id", "not-person-id"),
    ({"person_id_kind": "samordningsnummer"}, "person_id", "not-person-id"),
    ({"person_id_kind": "pass"}, "person_id_kind", "not-kind"),
    ({"person_id": "a b", "person_id_kind": "reserve"}, "person_id", "not-person-id"),
    ({"given_name": ""}, "given_name", "missing"),
    ({"surname": "x" * 101}, "surname", "too-long"),
    ({"title": "a\x07b"}, "title", "control"),
    ({"valid_to": "31/12 2026"}, "valid_to", "not-date"),
    ({"valid_to": "20261331230000Z"}, "valid_to", "not-date"),
    ({"protected": "kanske"}, "protected", "not-yes-or-no"),
    ({"protected": ""}, "protected", "missing"),
]


class TestRefusals:
    def test_bad_rows_are_told_by_line_and_field_and_the_others_are_taken(
        self, importing: Importing, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        caplog.set_level(logging.DEBUG)
        for values, _, _ in BAD_ROWS:
            importing.row(**values)
        importing.row(surname="Tagen")
        report, line = importing.refused()
        assert line == f"{len(BAD_ROWS)} av {len(BAD_ROWS) + 1} rader togs inte; se listan ovan"
        assert Person.objects.filter(surname="Tagen").exists()
        outcome = importing.run()
        assert codes(outcome) == [(number + 2, field, code) for number, (_, field, code) in enumerate(BAD_ROWS)]
        told = report + line + caplog.text + "".join(capfd.readouterr())
        for row in importing.rows:
            for name in ("person_id", "surname", "given_name", "hsa_id"):
                assert len(row[name]) < 4 or row[name] not in told

    @pytest.mark.parametrize(
        ("text", "last"),
        [
            ("2027-01-31", dt.date(2027, 1, 31)),
            ("20270131230000Z", dt.date(2027, 1, 31)),  # midnight in Stockholm
            ("20270131230001Z", dt.date(2027, 2, 1)),
            ("20270630215959.5Z", dt.date(2027, 6, 30)),
            ("99991231235959Z", dt.date.max),
            ("", None),
        ],
    )
    def test_the_last_day_is_that_of_stockholm(self, importing: Importing, text: str, last: dt.date | None) -> None:
        row = importing.row(valid_to=text)
        importing.run()
        assert Post.objects.get(hsa_id=row["hsa_id"]).valid_to == last

    def test_production_takes_no_test_ids(self, importing: Importing, settings: Any) -> None:
        settings.HSA_ID_PREFIXES = ["SE"]
        importing.row()
        assert codes(importing.run()) == [(2, "hsa_id", "not-hsa-id")]

    def test_many_refused_rows_are_counted_and_the_first_listed(self, importing: Importing) -> None:
        for _ in range(4):
            importing.row(person_id="1")
        outcome = directory_import.run(importing.write(), DirectoryImportOptions(), shown=2)
        assert ([each.line for each in outcome.problems], outcome.counts.refused) == ([2, 3], 4)

    def test_nobody_moves_up_where_his_unit_cannot_be_read(self, importing: Importing, tmp_path: Path) -> None:
        post, path = importing.world.post(importing.world.clinic), tmp_path / "katalogen.ldif"
        path.write_text(
            f"dn: o=Regionen\nobjectClass: organization\nhsaIdentity: {importing.world.region.hsa_id}\n\n"
            f"dn: ou=Kliniken,o=Regionen\nobjectClass: organizationalUnit\nhsaIdentity:: /w==\n\n"
            f"dn: cn=Prov,ou=Kliniken,o=Regionen\nobjectClass: inetOrgPerson\nhsaIdentity: {post.hsa_id}\ngivenName: Prov\n"
            f"sn: Provsson\nhsaPersonIdentityNumber: {people.person_id_of(post.person_id).value}\nhsaProtectedPerson: FALSE\n"
        )
        outcome = directory_import.run(path, DirectoryImportOptions(full=True))
        assert codes(outcome) == [(5, "hsa_id", "not-utf-8"), (9, "organisation_hsa_id", "unit-unreadable")]
        assert Post.objects.get(hsa_id=post.hsa_id, ended_at=None).organisation == importing.world.clinic

    def test_a_file_that_tells_of_no_protection_at_all_is_refused_unless_nobody_has_any(
        self, importing: Importing, tmp_path: Path
    ) -> None:
        number, path = person_number(), tmp_path / "katalogen.ldif"
        path.write_text(
            f"dn: o=Regionen\nobjectClass: organization\nhsaIdentity: {importing.world.region.hsa_id}\n\n"
            f"dn: cn=Nova,o=Regionen\nobjectClass: inetOrgPerson\nhsaIdentity: TST2321000131-N1\ngivenName: Nova\nsn: Nyberg\n"
            f"hsaPersonIdentityNumber: {number.value}\n"
        )
        before, out = everything(), StringIO()
        with pytest.raises(CommandError, match="--nobody-protected"):
            call_command("issuance_import_directory", str(path), stdout=out)
        assert everything() == before
        call_command("issuance_import_directory", str(path), "--nobody-protected", stdout=out)
        assert "ändrade: 1 nya personer, 0 ändrade (varav 0 fick skydd); uppdrag: 1 nya" in out.getvalue()
        path.write_text(path.read_text() + "hsaProtectedPerson: TRUE\n")
        call_command("issuance_import_directory", str(path), stdout=StringIO())
        assert Person.objects.get(identifiers__value=number.value).is_protected

    def test_wrong_use_exits_2_and_a_file_of_another_kind_1(self, importing: Importing, tmp_path: Path) -> None:
        for given in (tmp_path / "none.csv", tmp_path):
            with pytest.raises(CommandError, match=r"finns inte|är en mapp"):
                call_command("issuance_import_directory", str(given))
        with pytest.raises(CommandError) as refused:
            call_command("issuance_import_directory", str(importing.write()), "--as-of", "i går")
        assert "2026-11-28T01:30" in str(refused.value)
        _, line = importing.refused()  # a header alone
        assert line == "Filen har inga uppdrag. Inget har ändrats."

    def test_what_goes_wrong_in_the_middle_of_a_file_has_changed_nothing(self, importing: Importing) -> None:
        importing.row()
        before = everything()
        path = importing.write()
        path.write_bytes(path.read_bytes() + b"\xff\n")
        with pytest.raises(Invalid) as refused:
            directory_import.run(path, DirectoryImportOptions())
        assert "Rad 3" in refused.value.message
        assert everything() == before


class TestDryRun:
    def test_it_tells_what_would_change_and_changes_nothing(self, importing: Importing) -> None:
        post, leaver = importing.world.post(), importing.world.post()
        importing.row(post, title="Överläkare")
        importing.row()
        before = everything()
        report = importing.command("--full", "--dry-run")
        assert everything() == before
        assert report == importing.command("--full").replace("ändrade: 1", "skulle ändra: 1")
        assert not Post.objects.filter(pk=leaver.pk, ended_at=None).exists()


def test_on_a_terminal_it_tells_how_far_it_has_come(importing: Importing) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    importing.row()
    terminal = Terminal()
    call_command("issuance_import_directory", str(importing.write()), stdout=StringIO(), stderr=terminal)
    assert "100%, 1 rader" in terminal.getvalue()
