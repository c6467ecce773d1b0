"""Attacks by their numbers in docs/requirements.md on every address that the matrix names: S08, S09, S10, S12.

The matrix asks everybody about everything and compares with the rules; here somebody goes through and looks at what he gets.
"""

import io
import re
import zipfile
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import pytest
from django.conf import settings
from django.urls import get_resolver, path, reverse
from django.views.generic import RedirectView

from issuance.authz import Action, Role
from issuance.authz.roles import ALLOWED
from issuance.carriers.models import Carrier, Eid
from issuance.people.models.persons import Person
from tests.access.asking import Browser, untold
from tests.access.matrix import ROWS
from tests.access.row import Row
from tests.access.walker import ANONYMOUS, PORTAL, addresses, ask, for_each, relations, written
from tests.access.world import AccessWorld, Who
from tests.issuance.world import ADDRESS

NAMED = [row for row in ROWS if row.target is not None and isinstance(row.right, Action) and not row.nowhere and not row.own]
"""What names something that lies in an organisation."""

CLERK, ISSUER, READER = Who(Role.ID_ADMINISTRATOR), Who(Role.RESPONSIBLE_ISSUER), Who(Role.READER)
READER_TOO, ISSUER_TOO = Who(Role.READER, True), Who(Role.RESPONSIBLE_ISSUER, True)
"""With the add-on for protected persons."""
PUK = rb"(?<!\d)12345678(?!\d)"
"""The code of every card of this world (`authorities.puk_jwe`), which serial numbers of cards hold among more digits."""


def test_s08_an_address_that_no_row_names_is_found() -> None:
    """The portal's own have their rows (`test_matrix.py`), and one more would be missed there."""
    grown = (*get_resolver(PORTAL).url_patterns, path("ny/", RedirectView.as_view(url="/"), name="new_page"))
    assert set(addresses(grown)) - set(addresses(PORTAL)) == {"new_page"}
    assert "new_page" not in {row.name for row in ROWS}


@untold()
def test_s09_ids_of_another_organisation_are_answered_as_unknown_ones(access: Any) -> None:
    """Also by the headers and by what the database is asked; how long it takes is measured by `make bench AREA=portal`."""
    told, asked = [], set()
    for who, places in ((CLERK, ("parent", "outside")), (ISSUER, ("outside",))):
        for row in (row for row in NAMED if row.method == "GET"):
            unknown = ask(row, access, who, "unknown")
            assert unknown.status == 404 or (unknown.status, row.right in ALLOWED[who.role or Role.READER]) == (row.unseen, False)
            for place in places:
                if place not in relations(row, who):
                    continue
                hidden = ask(row, access, who, place)
                asked.add(row.name)
                told += [
                    f"{row}: {who} {place}: {part}"
                    for part in ("status", *row.compared)
                    if getattr(hidden, part) != getattr(unknown, part)
                ]
    assert told == []
    assert asked >= {
        "person", "person_photo", "person_history", "carrier_history", "certificate", "certificate_pem", "receipt", "receipt_pdf",
        "order_cancel", "activate", "carrier_revoke", "eid_revoke", "invoice", "invoice_pdf", "invoice_xml", "invoice_line_csv",
        "organisation", "organisation_holders_csv", "office", "area_export_xlsx", "area_export_csv", "person_roles",
        "organisation_export_xlsx", "organisation_export_csv",
    }  # fmt: skip


@untold()
def test_s10_a_sub_organisations_clerk_acts_on_nobody_of_the_parent_and_the_parents_on_the_child(access: Any) -> None:
    """Every act that a clerk's role gives: refused above without a trace in what is kept, done below."""
    wrong, done = [], set()
    for row in (row for row in NAMED if row.method == "POST" and row.right in ALLOWED[Role.ID_ADMINISTRATOR]):
        places = relations(row, CLERK)
        if not {"parent", "child"} <= set(places):
            continue
        above, below = ask(row, access, CLERK, "parent"), ask(row, access, CLERK, "child")
        left = written(above.queries)
        wrong += [f"{row}: {above.status}, wrote {sorted(left)}"] if above.status != 404 or left else []
        wrong += [f"{row} below: {below.status}"] if below.status != row.ok else []
        done.add(row.name)
    assert wrong == []
    assert done >= {"carrier_revoke", "eid_revoke", "order_cancel", "order_start", "activate", "activation_sign", "order"}


