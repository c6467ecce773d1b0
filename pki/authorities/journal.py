"""What the `pki` worker writes to the journal before it answers: certificates, ended holds and revocations (rules/pki 3.4).

`ops_restore` reads it after a loss of the database (`pki.takeover.replaying`).
"""

from collections.abc import Iterable
from typing import Any, Protocol
from uuid import UUID

from pki.models import Certificate, CertificateAuthority, HoldRelease, ProfileVersion
from siths_portal.lib.files import journal

NAME = "pki"
ISSUED, RELEASED, REVOKED = "certificate", "release", "revocation"
_FIELDS = ("subject_ref", "carrier_ref", "unit_ref", "client_ref", "held", "created_at")


class SignedRow(Protocol):
    """A certificate's row, or the values of one, as the journal needs it."""

    @property
    def id(self) -> UUID:
        """Its id, which a restored row has again."""

    @property
    def ca(self) -> CertificateAuthority:
        """Its issuer."""

    @property
    def serial(self) -> str:
        """Its serial, as the row has it."""

    @property
    def profile_version(self) -> ProfileVersion | None:
        """Its profile, or None."""


def issued(signed: Iterable[tuple[SignedRow, bytes]]) -> None:
    """Writes certificates that the token has signed, each as its row and its DER. Raises OSError."""
    journal.append(NAME, (_issued(row, der) for row, der in signed))


def _issued(row: SignedRow, der: bytes) -> dict[str, Any]:
    own = {name: getattr(row, name) for name in _FIELDS}
    profile = row.profile_version.sha256 if row.profile_version else ""
    return _named(ISSUED, row.id, row.ca, row.serial) | own | {"profile": profile, "der": journal.packed(der)}


def released(ended: Iterable[tuple[Certificate, HoldRelease]]) -> None:
    """Writes that holds ended, each with the request and the proof that it rests on. The rows need id, `ca` and serial.

    Raises OSError.
    """
    journal.append(
        NAME,
        (
            _named(RELEASED, row.id, row.ca, row.serial)
            | {"delivery": release.delivery_id, "proof_verified_at": release.delivery.proof_verified_at}
            | {"actor_ref": release.actor_ref, "requested_at": release.requested_at}
            for row, release in ended
        ),
    )


def revoked(ca: CertificateAuthority, rows: Iterable[Certificate]) -> None:
    """Writes revocations of certificates of `ca`, as their rows have them. Raises OSError."""
    journal.append(
        NAME,
        (
            _named(REVOKED, row.id, ca, row.serial)
            | {"revoked_at": row.revoked_at, "reason": row.reason, "invalidity_date": row.invalidity_date}
            for row in rows
        ),
    )


def _named(kind: str, id_: UUID, ca: CertificateAuthority, serial: str) -> dict[str, Any]:
    return {"kind": kind, "id": id_, "ca": ca.slug, "generation": ca.generation, "serial": serial}
