"""Revocation requests that were written on paper while the old service was frozen (rules/pki 4.3, 9.5)."""

import contextlib
import datetime as dt
from pathlib import Path

from pki.domain import serials
from pki.models import Certificate, CertificateAuthority, RevocationChannel
from pki.revocation.revoking import RevocationRequest, SourceRecord, plan_revocation
from pki.takeover import sources
from pki.takeover.findings import Ledger
from pki.takeover.records import moment, reason
from siths_portal.lib.errors import DomainError
from siths_portal.lib.imports.row_faults import RowFault

COLUMNS = {"serial", "received_at", "reason", "registered_by", "kept_at"}
"""Required columns; `invalid_since`, `requester` and `justification` are optional. References are opaque, never a name."""


def revoke(path: Path, ca: CertificateAuthority, ledger: Ledger, *, actor_ref: str, dry: bool) -> None:
    """Executes the file's revocation requests in the caller's transaction. Reports those that fail and executes the rest.

    The CRL entry's revocationDate is today; its invalidityDate is `invalid_since` or the time when the paper came in, so that a
    relying party sees since when the certificate was reported (RFC 5280 section 5.3.2).
    """
    for number, values in sources.table(path, path.name, COLUMNS):
        place = f"{path.name}:{number + 1}"
        try:
            serial = _serial(values)
            request = _request(values, actor_ref)
        except (RowFault, DomainError, ValueError) as error:
            ledger.report(place, "paper-invalid", values["serial"], error.code if isinstance(error, DomainError) else "")
            continue
        found = Certificate.objects.filter(ca=ca, serial=serial).values_list("id", "revoked_at").first()
        if found is None:
            ledger.report(place, "paper-unknown", serial)
            continue
        id_, revoked_at = found
        ledger.counts["papers" if revoked_at is None else "papers_already_revoked"] += 1
        if not dry:
            plan_revocation([id_], **{name: getattr(request, name) for name in request.__dataclass_fields__})


def serials_of(path: Path) -> list[str]:
    """Returns the file's valid serials."""
    found = []
    for _number, values in sources.table(path, path.name, COLUMNS):
        with contextlib.suppress(ValueError):
            found.append(_serial(values))
    return found


def _serial(values: dict[str, str]) -> str:
    return serials.text(serials.number(values["serial"].replace(":", "")))


def _request(values: dict[str, str], actor_ref: str) -> RevocationRequest:
    if "\0" in "".join(values.values()):
        # PostgreSQL cannot store a NUL, and its error would end the complete import.
        raise RowFault("unreadable")
    received_at = moment(values["received_at"])
    if received_at is None:
        raise RowFault("times")
    since: dt.datetime = moment(values.get("invalid_since", "")) or received_at
    return RevocationRequest(
        reason=reason(values["reason"]),
        actor_ref=actor_ref,
        received_at=received_at,
        channel=RevocationChannel.PAPER,
        justification=values.get("justification", ""),
        invalidity_date=since,
        requester=values.get("requester", ""),
        source_record=SourceRecord(values["registered_by"], values["kept_at"]),
    )
