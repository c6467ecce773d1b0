"""The transition tables, cell by cell, and what walks along them leave behind."""

import datetime as dt
import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from issuance.carriers.domain import eid_states
from issuance.carriers.domain.carrier_states import INVALID, CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import EidAction, EidState
from issuance.carriers.domain.kinds import CarrierKind, all_kinds
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain import items, order_states
from issuance.orders.services.ordering import eid_of_post
from issuance.records.models.events import Event
from issuance.records.models.stateful import Stateful
from issuance.records.services import steps
from issuance.suppliers.domain import EventOutcome, outcome_of
from siths_portal.lib import clock
from siths_portal.lib.errors import IllegalTransition
from tests.rewinding import undone

# A row a state, a column an action, in the order of the enumerations; `.` is refused. rules/issuance 4.2, 4.3.
ACTIONS = """
serial_bound produced sent received holder_bound code_set code_blocked code_reset activated revoked unlocked expired cancelled \
confirmed
"""
CARRIERS = {
    "ordinary_card": """
ordered ordered ordered sent . . . . . . revoked . . cancelled .
sent . . . . . activated_unsigned . . . revoked . . . .
in_stock . . . . . . . . . . . . . .
reserved . . . . . . . . . . . . . .
activated_unsigned . . . . . . activated_unsigned activated_unsigned active revoked . . . .
active . . . . . . . . . revoked active expired . .
revoked . . . . . . . . . . . . . .
expired . . . . . . . . . . . . . .
cancelled . . . . . . . . . . . . . .
""",
    "reserve_card": """
ordered ordered ordered sent . . . . . . revoked . . cancelled .
sent . . . in_stock . . . . . revoked . . . .
in_stock . . . . reserved . . . . revoked . . . .
reserved . . . . . activated_unsigned . . . revoked . . . .
activated_unsigned . . . . . . activated_unsigned activated_unsigned active revoked . . . .
active . . . . reserved . . . . revoked . expired . .
revoked . . . . . . . . . . . . . .
expired . . . . . . . . . . . . . .
cancelled . . . . . . . . . . . . . .
""",
    "mobile_eid": """
ordered . . . . . activated_unsigned . . . revoked . . cancelled .
sent . . . . . . . . . . . . . .
in_stock . . . . . . . . . . . . . .
reserved . . . . . . . . . . . . . .
activated_unsigned . . . . . . . . . revoked . . . active
active . . . . . . . . . revoked . expired . .
revoked . . . . . . . . . . . . . .
expired . . . . . . . . . . . . . .
cancelled . . . . . . . . . . . . . .
""",
    "test_card": """
ordered ordered ordered active . . . . . . revoked . . cancelled .
sent . . . . . . . . . . . . . .
in_stock . . . . . . . . . . . . . .
reserved . . . . . . . . . . . . . .
activated_unsigned . . . . . . . . . . . . . .
active . . . . . . . . . revoked . expired . .
revoked . . . . . . . . . . . . . .
expired . . . . . . . . . . . . . .
cancelled . . . . . . . . . . . . . .
""",
}
"""By kind, without the first line, which is `ACTIONS` for all."""

EID = """
            certificates_planned activated revoked expired cancelled
ordered     ordered              active    revoked .       cancelled
active      .                    .         revoked expired .
revoked     .                    .         .       .       .
expired     .                    .         .       .       .
cancelled   .                    .         .       .       .
"""
ORDER = """
            accepted production_started produced sent failed returned remade   cancelled
queued      accepted .                  .        .    .      .        .        cancelled
accepted    .        in_production      .        .    failed .        accepted .
in_production .      .                  produced .    failed .        accepted .
produced    .        .                  .        sent failed .        accepted .
sent        .        .                  .        .    .      returned queued   .
failed      .        .                  .        .    .      .        .        .
returned    .        .                  .        .    .      .        queued   .
cancelled   .        .                  .        .    .      .        .        .
"""


ITEM = """
              production_started produced sent failed remade returned cancelled
waiting       in_production      .        .    failed .      .        cancelled
in_production .                  produced .    failed remade .        .
produced      .                  .        sent failed remade .        .
sent          .                  .        .    .      .      returned .
failed        .                  .        .    .      .      .        .
remade        .                  .        .    .      .      .        .
returned      .                  .        .    .      .      .        .
cancelled     .                  .        .    .      .      .        .
"""


def cells(matrix: str) -> dict[tuple[str, str], str]:
    head, *rows = [line.split() for line in matrix.splitlines() if line]
    return {(row[0], action): cell for row in rows for action, cell in zip(head, row[1:], strict=True)}


