"""Every act on a carrier of each kind in each situation of its life: it leads where the declarations say, or is refused and
changes nothing. Each cell is tried by the real service on the real rows, and rolled back.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from issuance.carriers.domain.carrier_states import INVALID, CarrierState
from issuance.carriers.domain.kinds import CarrierKind, all_kinds
from issuance.people.services.people import person_id_of
from tests.issuance.carriers import making
from tests.issuance.carriers.acts import ACTS
from tests.issuance.carriers.situations import LIVES
from tests.issuance.carriers.trying import fault, standing
from tests.rewinding import undone

pytestmark = pytest.mark.usefixtures("demo_pki")


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.code) for kind in all_kinds()])
def test_every_act_in_every_situation(world: Any, demo_pki: Any, settings: Any, tmp_path: Path, kind: CarrierKind) -> None:
    making.prepare_all_kinds(world, demo_pki, settings, tmp_path)
    post = world.post()
    further = world.post(world.clinic, person_id=person_id_of(post.person_id))
    making.book(post, settings)
    wrong, cells, states = list[str](), 0, set[CarrierState]()
    for found in LIVES[kind.code](world, post, further):
        card = replace(found)
        assert card.kind is kind
        states.add(CarrierState(card.carrier.state))
        before = standing()
        for act in ACTS:
            if (wanted := act.expect(card)) is None:
                continue
            cells += 1
            with undone():
                if what := fault(card, act, wanted, before):
                    wrong.append(f"{card.name} ({card.carrier.state}): {act.name}: {what}")
    print(f"{kind.code}: {cells} cells")
    assert not wrong, "\n".join(wrong)
    assert states == {CarrierState.ORDERED, *kind.transitions.values()}
    assert states >= INVALID
