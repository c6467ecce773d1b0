"""Every address of the portal is walked with every role, inside and outside its scope (S08, S09, S10)."""

import os
from functools import cache
from typing import Any

import pytest

from issuance.authz import Action, Role
from issuance.authz.roles import ALLOWED
from tests.access.matrix import ORDER, ROWS
from tests.access.row import PUBLIC, Key, Row
from tests.access.selection import selected
from tests.access.walker import (
    ANONYMOUS,
    PORTAL,
    Questions,
    addresses,
    bundles,
    expected,
    in_full,
    sees,
    walk,
    walk_all,
)
from tests.access.world import CALLERS, RELATIONS, Who

EIDAPP = "eidapp-"
NAMES = sorted(name for name in addresses(PORTAL) if not name.startswith((EIDAPP, "^api/eidapp")))
BUNDLES = bundles(ROWS)


@cache
def questions() -> dict[Key, Questions]:
    """Whom the walk asks about what: a selection, or with SITHS_LONG=1 everybody about everything."""
    return {row.key: in_full(row) for row in ROWS} if os.environ.get("SITHS_LONG") else selected()


def test_s08_every_address_has_a_row_and_every_row_an_address() -> None:
    assert sorted({row.name for row in ROWS}) == NAMES


def test_no_row_stands_twice() -> None:
    keys = [row.key for row in ROWS]
    assert len(keys) == len(set(keys))


def test_every_row_is_in_one_bundle() -> None:
    assert sorted(row.key for bundle in BUNDLES for row in bundle) == sorted(row.key for row in ROWS)
    assert all(len({row.target for row in bundle}) == 1 for bundle in BUNDLES)


def test_every_action_that_people_have_on_pages_is_walked() -> None:
    """What has no page of its own is named here, so that a new page of it is not forgotten."""
    without_page = {Action.ISSUE_RESERVE_CARD_LOA3}  # chosen on a page
    of_people = {action for actions in ALLOWED.values() for action in actions}
    assert {row.right for row in ROWS if isinstance(row.right, Action)} == of_people - without_page


@pytest.mark.soak
@pytest.mark.parametrize("rows", BUNDLES, ids=lambda rows: ", ".join(map(str, rows)))
def test_walk(access: Any, rows: tuple[Row, ...]) -> None:
    assert walk_all(rows, access, questions()) == []


class TestTheWalkerItself:
    """The rules of the walker are those of rules/issuance 1.1, 1.2, written down apart from the portal's own."""

    def test_scope_flows_downward_only(self) -> None:
        clerk, clerk_too = Who(Role.ID_ADMINISTRATOR), Who(Role.ID_ADMINISTRATOR, True)
        assert [place for place in RELATIONS if sees(clerk, place, Action.VIEW)] == ["inside", "child", "opened"]
        assert [place for place in RELATIONS if sees(clerk_too, place, Action.VIEW)] == ["inside", "child", "opened", "protected"]
        issuer = Who(Role.RESPONSIBLE_ISSUER)
        assert [place for place in RELATIONS if sees(issuer, place, Action.VIEW)] == [
            "inside",
            "parent",
            "child",
            "beside",
            "opened",
        ]
        everybody = Who(Role.GLOBAL_READER)
        assert [place for place in RELATIONS if not sees(everybody, place, Action.VIEW)] == ["protected", "unknown"]

    def test_an_extended_search_opens_what_may_be_seen_and_revoked(self) -> None:
        def opened(role: Role) -> list[Action]:
            return [
                action
                for action in (Action.VIEW, Action.REVOKE_EID, Action.VIEW_RECEIPT, ORDER)
                if sees(Who(role), "opened", action)
            ]

        assert opened(Role.ID_ADMINISTRATOR) == [Action.VIEW, Action.REVOKE_EID]
        assert opened(Role.READER) == opened(Role.RESERVE_CARD_ADMIN_LOA2) == []

    def test_the_expected_statuses(self) -> None:
        row = Row("x", "GET", Action.REVOKE_CARRIER, "active", ok=299)
        reader, clerk = Who(Role.READER), Who(Role.REVOKER)
        assert [expected(row, clerk, place) for place in ("inside", "child", "parent", "protected", "unknown")] == [
            299,
            299,
            404,
            404,
            404,
        ]
        assert [expected(row, reader, place) for place in ("inside", "parent", "unknown")] == [403, 404, 404]
        assert expected(row, ANONYMOUS, "inside") == 302
        assert expected(row, Who(None), "inside") == 403

    def test_every_role_is_walked_with_and_without_the_add_on(self) -> None:
        assert {(who.role, who.add_on) for who in CALLERS} == {(None, False)} | {
            (role, on) for role in Role for on in (True, False)
        }

    def test_a_wrong_row_is_found(self, access: Any) -> None:
        """The walk can fail: a page that is said to be more open, or less, than it is."""
        assert walk(Row("person_photo", "GET", Action.VIEW, "person"), access, [Who(Role.REVOKER)])
        assert walk(Row("person", "GET", Action.VIEW_INVOICE, "person"), access, [Who(Role.ID_ADMINISTRATOR)])
        assert walk(Row("settings", "GET", PUBLIC), access, [ANONYMOUS])
