"""The stored values of a planned certificate: a serial of its CA, and the bytes to sign."""

import datetime as dt
from dataclasses import dataclass, field
from uuid import UUID

from pki.models import CertificateAuthority, ProfileVersion


@dataclass(frozen=True, slots=True)
class Reserved:
    """A planned row of `Certificate`, without the values that all rows of one call share.

    Plain values, since a model object costs as much as the rest of writing the row (ADR 0150).
    """

    id: UUID
    ca: CertificateAuthority
    profile_version: ProfileVersion
    serial: str
    tbs_der: bytes = field(repr=False)
    tbs_sha256: str
    spki_sha256: str
    subject_ref: str
    carrier_ref: str
    not_before: dt.datetime
    not_after: dt.datetime
    held: bool = False

    def values(self) -> tuple[object, ...]:
        """Returns the values of `COLUMNS`."""
        return (
            self.id, self.ca.id, self.profile_version.id, self.serial, self.tbs_der, self.tbs_sha256, self.spki_sha256,
            self.subject_ref, self.carrier_ref, self.not_before, self.not_after, self.held,
        )  # fmt: skip


COLUMNS = (
    "id", "ca_id", "profile_version_id", "serial", "tbs_der", "tbs_sha256", "spki_sha256",
    "subject_ref", "carrier_ref", "not_before", "not_after", "held",
)  # fmt: skip
