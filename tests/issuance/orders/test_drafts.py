"""Drafts of card orders: every answer is kept, checked again, and taken once (rules/issuance 3.1, S33)."""

import datetime as dt
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance.articles.models import Article
from issuance.articles.services.articles import offer_article
from issuance.authz import Role
from issuance.housekeeping.services import deadlines
from issuance.offices.models import Office
from issuance.offices.services import close_office, connect_office, create_office
from issuance.orders.domain.drafts import DraftState, Step, first_unanswered, steps
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.orders.queries import order_draft
from issuance.orders.services import draft_answers, draft_photos, draft_reading, draft_steps, drafts
from issuance.orders.services.drafts import Choices
from issuance.people.models.persons import Person
from issuance.people.models.photos import Photo
from issuance.people.services import photos
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from tests.faults.tally import Tally
from tests.issuance.pictures import picture
from tests.issuance.world import SETUP

ALL = (Step.ORGANISATION, Step.ARTICLE, Step.PHOTO, Step.OFFICE, Step.REVIEW)


class TestSteps:
    """The order of the steps, as a table."""

    def test_an_article_without_photo_has_four_steps(self) -> None:
        assert steps(photo=True) == steps(photo=None) == ALL
        assert steps(photo=False) == (Step.ORGANISATION, Step.ARTICLE, Step.OFFICE, Step.REVIEW)

    @pytest.mark.parametrize(
        ("answered", "photo", "first"),
        [
            ([], None, Step.ORGANISATION),
            ([Step.ORGANISATION], None, Step.ARTICLE),
            ([Step.ARTICLE, Step.OFFICE], True, Step.ORGANISATION),
            ([Step.ORGANISATION, Step.ARTICLE], True, Step.PHOTO),
            ([Step.ORGANISATION, Step.ARTICLE], False, Step.OFFICE),
            ([Step.ORGANISATION, Step.ARTICLE, Step.OFFICE], True, Step.PHOTO),
            ([Step.ORGANISATION, Step.ARTICLE, Step.OFFICE], False, Step.REVIEW),
            (ALL[:4], True, Step.REVIEW),
        ],
    )
    def test_the_first_unanswered(self, answered: list[Step], photo: bool | None, first: Step) -> None:
        assert first_unanswered(answered, photo=photo) is first


def choose_post(*, actor: Any, draft_id: uuid.UUID, version: int, post_id: uuid.UUID) -> OrderDraft:
    return drafts.choose(actor=actor, draft_id=draft_id, version=version, choices=Choices(post_id=post_id))


def choose_article(*, actor: Any, draft_id: uuid.UUID, version: int, article_code: str) -> OrderDraft:
    return drafts.choose(actor=actor, draft_id=draft_id, version=version, choices=Choices(article_code=article_code))


def choose_office(*, actor: Any, draft_id: uuid.UUID, version: int, office_id: uuid.UUID) -> OrderDraft:
    return drafts.choose(actor=actor, draft_id=draft_id, version=version, choices=Choices(office_id=office_id))


class Clerk:
    """A clerk at the page of an order, with the version that it was drawn from."""

    def __init__(self, world: Any, actor: Any = None, person: Any = None, post: Any = None) -> None:
        self.world, self.actor = world, actor or world.officer()
        self.post = post or world.post(given_name="Bärare")
        self.person = person or self.post.person
        draft = drafts.start(actor=self.actor, person_id=self.person.id)
        self.id, self.version = draft.id, draft.version

    @property
    def draft(self) -> OrderDraft:
        return OrderDraft.objects.get(pk=self.id)

    def do(self, act: Callable[..., OrderDraft], **arguments: Any) -> OrderDraft:
        draft = act(actor=self.actor, draft_id=self.id, version=self.version, **arguments)
        self.version = draft.version
        return draft

    def upload(self, content: bytes) -> OrderDraft:
        draft = draft_photos.put_photo(actor=self.actor, draft_id=self.id, content=content)
        self.version = draft.version
        return draft

    def choose(self, article: str = "631", *, content: bytes = b"", office: Any = None) -> "Clerk":
        """Answers every step."""
        self.do(choose_post, post_id=self.post.id)
        self.do(choose_article, article_code=article)
        if content:
            photo = self.upload(content).photo
            self.do(draft_photos.approve_photo, photo_id=photo.id)
        self.do(choose_office, office_id=(office or self.world.office).id)
        return self

    def submit(self) -> CardOrder:
        return drafts.submit(actor=self.actor, draft_id=self.id, version=self.version)

    def answers(self) -> draft_answers.Answers:
        return draft_answers.answers(actor=self.actor, draft=draft_steps.get(actor=self.actor, draft_id=self.id))


