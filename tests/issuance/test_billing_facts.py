"""The door for billing: a feed that never skips, subscriptions at a moment by the status history."""

import datetime as dt
import importlib
from typing import Any
from uuid import UUID

import psycopg2
import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance import service
from issuance.articles.models import SubscriptionFee
from issuance.articles.services.fees import set_subscription_fee
from issuance.carriers.models import Carrier, Eid
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.organisations.models import FormerIssuer, FormerPlace, IssuingArea, Organisation
from issuance.organisations.services.areas import edit_area
from issuance.organisations.services.moving import move_organisation
from issuance.people.models.persons import Post
from issuance.people.services.people import PersonScope
from issuance.records.models.events import Event
from issuance.records.services import steps
from siths_portal.lib import clock
from siths_portal.lib.database import feeds, plans
from tests import superuser
from tests.issuance.world import SETUP

T = dt.datetime(2026, 10, 31, 23, tzinfo=dt.UTC)  # midnight to 1 November in Stockholm
HOUR = dt.timedelta(hours=1)
TICK = dt.timedelta(microseconds=1)
LONG_AGO = T - dt.timedelta(days=400)
FORMER: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (FormerPlace, ("organisation", "area", "top", "until")),
    (FormerIssuer, ("area", "organisation", "until")),
)


def sent(order: CardOrder) -> None:
    """Takes an order to SENT without a supplier."""
    for action, changes in (
        ("accepted", {"supplier_ref": "bureau"}),
        ("production_started", {}),
        ("produced", {}),
        ("sent", {"sent_at": clock.now()}),
    ):
        steps.step([order], order_action(action), actor_ref="client:bureau", **changes)
    dispatched(order)


def dispatched(order: CardOrder) -> None:
    """Marks the items of an order as sent with it, except those that were spoilt."""
    OrderItem.objects.filter(order=order).update(dispatched_at=order.sent_at)
    OrderItem.objects.filter(order=order).exclude(state="failed").update(state="sent")


def order_action(value: str) -> Any:
    from issuance.orders.domain.order_states import OrderAction

    return OrderAction(value)


def active(post: Post, *, organisation: Organisation | None = None, **changes: Any) -> Eid:
    """A migrated carrier with an active eID of the post; `changes` on the eID, `kind` on the carrier."""
    kind = changes.pop("kind", "ordinary_card")
    carrier = Carrier(
        kind=kind, origin="migrated", person=post.person, organisation=post.organisation, article_id="631", state="active",
        valid_from=LONG_AGO, valid_to=LONG_AGO + dt.timedelta(days=1800), activated_at=LONG_AGO, created_at=LONG_AGO,
    )  # fmt: skip
    values = {"state": "active", "activated_at": LONG_AGO, "valid_from": LONG_AGO, "valid_to": T + dt.timedelta(days=100)}
    eid = Eid(carrier=carrier, post=post, organisation=organisation or post.organisation, hsa_id=post.hsa_id, created_at=LONG_AGO)
    for name, value in {**values, **changes}.items():
        setattr(eid, name, value)
    steps.begin([carrier], "migrated", actor_ref="system:migration", facts={})
    steps.begin([eid], "migrated", actor_ref="system:migration", facts={})
    return eid


def charge(organisation: Organisation, *, charged: bool = True, since: dt.datetime = LONG_AGO) -> None:
    set_subscription_fee(actor=SETUP, organisation_id=organisation.id, charged=charged, valid_from=since)


def move(organisation: Organisation, *, parent: Organisation | None = None, area: UUID | None = None) -> None:
    move_organisation(actor=SETUP, organisation_id=organisation.id, parent_id=parent.id if parent else None, area_id=area)


def issue(organisation: Organisation) -> None:
    """Makes the organisation its area's issuer."""
    area = IssuingArea.objects.get(pk=organisation.area_id)
    edit_area(
        actor=SETUP, area_id=area.pk, version=area.version, name=area.name, invoice_reference=area.invoice_reference,
        issuing_organisation_id=organisation.id,
    )  # fmt: skip


def persons(at: dt.datetime = T) -> dict[UUID, int]:
    return {count.organisation_id: count.persons for count in service.subscription_counts(at)}


