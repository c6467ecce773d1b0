"""Certificates for keys that are made on a card after its delivery, requested in an eID app transaction (ADR 0310).

The process that serves the app cannot insert certificates. It stores the card's request, wakes the `pki` worker
(`pki/issuing/certifying.py`) and waits for it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pki.authorities.certificates import POLL_SECONDS, certificates
from pki.domain import keys, proof_of_possession
from pki.domain.orders import CertificateView
from pki.models import CertificateStatus, RefusedRequest
from siths_portal.lib.processes import jobs


def wake_certifier(request_id: UUID) -> None:
    """Wakes the worker for a stored request when the caller's transaction commits. A repeated call does no harm."""
    jobs.enqueue("pki.certify", queue="pki", request_id=str(request_id))


def request_key(csr_der: bytes, *, field: str) -> str:
    """Returns the SHA-256 of the public key in a request (PKCS #10). Raises Invalid at `field` for one that proves no key."""
    return keys.spki_sha256(proof_of_possession.key_of_request(csr_der, field=field))


@dataclass(frozen=True)
class Requested:
    """The certificates of a request once all are issued, else none; or the reason code for which the worker refused them."""

    certificates: tuple[CertificateView, ...] = ()
    refusal: str = ""


def wait_for_requested(request_id: UUID, certificate_ids: Sequence[UUID], *, seconds: float) -> Requested:
    """Waits at most `seconds` until the certificates of a request are issued or refused. Not inside a transaction."""
    deadline = time.monotonic() + seconds
    while True:
        views = certificates(certificate_ids)
        if len(views) == len(certificate_ids) and all(view.status == CertificateStatus.ISSUED for view in views):
            return Requested(certificates=tuple(views))
        refused = RefusedRequest.objects.filter(pk=request_id).values_list("reason", flat=True).first()
        if refused or time.monotonic() >= deadline:
            return Requested(refusal=refused or "")
        time.sleep(POLL_SECONDS)
