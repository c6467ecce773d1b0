"""The search for PUKs and codes finds each form in which one may stand, names the place, and never the secret."""

import base64
import io
import uuid
from pathlib import Path

import pytest
from django.db import connection

from siths_portal.demo import secret_scan

PUK = "27182818"
BASE64 = [base64.b64encode(b"{" * before + b'"puk":"27182818"}').decode() for before in range(3)]


@pytest.mark.parametrize(
    "written",
    [
        PUK, f"puk={PUK},", f"puk {PUK}.", f"kod{PUK}", f'{{"puk": "{PUK}"}}', PUK.encode().hex(), PUK.encode().hex().upper(),
        *BASE64, f"\\\\x{f'code {PUK}'.encode().hex()}", f"{uuid.UUID(int=7)}\t{PUK}",
    ],
)  # fmt: skip
def test_each_form_is_found_in_tables_and_files(written: str, tmp_path: Path) -> None:
    assert secret_scan.in_tables([("clean", b"1\t2\n"), ("leaky", f"a\t{written}\tb\n".encode())], [PUK]) == ["leaky"]
    log, other = tmp_path / "worker.log", tmp_path / "portal.log"
    other.write_text("serial=9752271828180000001\n")
    if "\\" not in written:
        log.write_text(f"event=x {written} y\n")
        assert secret_scan.in_files([log, other], [PUK, "transport-1"]) == ["worker.log"]


@pytest.mark.parametrize(
    "written",
    [
        f"9{PUK}",
        f"{PUK}0",
        f"00:46:22.{PUK}",
        f"{PUK}.5",
        f"{PUK}-1111-2222-3333-444444444444",
        f"{'ab' * 12}{PUK}{'cd' * 16}",
        f"{PUK}{'AB' * 12}",
    ],
)
def test_digits_of_longer_numbers_uuids_and_hashes_are_none(written: str) -> None:
    assert secret_scan.in_tables([("rows", f"{written}\n".encode())], [PUK]) == []


@pytest.mark.parametrize(("rows", "secrets"), [([("a", b"1\n")], []), ([("a", b"1\n")], ["", PUK]), ([("a", b"")], [PUK])])
def test_a_search_that_would_prove_nothing_is_refused(rows: list[tuple[str, bytes]], secrets: list[str]) -> None:
    with pytest.raises(ValueError, match="prove nothing"):
        secret_scan.in_tables(rows, secrets)


@pytest.mark.django_db
def test_texts_and_bytes_of_a_real_database_are_read() -> None:
    with connection.cursor() as cursor:
        for kind, value in (("text", PUK), ("bytea", f"x{PUK}"), ("jsonb", f'["{PUK}"]')):
            rows = io.BytesIO()
            cursor.copy_expert(f"COPY (SELECT '{value}'::{kind}) TO STDOUT", rows)
            assert secret_scan.in_tables([(kind, rows.getvalue())], [PUK]) == [kind]
        assert dict(secret_scan.tables(cursor))["django_migrations"]
