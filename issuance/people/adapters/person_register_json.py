"""The person register as JSON over HTTP (wire format: docs/wire/README.md)."""

from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Any

from django.conf import settings

from issuance.people.adapters.wire import checked, listed, text, truth
from issuance.people.ports import PersonKey, RegisteredAddress, RegisterPerson
from siths_portal.lib.http.client import Client

PERSONS_AT_ONCE = 200
"""The maximum number of persons in one request."""


class JsonPersonRegister:
    """`PersonRegister` over HTTP. Raises Unavailable for a reply that does not follow the wire format."""

    def __init__(self, base_url: str = "") -> None:
        self._client = Client(base_url or settings.PERSON_REGISTER_URL, max_bytes=256 * 1024)

    def read_person(self, person: PersonKey) -> RegisterPerson:
        """Returns current name, protection flags and registered address. Raises NotFound if there is no such person."""
        query = {"person_id": {"kind": person.kind, "value": person.value}}
        reply = self._client.post("/person-register/v1/persons/query", body=query, retries=2, idempotent=True)
        return checked(lambda: _person(reply.json()))

    def read_persons(self, persons: Sequence[PersonKey]) -> Mapping[PersonKey, RegisterPerson]:
        """Returns name and protection flags of the persons that the register has, in requests of PERSONS_AT_ONCE."""
        found: dict[PersonKey, RegisterPerson] = {}
        for part in batched(persons, PERSONS_AT_ONCE, strict=False):
            found |= self._persons(part)
        return found

    def _persons(self, persons: Sequence[PersonKey]) -> dict[PersonKey, RegisterPerson]:
        body = {"person_ids": [{"kind": person.kind, "value": person.value} for person in persons]}
        reply = self._client.post("/person-register/v1/persons/batch-query", body=body, retries=2, idempotent=True)
        entries = checked(lambda: [_keyed(entry) for entry in listed(reply.json()["persons"])[:PERSONS_AT_ONCE]])
        asked = set(persons)
        return {key: person for key, person in entries if key in asked}


def _keyed(entry: dict[str, Any]) -> tuple[PersonKey, RegisterPerson]:
    """Returns a person of a reply about many, which has no addresses."""
    key = PersonKey(text(entry["person_id"]["kind"]), text(entry["person_id"]["value"]))
    return key, _person({**entry, "registered_address": None})


def _person(entry: dict[str, Any]) -> RegisterPerson:
    return RegisterPerson(
        given_names=text(entry["given_names"]),
        given_name_in_use=text(entry["given_name_in_use"]),
        surname=text(entry["surname"]),
        protected_person_indicator=truth(entry["protected_person_indicator"]),
        protected_population_record=truth(entry["protected_population_record"]),
        deceased=truth(entry["deceased"]),
        registered_address=_address(entry["registered_address"]),
    )


def _address(entry: dict[str, Any] | None) -> RegisteredAddress | None:
    if entry is None:
        return None
    return RegisteredAddress(
        lines=tuple(text(line) for line in listed(entry["lines"])),
        postal_code=text(entry["postal_code"]),
        city=text(entry["city"]),
        country=text(entry["country"]),
    )
