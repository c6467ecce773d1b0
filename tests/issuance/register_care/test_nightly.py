"""The nightly comparison: what each kind finds and when it ends, that it goes on where it was, and what an outage does."""

import datetime as dt
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance import tasks
from issuance.carriers.models import Carrier
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.orders.models.orders import CardOrder
from issuance.organisations.ports import DirectoryOrganisation
from issuance.people.models.persons import CatalogueName, Post
from issuance.records.models.events import Event
from issuance.register_care.domain import kinds
from issuance.register_care.models import CareRun, WorkItem
from issuance.register_care.services import deciding, measures, nightly
from issuance.roles.services import role_holder_reading
from issuance.stock.services import cards as stock
from siths_portal.lib import clock
from siths_portal.lib.database import locks
from siths_portal.lib.errors import Conflict, Unavailable
from tests.issuance.register_care.works import active, found, later, night, sent, unsigned
from tests.issuance.stock.stocks import received_bundle, sent_bundle, with_stock


def kinds_found() -> set[str]:
    return set(WorkItem.objects.exclude(state="gone").values_list("kind", flat=True))


def only(kind: str) -> WorkItem:
    (row,) = found(kind)
    assert kinds_found() == {kind}
    return row


class TestCards:
    def test_a_sent_card_is_listed_after_two_weeks_until_it_is_activated(self, world: Any) -> None:
        sent(world, world.post(), days_left=77)
        card = sent(world, world.post(), days_left=76)
        night()
        row = only("not_activated")
        assert (row.carrier_id, row.person_id, row.organisation_id) == (card.pk, card.person_id, card.organisation_id)
        assert (row.office_id, row.due) == (world.office.pk, clock.today() + dt.timedelta(days=76))
        assert night().found == 1, "a second comparison finds nothing new"
        Carrier.objects.filter(pk=card.pk).update(state="active", origin="migrated")
        night()
        assert found("not_activated") == []
        (ended,) = found("not_activated", state="gone")
        assert ended.ended_at is not None
        told = Event.objects.filter(subject_type="work_item", subject_ref=str(row.pk)).order_by("id")
        assert [(each.action, each.subject_seq) for each in told] == [("work_item.found", 1), ("work_item.ended", 2)]
        assert not [each for each in verify_states().wrong if "registervård" in each]

    def test_a_card_without_signature_is_listed_at_once(self, world: Any) -> None:
        card = unsigned(world, world.post(), days_left=4)
        night()
        row = only("not_signed")
        assert (row.subject_id, row.due) == (card.pk, clock.today() + dt.timedelta(days=4))

    def test_a_holder_without_address_is_to_be_contacted(self, world: Any) -> None:
        reachable, without = world.post(), world.post()
        sent(world, reachable, days_left=59)
        card = sent(world, without, days_left=59)
        protected = world.post(protected=True)
        sent(world, protected, days_left=59, actor=world.officer(protected=True))
        Post.objects.filter(pk__in=[without.pk, protected.pk]).update(mail="")
        night()
        (row,) = found("not_reminded")
        assert (row.carrier_id, row.office_id) == (card.pk, world.office.pk)
        Post.objects.filter(pk=without.pk).update(mail="ny@example.org")
        night()
        assert found("not_reminded") == []

    def test_the_chief_is_to_be_told_on_each_day_of_reminders(self, world: Any) -> None:
        card = sent(world, world.post(), days_left=59)
        sent(world, world.post(protected=True), days_left=59, actor=world.officer(protected=True))
        night()
        (row,) = found("chief_untold")
        assert (row.carrier_id, row.office_id, row.facts) == (card.pk, world.office.pk, {"days": 30})
        assert row.due == clock.today() + dt.timedelta(days=6)
        deciding.finish(actor=world.officer(), item_ids=[row.pk], reason="Chefen påminner.")
        with later(28):
            night()
            assert found("chief_untold") == []
        with later(29):
            night()
            assert [row.facts["days"] for row in found("chief_untold")] == [60]


