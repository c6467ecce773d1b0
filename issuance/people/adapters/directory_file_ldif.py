"""The catalogue as LDIF (RFC 2849): entries of content, read line by line; of each no more is kept than what a post needs.

A person's organisations are those above him in the tree, as the units' own entries, which stand before his, name them.
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
"""Units above people, which are remembered while the file is read."""

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
    """What has been read of an entry."""

    line: int
    values: dict[str, str] = field(default_factory=dict)
    is_person: bool = False
    fault: str = ""
    field: str = ""
    anything: bool = False

    def wrong(self, fault: str, name: str = "") -> None:
        """Notes the first thing that is wrong."""
        if not self.fault:
            self.fault, self.field = fault, "" if name in ("dn", "changetype", "objectclass") else name


def rows(stream: BinaryIO) -> Iterator[FileRow]:
    """The people's entries. What is wrong with one is a fault of its own."""
    units = _Units()
    for entry in _entries(stream):
        found = _row(entry, units)
        if found is not None:
            yield found


def _entries(stream: BinaryIO) -> Iterator[_Entry]:
    """The entries, each as soon as its last line is read."""
    entry: _Entry | None = None
    name, parts, size = "", [b""], 0  # the value that the next line may go on
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
    """Takes in a whole value; of several of one name the first, but of classes each."""
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
            entry.wrong("url", name)  # nothing that a file names is fetched
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
    """Which HSA-ids lie above an entry, by the names of the units that were read; empty where one cannot be read.

    `_missed` are the names above some entry that no unit had until then.
    """

    def __init__(self) -> None:
        self._chains: dict[str, tuple[str, ...]] = {}
        self._missed: set[str] = set()
        self._last: tuple[str, tuple[str, ...]] = ("", ())

    def add(self, entry: _Entry, dn: str) -> None:
        """Notes a unit. Raises Invalid if there are too many, or if it stands after what lies below it."""
        self._require_room()
        name = _normal(dn)
        if name in self._missed:
            # What stood before it has been told to lie in the unit above.
            message = "står efter något som ligger under den. Exportera enheterna före personerna."
            refuse("unit-after-people", f"Enheten på rad {entry.line} {message}")
        self._chains[name] = (entry.values.get("hsa_id", ""), *self.above(dn))
        self._last = ("", ())

    def _require_room(self) -> None:
        if len(self._chains) + len(self._missed) >= MAX_UNITS:
            refuse("too-many-units", f"Filen har fler än {MAX_UNITS} enheter. Exportera en del av katalogen i taget.")

    def above(self, dn: str) -> tuple[str, ...]:
        """The HSA-ids of the units above, the nearest first. Those of one unit mostly stand together."""
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
    """A name so that two ways of writing it are one: case, blanks around commas and equal signs, and how characters are escaped
    do not count (RFC 4514)."""
    return re.sub(r"\s*(?<!\\)([,=])\s*", r"\1", _ESCAPED.sub(_unescaped, dn.strip()).lower())


def _unescaped(match: re.Match[str]) -> str:
    """Octets as the characters that they are, with a backslash before those that would not stand alone."""
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
