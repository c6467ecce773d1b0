"""What becomes of each row of a file, as the preview tells it and as it is carried out."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from issuance.authz import Role
from issuance.imports.domain import NO, SHAPES, YES, Kind
from issuance.imports.services.reading import Row
from issuance.offices.services import OfficeData
from issuance.organisations.services.organisation_catalogue import Said
from issuance.organisations.services.organisations import Making, OrganisationData
from issuance.roles.services.role_periods import Period
from siths_portal.lib.errors import DomainError

ENDED = "är avslutad. Återuppta den på dess egen sida först."
MAX_NEW = 1000
"""Rows that are carried out at once, in one transaction that changes of the tree wait for."""

MISSING = "finns inte, eller så ligger det utanför din behörighet. Kontrollera värdet."


def grouped(count: int) -> str:
    """A count with no-break spaces between thousands."""
    return f"{count:,}".replace(",", "\u00a0")


class RowOutcome(StrEnum):
    """What carrying out does with a row."""

    MAKE = "make"
    CONNECT = "connect"
    SAME = "same"
    WRONG = "wrong"


@dataclass(frozen=True)
class Ref:
    """An organisation: its HSA-id in upper case, and its id if it is there already."""

    key: str
    pk: UUID | None

    def among(self, made: Mapping[str, UUID]) -> UUID:
        """Its id, once those before it are made."""
        return self.pk or made[self.key]


@dataclass(frozen=True)
class OrganisationStep:
    """An organisation to be made in an area, or below `parent`; `catalogue` is what the catalogue said of it."""

    key: str
    area_id: UUID
    parent: Ref | None
    data: OrganisationData
    making: Making
    catalogue: str


@dataclass(frozen=True)
class OfficeStep:
    """An office to be made, or with `office_id` one that is there; `organisations` are to be connected with it."""

    area_id: UUID
    data: OfficeData
    office_id: UUID | None
    organisations: tuple[Ref, ...]


@dataclass(frozen=True)
class RoleStep:
    """A role to be given: everywhere, in an area, or in an organisation."""

    person_id: UUID
    role: Role
    area_id: UUID | None
    organisation: Ref | None
    protected_persons: bool
    period: Period


Step = OrganisationStep | OfficeStep | RoleStep


@dataclass
class PlannedRow:
    """A row and what becomes of it: `told` in words, `wrong` by field, `bound` what it rests on, `person_id` whom it concerns."""

    row: Row
    outcome: RowOutcome = RowOutcome.SAME
    told: str = ""
    wrong: dict[str, list[str]] = field(default_factory=dict)
    step: Step | None = None
    bound: tuple[str, ...] = ()
    person_id: UUID | None = None

    @property
    def doubts(self) -> Mapping[str, str]:
        """By field what the catalogue has otherwise, of an organisation that would be made."""
        return self.row.differences if self.outcome is RowOutcome.MAKE else {}

    def refuse(self, field: str, message: str) -> None:
        """Notes that something is wrong at a field."""
        self.outcome, self.step = RowOutcome.WRONG, None
        self.wrong.setdefault(field, []).append(message)

    def take(self, error: DomainError, *, field: str) -> None:
        """Notes a refusal of the domain at its fields, else at `field`."""
        named = error.fields or {field: [error.message]}
        known = {column.field for column in SHAPES[self.row.kind].columns}
        for name, messages in named.items():
            for message in messages:
                self.refuse(name if name in known else field, message)

    def yes(self, field: str) -> bool | None:
        """A cell that says Ja or Nej; None if it is empty, or says something else, which is noted."""
        text = self.row.get(field).casefold()
        if text in ("", YES.casefold(), NO.casefold()):
            return text == YES.casefold() if text else None
        self.refuse(field, "Skriv Ja eller Nej.")
        return None

    def differs(self, field: str, typed: object, there: object, shown: str | None) -> None:
        """Notes that what is there has another value than what the cell tells; an empty cell tells nothing.

        `shown` is that value; None where the actor sees no page that tells it.
        """
        if self.row.get(field) and typed != there:
            told = "" if shown is None else f": {shown or 'tomt'}"
            self.refuse(field, f"Finns redan, med ett annat värde{told}. Ändra det på dess egen sida.")


@dataclass(frozen=True)
class ImportPlan:
    """What becomes of a whole file. `order` are the rows of new organisations, each after the one above it."""

    lines: Sequence[PlannedRow]
    order: Sequence[PlannedRow]

    @property
    def wrong(self) -> bool:
        """Whether a row stands against it all."""
        return any(line.outcome is RowOutcome.WRONG for line in self.lines)

    @property
    def nothing(self) -> bool:
        """Whether all of it is there already."""
        return all(line.outcome is RowOutcome.SAME for line in self.lines)

    @property
    def too_long(self) -> str:
        """What is said of a file with more to do than is done at once, whose rows are not to blame; empty for any other."""
        new = self.number(lambda line: line.step is not None)
        if new <= MAX_NEW:
            return ""
        return (
            f"Filen har {grouped(new)} nya rader. Högst {grouped(MAX_NEW)} nya rader läses in åt gången. "
            "Dela upp den i flera filer, med de översta organisationerna i den första."
        )

    @property
    def doubted(self) -> int:
        """How many new organisations are otherwise in the catalogue, or not there: who carries out says that he has read it."""
        return self.number(lambda line: bool(line.doubts))

    @property
    def unchecked(self) -> int:
        """How many new organisations the catalogue gave no answer about."""
        return self.number(lambda line: isinstance(line.step, OrganisationStep) and line.step.catalogue == Said.SILENT)

    @property
    def gives_roles(self) -> bool:
        """Whether it gives somebody a role."""
        return any(line.outcome is RowOutcome.MAKE and line.row.kind is Kind.ROLES for line in self.lines)

    @property
    def sha256(self) -> str:
        """The hash of what was told and what it rests on: of two that are equal the same comes of carrying them out."""
        told = [[line.row.sheet, line.row.number, line.outcome.value, line.told, line.wrong, line.bound] for line in self.lines]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def count(self, outcome: RowOutcome, kind: Kind | None = None) -> int:
        """How many rows, of one table or of all, come to this."""
        return self.number(lambda line: line.outcome is outcome and kind in (None, line.row.kind))

    def number(self, condition: Callable[[PlannedRow], bool]) -> int:
        """How many rows are so."""
        return sum(1 for line in self.lines if condition(line))

    @property
    def counts(self) -> Mapping[str, int]:
        """What will be made, as events and pages tell it."""
        connections = sum(len(line.step.organisations) for line in self.lines if isinstance(line.step, OfficeStep))
        return {
            "organisations": self.count(RowOutcome.MAKE, Kind.ORGANISATIONS),
            "offices": self.count(RowOutcome.MAKE, Kind.OFFICES),
            "connections": connections,
            "roles": self.count(RowOutcome.MAKE, Kind.ROLES),
            "same": self.count(RowOutcome.SAME),
            "wrong": self.count(RowOutcome.WRONG),
        }
