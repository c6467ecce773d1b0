"""The checker finds a planted loss and a planted double, in lists and in rows of the database."""

import pytest

from authn.models import Event
from tests.faults.tally import PROPERTY, Difference, Tally, compare


@pytest.fixture
def recorded() -> list[tuple[str, object]]:
    return []


@pytest.fixture
def own(recorded: list[tuple[str, object]]) -> Tally:
    """A tally whose runs do not count in the table: its losses are planted."""
    return Tally(recorded.append)


@pytest.mark.parametrize(
    ("found", "losses", "doubles"),
    [
        (["a", "b", "b"], (), ()),
        (["b", "a", "b"], (), ()),
        (["b", "b"], ("a",), ()),
        (["a", "b"], ("b",), ()),
        (["a", "a", "b", "b"], (), ("a",)),
        (["a", "b", "b", "stranger"], (), ("stranger",)),
        (["b", "b", "b"], ("a",), ("b",)),
        ([], ("a", "b", "b"), ()),
    ],
)
def test_each_loss_and_double_is_found(found: list[str], losses: tuple[str, ...], doubles: tuple[str, ...]) -> None:
    assert compare(["a", "b", "b"], found) == Difference(losses, doubles)


def test_the_keys_of_a_mapping_are_its_entries() -> None:
    assert compare(["a", "b"], {"a": 2, "c": 0}) == Difference(("b",), ("c",))


def test_a_loss_or_a_double_is_recorded_and_fails_the_test(own: Tally, recorded: list[tuple[str, object]]) -> None:
    own.run("ab", "ba")
    with pytest.raises(AssertionError, match=r"letters: lost \('b',\), doubled \(\)"):
        own.run("ab", "a", "letters")
    with pytest.raises(AssertionError, match=r"lost \(\), doubled \('a',\)"):
        own.run("ab", "aba")
    assert recorded == [(PROPERTY, (0, 0)), (PROPERTY, (1, 0)), (PROPERTY, (0, 1))]


def test_a_run_that_expects_nothing_is_none(own: Tally, recorded: list[tuple[str, object]]) -> None:
    with pytest.raises(ValueError, match="proves nothing"):
        own.run([], [])
    assert recorded == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("planted", "word"), [("", "lost"), ("double", "doubled")])
def test_a_planted_row_is_found(own: Tally, planted: str, word: str) -> None:
    """One of three events is not written, or is written twice."""
    wanted = ["1", "2", "3"]
    written = [*wanted, "2"] if planted else ["1", "3"]
    for subject in written:
        Event.record(actor_ref="system:test", action="test.planted", subject_type="test", subject_ref=subject)
    with pytest.raises(AssertionError, match=rf"{word} \('2',\)"):
        own.run(wanted, Event.objects.filter(action="test.planted").values_list("subject_ref", flat=True), "events")


def test_the_fixture_reports_to_the_table(request: pytest.FixtureRequest, tally: Tally) -> None:
    tally.run("a", "a")
    assert request.node.user_properties == [(PROPERTY, (0, 0))]