@pytest.mark.parametrize(
    ("matrix", "table", "states", "actions"),
    [
        *((ACTIONS + CARRIERS[kind.code], kind.transitions, CarrierState, CarrierAction) for kind in all_kinds()),
        (EID, eid_states.TRANSITIONS, EidState, EidAction),
        (ORDER, order_states.TRANSITIONS, order_states.OrderState, order_states.OrderAction),
        (ITEM, items.TRANSITIONS, items.ItemState, items.ItemAction),
    ],
)
def test_every_cell_of_the_table(matrix: str, table: Any, states: type[StrEnum], actions: type[StrEnum]) -> None:
    wanted = cells(matrix)
    assert set(wanted) == {(state.value, action.value) for state in states for action in actions}
    assert {(state, action): table.get((states(state), actions(action)), ".") for state, action in wanted} == wanted


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        # waiting, in_production, produced, sent, returned, failed
        ("produced", "parked applied noted noted noted noted"),
        ("sent", "parked parked applied noted noted noted"),
        ("returned", "parked parked parked applied noted noted"),
        ("failed", "applied applied applied noted noted noted"),
    ],
)
def test_what_a_report_leads_to_in_each_state(kind: str, wanted: str) -> None:
    states = [items.ItemState(name) for name in ["waiting", "in_production", "produced", "sent", "returned", "failed"]]
    assert [outcome_of(kind, state) for state in states] == [EventOutcome(name) for name in wanted.split()]


@pytest.mark.parametrize(
    ("state", "of_items", "actions"),
    [
        ("queued", "waiting", ""),
        ("accepted", "waiting in_production", ""),
        ("accepted", "in_production produced sent", "production_started"),
        ("in_production", "in_production failed", ""),
        ("accepted", "sent failed", "production_started produced sent"),
        ("produced", "produced returned", ""),
        ("sent", "sent returned failed", ""),
        ("sent", "returned failed", "returned"),
        ("in_production", "failed", "failed"),
        ("accepted", "failed remade", ""),
        ("accepted", "returned failed", "production_started produced sent returned"),
    ],
)
def test_an_order_is_where_all_its_items_are(state: str, of_items: str, actions: str) -> None:
    found = items.actions_of_order(order_states.OrderState(state), [items.ItemState(item) for item in of_items.split()])
    assert found == [order_states.OrderAction(action) for action in actions.split()]
    for action in found:
        state = order_states.TRANSITIONS[order_states.OrderState(state), action]


def carrier_in(world: Any, state: CarrierState, kind: str = "ordinary_card", post: Any = None) -> Carrier:
    """A carrier that is put into a state without a history."""
    now = clock.now()
    post = post or world.post()
    carrier = Carrier(
        kind=kind, origin="migrated", person=post.person, organisation=post.organisation, article_id="631", state=state.value,
        valid_from=now, valid_to=now + dt.timedelta(days=1000), created_at=now,
    )  # fmt: skip
    steps.begin([carrier], "migrated", actor_ref="system:migration", facts={})
    return carrier


def eid_in(carrier: Carrier, post: Any, state: EidState) -> Eid:
    """An eID that is put into a state without a history."""
    eid = eid_of_post(post, carrier)
    eid.state, eid.created_at, eid.activated_at = state.value, carrier.created_at, carrier.created_at
    eid.valid_from, eid.valid_to = carrier.valid_from, carrier.valid_to
    steps.begin([eid], "ordered", actor_ref="system:migration", facts={})
    return eid


def require_step(row: Stateful, action: StrEnum, wanted: StrEnum | None) -> None:
    """The step leads where the table says, with one event, or is refused and changes nothing."""
    name, state = type(row).subject, row.state
    with undone():
        if wanted is None:
            with pytest.raises(IllegalTransition) as refused:
                steps.step([row], action, actor_ref="system:setup")
            assert refused.value.code == f"{name}-{state.replace('_', '-')}"
        else:
            steps.step([row], action, actor_ref="system:setup", facts={"why": "test"})
        stored = type(row).objects.get(pk=row.pk)
        events = Event.objects.filter(subject_type=name, subject_ref=str(row.pk)).order_by("subject_seq")
        assert stored.state == (wanted or state)
        assert stored.seq == len(events) == (2 if wanted else 1)
        if wanted:
            assert events[1].action == f"{name}.{action.value}"
            assert events[1].facts == {"from": state, "to": wanted.value, "why": "test"}


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.code) for kind in all_kinds()])
def test_a_step_follows_the_table_or_changes_nothing(world: Any, kind: CarrierKind) -> None:
    post = world.post()
    for state in CarrierState:
        pk = carrier_in(world, state, kind.code, post).pk
        for action in CarrierAction:
            require_step(Carrier.objects.get(pk=pk), action, kind.transitions.get((state, action)))


