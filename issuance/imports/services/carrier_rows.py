"""Rows of files of cards from an earlier portal: their values, what the import does with each, and the plan of a file."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from issuance.articles.models import Article
from issuance.carriers.models import Carrier
from issuance.imports.domain import CardStatus
from issuance.offices.models import Office
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.revocation.domain import RevocationReason
from siths_portal.lib.imports.planning import ImportPlan, PlannedRow, RowOutcome
from siths_portal.lib.imports.reading import ImportedRow


@dataclass(frozen=True)
class NamedCertificate:
    """A certificate that a row names: its profile, its column, and the issuer and serial number as written."""

    profile: str
    field: str
    issuer: str
    serial: str


@dataclass(frozen=True)
class CardCells:
    """A row's values. Serial and ids have no spaces, ids are in upper case. Ends are exclusive moments."""

    card_serial: str
    mifare_id: str
    article: str
    organisation: str
    office: str
    hsa_id: str
    status: CardStatus
    valid_from: dt.datetime
    valid_to: dt.datetime
    ended_at: dt.datetime | None
    reason: RevocationReason | None
    eid_valid_from: dt.datetime
    eid_valid_to: dt.datetime
    activated_at: dt.datetime
    certificates: tuple[NamedCertificate, ...]

    @property
    def of_card(self) -> tuple[object, ...]:
        """The values that all rows of a card share."""
        period = (self.valid_from, self.valid_to, self.ended_at)
        return (self.mifare_id, self.article, self.organisation, self.office, self.status, self.reason, *period)


@dataclass(frozen=True)
class CertificateChange:
    """A certificate to connect. `of_eid` is False for the pair with person-id, which belongs to the card."""

    certificate_id: UUID
    profile: str
    of_eid: bool


@dataclass(frozen=True)
class EidChange:
    """An eID to record, or with `eid_id` one that exists, and the certificates to connect with it and its card."""

    post: Post
    valid_from: dt.datetime
    valid_to: dt.datetime
    activated_at: dt.datetime
    certificates: tuple[CertificateChange, ...]
    eid_id: UUID | None = None


@dataclass(frozen=True)
class CarrierChange:
    """A card to record with its eIDs, or with `carrier` one that exists and gets certificates."""

    cells: CardCells
    article: Article
    organisation: Organisation
    office: Office | None
    eids: tuple[EidChange, ...]
    carrier: Carrier | None = None


@dataclass
class PlannedCarrierRow(PlannedRow[ImportedRow, CarrierChange]):
    """A row of a file of cards. The first row of a card has the change of all its rows. `uncertified` means that a card in use
    is recorded without a certificate for the row's eID.
    """

    uncertified: bool = False

    @property
    def warnings(self) -> Mapping[str, str]:
        """See `PlannedRow`."""
        if self.outcome is not RowOutcome.CREATE or not self.uncertified:
            return {}
        return {"eid_auth": "Utan certifikat. Spärras kortet i portalen så spärras inget certifikat hos utfärdaren."}


@dataclass(frozen=True)
class CarrierPlan(ImportPlan[PlannedCarrierRow]):
    """The plan of a file of cards."""

    rows: Sequence[PlannedCarrierRow]

    @property
    def changes(self) -> list[CarrierChange]:
        """What the import does, one change for each card."""
        return [row.change for row in self.rows if row.change is not None]

    @property
    def counts(self) -> Mapping[str, int]:
        """What the import records, in numbers for events and pages."""
        new = [change for change in self.changes if change.carrier is None]
        return {
            "carriers": len(new),
            "eids": sum(len(change.eids) for change in new),
            "certificates": sum(len(eid.certificates) for change in self.changes for eid in change.eids),
            "uncertified": self.warned,
            "same": self.count(RowOutcome.SAME),
            "wrong": self.count(RowOutcome.INVALID),
        }
