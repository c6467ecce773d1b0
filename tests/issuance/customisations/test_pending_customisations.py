"""A new card customisation is pending until it is verified, and the present one holds until then (ADR 0189)."""

import hashlib
from typing import Any
from uuid import UUID

import pytest

from issuance.administration.queries import readiness
from issuance.authz import Role
from issuance.customisations.models import CardCustomisation
from issuance.customisations.queries import customisations as query
from issuance.customisations.services.customisations import (
    register_customisation,
    register_generic_customisation,
    verify_customisation,
)
from issuance.customisations.services.effective import effective_customisations
from issuance.customisations.services.removal import remove_customisation, withdraw_pending_customisation
from issuance.orders.services import order_checks
from issuance.organisations.models import Organisation
from issuance.organisations.services.ending import end_organisation
from issuance.records.models.events import Document, Event
from issuance.suppliers.services import supplier_intake
from siths_portal.lib.errors import Conflict, Forbidden, NotFound
from tests.issuance.world import LOGOTYPE, SETUP

NUMBER = "7837803905"


def generic(*, verified: bool = True) -> CardCustomisation:
    row = register_generic_customisation(
        actor=SETUP, customisation_id="1000000000", name="SITHS eID", issuer_number="1000", back_text="Box 1",
        supplier_ref="bureau",
    )  # fmt: skip
    if verified:
        complete(row)
        verify_customisation(actor=SETUP, customisation_id=row.id)
    return row


def register(organisation: Organisation, number: str = NUMBER) -> CardCustomisation:
    return register_customisation(
        actor=SETUP, organisation_id=organisation.id, customisation_id=number, name="Egen", issuer_number="1550",
        back_text="Box 2", supplier_ref="bureau",
    )  # fmt: skip


def complete(row: CardCustomisation) -> None:
    CardCustomisation.objects.filter(pk=row.pk).update(logotype=Document.store(LOGOTYPE, "image/png"))


def top_with_generic(world: Any) -> tuple[Organisation, CardCustomisation]:
    """The region, whose cards have the generic customisation."""
    row = generic()
    Organisation.objects.filter(pk=world.region.pk).update(customisation=row)
    return Organisation.objects.select_related("area").get(pk=world.region.pk), row


def held(organisation: Organisation) -> tuple[UUID | None, UUID | None]:
    row = Organisation.objects.get(pk=organisation.pk)
    return row.customisation_id, row.pending_customisation_id


class TestRegistering:
    """The present one holds if it is ready."""

    def test_of_a_top_organisation_the_generic_one_holds_until_the_new_one_is_verified(self, world: Any) -> None:
        region, present = top_with_generic(world)
        row = register(region)
        assert held(region) == (present.id, row.id)
        assert order_checks.require_customisation(region) == present
        world.order(world.post(world.region))

        complete(row)
        verify_customisation(actor=SETUP, customisation_id=row.id)
        assert held(region) == (row.id, None)
        event = Event.objects.filter(action="organisation.changed", subject_ref=str(region.pk)).latest("id")
        assert event.facts["before"] == {"customisation_id": str(present.id), "pending_customisation_id": str(row.id)}
        assert event.facts["after"] == {"customisation_id": str(row.id), "pending_customisation_id": None}
        verified = Event.objects.get(action="customisation.verified", subject_ref=str(row.id))
        assert verified.facts["organisation"] == str(region.id)

    def test_the_one_from_above_holds_too(self, world: Any) -> None:
        above = effective_customisations([world.clinic])[world.clinic.id]
        row = register(world.clinic)
        assert held(world.clinic) == (None, row.id)
        assert effective_customisations([world.clinic])[world.clinic.id] == above

    def test_it_is_set_at_once_where_no_card_can_be_made(self, world: Any) -> None:
        CardCustomisation.objects.filter(organisations=world.region).update(verified_at=None)
        row = register(world.clinic)
        assert held(world.clinic) == (row.id, None)

    def test_only_one_at_a_time_and_its_id_is_taken(self, world: Any) -> None:
        register(world.clinic)
        with pytest.raises(Conflict, match="pending-customisation"):
            register(world.clinic, "7837803906")
        region, _present = top_with_generic(world)
        with pytest.raises(Conflict, match="customisation-exists"):
            register(region)

    def test_a_second_verification_changes_nothing_else(self, world: Any) -> None:
        """One that was verified before, and lost its verification by an edit, is the organisation's own already."""
        row = register(world.clinic)
        complete(row)
        verify_customisation(actor=SETUP, customisation_id=row.id)
        version = Organisation.objects.get(pk=world.clinic.pk).version
        CardCustomisation.objects.filter(pk=row.pk).update(verified_at=None)
        verify_customisation(actor=SETUP, customisation_id=row.id)
        assert Organisation.objects.get(pk=world.clinic.pk).version == version


