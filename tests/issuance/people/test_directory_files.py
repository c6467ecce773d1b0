"""Exports of the catalogue as they come: LDIF as RFC 2849 lets it be written, CSV as spreadsheets and scripts write it."""

import base64
import datetime as dt
import io
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from issuance.people.adapters import directory_file_ldif, directory_file_lines
from issuance.people.adapters.directory_file import FilesOfTheCatalogue
from issuance.people.ports_files import FileRow
from issuance.people.services.directory_import_rows import COLUMNS, PROBLEMS, Stager
from siths_portal.lib.errors import Invalid

ROOT = Path(__file__).resolve().parents[3]
UNITS = """version: 1

dn: c=SE
objectClass: country

dn: o=Regionen,c=SE
objectClass: organization
hsaIdentity: TST2321000131-1000

dn: ou=Kliniken\\, norra,o=Regionen,c=SE
objectClass: organizationalUnit
hsaIdentity: TST2321000131-1004

"""
CSV = "hsa_id;organisation_hsa_id;person_id;given_name;surname;protected\n"


def rows(text: str | bytes, **options: str) -> list[FileRow]:
    content = text.encode() if isinstance(text, str) else text
    return list(FilesOfTheCatalogue().rows(io.BufferedReader(io.BytesIO(content)), **options))  # type: ignore[arg-type]


def refusal(text: str | bytes, **options: str) -> Invalid:
    with pytest.raises(Invalid) as refused:
        rows(text, **options)
    return refused.value