class TestFeed:
    """`billable_facts`."""

    def test_a_sent_card_is_a_fact_with_everything_an_invoice_line_needs(self, world: Any) -> None:
        order = world.order(world.post(world.clinic), article="631-REK")
        assert service.billable_facts(feeds.START, limit=10) == []
        sent(order)
        (fact,) = service.billable_facts(feeds.START, limit=10)
        event = Event.objects.get(action="order.sent")
        assert fact == service.BillableFact(
            cursor=feeds.cursor_of(event), event_id=event.id, kind="card", order_id=order.id, organisation_id=world.clinic.id,
            party_id=world.region.id, office_id=world.office.id, article_code="631-REK", ordered_at=order.ordered_at,
            occurred_at=CardOrder.objects.get().sent_at,
        )  # fmt: skip
        assert service.billable_facts(fact.cursor, limit=10) == []

    def test_pages_follow_each_other(self, world: Any) -> None:
        orders = [world.order() for _ in range(5)]
        for order in orders:
            sent(order)
        seen, cursor = [], feeds.START
        while page := service.billable_facts(cursor, limit=2):
            seen += [fact.order_id for fact in page]
            cursor = page[-1].cursor
        assert seen == [order.id for order in orders]

    def test_a_transaction_that_commits_late_is_not_skipped(self, world: Any) -> None:
        """Another connection has drawn its event's number but not committed while two later cards are sent."""
        late, *orders = [world.order() for _ in range(3)]
        settings = connection.settings_dict
        other = psycopg2.connect(dbname=settings["NAME"], user=settings["USER"], host=settings["OPTIONS"]["host"])
        with other.cursor() as cursor:
            cursor.execute(
                "INSERT INTO issuance_event (at, actor_ref, action, subject_type, subject_ref, subject_seq, facts) "
                "VALUES (now(), 'client:bureau', 'order.sent', 'order', %s, 99, '{}')",
                [str(late.id)],
            )
            cursor.execute("UPDATE issuance_cardorder SET sent_at = now() WHERE id = %s", [str(late.id)])
            for order in orders:
                sent(order)
            assert service.billable_facts(feeds.START, limit=10) == []
            other.commit()
        other.close()
        assert [fact.order_id for fact in service.billable_facts(feeds.START, limit=10)] == [late.id, *[o.id for o in orders]]

    def test_a_card_sent_in_the_last_instant_of_a_month_is_charged_where_it_is_counted(self, world: Any) -> None:
        """The event is written a moment after `sent_at` is read: midnight may lie between them."""
        order = world.order()
        for action, changes in (("accepted", {"supplier_ref": "bureau"}), ("production_started", {}), ("produced", {})):
            steps.step([order], order_action(action), actor_ref="client:bureau", **changes)
        with clock.moved_to(T):
            steps.step([order], order_action("sent"), actor_ref="client:bureau", sent_at=T - dt.timedelta(microseconds=1))
        dispatched(order)
        (fact,) = service.billable_facts(feeds.START, limit=10)
        starts = [clock.start_of_day(dt.date(2026, month, 1)) for month in (10, 11, 12)]
        october, november = starts[:2], starts[1:]
        assert october[0] <= fact.occurred_at < october[1] == T
        assert (service.sent_pieces(*october), service.sent_pieces(*november)) == ({"card": 1}, {})

    def test_who_paid_for_the_organisation_when_its_card_was_sent_pays(self, world: Any, django_assert_num_queries: Any) -> None:
        """Moved away, and another issuer in the area, before the feed is read; what is sent later is the new party's."""
        early, late = (world.order(world.post(world.clinic)) for _ in range(2))
        sent(early)
        issue(world.city)
        move(world.clinic, area=world.stranger.area_id)
        sent(late)
        with django_assert_num_queries(3):
            facts = service.billable_facts(feeds.START, limit=10)
        assert [(fact.order_id, fact.party_id) for fact in facts] == [(early.id, world.region.id), (late.id, world.stranger.id)]

    def test_the_number_of_queries_does_not_grow(self, world: Any, django_assert_num_queries: Any) -> None:
        for _ in range(4):
            sent(world.order())
        with django_assert_num_queries(3):
            assert len(service.billable_facts(feeds.START, limit=10)) == 4

    def test_sent_cards_are_counted_half_open(self, world: Any) -> None:
        start, end = (clock.start_of_day(dt.date(2026, month, 1)) for month in (10, 11))
        for moment in (start - HOUR, start, end - HOUR, end):
            order = world.order()
            with clock.moved_to(moment):
                sent(order)
        assert service.sent_pieces(start, end) == {"card": 2}


