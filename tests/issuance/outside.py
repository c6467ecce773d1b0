"""Catalogue and person register in memory, as the ports see them. The wire is tested in `test_adapters.py`."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

from issuance.organisations.ports import DirectoryOrganisation, OrganisationDirectory
from issuance.people.ports import DirectoryPost, PersonKey, PersonRegister, RegisterPerson, StaffDirectory
from siths_portal.lib import ports
from siths_portal.lib.errors import NotFound, Unavailable


class Outside:
    """Both ports. `calls` names each question; `down` makes every one fail. Of organisations it answers once it knows some."""

    def __init__(self) -> None:
        self.posts: dict[str, DirectoryPost] = {}
        self.persons: dict[PersonKey, RegisterPerson] = {}
        self.organisations: dict[str, DirectoryOrganisation] | None = None
        self.calls: list[str] = []
        self.down = False

    def find_posts_by_hsa_id(self, hsa_id: str) -> list[DirectoryPost]:
        self._answer("posts")
        found = self.posts.get(hsa_id.upper())
        return [found] if found else []

    def find_posts_by_person_id(self, person: PersonKey) -> list[DirectoryPost]:
        self._answer("posts")
        return [post for post in self.posts.values() if post.person == person]

    def find_organisations(self, hsa_ids: Sequence[str]) -> list[DirectoryOrganisation]:
        self._answer("organisations")
        if self.organisations is None:
            raise Unavailable("upstream-unreachable", "Ett anslutet system svarar inte.")
        keys = dict.fromkeys(hsa_id.upper() for hsa_id in hsa_ids)
        return [self.organisations[key] for key in keys if key in self.organisations]

    def know(self, *organisations: DirectoryOrganisation) -> None:
        """Organisations in the catalogue, which from then on answers about them."""
        self.organisations = (self.organisations or {}) | {each.hsa_id.upper(): each for each in organisations}

    def read_person(self, person: PersonKey) -> RegisterPerson:
        self._answer("person")
        if person not in self.persons:
            raise NotFound("person-unknown", "Personen finns inte.")
        return self.persons[person]

    def read_persons(self, persons: Sequence[PersonKey]) -> dict[PersonKey, RegisterPerson]:
        self._answer("persons")
        found = {person: self.persons[person] for person in persons if person in self.persons}
        return {key: dataclasses.replace(each, registered_address=None) for key, each in found.items()}

    def change_person(self, person: PersonKey, /, **changes: object) -> None:
        self.persons[person] = dataclasses.replace(self.persons[person], **changes)  # type: ignore[arg-type]

    def change_post(self, hsa_id: str, /, **changes: object) -> None:
        self.posts[hsa_id.upper()] = dataclasses.replace(self.posts[hsa_id.upper()], **changes)  # type: ignore[arg-type]

    def _answer(self, question: str) -> None:
        self.calls.append(question)
        if self.down:
            raise Unavailable("upstream-unreachable", "Ett anslutet system svarar inte.")


@contextlib.contextmanager
def connected(outside: Outside) -> Iterator[Outside]:
    """Connects the catalogue and the person register to `outside` instead of the adapters."""
    before = {port: ports.get(port) for port in (OrganisationDirectory, StaffDirectory, PersonRegister)}
    for port in before:
        ports.connect(port, outside)
    try:
        yield outside
    finally:
        for port, adapter in before.items():
            ports.connect(port, adapter)