class TestLdif:
    def test_a_person_lies_below_the_units_whose_entries_stand_before(self) -> None:
        (row,) = rows(
            UNITS + "dn: hsaIdentity=TST2321000131-A1,OU = Kliniken\\, Norra , o=REGIONEN,c=se\nobjectClass: inetOrgPerson\n"
            "hsaIdentity: TST2321000131-A1\nhsaPersonIdentityNumber: 185001019800\ngivenName: Anna\nsn: Ek\ntitle: Läkare\n"
            "title: Forskare\nmail: a@example.org\nuserPrincipalName: a@upn.example.org\nhsaEndDate: 20271231225959Z\n"
            "hsaProtectedPerson: TRUE\ntelephoneNumber: 1\n"
        )
        assert row.organisations == ("TST2321000131-1004", "TST2321000131-1000")
        assert (row.line, row.fault) == (14, "")
        assert row.values == {
            "hsa_id": "TST2321000131-A1", "person_id": "185001019800", "given_name": "Anna", "surname": "Ek", "title": "Läkare",
            "mail": "a@example.org", "upn": "a@upn.example.org", "valid_to": "20271231225959Z", "protected": "TRUE",
        }  # fmt: skip

    def test_folded_lines_base64_comments_crlf_and_a_byte_order_mark(self) -> None:
        name = base64.b64encode("Åsa Märta".encode()).decode()
        text = (
            UNITS
            + "# what a comment says\n  goes on here\ndn:: "
            + base64.b64encode("cn=Åsa,o=Regionen,c=SE".encode()).decode()
            + "\nobjectClass: person\nHSAIDENTITY:TST2321000131\n -A\n 1\n"
            + f"givenName:: {name[:5]}\n {name[5:]}\nsn:   Ek  \njpegPhoto:: "
            + "\n ".join(["A" * 70] * 200)
            + "\n# the end"
        )
        for written in (text, "\ufeff" + text.replace("\n", "\r\n"), text + "\n\n\n"):
            (row,) = rows(written)
            assert row.values == {"hsa_id": "TST2321000131-A1", "given_name": "Åsa Märta", "surname": "Ek"}
            assert row.organisations == ("TST2321000131-1000",)

    @pytest.mark.parametrize(
        ("entry", "fault", "field"),
        [
            ("dn: cn=1\nhsaPersonIdentityNumber: 1\nsn:: Å!\n", "malformed", "surname"),
            ("dn: cn=1\nhsaPersonIdentityNumber: 1\nsn:: /w==\n", "not-utf-8", "surname"),
            ("dn: cn=1\nhsaPersonIdentityNumber: 1\nsn:< file:///etc/passwd\n", "url", "surname"),
            ("dn: cn=1\nhsaPersonIdentityNumber: 1\nno colon here\n", "malformed", ""),
            ("dn: cn=1\nchangetype: delete\n", "change-record", ""),
            ("hsaPersonIdentityNumber: 1\nsn: Ek\n", "no-dn", ""),
            (f"dn: cn=1\nhsaPersonIdentityNumber: 1\nsn: {'x' * 5000}\n", "too-long", "surname"),
        ],
    )
    def test_what_is_wrong_with_an_entry_is_its_own(self, entry: str, fault: str, field: str) -> None:
        good = "\ndn: cn=2,o=Regionen,c=SE\nhsaPersonIdentityNumber: 2\n"
        bad, after = rows(UNITS + entry + good)
        assert (bad.line, bad.fault, bad.field) == (14, fault, field)
        assert bad.fault in PROBLEMS
        assert (after.fault, after.values) == ("", {"person_id": "2"})

    def test_photos_that_are_not_folded_and_values_as_addresses_of_what_is_not_wanted_do_no_harm(self) -> None:
        (row,) = rows(
            "dn: cn=1\nobjectClass: person\njpegPhoto:: "
            + "A" * 500_000
            + "\nuserCertificate;binary:< file:///etc/passwd\nsn: Ek\n"
        )
        assert (row.fault, row.values) == ("", {"surname": "Ek"})

    @pytest.mark.parametrize(
        ("unit", "there"),
        [("A\\, b", "A\\2C b"), ("Å", "\\C3\\85"), ("A\\\\2C", "A\\5c2C"), ("A\\+b", "a\\2Bb"), ("A\\\\, b", "A\\5C, b")],
    )
    def test_a_name_is_the_same_however_it_is_escaped(self, unit: str, there: str) -> None:
        (row,) = rows(
            f"dn: o=R\nhsaIdentity: TST-1\n\ndn: ou={unit},o=R\nhsaIdentity: TST-2\n\n"
            f"dn: cn=1,ou={there},o=R\nobjectClass: person\n"
        )
        assert row.organisations == ("TST-2", "TST-1")

    def test_names_that_only_look_alike_are_two(self) -> None:
        (row,) = rows("dn: ou=A\\, b\nhsaIdentity: TST-2\n\ndn: cn=1,ou=A\\\\2C b\nobjectClass: person\n")
        assert row.organisations == ()

    def test_a_unit_of_which_something_else_cannot_be_read_keeps_its_people(self) -> None:
        person = "dn: cn=1,ou=Kliniken\\, norra,o=Regionen,c=SE\nhsaPersonIdentityNumber: 1\n"
        unit, row = rows(UNITS.rstrip() + "\nmail:< file:///etc/passwd\n\n" + person)
        assert (unit.fault, unit.field) == ("url", "mail")
        assert row.organisations == ("TST2321000131-1004", "TST2321000131-1000")

    def test_below_a_unit_whose_hsa_id_cannot_be_read_nobody_comes_to_the_one_above(self) -> None:
        person = "dn: cn=1,ou=Kliniken\\, norra,o=Regionen,c=SE\nhsaPersonIdentityNumber: 1\n"
        unit, row = rows(UNITS.replace("hsaIdentity: TST2321000131-1004", "hsaIdentity:: /w==") + person)
        assert (unit.fault, unit.field) == ("not-utf-8", "hsa_id")
        assert row.organisations == ("", "TST2321000131-1000")

    def test_a_unit_that_stands_after_its_people_makes_the_file_unreadable(self) -> None:
        """They would have come to the one above."""
        region, clinic = UNITS.rstrip().split("\n\n")[-2:]
        person = "dn: cn=1,ou=Kliniken\\, norra,o=Regionen,c=SE\nhsaPersonIdentityNumber: 1\n"
        told = refusal("\n\n".join((region, person.rstrip(), clinic)))
        assert (told.code, "Enheten på rad 8 " in told.message) == ("unit-after-people", True)

    def test_units_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(directory_file_ldif, "MAX_UNITS", 1)
        assert refusal(UNITS).code == "too-many-units"


