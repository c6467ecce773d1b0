"""Parses the file with a new system's first administrators (docs/first-administrators.md). Does not use the database."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from issuance.authz.roles import ADMINISTRATION, Role
from issuance.records.domain.ids import PersonId, parse_hsa_id, parse_organisation_number, parse_swedish_number
from issuance.roles.domain import QualificationKind
from siths_portal.lib.errors import Invalid

LEAST = 2
"""The minimum number of people with each administration role: one requests and another approves."""

LONGEST = 64 * 1024
"""The maximum number of bytes of the file."""

_TOP = {"organisation", "administrators"}
_ORGANISATION = {"area", "name", "hsa_id", "organisation_number"}
_PERSON = {"person_id", "roles", *(kind.value for kind in QualificationKind)}


@dataclass(frozen=True)
class FirstOrganisation:
    """The organisation of the administrators' HSA assignments, created with its own area if the portal lacks it."""

    area: str
    name: str
    hsa_id: str
    organisation_number: str


@dataclass(frozen=True)
class FirstAdministrator:
    """A person, their roles, and the day on which each qualification was passed."""

    person_id: PersonId
    roles: tuple[Role, ...]
    passed_on: Mapping[QualificationKind, dt.date]


@dataclass(frozen=True)
class AdministratorsFile:
    """The content of the file."""

    organisation: FirstOrganisation | None
    administrators: tuple[FirstAdministrator, ...]


def parse(content: bytes, *, today: dt.date) -> AdministratorsFile:
    """Returns the content of the file. Raises Invalid with one Swedish line for the first error, without personal numbers."""
    if len(content) > LONGEST:
        raise _wrong("filen är för stor")
    try:
        found = yaml.safe_load(content.decode())
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _wrong("filen är inte YAML i UTF-8") from None
    top = _mapping(found, _TOP, "filen")
    rows = top.get("administrators")
    if not isinstance(rows, list):
        raise _wrong("administrators ska vara en lista")
    people = tuple(_administrator(row, f"administratör {n}", today) for n, row in enumerate(rows, 1))
    if len({one.person_id for one in people}) != len(people):
        raise _wrong("samma person står två gånger")
    for role in ADMINISTRATION:
        if sum(role in one.roles for one in people) < LEAST:
            raise _wrong(f"minst {LEAST} personer behöver rollen {role.value}")
    return AdministratorsFile(_organisation(top.get("organisation")), people)


def _organisation(found: Any) -> FirstOrganisation | None:
    if found is None:
        return None
    row = _mapping(found, _ORGANISATION, "organisation")
    name = _text(row, "name", "organisation")
    try:
        hsa_id = parse_hsa_id(_text(row, "hsa_id", "organisation"))
        number = parse_organisation_number(_text(row, "organisation_number", "organisation"))
    except ValueError:
        raise _wrong("organisation: hsa_id eller organisation_number är inte giltigt") from None
    return FirstOrganisation(str(row.get("area") or name), name, hsa_id, number)


def _administrator(found: Any, where: str, today: dt.date) -> FirstAdministrator:
    row = _mapping(found, _PERSON, where)
    try:
        person_id = parse_swedish_number(_text(row, "person_id", where), today=today)
    except ValueError:
        raise _wrong(f"{where}: person_id är inte ett personnummer (ååååmmdd-xxxx)") from None
    codes = row.get("roles", [role.value for role in ADMINISTRATION])
    if not isinstance(codes, list) or not codes or not {str(code) for code in codes} <= {role.value for role in ADMINISTRATION}:
        raise _wrong(f"{where}: roles ska vara en lista med {', '.join(role.value for role in ADMINISTRATION)}")
    roles = tuple(role for role in ADMINISTRATION if role.value in codes)
    return FirstAdministrator(person_id, roles, {kind: _day(row, kind.value, where, today) for kind in QualificationKind})


def _day(row: Mapping[str, Any], name: str, where: str, today: dt.date) -> dt.date:
    value = row.get(name)
    if isinstance(value, str):
        try:
            value = dt.date.fromisoformat(value)
        except ValueError:
            value = None
    if type(value) is not dt.date:
        raise _wrong(f"{where}: {name} ska vara dagen då den godkändes, till exempel 2026-11-25")
    if value > today:
        raise _wrong(f"{where}: {name} ligger framåt i tiden")
    return value


def _mapping(found: Any, known: set[str], where: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise _wrong(f"{where} ska vara namn och värden")
    if unknown := sorted(str(name) for name in found.keys() - known):
        raise _wrong(f"{where}: okänt fält {unknown[0][:40]}")
    return found


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(f"{where}: {name} saknas eller är inte text inom citattecken")
    return value.strip()


def _wrong(text: str) -> Invalid:
    return Invalid("administrators-file", text)
