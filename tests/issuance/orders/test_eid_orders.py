"""eIDs that are ordered on a card in use, for the holder to fetch (rules/issuance 3.6)."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from issuance.authz import Action, Actor, Role, holder, policy, system
from issuance.carriers.models import Carrier, Eid
from issuance.housekeeping.services import deadlines
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.imports.services import migration
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.services import eid_orders
from issuance.orders.services.ordering import eid_of_post
from issuance.organisations.services.ending import hindrances
from issuance.people.models.persons import Post
from issuance.people.queries.scope_check import scope_faults
from issuance.people.services.people import person_id_of
from issuance.person_page.queries.person_view import person_view
from issuance.records.models.events import Event
from issuance.records.queries.history import carrier_history
from issuance.records.services import steps
from issuance.revocation.services import revocation
from issuance.roles.models.extended_reach import ExtendedReach
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, DomainError, Forbidden, IllegalTransition, Invalid, NotFound, Unavailable
from tests.issuance.histories import entries_of
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.world import World, person_number

pytestmark = pytest.mark.usefixtures("authorities")
ISSUERS = (
    Role.RESPONSIBLE_ISSUER,
    Role.DEPUTY_ISSUER,
    Role.ID_ADMINISTRATOR,
    Role.RESERVE_CARD_ADMIN_LOA3,
    Role.RESERVE_CARD_ADMIN_LOA2,
)


def card_of(world: World, post: Post | None = None) -> Carrier:
    """An active card of a person, with an eID of one post, and with a key that proves it, as the portal's own cards have."""
    card = migration.register_migrated_card(actor=system("migration"), card=migrated_card(post or world.post()), ca=CA)
    card.card_key_sha256 = uuid.uuid4().hex
    card.save(update_fields=["card_key_sha256"])
    return card


def further_post(world: World, carrier: Carrier, organisation: Any = None, **register: object) -> Post:
    """One more post of the card's holder, in the clinic unless told otherwise."""
    place = organisation or world.clinic
    return world.post(place, person_id=person_id_of(carrier.holder_id), protected=carrier.holder.is_protected, **register)


def ordered(world: World, carrier: Carrier | None = None, post: Post | None = None, actor: Actor | None = None) -> EidOrder:
    """An additional eID, ordered by an ID-administrator of the region."""
    carrier = carrier or card_of(world)
    post = post or further_post(world, carrier)
    return eid_orders.order_additional_eid(actor=actor or world.officer(), carrier_id=carrier.pk, post_id=post.pk)


def fetch(order: EidOrder) -> Eid:
    """What the activation does: an active eID of the order's post, which the order is marked by."""
    now = clock.now()
    with transaction.atomic():
        eid = eid_of_post(order.post, order.carrier)
        eid.state, eid.created_at, eid.activated_at = "active", now, now
        eid.valid_from, eid.valid_to = now, now + dt.timedelta(days=700)
        steps.begin([eid], "ordered", actor_ref="system:test", facts={})
        eid_orders.mark_fetched(actor=holder(order.carrier.holder_id), order_id=order.pk, eid=eid)
    return eid


def refused(kind: type[DomainError], code: str, *arguments: Any) -> None:
    """An additional eID is refused with this code, and nothing is left behind."""
    before = EidOrder.objects.count()
    with pytest.raises(kind) as error:
        ordered(*arguments)
    assert error.value.code == code
    assert EidOrder.objects.count() == before == Event.objects.filter(action="eid_order.ordered").count()


