"""The short walk leaves out no caller, place or kind of answer of the full one."""

from collections import defaultdict

import pytest

from issuance.authz import Action, Role
from issuance.authz.roles import ALLOWED
from tests.access.matrix import ROWS
from tests.access.row import Row
from tests.access.selection import opens_by_add_on, selected
from tests.access.walker import ANONYMOUS, Questions, expected, in_full, places
from tests.access.world import CALLERS, Who

WITH_ROLE = [who for who in CALLERS if who.role is not None]


def test_every_row_is_asked_by_every_role_and_by_those_who_have_none() -> None:
    for row in ROWS:
        assert {who.role for who in selected()[row.key] if who is not ANONYMOUS} == {None, *Role}, row
        assert ANONYMOUS in selected()[row.key], row


def test_every_address_where_the_add_on_tells_is_asked_by_every_caller() -> None:
    by_address: dict[str, set[Who | None]] = defaultdict(set)
    for row in ROWS:
        by_address[row.name] |= set(selected()[row.key])
    told = {row.name for row in ROWS if opens_by_add_on(row)}
    assert len(told) > 30
    assert all(by_address[name] == {ANONYMOUS, *CALLERS} for name in told)


def test_at_every_address_it_is_compared_what_who_has_no_role_gets() -> None:
    compared = {row.name for row in ROWS if len(selected()[row.key][Who(None)]) > 1}
    assert compared == {row.name for row in ROWS if "unknown" in places(row)}


@pytest.mark.parametrize("who", [ANONYMOUS, *CALLERS], ids=str)
def test_every_caller_is_asked_about_every_place(who: Who | None) -> None:
    everywhere = {place for row in ROWS for place in places(row)}
    assert {place for questions in selected().values() for place in questions.get(who, ())} == everywhere


Answer = tuple[str | None, int, bool]
"""A place, the status that is expected there, and whether the caller gets the same about what does not exist."""


def roles_by_answer(row: Row, questions: Questions) -> dict[Answer, set[Role]]:
    """Who is asked for each answer. What is as nothing counts where it is compared with nothing."""
    found: dict[Answer, set[Role]] = defaultdict(set)
    for who, asked in questions.items():
        for place in asked if who is not ANONYMOUS and who.role else ():
            status = expected(row, who, place)
            hidden = place != "unknown" and "unknown" in places(row) and status == expected(row, who, "unknown")
            if who.role and (not hidden or "unknown" in asked):
                found[place, status, hidden].add(who.role)
    return found


def acts(row: Row, role: Role) -> bool:
    return not isinstance(row.right, Action) or row.right in ALLOWED[role]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_each_place_gives_each_of_its_answers(row: Row) -> None:
    """To one that may do what the row does and to one that may only look, where there are such; what is hidden to two."""
    full = roles_by_answer(row, dict.fromkeys(WITH_ROLE, places(row)))
    short = roles_by_answer(row, selected()[row.key])
    assert set(short) == set(full)
    for answer, roles in full.items():
        seeing = {role for role in roles if acts(row, role) or Action.VIEW in ALLOWED[role]}
        *_, hidden = answer
        assert len(short[answer] & seeing) >= min(2 if hidden else 1, len(seeing)), answer
        assert {acts(row, role) for role in short[answer] & seeing} == {acts(row, role) for role in seeing}, answer


def test_it_is_a_third_of_the_full_walk() -> None:
    def count(questions: dict[object, Questions]) -> int:
        return sum(len(asked) for of_row in questions.values() for asked in of_row.values())

    assert count(dict(selected())) < count({row.key: in_full(row) for row in ROWS}) / 3
