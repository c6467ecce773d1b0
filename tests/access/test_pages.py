"""Every address of the portal as somebody asks it who may: methods, tokens of forms, what a GET writes, and what errors say."""

from typing import Any

import pytest
from django.conf import settings
from django.db.models import Value
from django.db.models.functions import Concat
from django.urls import reverse

from issuance.articles.models import Article
from issuance.authz import Role
from issuance.customisations.models import CardCustomisation
from issuance.offices.models import Office
from issuance.organisations.models import IssuingArea, Organisation
from issuance.people.models.persons import Person
from siths_portal.lib import clock
from tests import pressing
from tests.access import form_pages
from tests.access.asking import Browser, statements, untold
from tests.access.form_pages import parsed
from tests.access.matrix import ROWS
from tests.access.row import METHODS, Row
from tests.access.walker import arguments_of, ask, expected, relations, written
from tests.access.world import CALLERS, AccessWorld, Who, undone

NAMES = sorted({row.name for row in ROWS})
REPORTS = "csp_report"
"""Browsers send these by themselves, without a token; they change nothing."""
LEAST = Who(Role.RESPONSIBLE_ISSUER, True)
FORMS = list({row.name: row for row in reversed(ROWS) if row.method == "POST" and row.name != REPORTS}.values())
"""One row for each address that takes a form."""
PARAMETERS = (
    "alla", "avslutade", "barare", "bestallning", "efter", "fler", "fore", "fortsatt", "fran", "inom", "katalog", "kontor",
    "kund", "lage", "leverans", "manad", "next", "ogiltiga", "ordning", "organisation", "roll", "sedan", "sekretess",
    "skickat", "slag", "sokning", "som", "status", "under", "utfardare", "visa",
)  # fmt: skip
"""What pages read of an address's query."""
NAMED: dict[Any, tuple[str, ...]] = {
    Person: ("given_names", "given_name_in_use", "surname"),
    Organisation: ("name",),
    IssuingArea: ("name",),
    Office: ("name", "invoice_comment"),
    Article: ("name",),
    CardCustomisation: ("name",),
}
"""The names that pages show."""
READING_LIVE = frozenset({"order"})
"""Pages that read the person outside, and store what is new."""


@pytest.mark.parametrize("name", NAMES)
def test_a_method_that_no_row_names_does_not_exist(access: Any, name: str) -> None:
    """The method is refused before anything is looked up, so an unknown thing stands for all."""
    row = next(row for row in ROWS if row.name == name)
    for method in METHODS:
        if method not in {other.method for other in ROWS if other.name == name}:
            answer = ask(row, access, LEAST, relations(row)[-1], method=method)
            assert answer.status == 405, f"{method} {name} answers {answer.status}"


@pytest.mark.parametrize("row", FORMS, ids=str)
def test_a_form_without_its_token_is_refused(access: Any, row: Row) -> None:
    """The token is checked before anything is looked up, so the form is sent to an unknown thing, by a caller who would not get
    403 with a token.
    """
    place = relations(row)[-1]
    who = next(who for who in CALLERS if expected(row, who, place) != 403)
    with undone(), clock.moved_to(access.moment):
        client = Browser({settings.SESSION_COOKIE_NAME: access.sessions[who]}, checks_csrf=True)
        arguments = arguments_of(row, access, who, place)
        answer = client.post(reverse(row.name, args=(*arguments, *row.more) if arguments else ()), row.form)
    assert answer.status_code == 403


@pytest.mark.parametrize("row", [row for row in ROWS if row.method == "GET"], ids=str)
def test_a_get_writes_what_was_seen_and_nothing_else(access: Any, row: Row) -> None:
    """Also with very long texts in its query, which do not flood the page. Markup in a name does not come as markup.

    The walk (`test_matrix.py`) asks without a query, as every role.
    """
    with undone(), clock.moved_to(access.moment), untold():
        client, path = allowed(access, row)
        for model, names in NAMED.items() if row.name not in READING_LIVE else ():
            model.objects.update(**{name: Concat(name, Value(form_pages.MARKUP)) for name in names})
        with statements() as asked:
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
        client, path = allowed(access, row)
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


def allowed(access: AccessWorld, row: Row) -> tuple[Browser, str]:
    """Returns the browser of a caller whom the row allows, and the row's address."""
    who = next((who for who in CALLERS if expected(row, who, relations(row, who)[0]) == row.ok), LEAST)
    arguments = arguments_of(row, access, who, relations(row, who)[0])
    path = (
        f"/{row.name}" if row.name.startswith("healthz") else reverse(row.name, args=(*arguments, *row.more) if arguments else ())
    )
    return Browser({settings.SESSION_COOKIE_NAME: access.sessions[who]}), path
