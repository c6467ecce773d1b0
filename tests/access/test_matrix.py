"""Every address of the portal is walked with every role, inside and outside its scope (S08, S09, S10)."""

import os
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse

from issuance.authz import Action, Role
from issuance.authz.roles import ALLOWED
from siths_portal.lib import clock
from tests import pressing
from tests.access import form_pages
from tests.access.asking import Browser, statements, untold
from tests.access.form_pages import parsed
from tests.access.matrix import ORDER, ROWS
from tests.access.row import METHODS, PUBLIC, Row
from tests.access.selection import select
from tests.access.walker import (
    ANONYMOUS,
    PORTAL,
    addresses,
    arguments_of,
    ask,
    bundles,
    expected,
    in_full,
    relations,
    sees,
    walk,
    walk_all,
    written,
)
from tests.access.world import CALLERS, RELATIONS, AccessWorld, Who, undone

EIDAPP = "eidapp-"
NAMES = sorted(name for name in addresses(PORTAL) if not name.startswith((EIDAPP, "^api/eidapp")))
BUNDLES = bundles(ROWS)
QUESTIONS = {row.key: in_full(row) for row in ROWS} if os.environ.get("SITHS_LONG") else select(BUNDLES)
"""Whom the walk asks about what: a selection, or with SITHS_LONG=1 everybody about everything."""
LEAST = Who(Role.RESPONSIBLE_ISSUER, True)
FORMS = list({row.name: row for row in reversed(ROWS) if row.method == "POST" and row.name != "csp_report"}.values())
"""One row for each address that takes a form."""
PARAMETERS = (
    "alla", "avslutade", "barare", "bestallning", "efter", "fler", "fore", "fortsatt", "fran", "inom", "katalog", "kontor",
    "kund", "lage", "leverans", "manad", "next", "ogiltiga", "ordning", "organisation", "roll", "sedan", "sekretess",
    "skickat", "slag", "sokning", "som", "status", "under", "utfardare", "visa",
)  # fmt: skip
"""What pages read of an address's query."""


def test_s08_every_address_has_a_row_and_every_row_an_address() -> None:
    assert sorted({row.name for row in ROWS}) == NAMES


def test_no_row_stands_twice() -> None:
    keys = [row.key for row in ROWS]
    assert len(keys) == len(set(keys))


def test_every_row_is_in_one_bundle() -> None:
    assert sorted(row.key for bundle in BUNDLES for row in bundle) == sorted(row.key for row in ROWS)
    assert all(len({row.target for row in bundle}) == 1 for bundle in BUNDLES)


def test_every_action_that_people_have_on_pages_is_walked() -> None:
    """What has no page yet is named here, so that a new page of it is not forgotten."""
    without_page = {
        Action.REGISTER_MIGRATED_CARD,
    }  # fmt: skip
    of_people = {action for actions in ALLOWED.values() for action in actions}
    assert {row.right for row in ROWS if isinstance(row.right, Action)} == of_people - without_page


REPORTS = "csp_report"
"""Browsers send these by themselves, without a token; they change nothing."""


@pytest.mark.soak
@pytest.mark.parametrize("rows", BUNDLES, ids=lambda rows: ", ".join(map(str, rows)))
def test_walk(access: Any, rows: tuple[Row, ...]) -> None:
    assert walk_all(rows, access, QUESTIONS) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_method_that_no_row_names_does_not_exist(access: Any, name: str) -> None:
    row = next(row for row in ROWS if row.name == name)
    for method in METHODS:
        if method not in {other.method for other in ROWS if other.name == name}:
            answer = ask(row, access, LEAST, relations(row)[0], method=method)
            assert answer.status == 405, f"{method} {name} answers {answer.status}"


