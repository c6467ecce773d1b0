"""Signed `unknown` for serials that a CA never issued (RFC 6960 section 2.2): few, and of a short life.

Anyone can invent serials, so what is signed is bounded: so many at once, so many new ones a second. Beyond, and until it is
signed, the answer is the unsigned `unauthorized`. Nothing is signed for a serial that has a row, of whatever status.
"""

import datetime as dt
from collections.abc import Iterable

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from pki import clock_guard, ocsp, ocsp_feed
from pki.domain import ocsp_answer, serials
from pki.hsm import HsmError
from pki.models import ANSWERING, CertIdHash, CertificateAuthority, OcspUnknown
from siths_portal.lib import clock, jobs
from siths_portal.lib.events import CurrentTransactionId

log = structlog.get_logger(__name__)

LIFETIME = dt.timedelta(minutes=5)
RENEW_BEFORE = dt.timedelta(minutes=2)
LIMIT = 4096
"""How many serials have a row at once."""
EACH_TURN = 200
"""How many are signed at once."""


def ask(wanted: Iterable[tuple[int, int]]) -> int:
    """Notes (CA, serial) pairs that were asked for, and wakes the signer; returns how many are to be signed.

    Those with a certificate's row are left out, and those that find no room.
    """
    pairs = set(wanted)
    pairs -= ocsp_feed.certificates(pairs).keys()
    if not pairs:
        return 0
    now = clock.now()
    with transaction.atomic(durable=True):
        known = _rows(pairs)
        due = known.filter(next_update__lte=now + RENEW_BEFORE).update(asked_at=now, next_update=None)
        present = {(row.ca_id, serials.number(row.serial)) for row in known}
        room = max(0, LIMIT - OcspUnknown.objects.count())
        new = sorted(pairs - present)[:room]
        rows = [OcspUnknown(ca_id=ca_id, serial=serials.text(serial), asked_at=now) for ca_id, serial in new]
        OcspUnknown.objects.bulk_create(rows, ignore_conflicts=True)
        if due or new:
            jobs.enqueue("pki.sign_unknown", queue="pki")
    return due + len(new)


def _rows(pairs: Iterable[tuple[int, int]]) -> "QuerySet[OcspUnknown]":
    condition = Q(pk__in=[])
    for ca_id, serial in pairs:
        condition |= Q(ca_id=ca_id, serial=serials.text(serial))
    return OcspUnknown.objects.filter(condition)


def sign() -> int:
    """Signs what was asked for, in the `pki` worker, and forgets what nobody asks for any more; returns how many were signed.

    Safe to run twice and at once: each row gets an answer that is as good. One CA whose key does not answer holds up no other.
    """
    now = clock.now()
    OcspUnknown.objects.filter(Q(next_update__lte=now) | Q(next_update=None, asked_at__lte=now - LIFETIME)).delete()
    waiting = OcspUnknown.objects.filter(next_update=None).order_by("asked_at")[:EACH_TURN]
    by_ca: dict[int, list[OcspUnknown]] = {}
    for row in waiting:
        by_ca.setdefault(row.ca_id, []).append(row)
    done = 0
    for ca in CertificateAuthority.objects.filter(id__in=by_ca, state__in=ANSWERING).order_by("id"):
        try:
            done += _sign(ca, by_ca[ca.id])
        except (HsmError, ocsp.SelfCheckFailed, clock_guard.ClockWentBack) as error:
            log.error("ocsp.unknown_failed", ca=ca.slug, waiting=len(by_ca[ca.id]), error=type(error).__name__)
    return done


def _sign(ca: CertificateAuthority, rows: list[OcspUnknown]) -> int:
    responder = ocsp.delegated_responder(ca, clock.now())
    if responder is None:
        return 0
    signing = ocsp.Signing(responder)
    # A certificate may have got the serial since it was asked for.
    taken = ocsp_feed.certificates((ca.id, serials.number(row.serial)) for row in rows)
    free = [row for row in rows if (ca.id, serials.number(row.serial)) not in taken]
    for name in CertIdHash.values:
        singles = [ocsp.Single(name, serials.number(row.serial), ocsp_answer.UNKNOWN) for row in free]
        ders, this_update, next_update = signing.answers(singles, lifetime=LIFETIME)
        for row, der in zip(free, ders, strict=True):
            setattr(row, f"der_{name}", der)
            row.this_update, row.next_update = this_update, next_update
    with transaction.atomic(durable=True):
        OcspUnknown.objects.filter(id__in=[row.id for row in rows if row not in free]).delete()
        for row in free:
            row.xid = CurrentTransactionId()  # type: ignore[assignment]
        OcspUnknown.objects.bulk_update(free, ["der_sha1", "der_sha256", "this_update", "next_update", "xid"])
    return len(free)
