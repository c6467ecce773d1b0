"""`GET changes`: what a supplier reads on the wire, and what the simulator does about it."""

from pathlib import Path

import pytest

from tests.issuance.suppliers.api.test_clients import code
from tests.issuance.suppliers.api.test_orders import accept
from tests.issuance.suppliers.api.test_walk import Bureau
from tests.issuance.suppliers.api.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_changes_are_read_on_from_the_last_one(world: World, a, b) -> None:
    from issuance.orders.services import ordering

    orders = [world.order(number) for number in range(3)]
    for order in orders:
        ordering.cancel_order(actor=world.clerk, order_id=order)
    first = a("GET", "changes?limit=2").json()
    assert [change["order"] for change in first["changes"]] == orders[:2]
    change = first["changes"][0]
    assert change == change | {"kind": "cancelled", "item": None, "customisation": None, "reason": "withdrawn"}
    rest = a("GET", f"changes?after={first['next']}")
    assert [change["order"] for change in rest.json()["changes"]] == orders[2:]
    assert rest.json()["next"] is None
    again = a("GET", f"changes?after={first['next']}", headers={"If-None-Match": rest.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert b("GET", "changes").json() == {"changes": [], "next": None}
    theirs = b("GET", f"changes?after={first['next']}")
    assert (theirs.status_code, code(theirs)) == (422, "change-unknown")


def test_a_wrong_query_is_422(a, subtests: pytest.Subtests) -> None:
    """One client sends all queries, since a read changes nothing."""
    for query in ("after=-1", "after=x", "after=9223372036854775808", "limit=0", "limit=201", "after=%00"):
        with subtests.test(query=query):
            response = a("GET", f"changes?{query}")
            assert (response.status_code, code(response)) == (422, "invalid")
            assert response.json()["invalid-parameters"][0]["name"] == query.split("=")[0]


def test_a_changed_customisation_is_named_by_its_ten_digits(world: World, a) -> None:
    from issuance.customisations.services.customisations import CustomisationData, edit_customisation
    from tests.issuance.world import SETUP

    row = world.customisation
    data = CustomisationData(row.name, row.issuer_number, "Ny baksida", row.supplier_ref)
    edit_customisation(actor=SETUP, customisation_id=row.pk, version=row.version, data=data)
    (change,) = a("GET", "changes").json()["changes"]
    assert change == change | {
        "kind": "customisation_changed", "order": None, "item": None, "customisation": "7837803902", "reason": "print-changed"
    }  # fmt: skip


def test_the_simulator_fails_a_revoked_card_and_leaves_a_withdrawn_order(world: World, stage, a, tmp_path: Path) -> None:
    from issuance.orders.models.orders import CardOrder
    from issuance.orders.services import ordering
    from issuance.revocation.services import revocation
    from siths_portal.simulators.supplier_records import Job, Records

    revoked, withdrawn = world.order(1), world.order(2)
    accept(a, revoked)
    bureau = Bureau(stage, tmp_path)
    records = Records(tmp_path / "supplier")
    records.save(Job(revoked, step="accepted"))
    records.save(Job(withdrawn))
    revocation.revoke_carrier(actor=world.clerk, carrier_id=CardOrder.objects.get(pk=revoked).carrier_id, reason="replaced")
    ordering.cancel_order(actor=world.clerk, order_id=withdrawn)
    done = bureau.once()
    assert f"order {revoked}: stopped\n" in done.stdout, done.stdout + done.stderr
    assert CardOrder.objects.get(pk=revoked).state == "failed"
    assert {job.order_id: job.stopped_by for job in records.all()} == {revoked: "card-revoked", withdrawn: "withdrawn"}
    assert bureau.once().stdout == ""
