"""What the person's page knows: every field of the slides, functions by state and right, and a fixed number of queries."""

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance.authz import Action, Actor, Role, system
from issuance.authz.roles import SYSTEM_ALLOWED
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.imports.services import migration
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import ordering
from issuance.people.models.persons import Person, Post
from issuance.people.models.photos import Photo
from issuance.person_page.queries import person_view
from issuance.person_page.queries.page_parts import CarrierView, PersonView
from issuance.records.models.events import Document, Event
from issuance.records.queries import history
from issuance.records.web.history import TIME
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.suppliers.services import card_certificates, supplier_intake
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound
from siths_portal.lib.lists import Cursor, Order, Page
from tests import superuser
from tests.issuance.authorities import card
from tests.issuance.histories import entries_of, page_of
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.world import SUPPLIER

pytestmark = pytest.mark.usefixtures("authorities")


def view(actor: Actor, person_id: Any, **options: Any) -> PersonView:
    return person_view.person_view(actor=actor, person_id=person_id, **options)


def only(actor: Actor, person_id: Any, **options: Any) -> CarrierView:
    (carrier,) = view(actor, person_id, **options).carriers
    return carrier


def migrated(post: Post, **changes: Any) -> Carrier:
    return migration.register_migrated_card(actor=system("migration"), card=migrated_card(post, **changes), ca=CA)


def functions(of: Any) -> dict[str, str]:
    """What is offered: why not, by name; empty where it is on."""
    return {function.name: function.reason for function in of.functions}


def in_state(carrier_id: Any, state: str, **changes: Any) -> None:
    """Puts a carrier into a state by the database, for pages alone."""
    Carrier.objects.filter(pk=carrier_id).update(state=state, **changes)


def test_the_head_shows_names_number_and_when_they_were_read(world: Any) -> None:
    post = world.post(given_name="Elva", surname="Tolvansson")
    head = view(world.officer(), post.person_id).head
    value = post.person.identifiers.get().value
    assert (head.given_name_in_use, head.given_names, head.surname) == ("Elva", "Elva Andra", "Tolvansson")
    assert head.person_id == f"{value[:8]}-{value[8:]}"
    assert head.register_read_at is not None
    assert (head.is_protected, head.protection, head.deceased, head.has_photo) == (False, (), False, False)


def test_an_ordered_card_tells_how_its_order_stands(world: Any) -> None:
    order = world.order()
    actor, person_id = world.officer(), order.carrier.person_id
    carrier = only(actor, person_id)
    assert (carrier.type, carrier.kind, carrier.organisation, carrier.state) == (
        "SITHS-kort", "Ordinarie kort", "Regionen", "ordered",
    )  # fmt: skip
    assert (carrier.article, carrier.serial, carrier.assurance_level, carrier.is_new) == ("631 Kort", "", 3, False)
    assert carrier.order
    assert (carrier.order.id, carrier.order.office, carrier.order.state_text) == (
        order.id, "Kontor A", "I kö till kortleverantören",
    )  # fmt: skip
    assert functions(carrier) == {
        "Aktivera kort": "Kortet kan aktiveras när det har status Skickat.",
        "Spärra kort": "",
        "Ta bort beställning": "",
        "Visa elektronisk kvittens": "Kvittensen finns när innehavaren har skrivit under vid aktiveringen.",
        "Historik": "",
    }
    (eid,) = carrier.eids
    assert (eid.state, eid.hsa_id, eid.has_signature_certificate) == ("ordered", order.eid.hsa_id, False)
    assert functions(eid) == {"Spärra SITHS eID": "", "Historik för SITHS eID": ""}

    supplier_intake.accept(client_ref=SUPPLIER, order_id=order.id)
    made = card(1)
    card_certificates.request_certificates(
        client_ref=SUPPLIER, order_id=order.id, card_serial=made.serial, card_key_spki=made.key, csrs=made.csrs
    )
    carrier = only(actor, person_id)
    assert carrier.order
    assert carrier.order.state_text == "I produktion hos kortleverantören"
    assert carrier.serial.replace(" ", "") == made.serial
    assert [len(group) for group in carrier.serial.split()] == [4, 4, 3, 4, 4]
    assert "tagit emot" in functions(carrier)["Ta bort beställning"]
    assert [link.use for link in carrier.certificates] == ["Legitimering", "Underskrift"]
    assert [link.use for link in carrier.eids[0].certificates] == ["Legitimering", "Underskrift"]
    assert not carrier.eids[0].has_signature_certificate  # it may still fail


