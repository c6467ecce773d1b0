"""The HSA directory as organisations need it. Methods raise only lib.errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class DirectoryOrganisation:
    """An organisation or unit in the HSA directory now. `organisation_number` is empty for a unit without its own number."""

    hsa_id: str
    name: str
    organisation_number: str = ""


class OrganisationDirectory(Protocol):
    """The organisations of the HSA directory. Raises Unavailable without a response, Refused if the directory declines."""

    def find_organisations(self, hsa_ids: Sequence[str]) -> list[DirectoryOrganisation]:
        """Returns the organisations and units with these HSA-ids, ignoring case. Unknown HSA-ids are left out."""
        ...