class Outputs:
    """Everything that the portal's addresses answer to a caller about what is in the clinic, protected or not; asked for once."""

    def __init__(self, access: AccessWorld) -> None:
        self.access = access
        self._got: dict[Who, list[tuple[str, bytes, bytes]]] = {}

    def saying(self, who: Who, patterns: list[bytes]) -> set[str]:
        """The addresses whose answer holds one of `patterns` that did not stand in the path asked for."""
        if not self._got:
            self._ask()
        return {
            name
            for name, path, answer in self._got[who]
            if any(re.search(pattern, answer) and not re.search(pattern, path) for pattern in patterns)
        }

    @untold()
    def _ask(self) -> None:
        for row, place in product((row for row in ROWS if row.method == "GET"), (None, "inside", "protected")):
            callers = [who for who in (ISSUER_TOO, READER_TOO, CLERK, READER) if place in relations(row, who)]
            outputs = for_each(callers, row, self.access, place, partial(self._output, row)) if callers else {}
            for who, output in outputs.items():
                assert who is not ANONYMOUS
                self._got.setdefault(who, []).append((row.name, *output))

    def _output(self, row: Row, who: Who | None, arguments: tuple[Any, ...]) -> tuple[bytes, bytes]:
        """The path, and everything that came back: headers, and the body, a workbook's as its parts."""
        assert who is not ANONYMOUS
        arguments = (*arguments, *row.more) if arguments else ()
        path = reverse(row.name, args=arguments) if not row.name.startswith("healthz") else f"/{row.name}"
        answer: Any = Browser({settings.SESSION_COOKIE_NAME: self.access.sessions[who]}).get(path)
        body: bytes = b"".join(answer.streaming_content) if answer.streaming else answer.content
        headers = [f"{name}: {value}".encode() for name, value in answer.headers.items()]
        return path.encode(), b"\n".join([*headers, *_parts(body)])


def _parts(body: bytes) -> Iterator[bytes]:
    if not body.startswith(b"PK\x03\x04"):
        yield body
        return
    with zipfile.ZipFile(io.BytesIO(body)) as workbook:
        for name in workbook.namelist():
            yield workbook.read(name)


@pytest.fixture(scope="module")
def outputs(access: Any) -> Outputs:
    return Outputs(access)


def test_s12_no_code_leaves_the_portal_on_any_page_or_file(outputs: Outputs) -> None:
    assert outputs.saying(ISSUER_TOO, [PUK]) == set()


def test_s12_the_photo_goes_to_those_alone_who_meet_holders(outputs: Outputs) -> None:
    picture = [re.escape(outputs.access.picture)]
    assert outputs.saying(READER_TOO, picture) == set()
    assert "person_photo" in outputs.saying(CLERK, picture)


def test_s12_an_address_is_shown_to_those_alone_who_order(outputs: Outputs) -> None:
    street = [re.escape(ADDRESS.lines[0].encode())]
    assert outputs.saying(READER_TOO, street) == set()
    assert "order" in outputs.saying(CLERK, street)


def test_s12_nothing_of_a_protected_person_is_in_what_others_get(outputs: Outputs) -> None:
    """Lists and files of the clinic that he works in among them, headers (ETags too) and refusals."""
    carrier = Carrier.objects.get(pk=outputs.access.things["protected"].active)
    person = Person.objects.get(pk=carrier.person_id)
    eid = Eid.objects.select_related("post").get(carrier=carrier)
    secret = [text.encode() for text in (str(person.pk), str(carrier.pk), carrier.card_serial, eid.post.hsa_id)]
    secret += [number.encode() for number in person.identifiers.values_list("value", flat=True)]
    for who in (READER, CLERK):
        assert outputs.saying(who, secret) == set()
    assert {"person", "organisation_holders_csv"} <= outputs.saying(ISSUER_TOO, secret)