def test_every_field_of_an_active_card_and_its_eid(world: Any) -> None:
    post = world.post()
    carrier = migrated(post)
    Carrier.objects.filter(pk=carrier.id).update(mifare_id="1A2B3C4D")
    seen = only(world.officer(), post.person_id)
    made = clock.now() - dt.timedelta(days=114)
    assert (seen.state, seen.mifare_id) == ("active", "1A2B3C4D")
    assert seen.valid_to == (made + dt.timedelta(days=1500)).astimezone(clock.STOCKHOLM).date()
    (eid,) = seen.eids
    assert (eid.organisation, eid.upn, eid.mail) == ("Regionen", "prov@upn.example.org", "prov@example.org")
    assert eid.valid_from == made.astimezone(clock.STOCKHOLM).date()
    assert eid.has_signature_certificate
    assert functions(seen)["Visa elektronisk kvittens"].startswith("Kortet är från den tidigare portalen")
    assert "Aktivera kort" not in functions(seen)


def test_a_validity_to_midnight_ends_on_the_day_before(world: Any) -> None:
    post = world.post()
    carrier = migrated(post)
    midnight = clock.start_of_day(clock.today() + dt.timedelta(days=31))
    Carrier.objects.filter(pk=carrier.id).update(valid_to=midnight)
    seen = only(world.officer(), post.person_id)
    assert (seen.valid_to, seen.expires_in) == (clock.today() + dt.timedelta(days=30), 30)


@pytest.mark.parametrize(("days", "warned"), [(91, None), (90, 90), (1, 1), (0, 0)])
def test_what_ends_soon_says_so(world: Any, days: int, warned: int | None) -> None:
    post = world.post()
    carrier = migrated(post)
    end = clock.start_of_day(clock.today() + dt.timedelta(days=days + 1))
    Carrier.objects.filter(pk=carrier.id).update(valid_to=end)
    Eid.objects.filter(carrier=carrier).update(valid_to=end)
    seen = only(world.officer(), post.person_id)
    assert (seen.expires_in, seen.eids[0].expires_in) == (warned, warned)


@pytest.mark.parametrize(("ago", "left"), [(0, 90), (89, 1), (90, 0)])
def test_days_left_agree_with_the_rule_that_revokes(world: Any, ago: int, left: int) -> None:
    """On the last day the card can still be activated; the day after the rule takes it."""
    from issuance.housekeeping.services import deadlines

    order = world.order()
    sent = clock.start_of_day(clock.today() - dt.timedelta(days=ago)) + dt.timedelta(hours=13)
    in_state(order.carrier_id, "sent", sent_at=sent)
    seen = only(world.officer(), order.carrier.person_id)
    assert (seen.is_new, seen.activation_days) == (True, left)
    assert functions(seen)["Aktivera kort"] == ""
    assert deadlines.run(dry_run=True).not_activated == 0
    with clock.moved_to(clock.start_of_day(clock.today() + dt.timedelta(days=left + 1))):
        assert deadlines.run(dry_run=True).not_activated == 1


