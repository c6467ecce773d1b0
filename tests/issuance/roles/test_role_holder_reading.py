"""Role holders read anew from the catalogue each night: who has left acts no more, and an outage changes nothing (ADR 0036)."""

import dataclasses
import datetime as dt
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from prometheus_client import REGISTRY

from issuance import tasks
from issuance.authz import Action, Actor, Role, policy
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import drafts
from issuance.people.models.person_scope import PersonScope
from issuance.people.models.persons import Person, Post
from issuance.records.models.events import Event
from issuance.roles.services import role_holder_reading
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from siths_portal.lib.errors import Unavailable

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def quickly(settings: Any) -> None:
    settings.ROLE_HOLDERS_READ_PER_SECOND = 0


def post_of(actor: Actor) -> Post:
    return Post.objects.select_related("organisation").get(person=actor.person_id)


def leaves(world: Any, actor: Actor) -> None:
    """The catalogue loses his post."""
    del world.outside.posts[post_of(actor).hsa_id.upper()]


def holds(actor: Actor) -> int:
    assert actor.person_id is not None
    return len(actor_of_person(actor.person_id).grants)


def events(action: str) -> list[Event]:
    return list(Event.objects.filter(action=action))


class TestWhoHasLeft:
    def test_his_roles_rest_and_what_he_had_under_way_ends(self, world: Any) -> None:
        clerk, other, holder = world.officer(), world.officer(world.city), world.post()
        draft = drafts.start(actor=clerk, person_id=holder.person_id)
        post = post_of(clerk)
        leaves(world, clerk)
        tasks.read_role_holders()
        assert (holds(clerk), holds(other)) == (0, 1)
        assert not policy.may(actor_of_person(clerk.person_id), Action.ORDER_ORDINARY_CARD, holder)
        (ended,) = events("post.ended")
        assert (ended.actor_ref, ended.subject_ref) == ("system:register-reading", str(post.pk))
        assert OrderDraft.objects.get(pk=draft.pk).state == "abandoned"
        assert not PersonScope.objects.filter(person=clerk.person_id).exists()
        tasks.read_role_holders()
        assert len(events("post.ended")) == 1

    def test_another_organisations_post_there_is_not_enough(self, world: Any) -> None:
        clerk = world.officer()
        world.outside.change_post(post_of(clerk).hsa_id, organisation_hsa_id=world.stranger.hsa_id)
        tasks.read_role_holders()
        assert holds(clerk) == 0
        assert {post.organisation for post in Post.objects.filter(person=clerk.person_id, ended_at=None)} == {world.stranger}

    def test_a_post_that_comes_back_or_another_in_the_area_lets_them_hold_again(self, world: Any) -> None:
        clerk = world.officer()
        hsa_id = post_of(clerk).hsa_id
        lost = world.outside.posts.pop(hsa_id.upper())
        tasks.read_role_holders()
        assert holds(clerk) == 0
        world.outside.posts["TST-NEW"] = dataclasses.replace(
            lost, hsa_id="TST-NEW", organisation_hsa_id=world.city.hsa_id.lower()
        )
        world.outside.posts["TST-NOT-OURS"] = dataclasses.replace(lost, hsa_id="TST-NOT-OURS", organisation_hsa_id="TST-NOBODY")
        world.outside.posts["TST-OVER"] = dataclasses.replace(lost, hsa_id="TST-OVER", valid_to=clock.today() - DAY)
        with clock.moved_to(clock.now() + DAY):
            tasks.read_role_holders()
            assert holds(clerk) == 1
        assert [post.hsa_id for post in Post.objects.filter(person=clerk.person_id, ended_at=None)] == ["TST-NEW"]
        assert len(events("post.registered")) == 1
        assert PersonScope.objects.get(person=clerk.person_id).organisation == world.city

    def test_a_last_day_and_a_title_are_taken_over(self, world: Any) -> None:
        clerk, today = world.officer(), clock.today()
        world.outside.change_post(post_of(clerk).hsa_id, valid_to=today, title="Överläkare")
        tasks.read_role_holders()
        assert (post_of(clerk).valid_to, post_of(clerk).title, holds(clerk)) == (today, "Överläkare", 1)
        assert events("post.changed")[0].facts["fields"] == ["title", "valid_to"]
        with clock.moved_to(clock.start_of_day(today + DAY)):
            assert holds(clerk) == 0

    def test_a_last_day_that_has_passed_is_a_leaving(self, world: Any) -> None:
        clerk, holder = world.officer(), world.post()
        draft = drafts.start(actor=clerk, person_id=holder.person_id)
        world.outside.change_post(post_of(clerk).hsa_id, valid_to=clock.today() - DAY)
        assert role_holder_reading.read_due().left == 1
        assert holds(clerk) == 0
        assert OrderDraft.objects.get(pk=draft.pk).state == "abandoned"
        with clock.moved_to(clock.now() + DAY):
            assert role_holder_reading.read_due().left == 0

    def test_a_post_that_another_has_in_the_mirror_is_left_until_he_has_lost_it(self, world: Any) -> None:
        clerk, holder = world.officer(), world.post()
        mine = world.outside.posts[post_of(clerk).hsa_id.upper()]
        world.outside.posts[holder.hsa_id.upper()] = dataclasses.replace(mine, hsa_id=holder.hsa_id)
        tasks.read_role_holders()
        assert holds(clerk) == 1
        assert Post.objects.get(hsa_id=holder.hsa_id).person == holder.person

    def test_what_somebody_read_since_the_question_stays(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        clerk = world.officer()
        post = post_of(clerk)
        ask = world.outside.find_posts_by_person_id

        def meanwhile(key: Any) -> Any:
            found = ask(key)
            Post.objects.filter(pk=post.pk).update(synced_at=clock.now() + dt.timedelta(seconds=1))
            return found

        leaves(world, clerk)
        monkeypatch.setattr(world.outside, "find_posts_by_person_id", meanwhile)
        tasks.read_role_holders()
        assert holds(clerk) == 1


class TestOutage:
    def test_it_changes_nothing_and_is_caught_up(self, world: Any) -> None:
        clerks = [world.officer(), world.officer(world.city)]
        leaves(world, clerks[0])
        world.outside.down = True
        before = Event.objects.count()
        done = role_holder_reading.read_due()
        assert (done.read, done.unanswered, world.outside.calls.count("posts")) == (0, True, 1)
        assert [holds(clerk) for clerk in clerks] == [1, 1]
        assert Event.objects.count() == before
        with clock.moved_to(role_holder_reading._last_night() + dt.timedelta(hours=7)):
            role_holder_reading.measure()
        assert role_holder_reading._UNREAD._value.get() == 7 * 3600
        world.outside.down = False
        assert role_holder_reading.read_due().read == 2
        role_holder_reading.measure()
        assert role_holder_reading._UNREAD._value.get() == 0
        assert [holds(clerk) for clerk in clerks] == [0, 1]

    def test_in_the_middle_leaves_the_rest_for_later(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        clerks = [world.officer(), world.officer(world.city), world.officer(world.clinic)]
        ask, asked = world.outside.find_posts_by_person_id, []

        def sometimes(key: Any) -> Any:
            asked.append(key)
            if len(asked) == 2:
                raise Unavailable("upstream-unreachable", "Ett anslutet system svarar inte.")
            return ask(key)

        monkeypatch.setattr(world.outside, "find_posts_by_person_id", sometimes)
        assert (role_holder_reading.read_due().read, len(asked)) == (1, 2)
        assert role_holder_reading.read_due().read == 2
        assert sorted(asked, key=str) == sorted([*map(world.key_of, people(clerks)), asked[1]], key=str)

    def test_a_catalogue_that_has_lost_nearly_all_is_not_believed(self, world: Any) -> None:
        clerks = [world.officer(place, role) for place in (world.region, world.city) for role in (Role.READER, Role.REVOKER)]
        for clerk in clerks:
            leaves(world, clerk)
        counted = REGISTRY.get_sample_value("role_holders_losses_held_total") or 0
        done = role_holder_reading.read_due()
        assert (done.read, done.held, done.left) == (4, 4, 0)
        assert REGISTRY.get_sample_value("role_holders_losses_held_total") == counted + 4
        told = role_holder_reading.held_losses()
        assert told is not None
        assert (told.held, told.read) == (4, 4)
        with clock.moved_to(told.at + DAY):
            assert role_holder_reading.held_losses() is None
        assert [holds(clerk) for clerk in clerks] == [1] * 4
        assert role_holder_reading.read_due().read == 0, "asked again the next night"
        with pytest.raises(CommandError, match="4 av 4"):
            call_command("issuance_read_role_holders", stdout=StringIO())
        assert call_and_read("--accept-losses", "--dry-run").startswith("skulle läsa: 4 av 4 rollinnehavare, 4 har förlorat")
        assert [holds(clerk) for clerk in clerks] == [1] * 4
        assert call_and_read("--accept-losses").startswith("läste: 4 av 4 rollinnehavare, 4 har förlorat")
        assert [holds(clerk) for clerk in clerks] == [0] * 4
        assert role_holder_reading.held_losses() is None
        assert [event.facts for event in events("catalogue.losses_held")] == 2 * [{"held": 4, "read": 4}]
        assert [event.facts for event in events("catalogue.losses_accepted")] == [{"lost": 4, "read": 4}]

    def test_nor_one_whose_last_days_have_nearly_all_passed(self, world: Any) -> None:
        clerks = [world.officer(role=role) for role in (Role.ID_ADMINISTRATOR, Role.REVOKER, Role.READER, Role.DEPUTY_ISSUER)]
        for clerk in clerks:
            world.outside.change_post(post_of(clerk).hsa_id, valid_to=clock.today() - DAY)
        assert role_holder_reading.read_due().held == 4
        assert [holds(clerk) for clerk in clerks] == [1, 1, 1, 1]

    def test_the_command_says_that_the_catalogue_does_not_answer(self, world: Any) -> None:
        world.officer()
        world.outside.down = True
        with pytest.raises(CommandError, match="svarar inte"):
            call_command("issuance_read_role_holders", stdout=StringIO())


def people(actors: list[Actor]) -> list[Person]:
    return list(Person.objects.filter(pk__in=[actor.person_id for actor in actors]))


def call_and_read(*arguments: str) -> str:
    out = StringIO()
    call_command("issuance_read_role_holders", *arguments, stdout=out)
    return out.getvalue()


class TestWhen:
    def test_once_a_night_role_holders_alone_and_so_many_a_run(
        self, world: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for place in (world.region, world.city, world.clinic):
            world.officer(place)
        world.post()
        monkeypatch.setattr(role_holder_reading, "BATCH", 2)
        settings.ROLE_HOLDERS_READ_HOUR = 3
        morning = clock.start_of_day(clock.today() + DAY) + dt.timedelta(hours=9)
        for moment, expected in ((0, [2, 1, 0]), (17, [0]), (18.5, [2, 1, 0])):
            with clock.moved_to(morning + dt.timedelta(hours=moment)):
                assert [role_holder_reading.read_due().read for _ in expected] == expected, moment

    def test_a_run_ends_when_its_time_is_out(self, world: Any) -> None:
        world.officer()
        assert role_holder_reading.read(role_holder_reading.due(since=clock.now()), seconds=0).read == 0

    def test_questions_keep_their_pace(self, world: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        for place in (world.region, world.city, world.clinic):
            world.officer(place)
        settings.ROLE_HOLDERS_READ_PER_SECOND = 0.001
        waits: list[float] = []
        monkeypatch.setattr(time, "sleep", waits.append)
        role_holder_reading.read(role_holder_reading.due(since=clock.now()))
        assert [round(wait / 1000) for wait in waits] == [0, 1, 2]
