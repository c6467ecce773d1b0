"""Certificates on hold, the part for every process: requests the release of a hold and waits for it, without the token.

A card's certificates are on hold from issuance until its holder has chosen its code (`plan_certificates`). The `pki` worker ends
the hold (`pki.revocation.releasing`), and no process sets it again.
"""

import datetime as dt
import time
from collections.abc import Collection, Iterable
from typing import Protocol
from uuid import UUID

from pki.authorities.certificates import POLL_SECONDS
from pki.models import Certificate, Event, HoldRelease, SecretDelivery
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound
from siths_portal.lib.processes import jobs


class CardCodes(Protocol):
    """A source that knows for which cards the holder has chosen the code."""

    def chosen(self, carrier_refs: Collection[str], *, before: dt.datetime) -> set[str]:
        """Returns the refs of the cards whose code was chosen before that moment and that are in use or wait for a signature."""
        ...


def held(certificate_ids: Iterable[UUID]) -> set[UUID]:
    """Returns the ids of the certificates that are on hold."""
    return set(Certificate.objects.filter(id__in=list(certificate_ids), held=True).values_list("id", flat=True))


def plan_release(certificate_ids: Iterable[UUID], *, delivery_id: UUID, actor_ref: str) -> None:
    """Requests that the worker ends the holds of these certificates, and wakes it. Joins the caller's transaction.

    `delivery_id` is the delivery with the proof of their card. Certificates that are not on hold are left out, and a second
    request with the same delivery changes nothing. Raises NotFound for an unknown delivery.
    """
    if not SecretDelivery.objects.filter(id=delivery_id).exists():
        raise NotFound("delivery-unknown", "Leveransen finns inte.")
    ids = sorted(held(certificate_ids))
    now = clock.now()
    if ids:
        rows = [HoldRelease(certificate_id=id_, delivery_id=delivery_id, requested_at=now, actor_ref=actor_ref) for id_ in ids]
        HoldRelease.objects.bulk_create(rows, ignore_conflicts=True)
        subjects = ((str(id_), {"delivery": str(delivery_id)}) for id_ in ids)
        Event.record_each(
            subjects, at=now, actor_ref=actor_ref, action="certificate.release_requested", subject_type="certificate"
        )
        jobs.enqueue("pki.release_holds", queue="pki", certificate_ids=[str(id_) for id_ in ids])


def wait_until_released(certificate_ids: Iterable[UUID], *, seconds: float) -> bool:
    """Waits until no certificate is on hold. Returns False if one still is after `seconds`. Not in a transaction."""
    wanted = list(certificate_ids)
    deadline = time.monotonic() + seconds
    on_hold = Certificate.objects.filter(id__in=wanted, held=True)
    while waits := on_hold.exists():
        if time.monotonic() >= deadline:
            break
        time.sleep(POLL_SECONDS)
    return not waits
