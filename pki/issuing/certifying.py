"""The worker's part of certificates that a card requests in an eID app transaction (ADR 0310, `pki/issuing/requested.py`).

The worker asks the port `CertificateRequests` what a request is for, plans the certificates under the ids that the request names,
and signs them. `IssuanceCheck` judges each of them once more before it is signed.
"""

from uuid import UUID

import structlog
from django.db import IntegrityError, transaction

from pki.issuing import planning, signing
from pki.models import Certificate, RefusedRequest
from pki.ports import CertificateRequests, RequestedCertificates
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.monitoring import metrics

log = structlog.get_logger(__name__)

_REFUSED = metrics.counter("pki_certificate_requests_refused", "Requests of cards for certificates that were refused", ["reason"])


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