def test_a_card_that_waits_for_its_signature_counts_five_days(world: Any) -> None:
    order = world.order()
    two_days_ago = clock.start_of_day(clock.today() - dt.timedelta(days=2)) + dt.timedelta(hours=13)  # 48 hours may be three days
    in_state(order.carrier_id, "activated_unsigned", sent_at=clock.now(), code_set_at=two_days_ago)
    seen = only(world.officer(), order.carrier.person_id)
    assert (seen.is_new, seen.activation_days, seen.signing_days) == (False, None, 3)
    assert functions(seen)["Fortsätt aktiveringen"] == ""


def test_invalid_carriers_are_shown_on_demand(world: Any) -> None:
    post = world.post()
    old, kept = migrated(post), migrated(post)
    revocation.revoke_carrier(actor=world.officer(), carrier_id=old.id, reason=RevocationReason.LOST_OR_STOLEN)
    page = view(world.officer(), post.person_id)
    assert ([carrier.id for carrier in page.carriers], page.invalid_count) == ([kept.id], 1)
    page = view(world.officer(), post.person_id, with_invalid=True)
    assert {carrier.id for carrier in page.carriers} == {old.id, kept.id}
    revoked = next(carrier for carrier in page.carriers if carrier.id == old.id)
    assert (revoked.state, revoked.revocation_reason, revoked.eids[0].state) == ("revoked", "Förlorat eller stulet", "revoked")
    assert set(functions(revoked)) == {"Visa elektronisk kvittens", "Historik"}
    assert functions(revoked.eids[0]) == {"Historik för SITHS eID": ""}


_ORDERING = ("Nytt SITHS eID ordinarie kort", "Nytt SITHS eID reservkort", "Ersätt kort")


@pytest.mark.parametrize(
    ("role", "off"),
    [
        (Role.ID_ADMINISTRATOR, set()),
        (Role.REVOKER, {"Aktivera kort", *_ORDERING, "Visa elektronisk kvittens"}),
        (Role.READER, {"Aktivera kort", "Spärra kort", "Spärra SITHS eID", *_ORDERING}),
        (Role.RESERVE_CARD_ADMIN_LOA2, {"Aktivera kort", *_ORDERING} - {"Nytt SITHS eID reservkort"}),
    ],
)
def test_functions_follow_the_role_and_say_why_not(world: Any, role: Role, off: set[str]) -> None:
    order = world.order()
    in_state(order.carrier_id, "sent", sent_at=clock.now())
    page = view(world.officer(role=role), order.carrier.person_id)
    (carrier,) = page.carriers
    offered = functions(page) | functions(carrier) | functions(carrier.eids[0])
    refused = {name for name, reason in offered.items() if reason == "Din behörighetsroll tillåter inte åtgärden här."}
    assert refused == off
    assert offered["Historik"] == ""


def test_nobody_orders_or_activates_for_himself(world: Any) -> None:
    officer = world.officer()
    post = Post.objects.get(person_id=officer.person_id)
    order = world.order(post, actor=world.officer(role=Role.DEPUTY_ISSUER))
    in_state(order.carrier_id, "sent", sent_at=clock.now())
    page = view(officer, post.person_id)
    assert "för dig själv" in functions(page)["Nytt SITHS eID ordinarie kort"]
    assert "för dig själv" in functions(page.carriers[0])["Aktivera kort"]
    assert functions(page.carriers[0])["Spärra kort"] == ""


def test_an_order_needs_a_living_person_with_a_post_in_reach(world: Any) -> None:
    name = "Nytt SITHS eID ordinarie kort"
    post = world.post()
    assert functions(view(world.officer(), post.person_id))[name] == ""
    Person.objects.filter(pk=post.person_id).update(deceased=True)
    assert "avliden" in functions(view(world.officer(), post.person_id))[name]
    elsewhere = world.post()
    migrated(elsewhere)
    Post.objects.filter(pk=elsewhere.pk).update(ended_at=clock.now())
    assert "inget aktuellt uppdrag" in functions(view(world.officer(), elsewhere.person_id))[name]


