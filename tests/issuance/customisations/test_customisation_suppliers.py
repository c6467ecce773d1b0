"""Every card customisation has a supplier: what the migration does with older rows, and how one without is repaired."""

import importlib
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from authn.models import ServiceClient
from issuance.administration.queries import readiness
from issuance.authz import Role
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import CustomisationData, edit_customisation, missing, register_customisation
from issuance.orders.models.orders import CardOrder
from issuance.records.models.events import Event
from issuance.suppliers.services import supplier_intake
from siths_portal.lib.errors import Conflict, Invalid
from tests import superuser
from tests.issuance.world import SETUP

migration = importlib.import_module("issuance.migrations.0034_suppliers_of_customisations")
CONSTRAINT = "issuance_customisation_supplier"


def orphan(cursor: Any) -> None:
    """Makes customisations and their orders what they were before a supplier was required."""
    cursor.execute(f"ALTER TABLE issuance_cardcustomisation DROP CONSTRAINT {CONSTRAINT}")
    cursor.execute("UPDATE issuance_cardcustomisation SET supplier_ref = ''")
    cursor.execute("UPDATE issuance_cardorder SET supplier_ref = '' WHERE state IN ('queued', 'cancelled')")


@pytest.fixture
def without_supplier(world: Any) -> Iterator[CardOrder]:
    """A queued order by a customisation that the migration could give no supplier; the constraint is not valid yet."""
    order = world.order()
    with superuser.cursor() as cursor:
        orphan(cursor)
        cursor.execute(f"ALTER TABLE issuance_cardcustomisation ADD CONSTRAINT {CONSTRAINT} CHECK (supplier_ref <> '') NOT VALID")
    yield order
    with superuser.cursor() as cursor:
        cursor.execute("UPDATE issuance_cardcustomisation SET supplier_ref = 'bureau'")
        cursor.execute(f"ALTER TABLE issuance_cardcustomisation VALIDATE CONSTRAINT {CONSTRAINT}")


def data(row: CardCustomisation, supplier_ref: str) -> CustomisationData:
    return CustomisationData(row.name, row.issuer_number, row.back_text, supplier_ref)


def test_one_without_a_supplier_stops_orders_until_it_has_one(world: Any, without_supplier: CardOrder) -> None:
    ServiceClient.objects.create(client_ref="press", kind="supplier", name="Tryckeriet")
    row = without_supplier.customisation
    row.refresh_from_db()
    assert missing(row) == ("supplier",)
    admin = world.officer(role=Role.MASTER_DATA_ADMIN)
    lacks = readiness.of_area(actor=admin, area_id=world.area.id)
    assert {one.missing for one in lacks.unready} == {("supplier",)}
    with pytest.raises(Conflict, match="customisation-without-supplier"):
        world.order()
    assert supplier_intake.queued_orders(client_ref="press") == []
    with pytest.raises(Invalid) as refused:
        edit_customisation(actor=admin, customisation_id=row.id, version=row.version, data=data(row, ""))
    assert list(refused.value.fields) == ["supplier_ref"]
    edit_customisation(actor=admin, customisation_id=row.id, version=row.version, data=data(row, "press"))
    assert supplier_intake.queued_orders(client_ref="press") == [without_supplier]
    assert world.order().supplier_ref == "press"


@pytest.mark.parametrize("suppliers", [["press"], ["press", "bureau"], []])
def test_the_migration_assigns_the_only_supplier(world: Any, suppliers: list[str]) -> None:
    order = world.order()
    for ref in suppliers:
        ServiceClient.objects.create(client_ref=ref, kind="supplier", name=ref)
    ServiceClient.objects.create(client_ref="gone", kind="supplier", name="Borta", active=False)
    ServiceClient.objects.create(client_ref="service", kind="service", name="Tjänst")
    before = Event.objects.count()
    with superuser.cursor() as cursor:
        orphan(cursor)
        for statement in (migration.ASSIGN, migration.ORDERS):
            cursor.execute(statement)
        cursor.execute(
            "SELECT customisation.supplier_ref, card_order.supplier_ref FROM issuance_cardorder AS card_order"
            " JOIN issuance_cardcustomisation AS customisation ON customisation.id = card_order.customisation_id"
        )
        assigned = "press" if suppliers == ["press"] else ""
        assert cursor.fetchall() == [(assigned, assigned)]
        cursor.execute("SELECT facts -> 'after' ->> 'supplier_ref' FROM issuance_event WHERE actor_ref = 'system:setup' "
                       "AND action = 'customisation.changed' ORDER BY id DESC LIMIT 1")  # fmt: skip
        assert bool(assigned) == (cursor.fetchone() == (assigned,))
        cursor.connection.rollback()
    assert (CardOrder.objects.get().supplier_ref, Event.objects.count()) == (order.supplier_ref, before)


def test_a_new_one_has_a_supplier_in_the_service_and_in_the_database(world: Any) -> None:
    with pytest.raises(Invalid) as refused:
        register_customisation(
            actor=SETUP, organisation_id=world.clinic.id, customisation_id="1234567890", name="Egen", issuer_number="",
            back_text="", supplier_ref="",
        )  # fmt: skip
    assert refused.value.fields == {"supplier_ref": ["Välj kortleverantör."]}
    with superuser.cursor() as cursor, pytest.raises(psycopg2.errors.CheckViolation, match=CONSTRAINT):
        cursor.execute("UPDATE issuance_cardcustomisation SET supplier_ref = ''")
