"""The HSA directory as LDIF content records (RFC 2849), read line by line. Each entry keeps only the attributes of assignments.

The organisations of a person are the units above the person's DN. Their HSA-ids come from the units' own entries, which precede
the person's.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from issuance.people.adapters.directory_file_lines import MAX_VALUE, lines, refuse
from issuance.people.ports_files import FileRow

MAX_UNITS = 500_000
"""The maximum number of units above people. They are kept in memory while the file is read."""

_WANTED: Mapping[bytes, str] = {
    b"dn": "dn", b"changetype": "changetype", b"objectclass": "objectclass", b"hsaidentity": "hsa_id",
    b"hsapersonidentitynumber": "person_id", b"givenname": "given_name", b"sn": "surname", b"title": "title", b"mail": "mail",
    b"userprincipalname": "upn", b"hsaenddate": "valid_to", b"hsaprotectedperson": "protected",
}  # fmt: skip
_PERSONS = frozenset({"person", "organizationalperson", "inetorgperson", "hsaperson"})
_COMMA = re.compile(r"(?<!\\)(?:\\\\)*,")
_ESCAPED = re.compile(r"\\\\|(?:\\[0-9a-fA-F]{2})+")
_SPECIAL = frozenset('\\,+"<>;=#')


@dataclass
class _Entry:
    """The part of an entry that has been read."""

    line: int
    values: dict[str, str] = field(default_factory=dict)
    is_person: bool = False
    fault: str = ""
    field: str = ""
    anything: bool = False

    def wrong(self, fault: str, name: str = "") -> None:
        """Records the first fault of the entry."""
        if not self.fault:
            self.fault, self.field = fault, "" if name in ("dn", "changetype", "objectclass") else name


def rows(stream: BinaryIO) -> Iterator[FileRow]:
    """Yields the entries of people. A faulty entry is yielded with its fault."""
    units = _Units()
    for entry in _entries(stream):
        found = _row(entry, units)
        if found is not None:
            yield found


def _entries(stream: BinaryIO) -> Iterator[_Entry]:
    """Yields each entry as soon as its last line is read."""
    entry: _Entry | None = None
    name, parts, size = "", [b""], 0  # the value that a folded line may continue
    for number, line in enumerate(lines(stream), start=1):
        if line[:1] == b" ":
            if name:
                size += len(line)
                if size <= MAX_VALUE:
                    parts.append(line[1:])
            continue
        if name and entry is not None:
            _keep(entry, name, parts, size)
        name = ""
        if not line:
            if entry is not None:
                yield entry
            entry = None
            continue
        if line[:1] == b"#":
            continue
        attribute, colon, rest = line.partition(b":")
        attribute = attribute.lower()
        if attribute == b"dn" and entry is not None and "dn" in entry.values:
            yield entry
            entry = None
        if entry is None:
            entry = _Entry(number)
        if not colon:
            entry.wrong("malformed")
        entry.anything |= attribute != b"version"
        name, parts, size = _WANTED.get(attribute, ""), [rest], len(rest)
    if entry is not None:
        if name:
            _keep(entry, name, parts, size)
        yield entry


def _keep(entry: _Entry, name: str, parts: list[bytes], size: int) -> None:
    """Stores a complete value: the first of each attribute, and every objectClass."""
    if name in entry.values:
        return
    value = b"".join(parts)
    if size > MAX_VALUE:
        entry.wrong("too-long", name)
        return
    try:
        if value[:1] == b":":
            value = base64.b64decode(value[1:].strip(b" "), validate=True)
        elif value[:1] == b"<":
            entry.wrong("url", name)  # URLs in a file are never fetched
            return
        text = value.decode().strip(" ")
    except binascii.Error:
        entry.wrong("malformed", name)
        return
    except UnicodeDecodeError:
        entry.wrong("not-utf-8", name)
        return
    if name == "objectclass":
        entry.is_person |= text.lower() in _PERSONS
    elif text:
        entry.values[name] = text


class _Units:
    """Maps entries to the HSA-ids of the units above them; an empty HSA-id is a unit that cannot be read.

    `_missed` holds the DNs above some entry for which no unit had been read at that time.
    """

    def __init__(self) -> None:
        self._chains: dict[str, tuple[str, ...]] = {}
        self._missed: set[str] = set()
        self._last: tuple[str, tuple[str, ...]] = ("", ())

    def add(self, entry: _Entry, dn: str) -> None:
        """Adds a unit. Raises Invalid if there are too many, or if an entry below it came first."""
        self._require_room()
        name = _normal(dn)
        if name in self._missed:
            # Entries read before this unit were assigned to a unit above it.
            message = "står efter något som ligger under den. Exportera enheterna före personerna."
            refuse("unit-after-people", f"Enheten på rad {entry.line} {message}")
        self._chains[name] = (entry.values.get("hsa_id", ""), *self.above(dn))
        self._last = ("", ())

    def _require_room(self) -> None:
        if len(self._chains) + len(self._missed) >= MAX_UNITS:
            refuse("too-many-units", f"Filen har fler än {MAX_UNITS} enheter. Exportera en del av katalogen i taget.")

    def above(self, dn: str) -> tuple[str, ...]:
        """Returns the HSA-ids of the units above, nearest first.

        Caches the last parent, because entries of one unit are usually adjacent.
        """
        match = _COMMA.search(dn)
        parent = dn[match.end() :] if match else ""
        if parent != self._last[0]:
            self._last = (parent, self._chain(_normal(parent)))
        return self._last[1]

    def _chain(self, dn: str) -> tuple[str, ...]:
        while dn:
            if dn in self._chains:
                return self._chains[dn]
            if dn not in self._missed:
                self._require_room()
                self._missed.add(dn)
            match = _COMMA.search(dn)
            dn = dn[match.end() :] if match else ""
        return ()


def _normal(dn: str) -> str:
    """Returns a normal form of a DN, ignoring case, spaces around commas and equal signs, and the style of escapes (RFC 4514)."""
    return re.sub(r"\s*(?<!\\)([,=])\s*", r"\1", _ESCAPED.sub(_unescaped, dn.strip()).lower())


def _unescaped(match: re.Match[str]) -> str:
    """Decodes escaped octets, and escapes special characters with a backslash."""
    if match[0] == "\\\\":
        return match[0]
    text = bytes.fromhex(match[0].replace("\\", "")).decode(errors="replace")
    return "".join(f"\\{each}" if each in _SPECIAL else each for each in text)


def _row(entry: _Entry, units: _Units) -> FileRow | None:
    values = entry.values
    dn, change = values.pop("dn", ""), values.pop("changetype", "add").lower()
    if not entry.anything:
        return None
    if not dn:
        entry.wrong("no-dn")
    if change != "add":
        entry.wrong("change-record")
    is_person = "person_id" in values or entry.is_person
    if not is_person and ("hsa_id" in values or entry.fault) and dn and change == "add":
        units.add(entry, dn)
    return FileRow(entry.line, values, units.above(dn), entry.fault, entry.field) if is_person or entry.fault else None