class TestScope:
    """Who sees what of the page."""

    def extra_eid(self, world: Any, carrier: Carrier, organisation: Any) -> Eid:
        """An eID of another organisation on the carrier, with its post."""
        identifier = carrier.person.identifiers.get(valid_to=None)
        from issuance.records.domain.ids import PersonId, PersonIdKind

        post = world.post(organisation, person_id=PersonId(PersonIdKind(identifier.kind), identifier.value))
        return Eid.objects.create(
            carrier=carrier, post=post, organisation=organisation, hsa_id=post.hsa_id, state="active", seq=1,
            activated_at=clock.now(), valid_from=clock.now(), valid_to=clock.now() + dt.timedelta(days=300),
            created_at=clock.now(),
        )  # fmt: skip

    def test_hidden_and_unknown_people_are_the_same(self, world: Any) -> None:
        stranger, hidden = world.post(world.stranger), world.post(protected=True)
        for person_id in (stranger.person_id, hidden.person_id, uuid.uuid4(), "x"):
            with pytest.raises(NotFound):
                view(world.officer(), person_id)
        page = view(world.officer(protected=True), hidden.person_id)
        assert (page.head.is_protected, page.head.protection) == (True, ("Sekretessmarkering",))

    def test_a_card_seen_by_its_eid_is_read_only(self, world: Any) -> None:
        carrier = migrated(world.post())
        eid = self.extra_eid(world, carrier, world.city)
        seen = only(world.officer(world.city), carrier.person_id)
        assert (seen.read_only, seen.other_eids, [each.id for each in seen.eids]) == (True, 1, [eid.id])
        assert functions(seen)["Spärra kort"] == "Din behörighetsroll tillåter inte åtgärden här."
        assert functions(seen.eids[0])["Spärra SITHS eID"] == ""
        own = only(world.officer(), carrier.person_id)
        assert (own.read_only, own.other_eids, len(own.eids)) == (False, 1, 1)

    def test_carriers_of_other_organisations_stay_hidden(self, world: Any) -> None:
        carrier = migrated(world.post())
        identifier = carrier.person.identifiers.get(valid_to=None)
        from issuance.records.domain.ids import PersonId, PersonIdKind

        world.post(world.city, person_id=PersonId(PersonIdKind(identifier.kind), identifier.value))
        assert view(world.officer(world.city), carrier.person_id, with_invalid=True).carriers == ()

    def test_the_photo_is_for_those_who_meet_the_holder(self, world: Any) -> None:
        post = world.post()
        Photo.objects.create(
            person=post.person, document=Document.store(b"\xff\xd8photo", "image/jpeg"), width=300, height=400,
            uploaded_at=clock.now(), uploaded_by_ref="user:x", approved_at=clock.now(),
        )  # fmt: skip
        shown = {role: view(world.officer(role=role), post.person_id).head.has_photo for role in (
            Role.ID_ADMINISTRATOR, Role.DEPUTY_ISSUER, Role.RESPONSIBLE_ISSUER, Role.RESERVE_CARD_ADMIN_LOA2, Role.READER,
            Role.REVOKER, Role.MASTER_DATA_ADMIN, Role.GLOBAL_READER,
        )}  # fmt: skip
        assert [role for role, has in shown.items() if has] == [
            Role.ID_ADMINISTRATOR, Role.DEPUTY_ISSUER, Role.RESPONSIBLE_ISSUER, Role.RESERVE_CARD_ADMIN_LOA2,
        ]  # fmt: skip


def test_only_ones_own_drafts_are_resumed(world: Any) -> None:
    post, actor = world.post(), world.officer()
    for owner in (actor.ref, "user:other"):
        OrderDraft.objects.create(
            person=post.person, owner_ref=owner, post=post, article_id="631", created_at=clock.now(), updated_at=clock.now()
        )
    (draft,) = view(actor, post.person_id).drafts
    assert (draft.organisation, draft.article) == ("Regionen", "631 Kort")


