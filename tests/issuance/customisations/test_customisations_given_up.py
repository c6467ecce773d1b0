"""An organisation gives its own card customisation up (ADR 0189), and which supplier makes a customisation's cards."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from authn.models import ServiceClient
from issuance.authz import Role
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import (
    CustomisationData,
    edit_customisation,
    register_customisation,
    register_generic_customisation,
    verify_customisation,
)
from issuance.customisations.services.removal import Replacing, remove_customisation, withdraw_pending_customisation
from issuance.orders.services import order_checks
from issuance.organisations.models import Organisation
from issuance.organisations.services.ending import end_organisation, reopen_organisation
from issuance.records.models.events import Event
from issuance.roles.models.grants import RoleGrant
from issuance.suppliers.services import supplier_intake
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.issuance.world import SETUP, verified_customisation

NUMBER = "7837803905"
_PENDING = "pending_customisation_id"


def own(organisation: Organisation) -> CardCustomisation | None:
    return Organisation.objects.select_related("customisation").get(pk=organisation.pk).customisation


def pending(organisation: Organisation) -> CardCustomisation | None:
    return Organisation.objects.select_related("pending_customisation").get(pk=organisation.pk).pending_customisation


def given_up(world: Any, **more: Any) -> None:
    admin = world.officer(role=Role.MASTER_DATA_ADMIN)
    remove_customisation(actor=admin, organisation_id=more.pop("organisation", world.clinic).id, **more)


class TestGivingUp:
    """The one from above holds; what is made stays."""

    def test_new_orders_have_the_one_from_above_and_the_old_ones_theirs(self, world: Any) -> None:
        row = verified_customisation(world.clinic, NUMBER)
        before = world.order(world.post(world.clinic))
        above = own(world.region)
        assert above is not None
        given_up(world, seen=Replacing(row.id, above.id))
        assert own(world.clinic) is None
        assert order_checks.require_customisation(world.clinic) == above
        after = world.order(world.post(world.clinic))
        before.refresh_from_db()
        assert (before.customisation, after.customisation) == (row, above)
        assert supplier_intake.queued_orders(client_ref="bureau") == [before, after]
        event = Event.objects.get(action="customisation.given_up")
        assert event.subject_ref == str(row.id)
        assert event.facts == {"customisation_id": NUMBER, "organisation": str(world.clinic.id)}

    def test_both_ways_are_edits_of_the_organisation(self, world: Any) -> None:
        first = Organisation.objects.get(pk=world.clinic.pk).version
        row = verified_customisation(world.clinic, NUMBER)
        given_up(world)
        assert Organisation.objects.get(pk=world.clinic.pk).version == first + 3
        events = Event.objects.filter(action="organisation.changed", subject_ref=str(world.clinic.pk)).order_by("id")
        assert [event.facts for event in events] == [
            {"version": first + 1, "before": {_PENDING: None}, "after": {_PENDING: str(row.id)}},
            {
                "version": first + 2,
                "before": {"customisation_id": None, _PENDING: str(row.id)},
                "after": {"customisation_id": str(row.id), _PENDING: None},
            },
            {"version": first + 3, "before": {"customisation_id": str(row.id)}, "after": {"customisation_id": None}},
        ]

    def test_what_is_not_as_it_was_seen_is_left(self, world: Any) -> None:
        row = verified_customisation(world.clinic, NUMBER)
        for seen in (Replacing(row.id, None), Replacing(UUID(int=0), own(world.region).id)):  # type: ignore[union-attr]
            with pytest.raises(Conflict, match="changed-meanwhile"):
                given_up(world, seen=seen)
        assert own(world.clinic) == row

    def test_orders_that_wait_for_its_verification_stand_against_it(self, world: Any) -> None:
        row = verified_customisation(world.clinic, NUMBER)
        world.order(world.post(world.clinic))
        CardCustomisation.objects.filter(pk=row.pk).update(verified_at=None)
        with pytest.raises(Conflict, match="orders-wait-for-customisation"):
            given_up(world)
        verify_customisation(actor=SETUP, customisation_id=row.id)
        given_up(world)
        assert own(world.clinic) is None

    def test_only_one_of_its_own_and_below_another(self, world: Any) -> None:
        with pytest.raises(Conflict, match="no-own-customisation"):
            given_up(world)
        generic = register_generic_customisation(
            actor=SETUP,
            customisation_id="1000000000",
            name="Generell",
            issuer_number="1000",
            back_text="Box 1",
            supplier_ref="bureau",
        )
        Organisation.objects.filter(pk=world.clinic.pk).update(customisation=generic)
        with pytest.raises(Conflict, match="no-own-customisation"):
            given_up(world)
        with pytest.raises(Conflict, match="generic-not-ready"):
            given_up(world, organisation=world.region)
        assert (own(world.clinic), Event.objects.filter(action="customisation.given_up").exists()) == (generic, False)

    def test_by_the_administration_alone(self, world: Any) -> None:
        verified_customisation(world.clinic, NUMBER)
        for role in (Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, Role.GLOBAL_REVOKER, Role.GLOBAL_READER):
            with pytest.raises(Forbidden):
                remove_customisation(actor=world.officer(role=role), organisation_id=world.clinic.id)
        with pytest.raises(NotFound):
            remove_customisation(actor=world.officer(role=Role.MASTER_DATA_ADMIN), organisation_id=UUID(int=1))


class TestTakenUpAgain:
    """One that is nobody's is registered again by its id, and verified again."""

    def register(self, organisation: Organisation, **more: str) -> CardCustomisation:
        told = {"name": "Åter", "issuer_number": "1550", "back_text": "Box 2", "supplier_ref": "bureau"} | more
        return register_customisation(
            actor=SETUP, organisation_id=organisation.id, customisation_id=NUMBER, **told
        )  # fmt: skip

    def test_as_it_is_told_now_and_unverified(self, world: Any) -> None:
        row = verified_customisation(world.clinic, NUMBER)
        order = world.order(world.post(world.clinic))
        given_up(world)
        again = self.register(world.clinic)
        again.refresh_from_db()
        assert (again.pk, again.version, again.logotype_id) == (row.pk, 2, row.logotype_id)
        assert (again.name, again.issuer_number, again.back_text, again.verified_at) == ("Åter", "1550", "Box 2", None)
        assert (own(world.clinic), pending(world.clinic)) == (None, row)
        with pytest.raises(Conflict, match="orders-wait-for-customisation"):
            withdraw_pending_customisation(actor=SETUP, organisation_id=world.clinic.id)
        assert supplier_intake.queued_orders(client_ref="bureau") == []
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        verify_customisation(actor=issuer, customisation_id=row.id)
        assert supplier_intake.queued_orders(client_ref="bureau") == [order]
        assert own(world.clinic) == row

    def test_with_what_it_was_before(self, world: Any) -> None:
        row = verified_customisation(world.clinic, NUMBER)
        first = Event.objects.get(action="customisation.registered", subject_ref=str(row.id))
        place = {"customisation_id": NUMBER, "organisation": str(world.clinic.id)}
        told = {
            "name": "Kort", "issuer_number": "1549", "back_text": "Upphittat kort skickas till Box 1", "supplier_ref": "bureau"
        }  # fmt: skip
        assert first.facts == {**place, **told}
        given_up(world)
        self.register(world.clinic, supplier_ref="press")
        again = Event.objects.filter(action="customisation.registered", subject_ref=str(row.id)).latest("id").facts
        new = {"name": "Åter", "issuer_number": "1550", "back_text": "Box 2", "supplier_ref": "press"}
        assert {name: again["before"][name] for name in new} == told
        assert {name: again["after"][name] for name in new} == new
        assert again["before"]["verified_at"]
        assert (again["after"]["verified_at"], again["version"], again["organisation"]) == (None, 2, str(world.clinic.id))
        withdraw_pending_customisation(actor=SETUP, organisation_id=world.clinic.id)
        self.register(world.clinic, supplier_ref="press")
        same = Event.objects.filter(action="customisation.registered", subject_ref=str(row.id)).latest("id").facts
        assert same == {**place, **new}

    def test_from_an_organisation_that_was_ended(self, world: Any) -> None:
        """Its successor has the same layout at the supplier; what was ended has none of its own if it is taken up again."""
        row = own(world.city)
        assert row is not None
        RoleGrant.objects.filter(organisation=world.city).update(valid_to=clock.now())
        end_organisation(actor=SETUP, organisation_id=world.city.id, reason="Sammanslagen")
        ServiceClient.objects.create(client_ref="bureau", kind="supplier", name="Tryckeriet")
        told = {"name": "Nya staden", "issuer_number": "1549", "back_text": "Box 2", "supplier_ref": "bureau"}
        taken = register_customisation(
            actor=world.officer(role=Role.MASTER_DATA_ADMIN),
            organisation_id=world.clinic.id,
            customisation_id="7837803903",
            **told,
        )
        assert (taken, taken.name, taken.verified_at) == (row, "Nya staden", None)
        assert (pending(world.clinic), own(world.city)) == (row, None)
        ended = Event.objects.filter(action="organisation.changed", subject_ref=str(world.city.pk)).latest("id")
        assert ended.facts["before"] == {"customisation_id": str(row.id)}
        reopen_organisation(actor=SETUP, organisation_id=world.city.id)
        with pytest.raises(Conflict, match="customisation-exists"):
            register_customisation(actor=SETUP, organisation_id=world.city.id, customisation_id="7837803903", **told)

    def test_not_while_it_is_anothers_nor_the_generic_one(self, world: Any) -> None:
        ward = world.organisation("Avdelningen", "TST2321000131-1007", "2321000131", area=world.area, parent=world.clinic)
        verified_customisation(ward, NUMBER)
        with pytest.raises(Conflict, match="customisation-exists"):
            self.register(world.clinic)
        given_up(world, organisation=ward)
        CardCustomisation.objects.filter(customisation_id=NUMBER).update(generic=True)
        with pytest.raises(Conflict, match="customisation-exists"):
            self.register(world.clinic)