def at_once(count: int, act: Callable[[], Any]) -> tuple[list[Any], list[Exception]]:
    """What `count` threads that start together get."""
    start, results, errors = threading.Barrier(count), [], []

    def run() -> None:
        start.wait()
        try:
            results.append(act())
        except Exception as error:  # noqa: BLE001
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results, errors


class TestWholeOrder:
    """From the first step to the order."""

    def test_without_photo(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        order = clerk.submit()
        assert (order.article.code, order.office, order.eid.hsa_id, order.photo) == ("631", world.office, clerk.post.hsa_id, None)
        assert order.idempotency_key == str(clerk.id)
        draft = clerk.draft
        assert (draft.state, draft.order) == ("submitted", order)
        events = Event.objects.filter(subject_type="order_draft", subject_ref=str(clerk.id)).order_by("subject_seq")
        names = [event.action.removeprefix("order_draft.") for event in events]
        assert names == ["started", "post_chosen", "article_chosen", "office_chosen", "submitted"]
        assert [event.subject_seq for event in events] == [1, 2, 3, 4, 5] == list(range(1, draft.version + 1))
        assert {event.actor_ref for event in events} == {clerk.actor.ref}

    def test_with_a_new_photo(self, world: Any) -> None:
        clerk = Clerk(world).choose("610", content=picture())
        order = clerk.submit()
        assert order.photo == Photo.objects.get()
        assert order.photo.approved_at is not None
        assert Event.objects.get(action="order.submitted").facts["photo"] == str(order.photo.id)

    def test_with_the_stored_photo(self, world: Any) -> None:
        clerk = Clerk(world)
        stored = photos.store(actor=clerk.actor, person_id=clerk.person.id, content=picture())
        clerk.do(choose_post, post_id=clerk.post.id)
        clerk.do(choose_article, article_code="610")
        assert clerk.answers().first_unanswered is Step.PHOTO  # a stored photo is looked at before it is used again
        clerk.do(draft_photos.approve_photo, photo_id=stored.id)
        clerk.do(choose_office, office_id=world.office.id)
        assert clerk.submit().photo == stored

    def test_a_photo_that_was_chosen_stays_away_from_an_article_without(self, world: Any) -> None:
        clerk = Clerk(world).choose("610", content=picture())
        clerk.do(choose_article, article_code="631")
        assert clerk.submit().photo is None

    def test_a_photo_that_the_card_does_not_have_is_not_kept(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        clerk.upload(picture())
        assert clerk.submit().photo is None
        assert clerk.draft.photo is None
        assert not Photo.objects.exists()

    def test_steps_cannot_be_jumped_over(self, world: Any) -> None:
        clerk = Clerk(world)
        for act, arguments in (
            (choose_article, {"article_code": "631"}),
            (choose_office, {"office_id": world.office.id}),
        ):
            with pytest.raises(draft_steps.StepMissing) as error:
                clerk.do(act, **arguments)
            assert error.value.step is Step.ORGANISATION
        clerk.do(choose_post, post_id=clerk.post.id)
        clerk.do(choose_article, article_code="610")
        clerk.do(choose_office, office_id=world.office.id)
        with pytest.raises(draft_steps.StepMissing) as error:
            clerk.submit()
        assert error.value.step is Step.PHOTO
        assert not CardOrder.objects.exists()


class TestOwnership:
    """A draft is its clerk's alone."""

    def test_anothers_draft_is_not_found(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        other = world.officer(role=Role.RESPONSIBLE_ISSUER)
        for act, arguments in (
            (draft_steps.get, {}),
            (drafts.abandon, {}),
            (drafts.restart, {}),
            (drafts.submit, {"version": clerk.version}),
            (choose_post, {"version": clerk.version, "post_id": clerk.post.id}),
            (draft_photos.put_photo, {"content": picture()}),
            (draft_reading.read, {}),
        ):
            with pytest.raises(NotFound):
                act(actor=other, draft_id=clerk.id, **arguments)
            with pytest.raises(NotFound):
                act(actor=clerk.actor, draft_id=uuid.uuid4(), **arguments)
        assert drafts.start(actor=other, person_id=clerk.person.id).id != clerk.id

    def test_who_may_start(self, world: Any) -> None:
        person = world.post(world.region).person
        with pytest.raises(NotFound):
            drafts.start(actor=world.officer(world.city), person_id=person.id)
        with pytest.raises(Forbidden):
            drafts.start(actor=world.officer(role=Role.READER), person_id=person.id)
        officer = world.officer()
        with pytest.raises(Forbidden, match="own-matter"):
            drafts.start(actor=officer, person_id=officer.person_id)
        assert not OrderDraft.objects.exists()

    def test_only_the_persons_own_posts_in_scope(self, world: Any) -> None:
        clerk = Clerk(world, actor=world.officer(world.clinic), post=world.post(world.clinic))
        for post in (world.post(world.clinic), world.post(world.region), world.post(world.city)):
            with pytest.raises(Invalid, match="post-unknown"):
                clerk.do(choose_post, post_id=post.id)

    def test_anothers_photo_is_none(self, world: Any) -> None:
        clerk, other = Clerk(world), world.post().person
        photo = photos.store(actor=clerk.actor, person_id=other.id, content=picture())
        with pytest.raises(Invalid, match="photo-missing"):
            clerk.do(draft_photos.approve_photo, photo_id=photo.id)


class TestResuming:
    """One open draft; what was given up can be taken up again."""

    def test_the_open_draft_is_found_again(self, world: Any) -> None:
        clerk = Clerk(world)
        clerk.do(choose_post, post_id=clerk.post.id)
        again = drafts.start(actor=clerk.actor, person_id=clerk.person.id)
        assert (again.id, again.version, again.post_id) == (clerk.id, clerk.version, clerk.post.id)

    def test_eight_starts_at_once_are_one_draft(self, world: Any) -> None:
        officer, person = world.officer(), world.post().person
        started, errors = at_once(8, lambda: drafts.start(actor=officer, person_id=person.id).id)
        assert errors == []
        assert set(started) == {OrderDraft.objects.get().id}
        assert Event.objects.filter(action="order_draft.started").count() == 1

    def test_what_was_given_up_is_taken_up_again_for_some_days(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        drafts.abandon(actor=clerk.actor, draft_id=clerk.id)
        drafts.abandon(actor=clerk.actor, draft_id=clerk.id)
        assert Event.objects.filter(action="order_draft.abandoned").count() == 1
        with pytest.raises(draft_steps.DraftClosed, match="draft-abandoned"):
            clerk.do(choose_article, article_code="631-REK")
        with pytest.raises(draft_steps.DraftClosed, match="draft-abandoned"):
            clerk.submit()
        found, errors = at_once(4, lambda: drafts.start(actor=clerk.actor, person_id=clerk.person.id))
        assert errors == []
        assert {(draft.id, draft.state, draft.article_id) for draft in found} == {(clerk.id, "open", "631")}
        drafts.abandon(actor=clerk.actor, draft_id=clerk.id)
        with clock.moved_to(clock.now() + dt.timedelta(days=7, minutes=1)):
            assert drafts.start(actor=clerk.actor, person_id=clerk.person.id).id != clerk.id

    def test_begun_anew_it_has_no_answers(self, world: Any) -> None:
        clerk = Clerk(world).choose("610", content=picture())
        draft = drafts.restart(actor=clerk.actor, draft_id=clerk.id)
        assert (draft.post, draft.article, draft.photo, draft.office, draft.photo_approved) == (None, None, None, None, False)
        assert draft.version == clerk.version + 1
        with pytest.raises(draft_steps.DraftChanged) as error:
            clerk.do(choose_post, post_id=clerk.post.id)
        assert error.value.steps == (Step.ORGANISATION,)

    def test_after_the_order_a_new_draft_begins(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        clerk.submit()
        assert drafts.start(actor=clerk.actor, person_id=clerk.person.id).id != clerk.id
        for act in (drafts.abandon, drafts.restart):
            with pytest.raises(draft_steps.DraftClosed, match="draft-submitted"):
                act(actor=clerk.actor, draft_id=clerk.id)


class TestTwoTabs:
    """The second tab is told what changed; its answer is not taken until it is given again, and nothing is lost."""

    def test_another_answer_to_the_same_step(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        old = clerk.version
        clerk.do(choose_article, article_code="631-REK")
        with pytest.raises(draft_steps.DraftChanged) as error:
            choose_article(actor=clerk.actor, draft_id=clerk.id, version=old, article_code="610")
        assert error.value.steps == (Step.ARTICLE,)
        assert clerk.draft.article_id == "631-REK"

    def test_the_same_answer_again_is_no_change(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        for version in (1, clerk.version):
            draft = choose_office(actor=clerk.actor, draft_id=clerk.id, version=version, office_id=world.office.id)
            assert draft.version == clerk.version

    def test_the_order_is_of_what_was_reviewed(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        reviewed = clerk.version
        clerk.do(choose_article, article_code="631-REK")
        with pytest.raises(draft_steps.DraftChanged) as error:
            drafts.submit(actor=clerk.actor, draft_id=clerk.id, version=reviewed)
        assert error.value.steps == (Step.ARTICLE,)
        assert not CardOrder.objects.exists()
        assert clerk.submit().article_id == "631-REK"

    def test_a_change_while_the_order_is_under_way_stops_it(self, world: Any) -> None:
        """The other tab's change commits after the order has read the draft and before its own transaction."""
        clerk = Clerk(world).choose()
        reviewed, read = clerk.version, world.outside.read_person

        def meanwhile(person: Any) -> Any:
            world.outside.read_person = read
            result: list[Any] = []
            thread = threading.Thread(
                target=lambda: (result.append(clerk.do(choose_article, article_code="631-REK")), connection.close())
            )
            thread.start()
            thread.join()
            assert result
            return read(person)

        world.outside.read_person = meanwhile
        with pytest.raises(draft_steps.DraftChanged):
            drafts.submit(actor=clerk.actor, draft_id=clerk.id, version=reviewed)
        assert not CardOrder.objects.exists()
        assert not Event.objects.filter(action="order.submitted").exists()
        assert clerk.draft.state == DraftState.OPEN

    def test_one_of_many_answers_at_once_is_taken(self, world: Any) -> None:
        clerk = Clerk(world)
        clerk.do(choose_post, post_id=clerk.post.id)
        codes = iter(["631", "631-REK", "610"])
        taken, errors = at_once(3, lambda: clerk_choice(clerk, next(codes)))
        assert len(taken) == 1
        assert {type(error) for error in errors} == {draft_steps.DraftChanged}
        assert clerk.draft.version == clerk.version + 1


def clerk_choice(clerk: Clerk, code: str) -> OrderDraft:
    return choose_article(actor=clerk.actor, draft_id=clerk.id, version=clerk.version, article_code=code)


class TestOnce:
    """S33."""

    def test_eight_clicks_on_bestall_are_one_order(self, world: Any) -> None:
        clerk = Clerk(world).choose("610", content=picture())
        orders, errors = at_once(8, lambda: clerk.submit().id)
        assert errors == []
        assert len(orders) == 8
        assert set(orders) == {CardOrder.objects.get().id} == {clerk.draft.order_id}
        assert Event.objects.filter(action="order_draft.submitted").count() == 1

    def test_a_later_click_gets_the_same_order_even_with_the_outside_down(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        first = clerk.submit()
        world.outside.down = True
        assert drafts.submit(actor=clerk.actor, draft_id=clerk.id, version=1) == first

    def test_two_clerks_have_a_draft_each(self, world: Any) -> None:
        one = Clerk(world).choose()
        other = Clerk(world, actor=world.officer(role=Role.RESPONSIBLE_ISSUER), post=one.post).choose("631-REK")
        assert one.id != other.id
        first = one.submit()
        with pytest.raises(drafts.AnotherCard):  # the other has not seen it
            other.submit()
        second = drafts.submit(actor=other.actor, draft_id=other.id, version=other.version, confirmed_cards=[first.carrier_id])
        assert {first.article_id, second.article_id} == {"631", "631-REK"}


class TestWhatNoLongerHolds:
    """It is found at each step and at the order, and leads to its step."""

    def check(self, clerk: Clerk, step: Step, *, asks_live: bool = False) -> None:
        if asks_live:
            draft_reading.read(actor=clerk.actor, draft_id=clerk.id)
        found = clerk.answers()
        assert found.first_unanswered is step
        assert found.problems[step].endswith(".")
        with pytest.raises(draft_steps.StepMissing) as error:
            clerk.submit()
        assert error.value.step is step
        assert not CardOrder.objects.exists()

    def test_an_article_that_was_withdrawn(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        offer_article(actor=SETUP, organisation_id=world.region.id, article_code="631", orderable=False)
        self.check(clerk, Step.ARTICLE)
        with pytest.raises(Invalid, match="article-not-orderable"):
            clerk.do(choose_article, article_code="631")

    def test_an_article_out_of_its_time(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        Article.objects.filter(code="631").update(valid_to=clock.today() - dt.timedelta(days=1))
        self.check(clerk, Step.ARTICLE)

    def test_an_office_that_was_closed(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        close_office(actor=SETUP, office_id=world.office.id)
        self.check(clerk, Step.OFFICE)
        with pytest.raises(Invalid, match="office-not-connected"):
            clerk.do(choose_office, office_id=world.office.id)

    def test_a_post_that_the_catalogue_lost(self, world: Any) -> None:
        clerk = Clerk(world)
        world.order(clerk.post)  # keeps the person in sight
        CardOrder.objects.update(idempotency_key="other")
        clerk.choose()
        del world.outside.posts[clerk.post.hsa_id.upper()]
        draft_reading.read(actor=clerk.actor, draft_id=clerk.id)
        assert clerk.answers().first_unanswered is Step.ORGANISATION
        assert "avslutat" in clerk.answers().problems[Step.ORGANISATION]
        with pytest.raises(draft_steps.StepMissing):
            clerk.submit()
        with pytest.raises(Invalid, match="post-ended"):
            clerk.do(choose_post, post_id=clerk.post.id)

    def test_a_post_that_is_lost_at_the_order_itself(self, world: Any) -> None:
        clerk = Clerk(world)
        second = world.post(world.clinic)
        second.person = clerk.person
        second.save(update_fields=["person"])  # keeps the person in sight
        clerk.choose()
        del world.outside.posts[clerk.post.hsa_id.upper()]
        with pytest.raises(Conflict, match="post-ended"):
            clerk.submit()
        assert clerk.answers().first_unanswered is Step.ORGANISATION
        assert clerk.draft.state == DraftState.OPEN

    def test_a_customisation_that_was_unverified(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        world.region.refresh_from_db()
        world.region.customisation.verified_at = None
        world.region.customisation.save()
        self.check(clerk, Step.ORGANISATION)
        with pytest.raises(Invalid, match="customisation-not-verified"):
            clerk.do(choose_post, post_id=clerk.post.id)

    def test_a_move_to_another_organisation_asks_for_its_articles_and_offices(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        post = world.post(world.clinic)
        post.person = clerk.person
        post.save(update_fields=["person"])
        offer_article(actor=SETUP, organisation_id=world.clinic.id, article_code="631", orderable=False)
        clerk.do(choose_post, post_id=post.id)
        assert clerk.answers().first_unanswered is Step.ARTICLE
        assert "Kliniken" in clerk.answers().problems[Step.ARTICLE]
        assert Step.OFFICE in clerk.answers().answered

    def test_a_protection_that_was_found_hides_the_draft(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        world.outside.change_person(world.key_of(clerk.person), protected_person_indicator=True)
        with pytest.raises(NotFound):
            draft_reading.read(actor=clerk.actor, draft_id=clerk.id)
        assert Person.objects.get(pk=clerk.person.pk).is_protected
        with pytest.raises(NotFound):
            clerk.submit()


class TestOutside:
    """Register and catalogue, read at each step."""

    def test_the_address_is_shown_and_stored_nowhere(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        _, outside = draft_reading.read(actor=clerk.actor, draft_id=clerk.id)
        assert outside.address.lines == ("Provgatan 1",)
        with connection.cursor() as cursor:
            tables = [name for name in connection.introspection.table_names(cursor) if name.startswith("issuance_")]
            for table in tables:
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', ["%Provgatan%"])
                assert cursor.fetchone()[0] == 0, table

    def test_a_protected_persons_address_is_not_even_there(self, world: Any) -> None:
        """Also if the register should give one."""
        actor = world.officer(protected=True)
        clerk = Clerk(world, actor=actor, post=world.post(protected=True))
        world.outside.change_person(world.key_of(clerk.person), registered_address=world.outside.persons)
        _, outside = draft_reading.read(actor=actor, draft_id=clerk.id)
        assert outside.address is None
        assert outside.obstacles == ()

    def test_the_outside_being_down_loses_nothing(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        world.outside.down = True
        draft, outside = draft_reading.read(actor=clerk.actor, draft_id=clerk.id)
        assert (outside.down, outside.address, draft.article_id) == (True, None, "631")
        with pytest.raises(Unavailable):
            clerk.submit()
        world.outside.down = False
        assert clerk.submit().state == "queued"

    def test_reading_writes_only_what_is_news(self, world: Any) -> None:
        clerk = Clerk(world).choose()
        draft_reading.read(actor=clerk.actor, draft_id=clerk.id)
        read_at = Person.objects.get(pk=clerk.person.pk).register_read_at
        assert not Event.objects.filter(action__in=["person.changed", "post.changed"]).exists()
        world.outside.change_person(world.key_of(clerk.person), surname="Nyman")
        world.outside.change_post(clerk.post.hsa_id, mail="ny@example.org")
        draft, _ = draft_reading.read(actor=clerk.actor, draft_id=clerk.id)
        assert (draft.person.surname, draft.post.mail) == ("Nyman", "ny@example.org")
        assert Person.objects.get(pk=clerk.person.pk).register_read_at > read_at

    def test_what_stands_against_the_person_is_told(self, world: Any) -> None:
        clerk = Clerk(world)
        world.outside.change_person(world.key_of(clerk.person), deceased=True, registered_address=None)
        _, outside = draft_reading.read(actor=clerk.actor, draft_id=clerk.id)
        assert len(outside.obstacles) == 2
        assert "avliden" in outside.obstacles[0]
        world.outside.persons.clear()
        _, outside = draft_reading.read(actor=clerk.actor, draft_id=clerk.id)
        assert "personregistret" in outside.obstacles[0]


class TestPhoto:
    """The draft's photo: replaced, approved, forgotten."""

    def test_a_file_that_is_refused_leaves_the_draft_as_it_was(self, world: Any, tally: Tally) -> None:
        """F13: cut anywhere."""
        clerk = Clerk(world)
        whole = picture()
        clerk.upload(whole)
        before = OrderDraft.objects.values().get()
        for content in (b"", whole[:-2], whole[:300], whole[: len(whole) // 2], picture(size=(700, 500))):
            with pytest.raises(Invalid) as error:
                clerk.upload(content)
            assert list(error.value.fields) == ["photo"]
        assert OrderDraft.objects.values().get() == before
        assert Photo.objects.count() == 1
        tally.run([before["id"]], OrderDraft.objects.values_list("pk", flat=True), "drafts")

    def test_a_replaced_photo_that_nobody_approved_is_deleted(self, world: Any) -> None:
        clerk = Clerk(world)
        first = clerk.upload(picture(10)).photo
        second = clerk.upload(picture(20)).photo
        assert list(Photo.objects.all()) == [second]
        assert Event.objects.get(action="photo.discarded").subject_ref == str(first.id)
        clerk.do(draft_photos.approve_photo, photo_id=second.id)
        third = clerk.upload(picture(30))
        assert not third.photo_approved  # to be looked at anew
        assert Photo.objects.latest_of(clerk.person.id) == second

    def test_the_same_file_again_is_no_change(self, world: Any) -> None:
        clerk = Clerk(world)

        def upload() -> int:
            return draft_photos.put_photo(actor=clerk.actor, draft_id=clerk.id, content=picture()).version

        uploaded, errors = at_once(4, upload)
        assert errors == []
        assert set(uploaded) == {clerk.version + 1}
        assert Photo.objects.count() == 1

    def test_another_photo_than_the_one_shown_is_not_approved(self, world: Any) -> None:
        clerk = Clerk(world)
        shown = clerk.upload(picture(10)).photo
        clerk.upload(picture(20))
        with pytest.raises(Invalid, match="photo-missing"):
            clerk.do(draft_photos.approve_photo, photo_id=shown.id)
        with pytest.raises(Invalid, match="photo-missing"):
            clerk.do(draft_photos.approve_photo, photo_id=None)
        assert not OrderDraft.objects.get().photo_approved

    def test_back_to_the_stored_one(self, world: Any) -> None:
        clerk = Clerk(world)
        stored = photos.store(actor=clerk.actor, person_id=clerk.person.id, content=picture(10))
        new = clerk.upload(picture(20))
        choices = order_draft.photo_choices(new)
        assert [(choice.photo, choice.stored) for choice in choices] == [(new.photo, False), (stored, True)]
        clerk.do(draft_photos.approve_photo, photo_id=stored.id)
        assert list(Photo.objects.all()) == [stored]

    @pytest.mark.parametrize(("years", "days", "old"), [(4, 364, False), (5, 0, True)])
    def test_age_is_told_and_five_years_are_old(self, world: Any, years: int, days: int, old: bool) -> None:
        clerk = Clerk(world)
        now = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
        with clock.moved_to(now.replace(year=now.year - years) - dt.timedelta(days=days)):
            photos.store(actor=clerk.actor, person_id=clerk.person.id, content=picture())
        with clock.moved_to(now):
            choice = order_draft.photo_choices(clerk.draft)[0]
        assert (choice.years, choice.old) == (years, old)

    def test_housekeeping_takes_the_photo_out_of_what_nobody_goes_on_with(self, world: Any) -> None:
        clerk, given_up, sent = Clerk(world), Clerk(world), Clerk(world).choose("610", content=picture(30))
        clerk.choose("610", content=picture(10))
        given_up.upload(picture(20))
        drafts.abandon(actor=given_up.actor, draft_id=given_up.id)
        sent.submit()
        later = clock.now() + dt.timedelta(days=7, minutes=1)
        assert deadlines.run().draft_photos == 0
        with clock.moved_to(later):
            assert deadlines.run(dry_run=True).draft_photos == 2
            assert deadlines.run(batch=1).draft_photos == 2
            assert deadlines.run().draft_photos == 0
        assert (clerk.draft.photo, clerk.draft.photo_approved, clerk.draft.article_id) == (None, False, "610")
        assert given_up.draft.photo is None
        assert sent.draft.photo is not None
        assert Photo.objects.filter(approved_at=None).count() == 0  # the one never approved is gone, bytes and all
        assert Photo.objects.count() == 2
        assert Event.objects.filter(action="order_draft.photo_forgotten", actor_ref="system:stale-draft").count() == 2


def test_the_number_of_queries_does_not_grow_with_what_is_offered(world: Any) -> None:
    clerk = Clerk(world).choose()

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            draft = draft_steps.get(actor=clerk.actor, draft_id=clerk.id)
            draft_answers.answers(actor=clerk.actor, draft=draft)
            order_draft.post_choices(actor=clerk.actor, person_id=clerk.person.id)
        return len(queries)

    before = count()
    for number in range(5):
        post = world.post(world.clinic if number % 2 else world.region)
        post.person = clerk.person
        post.save(update_fields=["person"])
        office = create_office(actor=SETUP, area_id=world.area.id, name=f"Kontor {number}", invoice_comment="x")
        connect_office(actor=SETUP, organisation_id=world.region.id, office_id=office.id)
    assert Office.objects.count() == 6
    assert count() == before <= 10