class TestWhilePending:
    """Who makes, verifies and registers it finds it."""

    def test_the_supplier_puts_its_logotype_and_the_issuer_verifies_it(self, world: Any) -> None:
        row = register(world.clinic)
        digest = hashlib.sha256(LOGOTYPE).hexdigest()
        supplier_intake.put_logotype(
            client_ref="bureau", customisation_id=NUMBER, png=LOGOTYPE, sha256=digest, check=lambda _row: None
        )
        issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
        assert readiness.to_verify(actor=issuer) == 1
        assert query.customisation(actor=issuer, customisation_id=row.id).may_verify
        (waits,) = readiness.of_area(actor=issuer, area_id=world.area.id).pending
        assert (waits.id, waits.missing) == (row.id, ())
        holding = query.holding(actor=issuer, organisation_id=world.clinic.id)
        assert holding.pending is not None
        assert (holding.pending.id, holding.own) == (row.id, False)
        verify_customisation(actor=issuer, customisation_id=row.id)
        assert held(world.clinic) == (row.id, None)

    def test_an_issuer_of_another_area_does_not_see_it(self, world: Any) -> None:
        row = register(world.clinic)
        other = world.officer(role=Role.RESPONSIBLE_ISSUER, organisation=world.stranger)
        with pytest.raises(NotFound):
            query.customisation(actor=other, customisation_id=row.id)
        with pytest.raises(NotFound):
            verify_customisation(actor=other, customisation_id=row.id)

    def test_it_can_be_withdrawn_and_registered_again(self, world: Any) -> None:
        row = register(world.clinic)
        admin = world.officer(role=Role.MASTER_DATA_ADMIN)
        with pytest.raises(Conflict, match="no-pending-customisation"):
            withdraw_pending_customisation(actor=admin, organisation_id=world.clinic.id, seen=UUID(int=1))
        withdraw_pending_customisation(actor=admin, organisation_id=world.clinic.id, seen=row.id)
        assert held(world.clinic) == (None, None)
        event = Event.objects.get(action="customisation.given_up")
        assert event.facts == {"customisation_id": NUMBER, "organisation": str(world.clinic.id)}
        assert register(world.clinic).pk == row.pk

    def test_by_the_administration_alone(self, world: Any) -> None:
        register(world.clinic)
        for role in (Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER):
            with pytest.raises(Forbidden):
                withdraw_pending_customisation(actor=world.officer(role=role), organisation_id=world.clinic.id)

    def test_one_of_an_ended_organisation_passes_on(self, world: Any) -> None:
        place = world.organisation("Mottagning", "TST2321000016-1077", "2321000016", area=world.area, parent=world.clinic)
        row = register(place)
        end_organisation(actor=SETUP, organisation_id=place.id, reason="Nedlagd")
        assert register(world.clinic) == row
        assert (held(place), held(world.clinic)) == ((None, None), (None, row.id))


class TestTheWayBack:
    """A top organisation goes back to the generic one if that is ready."""

    def test_of_a_top_organisation(self, world: Any) -> None:
        present = generic()
        remove_customisation(actor=SETUP, organisation_id=world.region.id)
        assert held(world.region) == (present.id, None)
        assert order_checks.require_customisation(Organisation.objects.get(pk=world.region.pk)) == present

    @pytest.mark.parametrize("exists", [False, True])
    def test_not_while_the_generic_one_is_not_ready(self, world: Any, exists: bool) -> None:
        if exists:
            generic(verified=False)
        with pytest.raises(Conflict, match="generic-not-ready"):
            remove_customisation(actor=SETUP, organisation_id=world.region.id)
