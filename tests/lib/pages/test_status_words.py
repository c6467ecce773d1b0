"""The words for states: they agree with their noun, and one table has them."""

import pytest

from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import all_kinds
from issuance.orders.domain.eid_order_states import EidOrderState
from issuance.records.queries.event_words import facts_of
from siths_portal.lib.pages.status_words import WORDS, Noun, word
from siths_portal.templatetags.portal import genitive, status_of, tag_text


def test_each_state_has_a_word() -> None:
    of_carriers = {str(state) for kind in all_kinds() for (state, _action) in kind.transitions}
    assert of_carriers <= set(WORDS[Noun.CARD])
    assert {state.value for state in EidState} <= set(WORDS[Noun.EID])
    assert {state.value for state in EidOrderState} == set(WORDS[Noun.ORDER])


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("eid", ["Beställt", "Aktivt", "Spärrat", "Utgånget", "Avbrutet"]),
        ("order", ["Beställd", "", "", "Utgången", "Avbruten"]),
        ("card", ["Beställd", "Aktiv", "Spärrat", "Utgånget", "Avbrutet"]),
    ],
)
def test_words_agree_with_their_noun_and_a_card_keeps_its_known_labels(noun: str, expected: list[str]) -> None:
    states = ["ordered", "active", "revoked", "expired", "cancelled"]
    assert [status_of(state, noun) for state in states] == expected
    if noun == Noun.CARD:
        assert [tag_text(state) for state in states] == expected, "the usual text of a tag is that of a card"


def test_a_state_of_others_has_no_word() -> None:
    assert (word(Noun.CARD, "running"), tag_text("running")) == ("", "")


def test_a_history_shows_a_change_of_state_in_words_or_not_at_all() -> None:
    assert facts_of({"from": "sent", "to": "active"}) == (("Status", "Skickat → Aktivt"),)
    assert facts_of({"from": "sent", "to": "returned"}) == (), "the event says that it came back"


@pytest.mark.parametrize(("name", "whose"), [("Elin", "Elins"), ("Alexis", "Alexis"), ("Max", "Max"), ("LUIZ", "LUIZ")])
def test_a_name_has_its_genitive(name: str, whose: str) -> None:
    assert genitive(name) == whose
