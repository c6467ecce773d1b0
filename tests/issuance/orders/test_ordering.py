"""Ordering an ordinary card (rules/issuance 3): what stands against it, and what an order leaves behind."""

import datetime as dt
import threading
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance.articles.models import Article
from issuance.articles.services.articles import offer_article
from issuance.authz import Role
from issuance.carriers.models import Carrier, Eid
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import register_customisation, verify_customisation
from issuance.offices.services import close_office, create_office
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import order_checks, ordering
from issuance.people.models.persons import Person, Post
from issuance.records.domain.ids import PersonId, PersonIdKind
from issuance.records.models.events import Event
from issuance.suppliers.models import SupplierEvent
from issuance.suppliers.services import supplier_intake
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, Unavailable
from tests.issuance.world import LOGOTYPE, SETUP, person_number, years_ago


def refused(world: Any, kind: type[DomainError], code: str, **arguments: Any) -> str:
    """The order is refused with this code, and nothing is left behind. Returns the message."""
    with pytest.raises(kind) as error:
        world.order(**arguments)
    assert error.value.code == code
    assert not CardOrder.objects.exists()
    assert not Carrier.objects.exists()
    assert not Event.objects.filter(subject_type__in=["carrier", "eid", "order"]).exists()
    return error.value.message


def test_an_order_is_a_carrier_an_eid_a_queued_row_with_an_item_and_four_events(world: Any) -> None:
    post, officer = world.post(world.clinic), world.officer()
    order = world.order(post, actor=officer)
    carrier = Carrier.objects.get()
    assert (carrier.state, carrier.seq, carrier.person, carrier.organisation) == ("ordered", 1, post.person, world.clinic)
    assert carrier.valid_to.year == carrier.valid_from.year + 5
    assert Eid.objects.get().hsa_id == post.hsa_id
    assert (order.state, order.supplier_ref, order.ordered_by_ref) == ("queued", "bureau", officer.ref)
    assert order.customisation.customisation_id == "7837803902"  # the region's, since the clinic has none
    events = Event.objects.filter(actor_ref=officer.ref).order_by("id")
    assert [event.action for event in events] == ["carrier.ordered", "eid.ordered", "order.submitted", "item.ordered"]
    assert {event.subject_seq for event in events} == {1}


def test_catalogue_and_register_are_read_live_and_cached(world: Any) -> None:
    post = world.post(surname="Gammal")
    world.outside.change_person(world.key_of(post.person), surname="Åkesson")
    world.outside.change_post(post.hsa_id, title="Läkare", mail="ny@example.org")
    world.outside.calls.clear()
    order = world.order(post)
    assert sorted(world.outside.calls) == ["person", "posts"]
    assert order.eid.title == "Läkare"
    assert order.carrier.person.surname == "Åkesson"
    assert order.carrier.person.scopes.get().sort_name == "Åkesson, Prov"
    changed = Event.objects.get(action="person.changed")
    assert changed.facts == {"fields": ["surname"]}
    assert "Åkesson" not in str(changed.facts)


def test_the_outside_being_down_changes_nothing(world: Any) -> None:
    post, officer = world.post(), world.officer()
    world.outside.down = True
    refused(world, Unavailable, "upstream-unreachable", post=post, actor=officer)


class TestPerson:
    """Who may get a card of level 3."""

    @pytest.mark.parametrize(("days", "allowed"), [(0, True), (1, False)])
    def test_eighteen_years_to_the_day(self, world: Any, days: int, allowed: bool) -> None:
        with clock.moved_to(dt.datetime(2030, 6, 15, 12, tzinfo=dt.UTC)):
            post = world.post(person_id=person_number(years_ago(18, days=days)))
            if allowed:
                assert world.order(post).state == "queued"
            else:
                message = refused(world, Invalid, "person-too-young", post=post)
                assert message.startswith("Kort kan inte beställas. Personen måste ha fyllt 18 år för tillitsnivå 3. Från 15 år")

    def test_the_day_is_stockholms(self, world: Any) -> None:
        """22:30 UTC on the eve is half past midnight on the birthday in Stockholm."""
        person_id = person_number(dt.date(2012, 6, 15))
        with clock.moved_to(dt.datetime(2030, 6, 14, 21, 30, tzinfo=dt.UTC)):
            refused(world, Invalid, "person-too-young", post=world.post(person_id=person_id))
        with clock.moved_to(dt.datetime(2030, 6, 14, 22, 30, tzinfo=dt.UTC)):
            assert world.order(world.post(person_id=person_id)).state == "queued"

    def test_a_samordningsnummer_is_not_for_level_3(self, world: Any) -> None:
        refused(world, Invalid, "person-id-not-for-loa3", post=world.post(person_id=person_number(coordination=True)))

    @pytest.mark.parametrize("kind", [PersonIdKind.PASSPORT, PersonIdKind.RESERVE])
    def test_a_number_that_no_certificate_can_name_is_for_no_level(self, world: Any, kind: PersonIdKind) -> None:
        Article.objects.update(assurance_level=2)
        post = world.post(person_id=PersonId(kind, "198501019801"))
        refused(world, Invalid, "person-id-not-certifiable", post=post)
        assert world.order(world.post(person_id=person_number(coordination=True))).state == "queued"

    def test_the_dead_get_no_card(self, world: Any) -> None:
        refused(world, Invalid, "person-deceased", post=world.post(deceased=True))

    def test_an_address_is_needed(self, world: Any) -> None:
        refused(world, Invalid, "no-registered-address", post=world.post(registered_address=None))

    def test_names_must_fit_in_a_certificate(self, world: Any) -> None:
        refused(world, Invalid, "name-not-certifiable", post=world.post(surname="Å" * 60))
        assert world.order(world.post(surname="Å" * 59)).state == "queued"  # 64 with the given name and a space

    def test_a_mail_address_must_fit_in_a_certificate(self, world: Any) -> None:
        post = world.post()
        world.outside.change_post(post.hsa_id, mail="åsa@example.org")
        refused(world, Invalid, "mail-not-certifiable", post=post)

    def test_unknown_in_the_register(self, world: Any) -> None:
        post = world.post()
        world.outside.persons.clear()
        refused(world, Conflict, "person-not-in-register", post=post)


