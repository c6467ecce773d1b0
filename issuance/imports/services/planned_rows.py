"""Rows of set-up files, what the import does with each, and the plan of a complete file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from issuance.authz import Role
from issuance.imports.domain import SetupTable
from issuance.offices.services import OfficeData
from issuance.organisations.services.organisation_catalogue import DirectoryMatch
from issuance.organisations.services.organisations import Making, OrganisationData
from issuance.roles.services.role_periods import Period
from siths_portal.lib.imports.planning import ImportPlan, PlannedRow, RowOutcome
from siths_portal.lib.imports.reading import ImportedRow

ENDED = "är avslutad. Återuppta den på dess egen sida först."
MISSING = "finns inte, eller så ligger det utanför din behörighet. Kontrollera värdet."


@dataclass(frozen=True)
class SetupRow(ImportedRow):
    """A row of a set-up file.

    For a new organisation it also has the result of the comparison with the HSA directory at the upload (`DirectoryMatch`), and
    the differences by field.
    """

    catalogue: str = ""
    differences: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OrganisationRef:
    """An organisation: its HSA-id in upper case, and its id if it exists already."""

    key: str
    pk: UUID | None

    def among(self, made: Mapping[str, UUID]) -> UUID:
        """Returns its id, once the organisations before it are created."""
        return self.pk or made[self.key]


@dataclass(frozen=True)
class NewOrganisationChange:
    """An organisation to create in an area, or below `parent`; `catalogue` is the HSA directory's response."""

    key: str
    area_id: UUID
    parent: OrganisationRef | None
    data: OrganisationData
    making: Making
    catalogue: str


@dataclass(frozen=True)
class OfficeChange:
    """An office to create, or with `office_id` an existing one; `organisations` are to be connected with it."""

    area_id: UUID
    data: OfficeData
    office_id: UUID | None
    organisations: tuple[OrganisationRef, ...]


@dataclass(frozen=True)
class RoleChange:
    """A role to assign: everywhere, in an area, or in an organisation."""

    person_id: UUID
    role: Role
    area_id: UUID | None
    organisation: OrganisationRef | None
    protected_persons: bool
    period: Period


@dataclass
class PlannedSetupRow(PlannedRow[SetupRow, NewOrganisationChange | OfficeChange | RoleChange]):
    """A row of a set-up file and what the import does with it. `person_id` is the holder of a role."""

    person_id: UUID | None = None

    @property
    def warnings(self) -> Mapping[str, str]:
        """Returns the differences of a new organisation from the HSA directory, by field."""
        return self.row.differences if self.outcome is RowOutcome.CREATE else {}


@dataclass(frozen=True)
class SetupPlan(ImportPlan[PlannedSetupRow]):
    """The plan of a set-up file. `order` holds the rows of new organisations, each after the one above it."""

    order: Sequence[PlannedSetupRow]

    split_advice: ClassVar[str] = "Dela upp den i flera filer, med de översta organisationerna i den första."

    @property
    def unchecked(self) -> int:
        """Returns the number of new organisations for which the HSA directory gave no response."""
        return self.number(
            lambda row: isinstance(row.change, NewOrganisationChange) and row.change.catalogue == DirectoryMatch.SILENT
        )

    @property
    def gives_roles(self) -> bool:
        """Returns whether the plan assigns a role."""
        return self.count(RowOutcome.CREATE, SetupTable.ROLES) > 0

    @property
    def counts(self) -> Mapping[str, int]:
        """Returns what the import creates, in numbers for events and pages."""
        connections = sum(len(row.change.organisations) for row in self.rows if isinstance(row.change, OfficeChange))
        return {
            "organisations": self.count(RowOutcome.CREATE, SetupTable.ORGANISATIONS),
            "offices": self.count(RowOutcome.CREATE, SetupTable.OFFICES),
            "connections": connections,
            "roles": self.count(RowOutcome.CREATE, SetupTable.ROLES),
            "same": self.count(RowOutcome.SAME),
            "wrong": self.count(RowOutcome.INVALID),
        }
