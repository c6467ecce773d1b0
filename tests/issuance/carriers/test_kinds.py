"""Kinds of carriers: what the declarations promise, and a further kind that needs no change elsewhere."""

from pathlib import Path

import pytest
from django.conf import settings

from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import INVALID, CarrierState
from issuance.carriers.domain.described import document
from pki.domain.profiles import PROFILES

KINDS = [pytest.param(kind, id=kind.code) for kind in kinds.all_kinds()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_but_the_final_ones_leads_on(kind: kinds.CarrierKind) -> None:
    reached = {CarrierState.ORDERED, *kind.transitions.values()}
    assert {state for state, _action in kind.transitions} == reached - INVALID
    assert all(
        kinds.CarrierAction.REVOKE in {action for state, action in kind.transitions if state is each}
        for each in reached - INVALID
    )


@pytest.mark.parametrize("kind", KINDS)
def test_functions_and_holders_are_of_states_that_the_kind_has(kind: kinds.CarrierKind) -> None:
    living = {state for state, _action in kind.transitions}
    assert kind.unbound <= living
    assert all(set(rule.waits or {}) | set(rule.labels or {}) <= rule.states for rule in (kind.functions or {}).values())


@pytest.mark.parametrize("kind", KINDS)
def test_profiles_and_settings_exist(kind: kinds.CarrierKind) -> None:
    assert set(kind.profiles()) <= set(PROFILES)
    assert all(isinstance(getattr(settings, name), int) for name in (kind.carrier_years, kind.eid_years))


def test_the_document_is_as_declared() -> None:
    committed = Path(settings.BASE_DIR, "docs", "carrier-kinds.md").read_text()
    assert committed == document(), "manage.py issuance_carrier_kinds > docs/carrier-kinds.md"
