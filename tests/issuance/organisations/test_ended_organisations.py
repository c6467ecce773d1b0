"""An organisation that was made by mistake is ended, and taken up again (ADR 0222)."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from issuance.articles.models import SubscriptionFee
from issuance.articles.services.articles import offer_article
from issuance.articles.services.fees import set_subscription_fee
from issuance.authz import Action, Actor, Role
from issuance.billing_facts import subscription_counts
from issuance.offices.models import Office, OrganisationOffice
from issuance.offices.services import connect_office
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import order_checks
from issuance.organisations.models import Organisation
from issuance.organisations.services import ending
from issuance.organisations.services.areas import edit_area
from issuance.organisations.services.ending import end_organisation, hindrances, reopen_organisation
from issuance.organisations.services.moving import move_organisation
from issuance.organisations.services.organisations import OrganisationData, edit_organisation
from issuance.people.queries.scope_check import scope_faults
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services import role_assignment
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests import superuser
from tests.issuance.world import SETUP
from tests.waiting import sessions_waiting, wait_for


def end(row: Organisation, actor: Actor = SETUP, reason: str = "Upplagd av misstag") -> Organisation:
    return end_organisation(actor=actor, organisation_id=row.id, reason=reason)


def reopen(row: Organisation, actor: Actor = SETUP) -> Organisation:
    return reopen_organisation(actor=actor, organisation_id=row.id)


def admin(world: Any) -> Actor:
    return world.officer(role=Role.MASTER_DATA_ADMIN)


def issuer(world: Any) -> Actor:
    return world.officer(role=Role.RESPONSIBLE_ISSUER)


def ward(world: Any) -> Organisation:
    return world.organisation("Avdelningen", "TST2321000131-2000", "2321000131", area=world.area, parent=world.clinic)


def while_ending(row: Organisation, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> Future[object]:
    """What becomes of `act` when it is begun while an organisation is being ended, and the ending goes on when it waits."""
    made, begun = ending.edit, []

    def acting() -> object:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:

        def edit(*args: Any, **kwargs: Any) -> None:
            made(*args, **kwargs)
            begun.append(pool.submit(acting))
            wait_for(lambda: begun[0].done() or sessions_waiting() > 0, "the other to wait")

        monkeypatch.setattr(ending, "edit", edit)
        end(row)
        begun[0].exception(timeout=150)
    return begun[0]


class TestEnd:
    """`end_organisation`."""

    def test_it_leaves_its_offices_and_keeps_its_place(self, world: Any) -> None:
        row = end(world.clinic, issuer(world))
        assert (row.closed_at is not None, row.version) == (True, 2)
        assert not OrganisationOffice.objects.filter(organisation=row).exists()
        event = Event.objects.get(action="organisation.closed")
        assert (event.facts["reason"], event.facts["before"]) == ("Upplagd av misstag", {"closed_at": None})
        assert Event.objects.filter(action="office.disconnected", facts__organisation=str(row.id)).count() == 1
        assert scope_faults().ok
        assert end(world.clinic).version == 2  # again changes nothing
        with pytest.raises(Conflict, match="organisation-exists"):
            world.organisation("Ny", row.hsa_id, "2321000131", area=world.area)

    def test_a_reason_is_asked(self, world: Any) -> None:
        for reason in (" ", "x" * 501):
            with pytest.raises(Invalid) as refused:
                end(world.clinic, reason=reason)
            assert list(refused.value.fields) == ["reason"]

    def test_who_may_make_one_there_may_end_it(self, world: Any) -> None:
        strange = world.officer(world.stranger, Role.RESPONSIBLE_ISSUER)
        for row, actor, error in (
            (world.city, issuer(world), Forbidden),
            (world.clinic, world.officer(world.clinic, Role.DEPUTY_ISSUER), Forbidden),
            (world.clinic, world.officer(role=Role.GLOBAL_READER), Forbidden),
            (world.clinic, strange, NotFound),
        ):
            for act in (end, reopen):
                with pytest.raises(error):
                    act(row, actor)
        assert end(world.city, admin(world)).closed_at

    def test_what_lives_on_it_hinders(self, world: Any) -> None:
        assert not hindrances(world.clinic.id)
        below = ward(world)
        order = world.order(world.post(world.clinic))
        world.officer(world.clinic)
        assert hindrances(world.clinic.id) == {"sub_organisations", "orders", "cards", "roles"}
        assert "issuing" in hindrances(world.region.id)
        with pytest.raises(Conflict, match="organisation-in-use"):
            end(world.clinic)
        end(below)
        superuser.remove(CardOrder.objects.filter(pk=order.pk))
        assert "sub_organisations" not in hindrances(world.clinic.id)

    def test_the_fee_ends_today_and_so_does_what_was_to_come(self, world: Any) -> None:
        today = clock.today()
        actor = admin(world)
        for charged, day in ((True, today), (False, today + dt.timedelta(days=40)), (True, today + dt.timedelta(days=80))):
            set_subscription_fee(actor=actor, organisation_id=world.city.id, charged=charged, valid_from=clock.start_of_day(day))
        end(world.city, actor)
        assert not SubscriptionFee.objects.filter(organisation=world.city, charged=True).exists()
        assert Event.objects.filter(action="organisation.fee_set", facts__charged=False).count() == 3
        assert subscription_counts(clock.now() + dt.timedelta(days=100)) == []


class TestWhatFollows:
    """Nothing is set up or ordered in one that is ended; it is still read."""

    @pytest.mark.parametrize(
        "act",
        [
            ward,
            lambda world: connect_office(
                actor=issuer(world), organisation_id=world.clinic.id, office_id=Office.objects.get().id
            ),
            lambda world: offer_article(
                actor=issuer(world), organisation_id=world.clinic.id, article_code="631", orderable=False
            ),
            lambda world: role_assignment.assign_role(
                actor=issuer(world), person_id=world.post(world.clinic).person_id, role=Role.READER,
                organisation_id=world.clinic.id,
            ),
            lambda world: move_organisation(
                actor=issuer(world), organisation_id=world.clinic.id, parent_id=world.city.id
            ),
            lambda world: edit_organisation(
                actor=issuer(world), organisation_id=world.clinic.id, version=2,
                data=OrganisationData("Ny", "TST2321000131-1004", "2321000131"),
            ),
        ],
        ids=["below", "office", "article", "role", "move", "edit"],
    )  # fmt: skip
    def test_nothing_is_set_up_in_it(self, world: Any, act: Callable[[Any], object]) -> None:
        end(world.clinic)
        with pytest.raises((Forbidden, NotFound, Conflict)):
            act(world)

    def test_nothing_is_ordered_in_it(self, world: Any) -> None:
        post = world.post(world.clinic)
        end(world.clinic)
        with pytest.raises(Conflict, match="organisation-ended"):
            order_checks.require_customisation(Organisation.objects.get(pk=world.clinic.pk))
        with pytest.raises((Conflict, Invalid)):
            world.order(post)

    def test_an_order_in_the_moment_of_the_ending_waits_for_it(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        post, officer = world.post(world.clinic), world.officer()
        order = while_ending(world.clinic, monkeypatch, lambda: world.order(post, actor=officer))
        with pytest.raises(Conflict, match="organisation-ended"):
            order.result()
        assert not CardOrder.objects.exists()

    def test_so_does_a_role(self, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        given: dict[str, Any] = {"actor": issuer(world), "person_id": world.post().person_id, "role": Role.ID_ADMINISTRATOR}
        reach = [world.city.id, world.clinic.id]
        role = while_ending(world.clinic, monkeypatch, lambda: role_assignment.assign_roles(**given, reach=reach))
        with pytest.raises(Forbidden):
            role.result()
        assert not RoleGrant.objects.filter(person=given["person_id"]).exists()

    def test_it_is_read_as_before(self, world: Any) -> None:
        end(world.clinic)
        rows, actor = Organisation.objects.filter(pk=world.clinic.pk), issuer(world)
        assert all(rows.visible_to(actor, action).exists() for action in (Action.VIEW, Action.VIEW_CONFIGURATION))
        assert not rows.visible_to(actor, Action.CHOOSE_ARTICLES).exists()

    def test_an_area_does_not_issue_by_it(self, world: Any) -> None:
        end(world.city)
        with pytest.raises(Invalid):
            edit_area(
                actor=SETUP, area_id=world.area.id, version=2, name="Regionen", invoice_reference="",
                issuing_organisation_id=world.city.id,
            )  # fmt: skip


class TestReopen:
    """`reopen_organisation`."""

    def test_it_lives_again_without_offices_and_fee(self, world: Any) -> None:
        actor = issuer(world)
        end(world.clinic, actor)
        row = reopen(world.clinic, actor)
        assert (row.closed_at, row.version) == (None, 3)
        assert Event.objects.filter(action="organisation.reopened", subject_ref=str(row.id)).count() == 1
        assert not row.offices.exists()
        assert reopen(world.clinic, actor).version == 3
        assert ward(world).parent_id == row.id

    def test_not_below_one_that_is_ended(self, world: Any) -> None:
        below = ward(world)
        end(below)
        end(world.clinic)
        with pytest.raises(Conflict, match="parent-ended"):
            reopen(below)
        reopen(world.clinic)
        assert reopen(below).closed_at is None