def test_an_order_is_a_row_with_the_posts_values_and_one_event(world: Any) -> None:
    carrier, officer = card_of(world), world.officer()
    post = further_post(world, carrier)
    world.outside.change_post(post.hsa_id, title="Läkare")
    world.outside.calls.clear()
    with clock.moved_to(dt.datetime(2030, 6, 15, 12, tzinfo=dt.UTC)):
        order = ordered(world, carrier, post, officer)
    assert sorted(world.outside.calls) == ["person", "posts"]
    order.refresh_from_db()
    assert (order.kind, order.state, order.seq, order.eid, order.replaces) == ("additional", "ordered", 1, None, None)
    assert (order.organisation, order.hsa_id, order.title, order.mail) == (world.clinic, post.hsa_id, "Läkare", post.mail)
    assert (order.article_id, order.assurance_level, order.ordered_by_ref) == ("631", 3, officer.ref)
    assert order.expires_at == min(carrier.valid_to, dt.datetime(2030, 9, 13, 22, tzinfo=dt.UTC))
    event = Event.objects.get(action="eid_order.ordered")
    assert (event.actor_ref, event.subject_ref, event.facts["carrier"]) == (officer.ref, str(order.pk), str(carrier.pk))
    assert scope_faults().ok


@pytest.mark.parametrize("days", [0, 1000])
def test_the_days_to_fetch_end_with_the_card_or_the_post(world: Any, days: int) -> None:
    carrier = card_of(world)
    post = further_post(world, carrier)
    world.outside.change_post(post.hsa_id, valid_to=clock.today() + dt.timedelta(days=days))
    settled = clock.end_of_day(clock.today() + dt.timedelta(days=min(days, 90)))
    assert ordered(world, carrier, post).expires_at == settled


class TestWho:
    """The right is the one in the post's organisation; the card has to be visible."""

    @pytest.mark.parametrize("role", ISSUERS)
    def test_who_issues_orders_and_withdraws(self, world: Any, role: Role) -> None:
        actor = world.officer(role=role)
        order = ordered(world, actor=actor)
        assert eid_orders.withdraw_eid_order(actor=actor, order_id=order.pk).state == "cancelled"

    @pytest.mark.parametrize("role", [Role.REVOKER, Role.READER, Role.GLOBAL_REVOKER, Role.MASTER_DATA_ADMIN])
    def test_others_may_not(self, world: Any, role: Role) -> None:
        carrier = card_of(world)
        refused(Forbidden, "forbidden", world, carrier, further_post(world, carrier), world.officer(role=role))

    def test_a_hidden_card_or_post_is_unknown(self, world: Any) -> None:
        carrier = card_of(world)
        refused(NotFound, "not-found", world, carrier, further_post(world, carrier), world.officer(world.clinic))
        refused(NotFound, "not-found", world, carrier, further_post(world, carrier, world.city))
        order = ordered(world, carrier, further_post(world, carrier))
        with pytest.raises(NotFound):
            eid_orders.withdraw_eid_order(actor=world.officer(world.city), order_id=order.pk)

    def test_a_card_of_another_employer_that_an_extended_search_opened(self, world: Any) -> None:
        carrier = card_of(world, world.post(world.city))
        post, clerk = further_post(world, carrier), world.officer(world.clinic)
        until = clock.now() + dt.timedelta(minutes=30)
        ExtendedReach.objects.create(person_id=carrier.holder_id, owner_ref=clerk.ref, reason="Prov", until=until)
        order = ordered(world, carrier, post, actor_of_person(clerk.person_id))
        assert order.organisation == world.clinic

    def test_nobody_orders_for_themself(self, world: Any) -> None:
        clerk = world.officer()
        own = card_of(world, Post.objects.get(person=clerk.person_id))
        refused(Forbidden, "own-matter", world, own, further_post(world, own), clerk)

    def test_protected_persons_need_the_add_on(self, world: Any) -> None:
        carrier = card_of(world, world.post(protected=True))
        post = further_post(world, carrier)
        refused(NotFound, "not-found", world, carrier, post)
        assert ordered(world, carrier, post, world.officer(protected=True)).state == "ordered"
        assert not EidOrder.objects.visible_to(world.officer()).exists()

    def test_a_protection_that_is_read_now_counts_and_is_kept(self, world: Any) -> None:
        carrier = card_of(world)
        post = further_post(world, carrier)
        world.outside.change_person(world.key_of(post.person), protected_person_indicator=True)
        refused(NotFound, "not-found", world, carrier, post)
        post.person.refresh_from_db()
        assert post.person.is_protected

    def test_not_while_training_is_missing(self, world: Any) -> None:
        world.qualifies = False
        carrier = card_of(world)
        refused(Forbidden, "training-overdue", world, carrier, further_post(world, carrier))


