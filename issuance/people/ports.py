"""Ports to the HSA directory and the person register. Methods raise only lib.errors."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from issuance.organisations.ports import OrganisationDirectory


@dataclass(frozen=True)
class PersonKey:
    """A person's number as external systems use it: kind and value in normal form."""

    kind: str
    value: str


@dataclass(frozen=True)
class DirectoryPost:
    """An assignment in the HSA directory now. `valid_to` is its last day."""

    hsa_id: str
    organisation_hsa_id: str
    person: PersonKey
    given_name: str
    surname: str
    title: str = ""
    mail: str = ""
    upn: str = ""
    valid_to: dt.date | None = None


@dataclass(frozen=True)
class RegisteredAddress:
    """A registered address (folkbokföringsadress). It is read when needed and never stored."""

    lines: tuple[str, ...]
    postal_code: str
    city: str
    country: str


@dataclass(frozen=True)
class RegisterPerson:
    """A person in the register now. A protected person has no address here."""

    given_names: str
    given_name_in_use: str
    surname: str
    protected_person_indicator: bool
    protected_population_record: bool
    deceased: bool
    registered_address: RegisteredAddress | None

    @property
    def is_protected(self) -> bool:
        """True for both kinds, sekretessmarkering and skyddad folkbokföring."""
        return self.protected_person_indicator or self.protected_population_record


class StaffDirectory(OrganisationDirectory, Protocol):
    """The HSA directory including assignments. Raises Unavailable without a response, Refused if the directory declines."""

    def find_posts_by_hsa_id(self, hsa_id: str) -> list[DirectoryPost]:
        """Returns the assignments with this HSA-id, ignoring case; normally none or one."""
        ...

    def find_posts_by_person_id(self, person: PersonKey) -> list[DirectoryPost]:
        """Returns all assignments of a person."""
        ...


class PersonRegister(Protocol):
    """The person register (Personuppgiftstjänsten). Raises Unavailable, Refused, or NotFound if it has no such person."""

    def read_person(self, person: PersonKey) -> RegisterPerson:
        """Returns current name, protection flags and registered address."""
        ...

    def read_persons(self, persons: Sequence[PersonKey]) -> Mapping[PersonKey, RegisterPerson]:
        """Returns the same, without addresses, of those of many persons that the register has. Leaves out the others."""
        ...