class TestPost:
    """The post must be one of today's."""

    def test_a_post_that_the_catalogue_lost_ends(self, world: Any) -> None:
        post = world.post()
        del world.outside.posts[post.hsa_id.upper()]
        refused(world, Conflict, "post-ended", post=post)
        post.refresh_from_db()
        assert post.ended_at is not None
        assert not post.person.scopes.exists()  # nothing else makes the person visible there

    @pytest.mark.parametrize("field", ["organisation_hsa_id", "person"])
    def test_a_hsa_id_that_became_anothers_ends(self, world: Any, field: str) -> None:
        post, other = world.post(), world.post(world.city)
        value = world.key_of(other.person) if field == "person" else world.city.hsa_id
        world.outside.change_post(post.hsa_id, **{field: value})
        refused(world, Conflict, "post-ended", post=post)

    @pytest.mark.parametrize(("days", "allowed"), [(0, True), (-1, False)])
    def test_the_last_day_counts(self, world: Any, days: int, allowed: bool) -> None:
        post = world.post()
        world.outside.change_post(post.hsa_id, valid_to=clock.today() + dt.timedelta(days=days))
        if allowed:
            assert world.order(post).state == "queued"
        else:
            refused(world, Conflict, "post-ended", post=post)

    def test_the_last_day_of_the_calendar_is_no_end(self) -> None:
        assert ordering.post_ends_at(Post(valid_to=dt.date.max)) is None

    def test_the_case_of_a_hsa_id_does_not_count(self, world: Any) -> None:
        post = world.post()
        world.outside.change_post(post.hsa_id, hsa_id=post.hsa_id.lower(), organisation_hsa_id=world.region.hsa_id.lower())
        assert world.order(post).state == "queued"


class TestConfiguration:
    """Article, office and card customisation."""

    def test_an_article_with_photo_needs_one(self, world: Any) -> None:
        refused(world, Invalid, "photo-missing", article="610")

    @pytest.mark.parametrize("article", ["631", "999"])
    def test_an_article_must_be_orderable_there(self, world: Any, article: str) -> None:
        offer_article(actor=SETUP, organisation_id=world.region.id, article_code="631", orderable=False)
        refused(world, Invalid, "article-not-orderable", article=article)

    def test_an_article_out_of_its_time(self, world: Any) -> None:
        with clock.moved_to(dt.datetime(2019, 12, 31, tzinfo=dt.UTC)):
            refused(world, Invalid, "article-not-orderable")

    @pytest.mark.parametrize("kind", ["reserve", "test"])
    def test_what_comes_in_bundles_or_is_for_tests_is_not_ordered_for_a_person(self, world: Any, kind: str) -> None:
        Article.objects.filter(pk="631").update(kind=kind)
        refused(world, Invalid, "article-not-orderable")

    def test_the_office_must_be_connected_and_open(self, world: Any) -> None:
        other = create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
        refused(world, Invalid, "office-not-connected", office=other)
        close_office(actor=SETUP, office_id=world.office.id)
        refused(world, Invalid, "office-not-connected")

    def test_the_customisation_must_be_verified_and_numbered(self, world: Any) -> None:
        CardCustomisation.objects.update(verified_at=None)
        refused(world, Conflict, "customisation-not-verified")
        CardCustomisation.objects.update(verified_at=clock.now(), issuer_number="")
        refused(world, Conflict, "customisation-not-verified")

    def test_a_sub_organisation_may_have_its_own(self, world: Any) -> None:
        row = register_customisation(
            actor=SETUP, organisation_id=world.clinic.id, customisation_id="1234567890", name="Generell",
            issuer_number="5874", back_text="Box 1", supplier_ref="bureau",
        )  # fmt: skip
        assert order_checks.require_customisation(world.clinic) != row
        supplier_intake.put_logotype(
            client_ref="bureau", customisation_id="1234567890", png=LOGOTYPE, sha256=sha256_hex(LOGOTYPE), check=lambda _row: None
        )
        verify_customisation(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), customisation_id=row.id)
        order = world.order(world.post(world.clinic))
        assert (order.customisation.issuer_number, order.supplier_ref) == ("5874", "bureau")
        assert supplier_intake.queued_orders(client_ref="another") == []
        assert supplier_intake.queued_orders(client_ref="bureau") == [order]


