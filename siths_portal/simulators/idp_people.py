"""The people in the identity provider's list, from its data file, in groups."""

import hashlib
from dataclasses import dataclass
from typing import Any

LOA2, LOA3 = "http://id.sambi.se/loa/loa2", "http://id.sambi.se/loa/loa3"
TRANSPORT_ACR = "urn:siths-eid-portal:acr:transport"
"""The `acr` of a log-in with the transport certificate of a blank reserve card, which is given only if it was requested."""
NO_ROLE = "Ingen roll i portalen"
"""What those are listed under who have neither group nor role."""


@dataclass(frozen=True)
class Person:
    """A person at the provider. `posts` are pairs of HSA-id and unit. `defer_choice` leaves the choice to the relying party.

    `group` is the person's group in the list, by default the role.
    """

    given_name: str
    surname: str
    personnummer: str
    posts: tuple[tuple[str, str], ...]
    role: str = ""
    acr: str = LOA3
    defer_choice: bool = False
    group: str = ""

    @property
    def name(self) -> str:
        """The full name."""
        return f"{self.given_name} {self.surname}"

    @property
    def detail(self) -> str:
        """The role, if it differs from the group."""
        return "" if self.role == self.group else self.role.removeprefix(f"{self.group}, ")

    @property
    def key(self) -> str:
        """An identifier for forms that reveals nothing about the person."""
        return hashlib.sha256(self.personnummer.encode()).hexdigest()[:16]


def people(entries: list[dict[str, Any]]) -> list[Person]:
    """Returns the people of `people.json`: groups in the order of the file, sorted by surname within each."""
    found = [
        Person(
            entry["given_name"], entry["surname"], entry["personnummer"],
            tuple((post["hsa_id"], post["unit"]) for post in entry["posts"]),
            entry.get("role", ""), entry.get("acr", LOA3), bool(entry.get("defer_choice", False)),
            entry.get("group") or entry.get("role") or NO_ROLE,
        )
        for entry in entries
    ]  # fmt: skip
    groups = list(dict.fromkeys(person.group for person in found))
    by_name = sorted(found, key=lambda person: (person.surname.casefold(), person.given_name.casefold(), person.key))
    return sorted(by_name, key=lambda person: groups.index(person.group))


def numbers(people_of_directory: list[dict[str, Any]]) -> dict[str, str]:
    """Returns the personal identity number of each HSA-id, in lower case, from the data file of the directory's simulator."""
    return {
        post["hsa_id"].casefold(): person["person_id"]["value"]
        for person in people_of_directory
        for post in person.get("posts", [])
        if person["person_id"]["kind"] in ("personnummer", "samordningsnummer")
    }
