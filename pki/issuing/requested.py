"""Certificates for keys that are made on a card after its delivery, requested in an eID app transaction (ADR 0310).

The process that serves the app cannot insert certificates. It stores the card's request and wakes the `pki` worker, which asks
the port `CertificateRequests` what the request is for, plans the certificates under the ids that the request names, and signs
them. `IssuanceCheck` judges each of them once more before it is signed.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from pki.authorities.certificates import POLL_SECONDS, certificates
from pki.domain import keys, proof_of_possession
from pki.domain.orders import CertificateView
from pki.issuing import planning, signing
from pki.models import Certificate, CertificateStatus, RefusedRequest
from pki.ports import CertificateRequests, RequestedCertificates
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.monitoring import metrics
from siths_portal.lib.processes import jobs

log = structlog.get_logger(__name__)

_REFUSED = metrics.counter("pki_certificate_requests_refused", "Requests of cards for certificates that were refused", ["reason"])


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


def certify(request_id: UUID) -> int:
    """Plans and signs the certificates of a request; returns the number of issued ones. Runs in the worker. Repeatable.

    A request whose keys cannot be certified is refused for good. If the port refuses it, or a CA does not issue now, nothing is
    stored, and the app's next call wakes the worker again. Raises Unavailable (the list of weak keys, a clock that went back).
    """
    found = ports.get(CertificateRequests).requested(request_id)
    if found.refusal:
        log.error("certificate_request.refused", request=str(request_id), reason=found.refusal)
        _REFUSED.labels(found.refusal).inc()
        return 0
    try:
        _plan(found)
    except (Invalid, Conflict) as fault:
        if fault.code != "ca-not-active":
            return _refuse(request_id, fault.code)
        log.warning("certificate_request.not_planned", request=str(request_id), reason=fault.code)
        return 0
    return signing.sign_reserved(list(found.orders))


def _plan(found: RequestedCertificates) -> None:
    """Plans all certificates of the request, unless they are planned already."""
    ids = list(found.orders)
    if Certificate.objects.filter(id__in=ids).exists():
        return
    try:
        with transaction.atomic(durable=True):
            planning.plan_certificates(
                list(found.orders.values()),
                actor_ref=found.actor_ref,
                unit_ref=found.unit_ref,
                whole=True,
                wake=False,
                ids=ids,
            )
    except IntegrityError:
        if not Certificate.objects.filter(id__in=ids).exists():  # else another worker has planned them at the same time
            raise


def _refuse(request_id: UUID, reason: str) -> int:
    log.error("certificate_request.refused", request=str(request_id), reason=reason)
    _REFUSED.labels(reason).inc()
    RefusedRequest.objects.get_or_create(pk=request_id, defaults={"reason": reason, "at": clock.now()})
    return 0