class TestRefusals:
    """What stands against an additional eID."""

    def test_one_waits_for_each_post_on_a_card(self, world: Any, settings: Any) -> None:
        settings.ADDITIONAL_EIDS_PER_CARRIER = 5
        order = ordered(world)
        refused(Conflict, "eid-ordered-already", world, order.carrier, order.post)
        eid_orders.withdraw_eid_order(actor=world.officer(), order_id=order.pk)
        assert ordered(world, order.carrier, order.post).state == "ordered"

    def test_a_post_that_has_an_eid_on_the_card(self, world: Any) -> None:
        carrier = card_of(world)
        refused(Conflict, "eid-on-carrier", world, carrier, carrier.eids.get().post)

    def test_a_card_takes_one_beside_its_first(self, world: Any) -> None:
        order = ordered(world)
        other = further_post(world, order.carrier, world.region)
        refused(Conflict, "carrier-full", world, order.carrier, other)
        fetch(order)
        refused(Conflict, "carrier-full", world, order.carrier, other)

    def test_cards_that_are_not_in_use(self, world: Any) -> None:
        card = world.order().carrier
        refused(Conflict, "carrier-not-active", world, card, further_post(world, card))
        ended = card_of(world)
        Carrier.objects.filter(pk=ended.pk).update(
            valid_to=clock.now() - dt.timedelta(minutes=1)
        )  # before the housekeeping has seen it
        refused(Conflict, "carrier-not-active", world, ended, further_post(world, ended))

    def test_a_card_from_before_which_cannot_prove_itself(self, world: Any) -> None:
        carrier = card_of(world)
        Carrier.objects.filter(pk=carrier.pk).update(card_key_sha256="")
        refused(Conflict, "card-without-key", world, carrier, further_post(world, carrier))

    def test_a_kind_that_takes_none(self, world: Any) -> None:
        carrier = card_of(world)
        Carrier.objects.filter(pk=carrier.pk).update(kind="mobile_eid")
        refused(Conflict, "eid-not-for-carrier", world, carrier, further_post(world, carrier))

    def test_a_post_of_somebody_else(self, world: Any) -> None:
        refused(Invalid, "post-of-another-person", world, card_of(world), world.post(world.clinic))

    def test_a_post_that_the_catalogue_lost(self, world: Any) -> None:
        carrier = card_of(world)
        post = further_post(world, carrier)
        del world.outside.posts[post.hsa_id.upper()]
        refused(Conflict, "post-ended", world, carrier, post)

    @pytest.mark.parametrize(
        ("change", "code"),
        [({"deceased": True}, "person-deceased"), ({"surname": "Å" * 60}, "name-not-certifiable")],
    )
    def test_the_person_as_the_register_has_them(self, world: Any, change: dict[str, Any], code: str) -> None:
        carrier = card_of(world)
        refused(Invalid, code, world, carrier, further_post(world, carrier, **change))

    def test_a_number_that_level_three_does_not_take(self, world: Any) -> None:
        carrier = card_of(world, world.post(person_id=person_number(coordination=True)))
        refused(Invalid, "person-id-not-for-loa3", world, carrier, further_post(world, carrier))

    def test_no_address_is_needed(self, world: Any) -> None:
        carrier = card_of(world)
        assert ordered(world, carrier, further_post(world, carrier, registered_address=None)).state == "ordered"

    def test_the_outside_being_down_changes_nothing(self, world: Any) -> None:
        carrier = card_of(world)
        post, officer = further_post(world, carrier), world.officer()
        world.outside.down = True
        refused(Unavailable, "upstream-unreachable", world, carrier, post, officer)


