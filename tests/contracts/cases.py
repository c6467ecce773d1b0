"""The contract of both ports as cases: a question and what must come of it, for every adapter, double and provider alike."""

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import Any

from issuance.organisations.ports import DirectoryOrganisation
from issuance.people.ports import DirectoryPost, PersonKey, RegisteredAddress, RegisterPerson
from siths_portal.lib.errors import NotFound

ANNA = PersonKey("personnummer", "189001019802")
BERTIL = PersonKey("samordningsnummer", "188502629811")
CILLA = PersonKey("personnummer", "187703039806")
DORIS = PersonKey("passport", "X1234567")
NOBODY = PersonKey("personnummer", "180001019999")

ADDRESS = {"lines": ["c/o Ängström", "Storgatan 1"], "postal_code": "506 30", "city": "Borås", "country": "SE"}
_REGISTER = {
    "given_names": "Anna Maria", "given_name_in_use": "Anna", "surname": "Demosson Åström", "protected_person_indicator": False,
    "protected_population_record": False, "deceased": False, "registered_address": ADDRESS,
}  # fmt: skip
_POST = {
    "hsa_id": "TST2321000131-A1b2", "organisation_hsa_id": "TST2321000131-1000", "given_name": "Anna",
    "surname": "Demosson Åström", "title": "Sjuksköterska", "mail": "anna@demo.example", "upn": "anna@upn.demo.example",
    "valid_to": "2027-01-31",
}  # fmt: skip
_OTHER_POST = {
    "hsa_id": "TST2120001561-Q9", "organisation_hsa_id": "TST2120001561-1000", "given_name": "Anna", "surname": "Demosson Åström",
    "title": "", "mail": "", "upn": "", "valid_to": None,
}  # fmt: skip
_BERTIL = {**_REGISTER, "given_names": "Bertil", "given_name_in_use": "Bertil"}
_CILLA = {**_REGISTER, "given_names": "Cilla", "given_name_in_use": "Cilla", "surname": "Skydd"}
_DORIS = {**_REGISTER, "given_names": "Doris", "given_name_in_use": "Doris"}
_CILLAS = {**_POST, "hsa_id": "TST2321000131-C3", "given_name": "Cilla", "surname": "Skydd"}

PEOPLE: list[dict[str, Any]] = [
    {"person_id": {"kind": ANNA.kind, "value": ANNA.value}, "register": _REGISTER, "posts": [_POST, _OTHER_POST]},
    {
        "person_id": {"kind": BERTIL.kind, "value": BERTIL.value},
        "register": {**_BERTIL, "deceased": True, "registered_address": None},
        "posts": [],
    },
    {
        "person_id": {"kind": CILLA.kind, "value": CILLA.value},
        "register": {**_CILLA, "protected_person_indicator": True},
        "posts": [_CILLAS],
    },
    {
        "person_id": {"kind": DORIS.kind, "value": DORIS.value},
        "register": {**_DORIS, "protected_population_record": True},
        "posts": [],
    },
]  # fmt: skip
"""What the sources hold. Both protected people have an address in the data, which may not come out."""


ORGANISATIONS: list[dict[str, Any]] = [
    {"hsa_id": "TST2321000131-1000", "name": "Västra Götalandsregionen", "organisation_number": "2321000131"},
    {"hsa_id": "TST2321000131-a004", "name": "Kliniken", "organisation_number": None},
]
"""The organisations that the catalogue has."""


def post_of(key: PersonKey, entry: dict[str, Any]) -> DirectoryPost:
    """An entry of the data as the port gives it."""
    values = {name: value for name, value in entry.items() if name != "valid_to"}
    return DirectoryPost(person=key, valid_to=dt.date.fromisoformat(entry["valid_to"]) if entry["valid_to"] else None, **values)


def person_of(entry: dict[str, Any]) -> RegisterPerson:
    """A record of the data as the port gives it: a protected person's without address."""
    address = entry["registered_address"]
    if entry["protected_person_indicator"] or entry["protected_population_record"]:
        address = None
    values = {name: value for name, value in entry.items() if name != "registered_address"}
    kept = address and RegisteredAddress(tuple(address["lines"]), address["postal_code"], address["city"], address["country"])
    return RegisterPerson(registered_address=kept, **values)


