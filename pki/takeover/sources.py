"""Folders of certificates: DER and PEM files, and JSON Lines and CSV tables with our own columns."""

import base64
import binascii
import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pki.takeover.records import SourceCertificate, der_of, moment
from siths_portal.lib.errors import Invalid
from siths_portal.lib.files.lines import bounded
from siths_portal.lib.imports.row_faults import RowFault

ENDINGS = (".der", ".cer", ".crt", ".pem")
COLUMNS = (
    "der", "serial", "not_before", "not_after", "issued_at", "status", "revoked_at", "reason", "invalidity_date",
    "subject_ref", "carrier_ref", "unit_ref",
)  # fmt: skip
"""Columns of JSON Lines and CSV: `der` in Base64, times in ISO 8601 with zone, `status` `issued` or `revoked`."""

_LONGEST_LINE = 1 << 20  # bytes, far more than a certificate needs; the import reports a longer row and does not parse it
_LONGEST_FILE = 1 << 20
_REF = 80


class CertificateFiles:
    """`certificates/`: one certificate a file in DER, one or several in PEM. The old CRLs give their status."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "certificates"

    def inputs(self) -> list[Path]:
        """Returns the files by name, folder by folder."""
        found = sorted(path for path in self._folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
        return require(found, "certificates/ med .der-, .cer-, .crt- eller .pem-filer")

    def records(self, skip: int) -> Iterator[SourceCertificate]:
        """Yields one record for each certificate."""
        position = 0
        for path in self.inputs():
            name = path.relative_to(self._folder.parent).as_posix()
            is_pem = path.suffix.lower() == ".pem"
            if position < skip and not is_pem:
                position += 1
                continue
            for place, content in _blocks(path, name) if is_pem else [(name, _content(path))]:
                position += 1
                if position > skip:
                    yield _bare(place, content)

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """None beside those of `crls/`."""
        return iter(())


class CertificateLines:
    """`certificates.jsonl`: one object a line, as `pki_export` writes it."""

    file_name = "certificates.jsonl"

    def __init__(self, folder: Path) -> None:
        self._path = folder / self.file_name

    def inputs(self) -> list[Path]:
        """The file."""
        return require([self._path] if self._path.is_file() else [], self.file_name)

    def records(self, skip: int) -> Iterator[SourceCertificate]:
        """Yields one record for each line."""
        for number, line in numbered(self._path):
            if number > skip:
                yield row(f"{self.file_name}:{number}", lambda line=line: _object(line), record_of)

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """None beside those of `crls/`."""
        return iter(())


class CertificateTable:
    """`certificates.csv`: the same columns, separated by commas, with a header line."""

    file_name = "certificates.csv"

    def __init__(self, folder: Path) -> None:
        self._path = folder / self.file_name

    def inputs(self) -> list[Path]:
        """The file."""
        return require([self._path] if self._path.is_file() else [], self.file_name)

    def records(self, skip: int) -> Iterator[SourceCertificate]:
        """Yields one record for each row."""
        for number, values in table(self._path, self.file_name, {"serial", "der"}):
            if number > skip:
                yield row(f"{self.file_name}:{number + 1}", lambda values=values: values, record_of)

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """None beside those of `crls/`."""
        return iter(())


def require(found: list[Path], what: str) -> list[Path]:
    """Returns the files. Raises Invalid if there are none."""
    if not found:
        raise Invalid("import-folder", f"Mappen saknar {what}.")
    return found


def row(place: str, read: Any, convert: Any) -> SourceCertificate:
    """Returns `convert(place, read())`, or a record with the fault if one of them raises RowFault."""
    try:
        return convert(place, read())  # type: ignore[no-any-return]
    except RowFault as fault:
        return SourceCertificate(place, fault=fault)


def record_of(place: str, values: Mapping[str, Any]) -> SourceCertificate:
    """Returns the record of a row with our own columns. Raises RowFault."""
    if unknown := set(values) - set(COLUMNS):
        raise RowFault("unreadable", f"okänd kolumn {min(map(str, unknown))}"[:200])
    texts = {name: values.get(name) or "" for name in COLUMNS}
    if not all(isinstance(text, str) for text in texts.values()):
        raise RowFault("unreadable", "värden ska vara text")
    status, revoked_at = texts["status"], moment(texts["revoked_at"])
    if status not in ("", "issued", "revoked") or (status == "revoked") != (revoked_at is not None):
        raise RowFault("unreadable", "status och revoked_at hör ihop")
    if status != "revoked" and (texts["reason"] or texts["invalidity_date"]):
        raise RowFault("unreadable", "status och reason hör ihop")
    subject_ref, carrier_ref, unit_ref = texts["subject_ref"], texts["carrier_ref"], texts["unit_ref"]
    if max(len(subject_ref), len(carrier_ref), len(unit_ref)) > _REF:
        raise RowFault("unreadable", f"referenser har högst {_REF} tecken")
    if not (subject_ref + carrier_ref + unit_ref).isprintable():
        # Refuses a lone surrogate too, which PostgreSQL cannot store.
        raise RowFault("unreadable", "referenser har bara tecken som går att skriva")
    return SourceCertificate(
        place,
        der=decoded(texts["der"]) if texts["der"] else None,
        serial=texts["serial"],
        not_before=moment(texts["not_before"]),
        not_after=moment(texts["not_after"]),
        issued_at=moment(texts["issued_at"]),
        revoked_at=revoked_at,
        reason=(texts["reason"] or "unspecified") if revoked_at else "",
        invalidity_date=moment(texts["invalidity_date"]),
        status_known=status != "",
        subject_ref=subject_ref,
        carrier_ref=carrier_ref,
        unit_ref=unit_ref,
    )


def decoded(text: str) -> bytes:
    """Decodes Base64. Raises RowFault."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RowFault("unreadable", "Base64") from None


def numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yields the file's lines with their numbers, from 1; a line that is too long is truncated and so unreadable."""
    with path.open("rb") as file:
        yield from bounded(file, _LONGEST_LINE)


def table(path: Path, name: str, needed: set[str], *, lower: bool = False) -> Iterator[tuple[int, dict[str, str]]]:
    """Yields the rows of a CSV file as dicts, with their numbers, from 1. Raises Invalid if the header lacks a needed column."""
    csv.field_size_limit(_LONGEST_LINE)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file)
        try:
            header = [column.strip().lower() if lower else column.strip() for column in next(reader, [])]
            if not needed <= set(header) or len(set(header)) != len(header):
                raise Invalid("import-header", f"{name} saknar en rubrikrad med {', '.join(sorted(needed))}.")
            for number, values in enumerate(reader, 1):
                yield number, dict(zip(header, [*values, *[""] * (len(header) - len(values))], strict=False))
        except csv.Error:
            raise Invalid("import-table", f"{name} går inte att läsa som CSV.") from None


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise RowFault("unreadable", "JSON") from None
    if not isinstance(value, dict):
        raise RowFault("unreadable", "JSON")
    return value


def _bare(place: str, content: bytes) -> SourceCertificate:
    return row(place, lambda: content, lambda place, content: SourceCertificate(place, der=der_of(content), status_known=False))


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LONGEST_FILE)


def _blocks(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Yields the certificates of a PEM file in order; skips the text between them, which RFC 7468 allows."""
    block: list[bytes] = []
    number = 0
    for _number, line in numbered(path):
        if line.startswith(b"-----BEGIN CERTIFICATE-----"):
            block = [line]
        elif block:
            block.append(line)
            if line.startswith(b"-----END"):
                number += 1
                yield f"{name}:{number}", b"".join(block)
                block = []
    if block or not number:
        yield f"{name}:{number + 1}", b"-----BEGIN cut"
