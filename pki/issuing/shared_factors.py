"""The search for RSA keys that share a prime with another certified key (B1.12): blocks of moduli, compared by a job (ADR 0132).

Only a comparison of several keys shows a broken generator. Each RSA key that is certified, here or by an imported CA, is inserted
once. The job combines keys into blocks, each with the product of its moduli, and compares every new block with every older one.
Anybody can compute both private keys of a pair, so their certificates are revoked as compromised.
"""

import datetime as dt
import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import connection, transaction
from django.db.models import Q

from pki.domain import moduli, tbs
from pki.issuing import key_checks
from pki.models import Certificate, CertificateStatus, Event, ModulusBlock, RsaKey
from siths_portal.lib import clock

log = structlog.get_logger(__name__)

ACTOR = "system:shared-factors"
BLOCK = 1024
# A block is made when it is full, or when its oldest key has waited for this long.
LONGEST_WAIT = dt.timedelta(hours=6)
SECONDS = 60.0
_LOCK = 0x70_6B_69_04  # of the process that combines keys into a block
LEAST = 512
"""Bits of a compared modulus. Imported certificates may have any number, and zero is a multiple of every modulus."""
_LIVE = [CertificateStatus.RESERVED, CertificateStatus.ISSUED]


def enter(uses: Iterable[key_checks.Use], now: dt.datetime) -> None:
    """Inserts RSA keys that are certified for the first time, in the caller's transaction."""
    enter_hashes({use.spki_sha256 for use in uses if isinstance(use.public_key, rsa.RSAPublicKey)}, now)


def enter_hashes(found: Collection[str], now: dt.datetime) -> None:
    """As `enter`, for RSA keys by SHA-256 of SubjectPublicKeyInfo, including keys in certificates of other issuers."""
    if found:
        RsaKey.objects.bulk_create([RsaKey(spki_sha256=spki, created_at=now) for spki in sorted(found)], ignore_conflicts=True)


def compare_due(*, seconds: float = SECONDS) -> int:
    """Makes due blocks and continues comparing for about `seconds`; returns the number of keys that share a prime.

    May be stopped anywhere and run in several workers: a block stores its position, and one worker at a time works on it.
    """
    deadline = time.monotonic() + seconds
    found = 0
    while (block := _fold()) is not None:
        found += block
        if time.monotonic() > deadline:
            return found
    while time.monotonic() < deadline:
        step = _compare()
        if step is None:
            break
        found += step
    return found


def _fold() -> int | None:
    """Makes one block of waiting keys and revokes those that share a prime. Returns their number; None if no block is due."""
    now = clock.now()
    with transaction.atomic(durable=True):
        if not _lock_blocks():
            return None
        waiting = RsaKey.objects.filter(block=None).order_by("id").select_for_update(skip_locked=True)
        rows = list(waiting[:BLOCK])
        if not rows or (len(rows) < BLOCK and rows[0].created_at > now - LONGEST_WAIT):
            return None
        values = _moduli([row.spki_sha256 for row in rows])
        numbers = list(values.values())
        block = ModulusBlock.objects.create(count=len(numbers), product=_bytes(moduli.product(numbers)), created_at=now)
        RsaKey.objects.filter(id__in=[row.id for row in rows]).update(block=block)
        hits = {spki: values[spki] for spki, each in zip(values, moduli.shared_factors(numbers), strict=True) if each != 1}
        return _revoke(_factored(hits, hits))


def _lock_blocks() -> bool:
    """Takes the lock for making blocks, which one transaction at a time holds. Returns False if another holds it.

    Otherwise a block could finish its comparisons before one with a lower number is visible, and the two would never be compared.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone() == (True,))


def _compare() -> int | None:
    """Compares the newest unfinished block with the next older one. Returns None if there is no block to compare.

    The newest goes first, so that an import of a million keys, which takes weeks, does not delay the keys of new cards.
    """
    with transaction.atomic(durable=True):
        waiting = ModulusBlock.objects.filter(compared_at=None).order_by("-id").select_for_update(skip_locked=True, no_key=True)
        block = waiting.first()
        if block is None:
            return None
        older = ModulusBlock.objects.filter(id__gt=block.compared_to, id__lt=block.id).order_by("id").first()
        if older is None:
            ModulusBlock.objects.filter(id=block.id).update(compared_at=clock.now())
            return 0
        ModulusBlock.objects.filter(id=block.id).update(compared_to=older.id)
        return _revoke(_shared(block, older))


def _shared(block: ModulusBlock, older: ModulusBlock) -> list[str]:
    """Returns the keys of both blocks that share a prime with a key of the other block."""
    mine = _moduli(block.keys.values_list("spki_sha256", flat=True))
    product = int.from_bytes(older.product, "big")
    hits = _with_product(mine, product)
    if not hits:
        return []
    others = _moduli(older.keys.values_list("spki_sha256", flat=True))
    theirs = _with_product(others, moduli.product(list(hits.values())))
    return [*_factored(hits, theirs), *_factored(theirs, hits)]


def _with_product(values: Mapping[str, int], product: int) -> dict[str, int]:
    """Returns the keys whose moduli have a common divisor with the product."""
    divisors = moduli.divisors(list(values.values()), product)
    return {spki: values[spki] for spki, divisor in zip(values, divisors, strict=True) if divisor != 1}


def _factored(keys: Mapping[str, int], others: Mapping[str, int]) -> list[str]:
    """Returns the keys that share a prime with one of `others`, or have the same modulus.

    A modulus that divides another one shows no prime: the holder of such a certificate must not get this key revoked.
    """
    return [
        spki
        for spki, number in keys.items()
        if any(other == number or 1 < math.gcd(number, other) < number for name, other in others.items() if name != spki)
    ]


def _moduli(spki_hashes: Iterable[str]) -> dict[str, int]:
    """Returns moduli by the key's hash, without keys of imported certificates that are not RSA keys."""
    known = Q(tbs_der__isnull=False) | Q(blob__isnull=False)
    rows = Certificate.objects.filter(known, key_checks.with_keys(spki_hashes))
    found: dict[str, int] = {}
    chosen = rows.order_by("spki_sha256", "id").distinct("spki_sha256").values_list("spki_sha256", "tbs_der", "blob__der")
    for spki, planned, issued in chosen:
        try:
            key = x509.load_der_x509_certificate(
                bytes(issued) if issued else tbs.assemble(bytes(planned or b""), bytes(8))
            ).public_key()
        except (ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, rsa.RSAPublicKey) and (number := key.public_numbers().n) % 2 and number.bit_length() >= LEAST:
            found[spki] = number
    return found


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


def _revoke(spki_hashes: Iterable[str]) -> int:
    """Revokes the valid certificates of these keys as compromised, in the caller's transaction; returns the number of keys."""
    found: Sequence[str] = sorted(set(spki_hashes))
    if not found:
        return 0
    log.error("rsa_keys.shared_factor", count=len(found))
    Event.objects.bulk_create(
        Event(
            at=clock.now(),
            actor_ref=ACTOR,
            action="rsa_key.shared_factor_found",
            subject_type="key",
            subject_ref=spki,
        )
        for spki in found
    )
    rows = Certificate.objects.filter(key_checks.with_keys(found), status__in=_LIVE).order_by("id")
    ids = list(rows.values_list("id", flat=True))
    key_checks.revoke_keys(ids, ACTOR, "The RSA key shares a prime with another certified key.")
    return len(found)
