"""Kinds of carriers: what the declarations promise, and a further kind that needs no change elsewhere."""

import dataclasses
from pathlib import Path

import pytest
from django.conf import settings

from issuance.articles.services.articles import WITHOUT_PHOTO
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import INVALID, CarrierState
from issuance.carriers.domain.described import document
from pki.domain.policies import PERSONS
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


@pytest.mark.parametrize("kind", KINDS)
def test_each_certificate_has_a_ca_that_may_issue_it_with_a_policy_of_the_level(kind: kinds.CarrierKind) -> None:
    for profile in map(PROFILES.__getitem__, kind.profiles()):
        for level in kind.assurance_levels:
            ca = kind.ca_of(profile.name, level)
            assert ca in profile.issuers
            stated = {row.level for row in profile.policy_table if row.issuer == ca}
            assert stated == ({str(level)} if profile.subject_kind in PERSONS else {""})


def test_a_kind_without_a_ca_for_one_of_its_levels_is_refused() -> None:
    with pytest.raises(ValueError, match="mobile-auth needs one CA"):
        dataclasses.replace(kinds.MOBILE_EID, assurance_levels=frozenset({2, 3}))


def test_articles_without_photo_are_those_of_the_generic_look() -> None:
    assert {article for kind in kinds.all_kinds() if kind.generic_look for article in kind.article_kinds} == WITHOUT_PHOTO


def test_the_document_is_as_declared() -> None:
    committed = Path(settings.BASE_DIR, "docs", "carrier-kinds.md").read_text()
    assert committed == document(), "manage.py issuance_carrier_kinds > docs/carrier-kinds.md"