class TestPeople:
    def test_who_has_no_assignment_left_with_the_employer_has_no_card(self, world: Any) -> None:
        left, moved, stays, changed = (world.post() for _ in range(4))
        cards = [active(world, post) for post in (left, moved, stays, changed)]
        yesterday = clock.today() - dt.timedelta(days=1)
        Post.objects.filter(pk=left.pk).update(ended_at=clock.now())
        Post.objects.filter(pk=moved.pk).update(valid_to=yesterday)
        Post.objects.filter(pk=changed.pk).update(ended_at=clock.now())
        for person, place in ((moved, world.city), (changed, world.clinic)):
            Post.objects.create(
                hsa_id=f"TST2321000131-{place.pk.hex[-8:]}", person=person.person, organisation=place, synced_at=clock.now()
            )
        night()
        assert kinds_found() == {"ended"}
        assert {row.carrier_id for row in found("ended")} == {cards[0].pk, cards[1].pk}, "the clinic belongs to the employer"
        assert {row.due for row in found("ended")} == {clock.today() + dt.timedelta(days=14)}
        assert {row.office_id for row in found("ended")} == {world.office.pk}, "the office of the order"
        Post.objects.filter(pk=left.pk).update(ended_at=None)
        night()
        assert [row.carrier_id for row in found("ended")] == [cards[1].pk]

    def test_a_name_of_the_catalogue_that_was_read_live(self, world: Any) -> None:
        post = world.post()
        world.outside.change_post(post.hsa_id, surname="Gammal")
        card = active(world, post)
        night()
        assert only("name_differs").carrier_id == card.pk, "as the order read it"
        world.outside.change_post(post.hsa_id, surname=post.person.surname.upper())
        role_holder_reading.read([post.person_id])
        night()
        assert found("name_differs") == []

    def test_a_row_about_a_person_follows_to_the_card_that_replaced_the_old_one(self, world: Any) -> None:
        post = world.post()
        world.outside.change_post(post.hsa_id, surname="Gammal")
        old = active(world, post)
        night()
        row = only("name_differs")
        new = active(world, post)
        Carrier.objects.filter(pk=old.pk).update(state="revoked")
        night()
        assert (only("name_differs").pk, only("name_differs").carrier_id) == (row.pk, new.pk)

    def test_the_register_tells_who_died_is_protected_or_has_another_name(self, world: Any) -> None:
        dead, protected, renamed, same = (world.post() for _ in range(4))
        cards = {post.pk: active(world, post) for post in (dead, protected, renamed, same)}
        night()
        assert kinds_found() == set()
        world.outside.change_person(world.key_of(dead.person), deceased=True)
        world.outside.change_person(world.key_of(protected.person), protected_person_indicator=True)
        world.outside.change_person(world.key_of(renamed.person), surname="Ny")
        with later(1):
            run = night()
        assert (run.read, run.persons, run.changed, run.register_whole) == (4, 4, 3, True)
        assert [row.carrier_id for row in found("deceased")] == [cards[dead.pk].pk]
        assert [row.person_id for row in found("newly_protected")] == [protected.person_id]
        assert [row.carrier_id for row in found("renamed")] == [cards[renamed.pk].pk]
        assert found("ended") == [], "who died is listed once"
        with later(60):
            night()
        assert len(found("newly_protected")) == len(found("renamed")) == 1, "old news stand while their cause does"
        Carrier.objects.update(state="revoked", revocation_reason="other", ended_at=clock.now())
        with later(61):
            night()
        assert kinds_found() == set()

    def test_a_card_that_was_accepted_with_the_new_name_is_not_listed(self, world: Any) -> None:
        post = world.post()
        card = active(world, post)
        night()
        world.outside.change_person(world.key_of(post.person), surname="Ny")
        CardOrder.objects.filter(items__carrier=card).update(accepted_at=clock.now() + dt.timedelta(days=30))
        with later(1):
            night()
        assert kinds_found() == set()

    def test_a_name_that_the_catalogue_has_otherwise(self, world: Any) -> None:
        post, all_names = world.post(), world.post()
        for each in (post, all_names):
            active(world, each)
        CatalogueName.objects.create(person=post.person, given_name="Prov", surname="Gammal")
        CatalogueName.objects.create(person=all_names.person, given_name="PROV ANDRA", surname="Provsson")
        night()
        assert only("name_differs").person_id == post.person_id
        world.outside.change_person(world.key_of(post.person), surname="Gammal")
        night()
        assert found("name_differs") == []

    def test_who_was_protected_when_the_card_was_ordered_is_no_news(self, world: Any) -> None:
        officer = world.officer(protected=True)
        order = world.order(world.post(protected=True), actor=officer)
        Carrier.objects.filter(pk=order.carrier_id).update(state="active", origin="migrated")
        night()
        assert kinds_found() == set()