def test_a_step_of_an_eid_follows_the_table_or_changes_nothing(world: Any) -> None:
    post = world.post()
    carrier = carrier_in(world, CarrierState.ACTIVE, post=post)
    for state in EidState:
        pk = eid_in(carrier, post, state).pk
        for action in EidAction:
            require_step(Eid.objects.get(pk=pk), action, eid_states.TRANSITIONS.get((state, action)))


def test_all_rows_of_a_step_move_or_none(world: Any) -> None:
    ready, done = carrier_in(world, CarrierState.ACTIVE), carrier_in(world, CarrierState.EXPIRED)
    with pytest.raises(IllegalTransition):
        steps.step([ready, done], CarrierAction.REVOKE, actor_ref="system:setup")
    assert {row.state for row in Carrier.objects.all()} == {"active", "expired"}
    assert Event.objects.filter(action="carrier.revoked").count() == 0


@given(kind=st.sampled_from(list(all_kinds())), walk=st.lists(st.sampled_from(list(CarrierAction)), max_size=12))
def test_any_walk_leaves_seq_equal_to_the_number_of_events(kind: CarrierKind, walk: list[CarrierAction]) -> None:
    """Without a database: the table and the counting rule alone, as `step` applies them."""
    state, seq = CarrierState.ORDERED, 1
    events = ["ordered"]
    for action in walk:
        if (state, action) in kind.transitions:
            state = kind.transitions[state, action]
            seq += 1
            events.append(action.value)
    assert seq == len(events)
    assert (state in INVALID) <= (seq >= 2)


def test_a_state_cannot_be_set_past_the_steps(world: Any) -> None:
    carrier = carrier_in(world, CarrierState.ACTIVE)
    carrier.state = CarrierState.ORDERED.value
    with pytest.raises(RuntimeError, match="only by a step"):
        carrier.save()
    loaded = Carrier.objects.get(pk=carrier.pk)
    loaded.state = CarrierState.REVOKED.value
    with pytest.raises(RuntimeError, match="only by a step"):
        loaded.save(update_fields=["state"])
    assert Carrier.objects.get(pk=carrier.pk).state == "active"


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"state": "lost"}, "issuance_carrier_state"),
        ({"origin": "portal"}, "issuance_active_has_receipt"),
        ({"valid_to": dt.datetime(2100, 1, 1, tzinfo=dt.UTC)}, "issuance_carrier_five_years"),
        ({"card_serial": "123"}, "issuance_serial_19_digits"),
        ({"kind": "ring"}, "issuance_carrier_kind"),
    ],
)
def test_the_database_refuses_what_must_never_be(world: Any, change: dict[str, Any], constraint: str) -> None:
    carrier = carrier_in(world, CarrierState.ACTIVE)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Carrier.objects.filter(pk=carrier.pk).update(**change)


def test_a_serial_has_one_carrier_and_a_step_one_event(world: Any) -> None:
    one, other = carrier_in(world, CarrierState.ACTIVE), carrier_in(world, CarrierState.ACTIVE)
    Carrier.objects.filter(pk=one.pk).update(card_serial="9752" + "0" * 15)
    with pytest.raises(IntegrityError, match="one_carrier_per_serial"), transaction.atomic():
        Carrier.objects.filter(pk=other.pk).update(card_serial="9752" + "0" * 15)
    with pytest.raises(IntegrityError, match="issuance_event_one_per_step"), transaction.atomic():
        Event.record(
            actor_ref="system:setup", action="carrier.sent", subject_type="carrier", subject_ref=str(one.pk), subject_seq=1
        )


def test_nothing_but_the_steps_writes_a_state() -> None:
    """`update` and `bulk_update` pass by `save`, so the source is searched for them.

    Requests and deliveries have states of another kind.
    """
    root = Path(__file__).parents[3] / "issuance"
    writers = re.compile(r"""update\([^)]*\bstate=|update_fields=\[[^\]]*"state"|bulk_update\(""")
    found = {path.name for path in root.rglob("*.py") if writers.search(path.read_text())}
    assert found - {"revocation_limit.py", "role_requests.py", "sending.py"} == {"steps.py"}
