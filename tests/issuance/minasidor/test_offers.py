"""What each log-in on Mina sidor is offered, as one table (rules/issuance 10.2)."""

import pytest

from issuance.minasidor.domain import OFFERED, Means, MyFunction, means_of, offers
from siths_portal.lib.assurance import TRANSPORT_ACR, Level, level_of
from siths_portal.simulators import idp_people

PERSONS = frozenset(Means) - {Means.CARD}


def test_every_function_says_to_whom_it_is_offered() -> None:
    assert set(OFFERED) == set(MyFunction)
    assert not offers("", MyFunction.LIST)


def test_every_log_in_of_a_person_lists_and_revokes_what_is_theirs() -> None:
    assert OFFERED[MyFunction.LIST] == OFFERED[MyFunction.REVOKE] == PERSONS


def test_a_card_that_names_nobody_is_offered_nothing_of_a_person() -> None:
    assert {each for each in MyFunction if offers(Means.CARD, each)} == {
        MyFunction.FETCH_NEW, MyFunction.DELETE_FROM_CARD, MyFunction.TEST, MyFunction.ACTIVATE_RESERVE_CARD, MyFunction.OWN_CARD,
    }  # fmt: skip


@pytest.mark.parametrize("means", [Means.RESERVE_LOA3, Means.LOA2])
def test_a_new_eid_needs_an_ordinary_card_on_level_3_or_the_card_itself(means: Means) -> None:
    assert not offers(means, MyFunction.FETCH_NEW)
    assert offers(means, MyFunction.MOBILE) is (means is Means.RESERVE_LOA3)


@pytest.mark.parametrize(
    ("level", "kind", "means"),
    [
        (Level.LOA3, "ordinary_card", Means.LOA3),
        (Level.LOA3, "mobile_eid", Means.LOA3),
        (Level.LOA3, "", Means.LOA3),
        (Level.LOA3, "reserve_card", Means.RESERVE_LOA3),
        (Level.LOA2, "ordinary_card", Means.LOA2),
        (Level.LOA2, "", Means.LOA2),
        (Level.CARD, "reserve_card", Means.CARD),
    ],
)
def test_means_are_what_was_logged_in_with(level: Level, kind: str, means: Means) -> None:
    assert means_of(level, kind) is means


def test_an_unknown_acr_has_no_level_and_the_simulator_speaks_ours() -> None:
    assert [level_of(acr) for acr in ("http://id.swedenconnect.se/loa/1.0/uncertified-loa3", "", None, 3)] == [None] * 4
    assert idp_people.TRANSPORT_ACR == TRANSPORT_ACR
