"""Signed `unknown` for serials that a CA never issued (RFC 6960 section 2.2): few, and with a short lifetime.

Anyone can invent serials, so the number of signed responses is limited, in total and of new ones per second. Beyond the limits,
and until the response is signed, the response is the unsigned `unauthorized`. No `unknown` is signed for a serial with a
certificate row, whatever its status.
"""

import datetime as dt
from collections.abc import Iterable
from itertools import groupby, islice
from operator import itemgetter

import structlog
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from pki.authorities import clock_guard
from pki.domain import ocsp_response, serials
from pki.hsm import HsmError
from pki.models import ANSWERING, CertIdHash, CertificateAuthority, OcspUnknown
from pki.ocsp import feed as ocsp_feed
from pki.ocsp import presigning
from siths_portal.lib import clock
from siths_portal.lib.events import CurrentTransactionId
from siths_portal.lib.processes import jobs

log = structlog.get_logger(__name__)

LIFETIME = dt.timedelta(minutes=5)
RENEW_BEFORE = dt.timedelta(minutes=2)
AHEAD = LIFETIME + dt.timedelta(minutes=1)
"""A row that ends later than this from now was signed while the clock was ahead. LIFETIME and a margin for clock differences."""
LIMIT = 4096
"""How many serials may have a row; those of one CA at most half as many, so that other CAs have space."""
EACH_TURN = 200
"""How many are signed in one run, taking one of each CA in turn."""


def ask(wanted: Iterable[tuple[int, int]]) -> int:
    """Records requested (CA, serial) pairs and wakes the signer; returns how many will be signed.

    Leaves out those with a certificate row, and those beyond the limit.
    """
    pairs = set(wanted)
    pairs -= ocsp_feed.certificates(pairs).keys()
    if not pairs:
        return 0
    now = clock.now()
    with transaction.atomic(durable=True):
        known = _rows(pairs)
        old = Q(next_update__lte=now + RENEW_BEFORE) | Q(next_update__gt=now + AHEAD)
        due = known.filter(old).update(asked_at=now, next_update=None)
        present = {(row.ca_id, serials.number(row.serial)) for row in known}
        new = _with_room(sorted(pairs - present))
        rows = [OcspUnknown(ca_id=ca_id, serial=serials.text(serial), asked_at=now) for ca_id, serial in new]
        OcspUnknown.objects.bulk_create(rows, ignore_conflicts=True)
        if due or new:
            jobs.enqueue("pki.sign_unknown", queue="pki")
    return due + len(new)


def _with_room(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns the pairs that fit within the limits."""
    rows = dict(OcspUnknown.objects.order_by().values_list("ca_id").annotate(Count("id")))
    room, found = max(0, LIMIT - sum(rows.values())), list[tuple[int, int]]()
    for ca_id, serials_of_ca in groupby(pairs, key=itemgetter(0)):
        found += islice(serials_of_ca, max(0, LIMIT // 2 - rows.get(ca_id, 0)))
    return found[:room]


def _rows(pairs: Iterable[tuple[int, int]]) -> "QuerySet[OcspUnknown]":
    condition = Q(pk__in=[])
    for ca_id, serial in pairs:
        condition |= Q(ca_id=ca_id, serial=serials.text(serial))
    return OcspUnknown.objects.filter(condition)


def sign() -> int:
    """Signs the requested `unknown`, in the `pki` worker, and removes those no longer requested; returns how many were signed.

    Safe to run twice and concurrently: each row gets an equally good response. A CA whose key does not work does not delay
    others.
    """
    now = clock.now()
    # Rows that were signed or recorded while the clock was ahead would stay useless until time has caught up with them.
    signed = Q(next_update__lte=now) | Q(next_update__gt=now + AHEAD)
    asked = Q(asked_at__lte=now - LIFETIME) | Q(asked_at__gt=now + AHEAD)
    OcspUnknown.objects.filter(signed | Q(next_update=None) & asked).delete()
    by_ca = _waiting()
    done = 0
    for ca in CertificateAuthority.objects.filter(id__in=by_ca, state__in=ANSWERING).order_by("id"):
        try:
            done += _sign(ca, by_ca[ca.id])
        except (HsmError, presigning.SelfCheckFailed, clock_guard.ClockWentBack) as error:
            log.error("ocsp.unknown_failed", ca=ca.slug, waiting=len(by_ca[ca.id]), error=type(error).__name__)
    return done


def _waiting() -> dict[int, list[OcspUnknown]]:
    """Returns the rows that have waited longest, by CA: one of each CA, then the next of each, up to the limit of a run."""
    place = Window(RowNumber(), partition_by=F("ca_id"), order_by=F("asked_at").asc())
    waiting = OcspUnknown.objects.filter(next_update=None).annotate(place=place).order_by("place", "asked_at")
    by_ca: dict[int, list[OcspUnknown]] = {}
    for row in waiting[:EACH_TURN]:
        by_ca.setdefault(row.ca_id, []).append(row)
    return by_ca


def _sign(ca: CertificateAuthority, rows: list[OcspUnknown]) -> int:
    responder = presigning.delegated_responder(ca, clock.now())
    if responder is None:
        return 0
    signing = presigning.Signing(responder)
    # A certificate may have been given the serial since the request.
    taken = ocsp_feed.certificates((ca.id, serials.number(row.serial)) for row in rows)
    free = [row for row in rows if (ca.id, serials.number(row.serial)) not in taken]
    for name in CertIdHash.values:
        singles = [presigning.Single(name, serials.number(row.serial), ocsp_response.UNKNOWN) for row in free]
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