class TestCsv:
    def test_columns_are_known_by_name_whatever_stands_between_them(self) -> None:
        header = ["surname", "hsaIdentity", "organisation_hsa_id", "hsaPersonIdentityNumber", "givenName", "Protected", "room"]
        line = ["Ek", "TST2321000131-A1", "TST2321000131-1000", "185001019800", "Anna", "nej", "12"]
        for separator in (";", ",", "\t"):
            (row,) = rows("\ufeff" + separator.join(header) + "\r\n" + separator.join(line) + "\r\n\r\n")
            assert (row.line, row.fault, row.organisations) == (2, "", ("TST2321000131-1000",))
            assert row.values["surname"] == "Ek"
            assert row.values["protected"] == "nej"
            assert "room" not in row.values

    def test_a_cell_may_hold_separators_and_quotes_and_rows_are_told_by_their_line(self) -> None:
        first, second = rows(CSV.replace("\n", ";street\n") + 'A;B;C;Anna;"E;""k""";nej;"Up\nDown"\nD;E;F;G;H;ja;\n')
        assert (first.line, first.values["given_name"], first.values["surname"]) == (2, "Anna", 'E;"k"')
        assert (second.line, second.values["protected"]) == (4, "ja")

    def test_of_rows_that_a_stray_quotation_mark_joins_nothing_is_believed(self) -> None:
        beside = CSV.replace(";protected", ";note;protected")
        for head, text, where in (
            (CSV, 'A;B;C;Anna;"Ek;nej\nD;E;F;Eva;Alm";ja\n', "surname"),
            (beside, 'A;B;C;Anna;Ek;"a;nej\nD;E;F;Eva;Alm;b";ja\n', ""),
        ):
            joined, whole = rows(head + text + "G;H;I;J;K;nej" + (";nej" if head == beside else "") + "\n")
            assert (joined.line, joined.values, joined.fault, joined.field) == (2, {}, "line-break", where)
            assert (whole.line, whole.fault) == (4, "")

    def test_a_row_of_another_length_is_refused_alone_and_so_is_one_that_does_not_tell_of_protection(self) -> None:
        short, untold, whole = rows(CSV + "A;B;C\nA;B;C;D;E;\nA;B;C;D;E;ja\n")
        assert (short.fault, short.values) == ("columns", {})
        assert (untold.fault, untold.field) == ("missing", "protected")
        assert whole.fault == ""

    def test_the_older_encoding_of_spreadsheets_is_read_when_it_is_named(self) -> None:
        content = (CSV + "A;B;C;Åsa;Ek;nej\n").encode("cp1252")
        assert refusal(content).code == "not-utf-8"
        assert rows(content, encoding="cp1252")[0].values["given_name"] == "Åsa"

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "empty-file"),
            (b"hsa_id;person_id\n", "column-missing"),
            (b"hsa_id;HSAIDENTITY\n", "column-twice"),
            (b"\n\n", "column-missing"),
            (CSV.encode("utf-16"), "not-utf-8"),
            ((CSV + 'A;B;C;"D"x;E;nej\n').encode(), "not-csv"),
            ((CSV + 'A;B;C;"' + "x" * 200_000).encode(), "not-csv"),
            (b"PK\x03\x04\xff", "not-utf-8"),
        ],
    )
    def test_a_file_that_is_something_else_is_refused_whole(self, content: bytes, code: str) -> None:
        assert refusal(content).code == code


class _Endless(io.RawIOBase):
    """An export without end, which counts what was read of it."""

    def __init__(self, head: bytes, each: bytes) -> None:
        super().__init__()
        self._rest, self._each, self.read_so_far = head, each, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while len(self._rest) < len(buffer):
            self._rest += self._each
        buffer[:] = self._rest[: len(buffer)]
        self._rest = self._rest[len(buffer) :]
        self.read_so_far += len(buffer)
        return len(buffer)


@pytest.mark.parametrize(
    ("head", "each"),
    [
        (CSV.encode(), b"A;B;C;D;E;nej\n"),
        (b"version: 1\n\n", b"dn: cn=1\nobjectClass: person\nsn: Ek\njpegPhoto:: " + b"A" * 5000 + b"\n\n"),
    ],
)
def test_no_more_is_read_than_the_rows_that_are_asked_for(head: bytes, each: bytes) -> None:
    endless = _Endless(head, each)
    found: Iterator[FileRow] = FilesOfTheCatalogue().rows(io.BufferedReader(endless, 4096))
    for count in range(1, 400):
        next(found)
        assert endless.read_so_far <= len(head) + (count + 1) * len(each) + 3 * 8192


@pytest.mark.parametrize("begins", [b"dn: ", b"hsa_id;"])
def test_a_line_without_end_is_refused_before_it_fills_the_memory(begins: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_file_lines, "MAX_LINE", 10_000)
    endless = _Endless(begins, b"x" * 1000)
    with pytest.raises(Invalid) as refused:
        next(FilesOfTheCatalogue().rows(io.BufferedReader(endless, 4096)))
    assert refused.value.code == "line-too-long"
    assert endless.read_so_far < 30_000


def test_the_examples_in_the_documentation_are_whole() -> None:
    text = (ROOT / "docs" / "catalogue-file.md").read_text()
    examples = [block for block in re.findall(r"```\n(.+?)```", text, re.S) if "hsa" in block]
    assert len(examples) == 2
    hsa_ids = {"TST2321000131-1000": uuid.uuid4()}
    stager = Stager(hsa_ids, prefixes=frozenset(), today=dt.date(2026, 11, 28))
    for example in examples:
        (row,) = rows(example)
        staged = dict(zip(COLUMNS, stager.staged(row), strict=True))
        assert (staged["problem"], staged["organisation_id"]) == ("", hsa_ids["TST2321000131-1000"])
        assert (staged["value"], staged["synthetic"], staged["title"]) == ("185001019800", True, "Läkare")
        assert (staged["protected"], staged["protection_told"]) == (False, True)