class TestSubscriptions:
    """Persons with a valid e-legitimation at a moment (rules/billing 1.2)."""

    def test_persons_are_counted_once_and_sub_organisations_with_their_parent(self, world: Any) -> None:
        charge(world.region)
        post = world.post(world.region)
        active(post)
        active(post)  # a new card before the old one ends
        active(world.post(world.clinic))
        active(world.post(world.city))  # no fee
        (count,) = service.subscription_counts(T)
        assert count == service.SubscriptionCount(world.region.id, world.region.id, "Regionen", True, 2)

    def test_the_eids_that_are_counted_can_be_asked_for(self, world: Any) -> None:
        charge(world.region)
        charge(world.city)
        post = world.post(world.region)
        active(post, activated_at=LONG_AGO - HOUR)
        newest, other, third = active(post), active(world.post(world.clinic)), active(world.post(world.city))
        active(world.post(world.region), ended_at=T - HOUR, state="revoked")
        counts = service.subscription_counts(T, with_eids=True)
        assert {count.organisation_id: (count.persons, count.eids) for count in counts} == {
            world.region.id: (2, tuple(sorted([newest.id, other.id]))),
            world.city.id: (1, (third.id,)),
        }
        (count,) = service.subscription_counts(T, world.region.id, organisation_id=world.city.id, with_eids=True)
        assert count.eids == (third.id,)
        assert service.subscription_counts(T, organisation_id=world.clinic.id) == []

    def test_third_parties_are_the_issuers_to_pay(self, world: Any) -> None:
        charge(world.city)
        charge(world.region, charged=False)
        active(world.post(world.city))
        active(world.post(world.region))
        (count,) = service.subscription_counts(T)
        assert (count.party_id, count.organisation_id, count.direct, count.persons) == (world.region.id, world.city.id, False, 1)

    def test_a_person_in_two_organisations_counts_in_each(self, world: Any) -> None:
        charge(world.city)
        charge(world.region)
        eid = active(world.post(world.region))
        other = Post.objects.create(
            hsa_id="TST2120001561-X", person=eid.carrier.person, organisation=world.city, synced_at=clock.now()
        )
        active(other)
        assert persons() == {world.region.id: 1, world.city.id: 1}

    @pytest.mark.parametrize(
        ("changes", "counted"),
        [
            ({"activated_at": T - HOUR}, True),
            ({"activated_at": T}, False),
            ({"state": "ordered", "activated_at": None}, False),
            ({"state": "revoked", "ended_at": T - HOUR}, False),
            ({"state": "revoked", "ended_at": T + HOUR}, True),
            ({"activated_at": T - TICK}, True),
            ({"state": "revoked", "ended_at": T - TICK}, False),
            ({"state": "revoked", "ended_at": T}, True),
            ({"state": "expired", "ended_at": T + HOUR, "valid_to": T - TICK}, False),
            ({"state": "expired", "ended_at": T + HOUR, "valid_to": T}, True),
            ({"state": "expired", "ended_at": T, "valid_to": T}, True),
            ({"valid_to": T + HOUR}, True),
            ({"kind": "mobile_eid"}, False),
            ({"kind": "reserve_card"}, True),
            ({"kind": "test_card"}, False),
        ],
    )
    def test_what_holds_at_the_moment(self, world: Any, changes: dict[str, Any], counted: bool) -> None:
        charge(world.region)
        active(world.post(), **changes)
        assert persons() == ({world.region.id: 1} if counted else {})

    def test_the_fee_of_the_moment_decides(self, world: Any) -> None:
        """A fee that ends on 1 November is charged for October, one that starts on it is not."""
        active(world.post(world.city))
        active(world.post(world.region))
        charge(world.city)
        charge(world.city, charged=False, since=T)
        charge(world.region, since=T)
        assert persons(T) == {world.city.id: 1}
        assert persons(T + TICK) == {world.region.id: 1}
        charge(world.city, since=T + HOUR)
        assert persons(T + HOUR) == {world.region.id: 1}
        assert persons(T + HOUR + TICK) == {world.city.id: 1, world.region.id: 1}

    def test_a_month_that_is_over_is_the_old_partys_after_a_move(self, world: Any) -> None:
        """A move of the next month changes tree and payer from then on, however often it is moved."""
        charge(world.city)
        active(world.post(world.city))
        active(world.post(world.organisation("Skolan", "TST2120001561-1", "2120001561", area=world.area, parent=world.city)))
        move(world.city, area=world.stranger.area_id)
        between = clock.now()
        move(world.city, area=world.area.id)
        move(world.city, area=world.stranger.area_id)
        payers = [[(each.party_id, each.persons) for each in service.subscription_counts(at)] for at in (T, between, clock.now())]
        assert payers == [[(world.region.id, 2)], [(world.stranger.id, 2)], [(world.stranger.id, 2)]]
        assert [len(service.subscription_counts(T, each.id)) for each in (world.region, world.stranger)] == [1, 0]

    def test_a_month_that_is_over_is_counted_by_its_tree(self, world: Any) -> None:
        for organisation in (world.region, world.city):
            charge(organisation)
            active(world.post(organisation))
        active(world.post(world.clinic))
        move(world.clinic, parent=world.city)
        assert persons(T) == {world.region.id: 2, world.city.id: 1}
        assert persons(clock.now()) == {world.region.id: 1, world.city.id: 2}
        charge(world.clinic, since=T - HOUR)  # as if it had been a top organisation: it was none
        assert persons(T) == {world.region.id: 2, world.city.id: 1}

    def test_a_month_that_is_over_is_the_old_issuers_to_pay(self, world: Any) -> None:
        charge(world.city)
        active(world.post(world.city))
        issue(world.city)
        (then,), (now,) = (service.subscription_counts(at) for at in (T, clock.now()))
        assert [(each.party_id, each.direct) for each in (then, now)] == [(world.region.id, False), (world.city.id, True)]

    def test_a_fee_ends_below_another_organisation_and_does_not_come_back(self, world: Any) -> None:
        charge(world.city)
        active(world.post(world.city))
        move(world.city, parent=world.region)
        assert persons(clock.now()) == {}
        move(world.city, area=world.area.id)
        assert persons(T) == {world.city.id: 1}
        assert persons(clock.now() + dt.timedelta(days=400)) == {}
        charge(world.city, since=clock.now())
        assert persons(clock.now() + HOUR) == {world.city.id: 1}

    def test_events_from_before_tell_the_same(self, world: Any) -> None:
        """Places and issuers that the migration reads out of events are those that the services keep."""
        charge(world.city)
        moments = iter(T + number * HOUR for number in range(1, 10))
        world.organisation("Skolan", "TST2120001561-1", "2120001561", area=world.area, parent=world.city)
        Organisation.objects.update(created_at=LONG_AGO)
        for step in (
            lambda: move(world.city, area=world.stranger.area_id),
            lambda: move(world.clinic, parent=world.city),
            lambda: move(world.city, parent=world.stranger),
            lambda: move(world.city, area=world.area.id),
            lambda: issue(world.city),
            lambda: issue(world.region),
            lambda: move(world.clinic, parent=world.region),
        ):
            with clock.moved_to(next(moments)):
                step()
        charge(world.clinic, since=clock.now() - HOUR)
        kept = [list(model.objects.order_by("until").values_list(*names)) for model, names in FORMER]
        assert [len(rows) for rows in kept] == [10, 2]
        for model, _names in FORMER:
            superuser.remove(model.objects.all())
        migration = importlib.import_module("issuance.migrations.0027_former_places")
        with clock.moved_to(clock.now() + dt.timedelta(days=1)):
            migration.fill(apps, None)
        read = [list(model.objects.order_by("until").values_list(*names)) for model, names in FORMER]
        assert [sorted(map(str, rows)) for rows in read] == [sorted(map(str, rows)) for rows in kept]
        ended = SubscriptionFee.objects.filter(organisation=world.clinic).order_by("valid_from")
        assert [fee.charged for fee in ended] == [True, False]

    def test_one_statement_that_joins_without_loops(self, world: Any) -> None:
        """A nested loop takes minutes for a country whose tables have no statistics yet."""
        with CaptureQueriesContext(connection) as captured:
            assert service.subscription_counts(T) == []
        before, count, after = [query["sql"] for query in captured]
        assert (before, after) == ("SET enable_nestloop = off", "SET enable_nestloop TO DEFAULT")
        with plans.without_loops(), connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {count}")
            assert "Nested Loop" not in "\n".join(line for (line,) in cursor.fetchall())


def test_parties_offices_and_articles(world: Any) -> None:
    parties = service.billing_parties()
    assert [(party.name, party.organisation_number, party.invoice_reference) for party in parties] == [
        ("Annan region", "2321000016", ""),
        ("Regionen", "2321000131", "9200101"),
    ]
    assert service.offices([world.office.id]) == {world.office.id: service.OfficeView(world.office.id, "Kontor A", "A")}
    assert service.articles()["631-REK"] == service.ArticleView("631-REK", "631", "Kort", True)
    assert PersonScope.objects.count() == 0