class TestRenewal:
    """An eID in place of one that is there."""

    def test_it_names_what_it_replaces_and_needs_no_room(self, world: Any) -> None:
        carrier = card_of(world)
        eid = carrier.eids.get()
        order = eid_orders.order_renewed_eid(actor=world.officer(), eid_id=eid.pk)
        assert (order.kind, order.replaces, order.post, order.carrier) == ("renewal", eid, eid.post, carrier)
        assert ordered(world, carrier).state == "ordered"
        with pytest.raises(Conflict, match="eid-ordered-already"):
            eid_orders.order_renewed_eid(actor=world.officer(), eid_id=eid.pk)
        renewed = fetch(order)
        assert {row.pk for row in carrier.eids.all()} == {eid.pk, renewed.pk}  # the activation revokes the old one

    def test_only_an_active_one(self, world: Any) -> None:
        eid = card_of(world).eids.get()
        revocation.revoke_eid(actor=world.officer(), eid_id=eid.pk, reason="changed_details")
        with pytest.raises(Conflict, match="eid-not-active"):
            eid_orders.order_renewed_eid(actor=world.officer(), eid_id=eid.pk)

    def test_it_is_cancelled_with_the_eid(self, world: Any) -> None:
        carrier = card_of(world)
        eid = carrier.eids.get()
        renewal, other = eid_orders.order_renewed_eid(actor=world.officer(), eid_id=eid.pk), ordered(world, carrier)
        revocation.revoke_eid(actor=world.officer(), eid_id=eid.pk, reason="changed_details")
        assert [EidOrder.objects.get(pk=row.pk).state for row in (renewal, other)] == ["cancelled", "ordered"]


class TestFetching:
    """The activation binds what the holder has fetched."""

    def test_the_eid_is_bound_and_the_event_is_the_holders(self, world: Any) -> None:
        order = ordered(world)
        eid = fetch(order)
        order.refresh_from_db()
        assert (order.state, order.seq, order.eid) == ("fetched", 2, eid)
        assert order.ended_at is not None
        assert Event.objects.get(action="eid_order.fetched").actor_ref == f"holder:{order.carrier.person_id}"
        with pytest.raises(IllegalTransition):
            eid_orders.withdraw_eid_order(actor=world.officer(), order_id=order.pk)
        assert verify_states().wrong == ()

    def test_nobody_else_fetches(self, world: Any) -> None:
        order = ordered(world)
        eid = order.carrier.eids.get()
        for actor, kind in ((holder(uuid.uuid4()), NotFound), (world.officer(), Forbidden)):
            with pytest.raises(kind):
                eid_orders.mark_fetched(actor=actor, order_id=order.pk, eid=eid)
        assert [action for action in Action if policy.may(holder(order.carrier.holder_id), action, order)] == [
            Action.VIEW, Action.VIEW_HISTORY, Action.VIEW_ACCESS_LOG, Action.VIEW_RECEIPT, Action.FETCH_EID,
            Action.ENROL_MOBILE_EID, Action.REVOKE_CARRIER, Action.REVOKE_EID,
        ]  # fmt: skip

    def test_an_eid_of_another_post_is_a_fault(self, world: Any) -> None:
        order = ordered(world)
        with pytest.raises(ValueError, match="is not what the order"):
            eid_orders.mark_fetched(actor=holder(order.carrier.holder_id), order_id=order.pk, eid=order.carrier.eids.get())

    def test_not_after_the_last_day(self, world: Any) -> None:
        order = ordered(world)
        with clock.moved_to(order.expires_at), pytest.raises(Conflict, match="eid-order-expired"):
            fetch(order)
        Post.objects.filter(pk=order.post_id).update(ended_at=clock.now())
        order.post.refresh_from_db()
        with pytest.raises(Conflict, match="post-ended"):
            fetch(order)
        assert not Eid.objects.filter(post=order.post).exists()