@pytest.mark.parametrize("row", [row for row in ROWS if row.method == "POST" and row.name != REPORTS], ids=str)
def test_a_form_without_its_token_is_refused(access: Any, row: Row) -> None:
    with undone(), clock.moved_to(access.moment):
        client = Browser({settings.SESSION_COOKIE_NAME: access.sessions[LEAST]}, checks_csrf=True)
        arguments = ()
        if row.target is not None:
            target = row.target
            arguments = (
                (getattr(access.things["inside"], target),) if isinstance(target, str) else target(access, LEAST, "inside")
            )
        assert client.post(reverse(row.name, args=arguments), row.form).status_code == 403


@pytest.mark.parametrize("row", [row for row in ROWS if row.method == "GET"], ids=str)
def test_a_get_writes_what_was_seen_and_nothing_else(access: Any, row: Row) -> None:
    """Nor does a very long text in its query flood the page."""
    with undone(), clock.moved_to(access.moment), untold():
        client, path = _allowed(access, row)
        with statements() as asked:
            client.get(path)
            answer = client.get(path, dict.fromkeys(PARAMETERS, form_pages.LONG_IN_QUERY))
        page = parsed(answer)
    assert written(asked) == set()
    assert answer.status_code < 500
    assert page is None or list(form_pages.faults(page)) == []


@pytest.mark.parametrize("row", [row for row in ROWS if row.method == "POST" and row.name != REPORTS], ids=str)
def test_enter_in_a_form_changes_nothing(access: Any, row: Row) -> None:
    """Enter in a field or choice of a form, as a card scanner sends it, shows a page (docs/adr/0284)."""
    who = next((who for who in CALLERS if expected(row, who, relations(row, who)[0]) == row.ok), LEAST)
    with undone(), clock.moved_to(access.moment):
        arguments = arguments_of(row, access, who, relations(row, who)[0])
        client = Browser({settings.SESSION_COOKIE_NAME: access.sessions[who]})
        with statements() as asked:
            answer = client.post(reverse(row.name, args=(*arguments, *row.more) if arguments else ()), row.form_by_enter)
    assert written(asked) == set()
    assert answer.status_code in (200, 302, 409), answer.status_code


@pytest.mark.parametrize("row", FORMS, ids=str)
def test_errors_name_their_fields_and_a_long_text_floods_no_page(access: Any, row: Row) -> None:
    """The form is sent empty, with a long text in each field that one types into, and with one in every field."""
    wrong = []
    with undone(), clock.moved_to(access.moment), untold():
        client, path = _allowed(access, row)
        shown = parsed(client.get(path))
        typed, others = form_pages.fields_sent_to(row.name, shown, path) if shown is not None else (set(), set())
        hidden = others | set(row.data) - pressing.NAMED
        for case, names in (("empty", set()), ("typed", typed), ("every field", typed | hidden if hidden else set())):
            if not names and case != "empty":
                continue
            with undone():
                answer = client.post(path, row.form | dict.fromkeys(names, form_pages.LONG))
                assert answer.status_code < 500, case
                if (page := parsed(answer)) is not None:
                    lost = form_pages.lost(page, names) if case == "typed" and answer.status_code == 422 else ()
                    wrong += [f"{case}: {answer.status_code}: {fault}" for fault in (*form_pages.faults(page), *lost)]
    assert not wrong, "\n".join(wrong)


def _allowed(access: AccessWorld, row: Row) -> tuple[Browser, str]:
    """The browser of somebody for whom all is well with the row, and the row's address."""
    who = next((who for who in CALLERS if expected(row, who, relations(row, who)[0]) == row.ok), LEAST)
    arguments = arguments_of(row, access, who, relations(row, who)[0])
    path = (
        f"/{row.name}" if row.name.startswith("healthz") else reverse(row.name, args=(*arguments, *row.more) if arguments else ())
    )
    return Browser({settings.SESSION_COOKIE_NAME: access.sessions[who]}), path


class TestTheWalkerItself:
    """The rules of the walker are those of domain.md 1.1 and 1.2, written down apart from the portal's own."""

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
