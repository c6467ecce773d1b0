"""States of carriers, eIDs and orders are compared with the events of their steps."""

from typing import Any

from issuance.housekeeping.services.state_integrity import verify_states
from siths_portal.wiring import verifying
from tests import superuser
from tests.issuance.activated import sent_card


def test_a_state_that_no_step_made_is_found(world: Any, demo_pki: Any) -> None:
    made, other = sent_card(world), world.order()
    eid_id = other.eid_id
    before = verify_states()
    assert (before.wrong, before.checked) == ((), 8)
    with superuser.cursor() as cursor:
        cursor.execute("UPDATE issuance_carrier SET state = 'ordered' WHERE id = %s", [str(made.carrier.pk)])
        cursor.execute("UPDATE issuance_cardorder SET seq = seq + 1 WHERE id = %s", [str(made.order.pk)])
        cursor.execute("UPDATE issuance_orderitem SET state = 'waiting' WHERE order_id = %s", [str(made.order.pk)])
        cursor.execute("DELETE FROM issuance_eid WHERE carrier_id = %s", [str(other.carrier_id)])
    assert verify_states().wrong == (
        f"kort {made.carrier.pk} är ordered och enligt händelserna sent",
        f"e-legitimation {eid_id} finns i händelserna men inte i tabellen",
        f"beställning {made.order.pk} är sent och enligt händelserna sent",
        f"del av beställning {made.order.card.pk} är waiting och enligt händelserna sent",
    )
    (walk,) = [each for each in verifying.WALKS if each.name == "states"]
    assert walk.compare().text.startswith("FEL: kort")