class TestEnd:
    """Orders that nobody fetches."""

    def test_the_card_is_revoked(self, world: Any) -> None:
        order, officer = ordered(world), world.officer()
        revocation.revoke_carrier(actor=officer, carrier_id=order.carrier_id, reason="lost_or_stolen")
        order.refresh_from_db()
        assert order.state == "cancelled"
        event = Event.objects.get(action="eid_order.cancelled")
        assert (event.actor_ref, event.facts["reason"]) == (officer.ref, "lost_or_stolen")
        assert eid_orders.withdraw_eid_order(actor=officer, order_id=order.pk).seq == order.seq

    def test_housekeeping_expires_what_was_not_fetched_and_what_lost_its_post(self, world: Any) -> None:
        late, lost, other = ordered(world), ordered(world), ordered(world)
        EidOrder.objects.filter(pk=late.pk).update(expires_at=F("ordered_at") + dt.timedelta(seconds=1))
        Post.objects.filter(pk=lost.post_id).update(ended_at=clock.now())
        with clock.moved_to(clock.now() + dt.timedelta(minutes=1)):
            assert deadlines.run(dry_run=True).eid_orders == 2
            assert deadlines.run(batch=1).eid_orders == 2
            assert deadlines.run().eid_orders == 0
        states = dict(EidOrder.objects.values_list("pk", "state"))
        assert (states[late.pk], states[lost.pk], states[other.pk]) == ("expired", "expired", "ordered")
        assert set(Event.objects.filter(action="eid_order.expired").values_list("actor_ref", flat=True)) == {"system:expiry"}
        assert verify_states().wrong == ()

    def test_its_organisation_is_not_closed_meanwhile(self, world: Any) -> None:
        order = ordered(world)
        assert hindrances(world.clinic.pk) == {"orders"}
        eid_orders.withdraw_eid_order(actor=world.officer(), order_id=order.pk)
        assert not hindrances(world.clinic.pk)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "loan"},
        {"kind": "renewal"},
        {"state": "waiting"},
        {"state": "fetched", "ended_at": dt.datetime(2030, 1, 1, tzinfo=dt.UTC)},
        {"state": "cancelled"},
        {"ended_at": dt.datetime(2030, 1, 1, tzinfo=dt.UTC)},
        {"expires_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
    ],
)
def test_the_database_refuses_what_no_order_is(world: Any, wrong: dict[str, Any]) -> None:
    order = ordered(world)
    with pytest.raises(IntegrityError, match="issuance_eid_order_"):
        EidOrder.objects.filter(pk=order.pk).update(**wrong)


def test_the_check_of_scope_finds_an_order_in_another_place(world: Any) -> None:
    order = ordered(world)
    EidOrder.objects.filter(pk=order.pk).update(organisation=world.city)
    assert scope_faults().eid_orders == [str(order.pk)]
    assert not scope_faults().ok


def test_the_persons_page_and_the_history_show_it_to_who_may_see_it(world: Any) -> None:
    order = ordered(world)
    person_id, officer = order.carrier.holder_id, world.officer()
    (shown,) = person_view(actor=officer, person_id=person_id).eid_orders
    assert (shown.id, shown.name, shown.state, shown.hsa_id) == (order.pk, "Extra SITHS eID", "ordered", order.hsa_id)
    assert shown.fetch_by == clock.today() + dt.timedelta(days=90)
    entries = entries_of(carrier_history(actor=officer, carrier_id=order.carrier_id))
    assert f"SITHS eID {order.hsa_id}" in {entry.subject for entry in entries}
    region_only = ordered(world, card_of(world), None)
    EidOrder.objects.filter(pk=region_only.pk).update(organisation=world.city)
    assert person_view(actor=officer, person_id=region_only.carrier.holder_id).eid_orders == ()
    fetch(order)
    assert person_view(actor=officer, person_id=person_id).eid_orders == ()
