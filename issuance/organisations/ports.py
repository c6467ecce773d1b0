"""The HSA directory as organisations need it. Methods raise lib.errors only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class DirectoryOrganisation:
    """An organisation or unit as the catalogue has it now. `organisation_number` is empty for a unit without one of its own."""

    hsa_id: str
    name: str
    organisation_number: str = ""


class OrganisationDirectory(Protocol):
    """The organisations of the HSA directory. Raises Unavailable if it does not answer, Refused if it declines."""

    def find_organisations(self, hsa_ids: Sequence[str]) -> list[DirectoryOrganisation]:
        """The organisations and units with these HSA-ids, whatever their case; what the catalogue does not have is left out."""
        ...