class TestPlaces:
    def test_an_organisation_that_the_catalogue_names_otherwise(self, world: Any) -> None:
        world.outside.know(
            DirectoryOrganisation(world.region.hsa_id.lower(), "regionen ", "2321000131"),
            DirectoryOrganisation(world.clinic.hsa_id, "Kliniken Nord", "2321000131"),
        )
        night()
        row = only("renamed_organisation")
        assert (row.organisation_id, row.person_id, row.facts) == (world.clinic.pk, None, {"name": "Kliniken Nord"})
        world.outside.know(DirectoryOrganisation(world.clinic.hsa_id, "Kliniken", "2321000131"))
        night()
        assert found("renamed_organisation") == []

    def test_a_catalogue_that_does_not_answer_ends_no_row(self, world: Any) -> None:
        world.outside.know(DirectoryOrganisation(world.clinic.hsa_id, "Kliniken Nord", "2321000131"))
        night()
        world.outside.organisations = None
        night()
        assert len(found("renamed_organisation")) == 1

    def test_an_order_without_news(self, world: Any) -> None:
        silent, heard, again = world.order(), world.order(), world.order()
        long_ago = clock.now() - dt.timedelta(days=14)
        CardOrder.objects.update(ordered_at=long_ago)
        CardOrder.objects.filter(pk=heard.pk).update(accepted_at=clock.now() - dt.timedelta(days=1))
        CardOrder.objects.filter(pk=again.pk).update(accepted_at=long_ago, restarted_at=clock.now() - dt.timedelta(days=1))
        night()
        row = only("silent_order")
        assert (row.order_id, row.person_id) == (silent.pk, silent.person_id)
        assert row.facts == {"day": long_ago.astimezone(clock.STOCKHOLM).date().isoformat()}

    @pytest.mark.usefixtures("authorities")
    def test_stock_that_ends_is_missing_or_never_came(self, world: Any) -> None:
        with_stock(world)
        first, second, _third = received_bundle(world, 3)
        awaited = sent_bundle(world, 2, first=10)
        night()
        assert kinds_found() == set()
        stock.change_card(actor=world.officer(), card_id=first.pk, action="missing")
        Carrier.objects.filter(pk=second.carrier_id).update(valid_to=clock.now() + dt.timedelta(days=20))
        Carrier.objects.filter(item__order=awaited).update(sent_at=clock.now() - dt.timedelta(days=15))
        night()
        rows = {row.order_id: row for row in found("stale_stock")}
        assert kinds_found() == {"stale_stock"}
        bundle = rows[first.carrier.item.order_id]
        assert bundle.facts == {"ending": 1, "missing": 1, "awaited": 0}
        assert bundle.due <= clock.today() + dt.timedelta(days=20)
        assert rows[awaited.pk].facts == {"ending": 0, "missing": 0, "awaited": 2}
        stock.change_card(actor=world.officer(), card_id=first.pk, action="found")
        night()
        bundle.refresh_from_db()
        assert bundle.facts == {"ending": 1, "missing": 0, "awaited": 0}, "a row follows its cause"