@dataclass(frozen=True)
class Case:
    """A question to a port by its method's name, its body on the wire, and what must come of it: values or an error."""

    name: str
    method: str
    asked: Any
    body: dict[str, Any]
    expected: Any


def _by_id(name: str, hsa_id: str, *expected: DirectoryPost) -> Case:
    return Case(name, "find_posts_by_hsa_id", hsa_id, {"hsa_id": hsa_id}, list(expected))


def _by_person(name: str, key: PersonKey, *expected: DirectoryPost) -> Case:
    return Case(name, "find_posts_by_person_id", key, {"person_id": {"kind": key.kind, "value": key.value}}, list(expected))


def _read(name: str, key: PersonKey, expected: Any) -> Case:
    return Case(name, "read_person", key, {"person_id": {"kind": key.kind, "value": key.value}}, expected)


def _organisations(name: str, hsa_ids: list[str], *expected: int) -> Case:
    found = [organisation_of(ORGANISATIONS[index]) for index in expected]
    return Case(name, "find_organisations", hsa_ids, {"hsa_ids": hsa_ids}, found)


def organisation_of(entry: dict[str, Any]) -> DirectoryOrganisation:
    """An entry of the data as the port gives it."""
    return DirectoryOrganisation(entry["hsa_id"], entry["name"], entry["organisation_number"] or "")


_A, _B, _C = post_of(ANNA, _POST), post_of(ANNA, _OTHER_POST), post_of(CILLA, _CILLAS)
DIRECTORY = [
    _by_id("a post by its HSA-id", "TST2321000131-A1b2", _A),
    _by_id("an HSA-id in lower case", "tst2321000131-a1b2", _A),
    _by_id("an HSA-id in upper case", "TST2321000131-A1B2", _A),
    _by_id("a post without title, mail, UPN and end", "TST2120001561-Q9", _B),
    _by_id("a protected person's post", "TST2321000131-C3", _C),
    _by_id("an unknown HSA-id", "TST2321000131-ZZ"),
    _by_id("the start of an HSA-id is none", "TST2321000131-A1"),
    _by_person("several posts of a person, in their order", ANNA, _A, _B),
    _by_person("a person without posts", BERTIL),
    _by_person("an unknown person", NOBODY),
    _by_person("the number under another kind is another person", PersonKey("reserve", ANNA.value)),
]
PLACES = [
    _organisations("organisations in the order asked, whatever their case", ["tst2321000131-A004", "TST2321000131-1000"], 1, 0),
    _organisations("what the catalogue does not have is left out", ["TST2321000131-9999", "TST2321000131-1000"], 0),
    _organisations("none of them", ["TST2321000131-100"]),
    _organisations("one asked for twice", ["TST2321000131-1000", "tst2321000131-1000"], 0),
]
MANY = [
    Case(
        "many persons, without addresses, and nobody whom the register does not have",
        "read_persons",
        [ANNA, NOBODY, CILLA, PersonKey("reserve", ANNA.value)],
        {"person_ids": [{"kind": key.kind, "value": key.value} for key in (ANNA, NOBODY, CILLA)]},
        {
            ANNA: dataclasses.replace(person_of(PEOPLE[0]["register"]), registered_address=None),
            CILLA: person_of(PEOPLE[2]["register"]),
        },
    ),
]
REGISTER = [
    _read("a person with address", ANNA, person_of(PEOPLE[0]["register"])),
    _read("a dead person without address", BERTIL, person_of(PEOPLE[1]["register"])),
    _read("a person with a protection indicator has no address", CILLA, person_of(PEOPLE[2]["register"])),
    _read("a person with a protected record has no address", DORIS, person_of(PEOPLE[3]["register"])),
    _read("an unknown person", NOBODY, NotFound),
    _read("the number under another kind is another person", PersonKey("reserve", ANNA.value), NotFound),
]