def registered(world: Any, ref: str) -> CardCustomisation:
    return register_customisation(
        actor=world.officer(role=Role.MASTER_DATA_ADMIN), organisation_id=world.clinic.id, customisation_id=NUMBER, name="Kort",
        issuer_number="1549", back_text="Box 1", supplier_ref=ref,
    )  # fmt: skip


def edited(world: Any, ref: str) -> CardCustomisation:
    ServiceClient.objects.get_or_create(client_ref="first", defaults={"kind": "supplier", "name": "Första"})
    row = registered(world, "first")
    return edit_customisation(
        actor=world.officer(role=Role.MASTER_DATA_ADMIN), customisation_id=row.id, version=row.version,
        data=CustomisationData("Kort", "1549", "Box 1", ref),
    )  # fmt: skip


class TestSupplier:
    """A person chooses among the registered ones; what is there already may stay."""

    @pytest.mark.parametrize("act", [registered, edited])
    def test_one_that_is_registered_and_active(self, world: Any, act: Callable[[Any, str], CardCustomisation]) -> None:
        for ref, kind, active in (("press", "supplier", True), ("old", "supplier", False), ("hr", "service", True)):
            ServiceClient.objects.create(client_ref=ref, kind=kind, name=ref.title(), active=active)
        for ref in ("old", "hr", "nobody"):
            with pytest.raises(Invalid) as refused:
                act(world, ref)
            assert list(refused.value.fields) == ["supplier_ref"]
            Organisation.objects.filter(pk=world.clinic.pk).update(customisation=None, pending_customisation=None)
        assert act(world, "press").supplier_ref == "press"

    def test_another_one_gets_the_orders_that_come_after_a_new_verification(self, world: Any) -> None:
        ServiceClient.objects.create(client_ref="press", kind="supplier", name="Tryckeriet")
        row = verified_customisation(world.clinic, NUMBER)
        before = world.order(world.post(world.clinic))
        data = CustomisationData(row.name, row.issuer_number, row.back_text, "press")
        admin = world.officer(role=Role.MASTER_DATA_ADMIN)
        edited = edit_customisation(actor=admin, customisation_id=row.id, version=1, data=data)
        with pytest.raises(Conflict, match="customisation-not-verified"):
            world.order(world.post(world.clinic))
        CardCustomisation.objects.filter(pk=row.pk).update(verified_at=row.verified_at, verified_by_ref=row.verified_by_ref)
        after = world.order(world.post(world.clinic))
        assert (edited.verified_at, before.supplier_ref, after.supplier_ref) == (None, "bureau", "press")
        assert supplier_intake.queued_orders(client_ref="bureau") == [before]
        ServiceClient.objects.update(active=False)
        kept = edit_customisation(
            actor=admin, customisation_id=row.id, version=2, data=CustomisationData("Nytt namn", "1549", row.back_text, "press")
        )
        assert (kept.name, kept.supplier_ref) == ("Nytt namn", "press")