class TestRuns:
    def test_every_kind_is_looked_for_once_a_night(self, world: Any) -> None:
        run = night()
        assert (run.kinds, run.ended_at is not None) == ([kind.code for kind in kinds.all_kinds()], True)
        assert nightly.work_due() is None
        with later(1):
            assert nightly.work_due() is not None
        assert CareRun.objects.count() == 2

    def test_a_stopped_comparison_goes_on_where_it_was(self, world: Any, monkeypatch: Any) -> None:
        for _ in range(5):
            active(world, world.post())
        monkeypatch.setattr(nightly, "BATCH", 2)
        world.outside.calls.clear()
        assert nightly.work_due(seconds=0) is not None
        assert world.outside.calls == []
        clocks = iter([0.0, 0.0, *[100.0] * 50])
        with monkeypatch.context() as patched:
            patched.setattr(nightly.time, "monotonic", lambda: next(clocks))
            nightly.work_due(seconds=60)
        run = CareRun.objects.get()
        assert (run.read, run.persons, run.register_ended) == (2, 5, False)
        done = nightly.work_due()
        assert done is not None
        assert (done.read, done.register_whole, done.ended_at is not None) == (5, True, True)
        assert world.outside.calls.count("persons") == 3, "nobody is read twice"

    def test_the_number_of_statements_does_not_grow_with_the_rows(self, world: Any) -> None:
        counts = []
        night()
        for number in (1, 5):
            for _ in range(number):
                sent(world, world.post(), days_left=40)
            with CaptureQueriesContext(connection) as run:
                night()
            counts.append(len(run))
        assert counts[0] == counts[1]

    def test_a_register_that_does_not_answer_delays_and_then_no_longer(self, world: Any, monkeypatch: Any) -> None:
        active(world, world.post())
        late = unsigned(world, world.post(), days_left=1)
        read = world.outside.read_persons

        def silent(_persons: Any) -> Any:
            raise Unavailable("upstream-unreachable", "Svarar inte.")

        monkeypatch.setattr(world.outside, "read_persons", silent)
        monkeypatch.setattr(nightly, "MOST_REFUSALS", 3)
        for refusals in (1, 2):
            run = nightly.work_due()
            assert run is not None
            assert (run.refusals, run.ended_at) == (refusals, None)
        run = nightly.work_due()
        assert run is None or run.refusals == 3
        tasks.register_care()
        run = CareRun.objects.get()
        assert (run.register_whole, run.ended_at is not None) == (False, True)
        assert [row.carrier_id for row in found("not_signed")] == [late.pk]
        assert measures._UNREAD._value.get() == 1
        with pytest.raises(CommandError, match="svarade inte"):
            call_command("issuance_register_care", stdout=StringIO())
        monkeypatch.setattr(world.outside, "read_persons", read)
        out = StringIO()
        call_command("issuance_register_care", stdout=out)
        assert "läste 2 personer, 0 ändrade; " in out.getvalue()

    def test_only_one_process_compares(self, world: Any, django_db_blocker: Any) -> None:
        other = connection.copy()
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [locks.number("issuance.register_care")])
        try:
            assert nightly.work_due() is None
            with pytest.raises(Conflict, match="register-care-running"):
                night()
        finally:
            other.close()

    def test_the_alarm_counts_from_the_hour(self, world: Any) -> None:
        with later(0):
            measures.measure()
            assert measures._LATE._value.get() == 9 * 3600
            night()
            measures.measure()
            assert measures._LATE._value.get() == 0
        with later(1):
            measures.measure()
            assert measures._LATE._value.get() == 9 * 3600

    def test_a_cause_that_comes_back_begins_a_row_of_its_own(self, world: Any) -> None:
        post = world.post()
        active(world, post)
        for ended, states in ((clock.now(), ["open"]), (None, ["gone"]), (clock.now(), ["gone", "open"])):
            Post.objects.filter(pk=post.pk).update(ended_at=ended)
            night()
            assert sorted(WorkItem.objects.values_list("state", flat=True)) == states
