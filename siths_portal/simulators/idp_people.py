"""Whom the identity provider lists: the people of its data file, in the groups that they are listed under."""

import hashlib
from dataclasses import dataclass
from typing import Any

LOA2, LOA3 = "http://id.sambi.se/loa/loa2", "http://id.sambi.se/loa/loa3"
NO_ROLE = "Ingen roll i portalen"
"""What those are listed under who have neither group nor role."""


@dataclass(frozen=True)
class Person:
    """Whom the provider knows: posts are (HSA-id, unit). `defer_choice` leaves the choice of HSA-id to the relying party.

    `group` is what the person is listed under; unless given, his role.
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
        """The whole name."""
        return f"{self.given_name} {self.surname}"

    @property
    def detail(self) -> str:
        """What is told of the role beside the group that the person is listed under."""
        return "" if self.role == self.group else self.role.removeprefix(f"{self.group}, ")

    @property
    def key(self) -> str:
        """A name for forms that says nothing about the person."""
        return hashlib.sha256(self.personnummer.encode()).hexdigest()[:16]


def people(entries: list[dict[str, Any]]) -> list[Person]:
    """The people of `people.json`: groups as they come there, and in each by surname."""
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