class TestAuthority:
    """Who may order for whom."""

    def test_roles_without_the_right(self, world: Any) -> None:
        refused(world, Forbidden, "forbidden", actor=world.officer(role=Role.READER))

    def test_outside_scope_is_not_found_and_asks_nobody(self, world: Any) -> None:
        actor, post = world.officer(world.clinic), world.post(world.region)
        world.outside.calls.clear()
        refused(world, NotFound, "not-found", post=post, actor=actor)
        assert world.outside.calls == []

    def test_not_for_oneself(self, world: Any) -> None:
        officer = world.officer()
        refused(world, Forbidden, "own-matter", post=Post.objects.get(person_id=officer.person_id), actor=officer)

    def test_a_protected_person_needs_the_add_on_and_no_address(self, world: Any) -> None:
        post = world.post(protected=True)
        refused(world, NotFound, "not-found", post=post, actor=world.officer())
        order = world.order(post, actor=world.officer(protected=True))
        assert order.state == "queued"

    def test_a_protection_found_at_order_hides_the_person_from_then_on(self, world: Any) -> None:
        post, officer = world.post(), world.officer()
        world.outside.change_person(world.key_of(post.person), protected_population_record=True)
        refused(world, NotFound, "not-found", post=post, actor=officer)
        assert Person.objects.get(pk=post.person_id).is_protected
        assert not Person.objects.visible_to(officer).filter(pk=post.person_id).exists()


class TestRepetition:
    """The same key is the same order (S33)."""

    def test_same_key_and_content(self, world: Any) -> None:
        post, actor = world.post(), world.officer()
        first = world.order(post, actor=actor, key="k")
        world.outside.down = True  # the second is answered from here
        assert world.order(post, actor=actor, key="k") == first
        assert CardOrder.objects.count() == 1

    def test_same_key_and_other_content(self, world: Any) -> None:
        actor = world.officer()
        world.order(actor=actor, key="k")
        with pytest.raises(Conflict, match="idempotency-mismatch"):
            world.order(actor=actor, key="k")
        assert CardOrder.objects.count() == 1

    def test_keys_of_two_actors_do_not_meet(self, world: Any) -> None:
        one = world.order(world.post(world.clinic), actor=world.officer(), key="k")
        assert world.order(world.post(world.clinic), actor=world.officer(world.clinic), key="k") != one

    @pytest.mark.parametrize("key", ["", "x" * 101, "a b", "å"])
    def test_a_key_has_a_form(self, world: Any, key: str) -> None:
        with pytest.raises(Invalid, match="idempotency-key"):
            ordering.submit_order(
                actor=world.officer(), post_id=uuid.uuid4(), article_code="631", office_id=world.office.id, idempotency_key=key
            )

    def test_eight_clicks_at_once_make_one_order(self, world: Any) -> None:
        post, actor = world.post(), world.officer()
        start, made, errors = threading.Barrier(8), [], []

        def click() -> None:
            start.wait()
            try:
                made.append(world.order(post, actor=actor, key="k").id)
            except Exception as error:  # noqa: BLE001
                errors.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=click) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert len(made) == 8
        assert set(made) == {CardOrder.objects.get().id}
        assert Event.objects.filter(action="order.submitted").count() == 1


class TestRemoval:
    """Ta bort beställning: until a supplier has it."""

    def test_a_queued_order_is_cancelled_once(self, world: Any) -> None:
        order, officer = world.order(), world.officer()
        ordering.cancel_order(actor=officer, order_id=order.id)
        ordering.cancel_order(actor=officer, order_id=order.id)
        order.refresh_from_db()
        assert (order.state, order.carrier.state, order.eid.state) == ("cancelled",) * 3
        assert Event.objects.filter(action="order.cancelled").count() == 1
        assert supplier_intake.queued_orders(client_ref="bureau") == []

    def test_not_once_a_supplier_has_it(self, world: Any) -> None:
        order, officer = world.order(), world.officer()
        supplier_intake.accept(client_ref="bureau", order_id=order.id)
        with pytest.raises(Conflict, match="order-accepted"):
            ordering.cancel_order(actor=officer, order_id=order.id)
        assert not SupplierEvent.objects.exists()

    def test_not_by_a_stranger(self, world: Any) -> None:
        order = world.order()
        with pytest.raises(NotFound):
            ordering.cancel_order(actor=world.officer(world.city), order_id=order.id)
        with pytest.raises(Forbidden):
            ordering.cancel_order(actor=world.officer(role=Role.REVOKER), order_id=order.id)


def test_the_number_of_queries_of_an_order_is_bounded(world: Any) -> None:
    post, actor = world.post(), world.officer()
    with CaptureQueriesContext(connection) as queries:
        world.order(post, actor=actor)
    # Savepoints and BEGIN/COMMIT included: a query in a loop would show here when rows are added.
    assert len(queries) <= 40