def test_thirty_carriers_cost_the_queries_of_one(world: Any) -> None:
    post, actor = world.post(), world.officer()
    counts = []
    for total in (1, 30):
        while Carrier.objects.count() < total:
            migrated(post)
        with CaptureQueriesContext(connection) as queries:
            assert len(view(actor, post.person_id).carriers) == total
        counts.append(len(queries))
    assert counts[0] == counts[1] == 8
    assert CarrierCertificate.objects.count() == 120


class TestHistory:
    """Events in words."""

    def test_a_card_from_order_to_revocation(self, world: Any) -> None:
        actor = world.officer()
        order = world.order(actor=actor)
        supplier_intake.accept(client_ref=SUPPLIER, order_id=order.id)
        revocation.revoke_carrier(actor=actor, carrier_id=order.carrier_id, reason=RevocationReason.WRONGLY_ISSUED)
        page = page_of(history.carrier_history(actor=world.officer(role=Role.READER), carrier_id=order.carrier_id))
        clerk = Person.objects.get(pk=actor.person_id)
        told = [(entry.what, entry.who) for entry in page.lines]
        name = f"{clerk.given_name_in_use} {clerk.surname}"
        assert told == [
            ("Kortet spärrades", name), ("Kortleverantören tog emot beställningen", f"Kortleverantören {SUPPLIER}"),
            ("Kortet beställdes", name),
        ]  # fmt: skip
        assert page.lines[0].facts.count(("Orsak", "Felaktigt utfärdat")) == 1
        assert ("Status", "Beställt → Spärrat") in page.lines[0].facts
        assert {("Artikel", "631"), ("Tjänste-id", order.eid.hsa_id)} <= set(page.lines[2].facts)
        assert page.next is None

    def test_an_event_that_stands_alone_is_shown(self, world: Any) -> None:
        """An eID that is revoked by itself, beside one that ended with its card."""
        actor, post = world.officer(), world.post()
        first, second = world.order(post), world.order(post)
        revocation.revoke_eid(actor=actor, eid_id=first.eid_id, reason=RevocationReason.DAMAGED)
        revocation.revoke_carrier(actor=actor, carrier_id=second.carrier_id, reason=RevocationReason.DAMAGED)
        told = [entry.what for entry in entries_of(history.person_history(actor=actor, person_id=post.person_id))]
        assert (told.count("SITHS eID spärrades"), told.count("Kortet spärrades"), told.count("Kortet beställdes")) == (1, 1, 2)

    def test_every_event_of_the_life_has_words(self, world: Any) -> None:
        """Whatever issuance records on carriers, eIDs, orders, people and posts is told in Swedish."""
        from issuance.activation.domain import transaction_states
        from issuance.carriers.domain import eid_states, kinds
        from issuance.orders.domain import order_states
        from issuance.records.queries import event_words

        steps = {"eid": eid_states, "order": order_states, "transaction": transaction_states}
        recorded = {f"{name}.{action}" for name, module in steps.items() for _state, action in module.TRANSITIONS}
        recorded |= {f"carrier.{action}" for kind in kinds.all_kinds() for _state, action in kind.transitions}
        assert recorded <= set(event_words.actions())
        rules = {ref for ref, allowed in SYSTEM_ALLOWED.items() if allowed & {Action.REVOKE_CARRIER, Action.REVOKE_EID}}
        assert {ref for ref in rules if event_words.who(ref) == ref} == set()

    def test_pages_follow_each_other_without_gap_or_repeat(self, world: Any) -> None:
        order = world.order()
        seen, after = [], None
        while not seen or after:
            found = history.person_history(actor=world.officer(), person_id=order.carrier.person_id)
            page = page_of(found, after, limit=1)
            seen += [entry.id for entry in page.lines]
            after = page.next
        assert seen == sorted(seen, reverse=True)
        assert len(seen) == len(set(seen)) == 2

    def test_events_are_in_the_order_of_their_times(self, world: Any) -> None:
        """Also those that were stored later than others that happened after them, and several of one moment."""
        order, now = world.order(), clock.now()

        def event(days: int, carrier_id: object) -> Event:
            at = now - dt.timedelta(days=days)
            return Event(at=at, actor_ref="user:x", action="carrier.sent", subject_type="carrier", subject_ref=str(carrier_id))

        Event.objects.bulk_create(event(days, order.carrier_id) for days in (3, 400, 3, 30))
        (of_another,) = Event.objects.bulk_create([event(500, uuid.uuid4())])
        found = history.carrier_history(actor=world.officer(), carrier_id=order.carrier_id)

        def read(cursor: Cursor | None = None, *, descending: bool = True, limit: int = 1) -> Page[history.HistoryEntry]:
            return found.page(Order(TIME.key, descending=descending), TIME.by, cursor, limit)

        every = [(entry.at, entry.id) for entry in read(limit=9).lines]
        assert every == sorted(every, reverse=True)
        assert [pk for _at, pk in every] != sorted((pk for _at, pk in every), reverse=True)
        for descending in (True, False):
            seen, page = [], read(descending=descending)
            while page.lines:
                seen += [(entry.at, entry.id) for entry in page.lines]
                page = read(Cursor(str(page.next)), descending=descending) if page.next else Page(())
            assert seen == sorted(every, reverse=descending)
        assert [entry.id for entry in read(Cursor(str(every[3][1]), backwards=True), limit=2).lines] == [every[1][1], every[2][1]]
        assert read(Cursor(str(of_another.pk))).lines[0].id == every[0][1], "an event of others says nothing of its time"

    def test_a_protected_clerk_is_named_to_those_who_may_see_him(self, world: Any) -> None:
        clerk = world.officer(role=Role.DEPUTY_ISSUER)
        order = world.order(actor=clerk)
        Person.objects.filter(pk=clerk.person_id).update(is_protected=True, protected_person_indicator=True)
        for reader, named in ((world.officer(), False), (world.officer(protected=True), True)):
            entry = entries_of(history.carrier_history(actor=reader, carrier_id=order.carrier_id))[0]
            assert (entry.who != "Rollinnehavare med skyddade personuppgifter") == named

    def test_hidden_things_have_no_history(self, world: Any) -> None:
        order = world.order()
        for actor in (world.officer(world.city), world.officer(world.stranger)):
            with pytest.raises(NotFound):
                history.carrier_history(actor=actor, carrier_id=order.carrier_id)
            with pytest.raises(NotFound):
                history.person_history(actor=actor, person_id=order.carrier.person_id)

    def test_events_are_found_by_their_subjects(self, world: Any) -> None:
        """Among many events of others the few of a card are found by the index on subjects."""
        order = world.order()
        Event.objects.bulk_create(
            Event(
                at=clock.now(), actor_ref="user:x", action="carrier.sent", subject_type="carrier", subject_ref=str(uuid.uuid4())
            )
            for _ in range(3000)
        )
        with superuser.cursor() as cursor:
            cursor.execute("ANALYZE issuance_event")  # the application may not, and would only be warned
        with CaptureQueriesContext(connection) as queries:
            entries_of(history.carrier_history(actor=world.officer(), carrier_id=order.carrier_id))
        sql = next(query["sql"] for query in queries.captured_queries if '"issuance_event"' in query["sql"])
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert re.search("issuance_event_(subject|one_per_step)", plan), plan
        assert not re.search("Seq Scan|issuance_event_pkey", plan), plan


def test_an_order_can_be_removed_until_a_supplier_has_it(world: Any) -> None:
    order = world.order()
    ordering.cancel_order(actor=world.officer(), order_id=order.id)
    assert CardOrder.objects.get().state == "cancelled"
    page = view(world.officer(), order.carrier.person_id)
    assert (page.carriers, page.invalid_count) == ((), 1)
