"""Checks of public keys against other keys and certificates (B1.12, B1.13). `keys` has the checks of a key by itself."""

import datetime as dt
import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from pki.domain import keys, moduli, weak_keys
from pki.domain.weak_keys import WeakKeys
from pki.models import COMPROMISE, Certificate, CertificateAuthority, CertificateStatus, HsmKey, Revocation, RevocationReason
from pki.revocation.revoking import plan_revocation
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid, Unavailable

log = structlog.get_logger(__name__)

ACTOR = "system:compromised-keys"
RECENT = dt.timedelta(seconds=30)
"""The age up to which compromises are checked every few seconds; the search through all of them finds missed ones."""

_PIECE = 1000
_LIVE = [CertificateStatus.RESERVED, CertificateStatus.ISSUED]


@dataclass(frozen=True)
class Use:
    """A key with its subject and its use: `profile` is a profile's name."""

    public_key: PublicKeyTypes
    spki_sha256: str
    subject_ref: str
    profile: str
    field: str


def refuse(uses: Sequence[Use], *, one_set: bool = False) -> None:
    """Raises Invalid, by field, for a key that is on the list of weak keys or shares a prime with another of `uses`.

    With `one_set` also for a key that occurs twice in `uses`, and for keys of different types. Raises Conflict for a key of
    another subject or use, for one of our own keys, and for a compromised key.

    Keeps the keys locked until the caller's transaction ends, so that two orders for one key wait for each other.
    """
    if one_set:
        _refuse_repeated(uses)
        _refuse_mixed(uses)
    _refuse_weak(uses)
    _refuse_shared(uses)
    _refuse_used(uses)


def _refuse_repeated(uses: Sequence[Use]) -> None:
    by_key: dict[str, list[str]] = {}
    for use in uses:
        by_key.setdefault(use.spki_sha256, []).append(use.field)
    fields: dict[str, list[str]] = {}
    for shared in by_key.values():
        for field in shared[1:]:
            fields[field] = [f"Nyckeln är densamma som i {shared[0]}. Gör en egen nyckel för varje certifikat."]
    if fields:
        raise Invalid("key-repeated", "Två certifikat har samma nyckel. Gör en egen nyckel för varje certifikat.", fields=fields)


def _refuse_mixed(uses: Sequence[Use]) -> None:
    types = {use.field: _TYPES.get(keys.kind(use.public_key), "en annan typ") for use in uses}
    if len(set(types.values())) > 1:
        fields = {field: [f"Nyckeln är {type_}. Nycklarna ska vara av samma typ."] for field, type_ in types.items()}
        raise Invalid("key-types-mixed", "Nycklarna är av olika typ. Alla ska vara RSA eller alla P-256.", fields=fields)


_TYPES = {"rsa": "RSA", "ec-p256": "P-256", "ec-p384": "P-384"}


def _refuse_weak(uses: Sequence[Use]) -> None:
    listed = weak_list()
    for use in uses:
        if listed.holds(use.public_key):
            raise _invalid("key-weak", use.field, "Nyckeln står på listan över nycklar som är kända av andra.")


def _refuse_shared(uses: Sequence[Use]) -> None:
    found = {use.spki_sha256: use for use in uses if isinstance(use.public_key, rsa.RSAPublicKey)}
    if len(found) < 2:
        return
    divisors = moduli.shared_factors([_modulus(use.public_key) for use in found.values()])
    for use, divisor in zip(found.values(), divisors, strict=True):
        if divisor != 1:
            raise _invalid("key-shared-factor", use.field, "RSA-nyckeln delar ett primtal med en annan av nycklarna.")


def _modulus(public_key: PublicKeyTypes) -> int:
    if not isinstance(public_key, rsa.RSAPublicKey):
        raise TypeError("only an RSA key has a modulus")
    return public_key.public_numbers().n


def _invalid(code: str, field: str, reason: str) -> Invalid:
    return Invalid(code, reason, fields={field: [reason]})


def _refuse_used(uses: Sequence[Use]) -> None:
    owners = {(use.spki_sha256, use.subject_ref, use.profile) for use in uses}
    fields = {use.spki_sha256: use.field for use in uses}
    lock(fields)
    others = Certificate.objects.filter(with_keys(fields)).exclude(status=CertificateStatus.FAILED)
    seen = others.values_list("spki_sha256", "subject_ref", "profile_version__name", "status", "reason")
    for spki, subject_ref, profile, status, reason in seen:
        if status == CertificateStatus.REVOKED and reason in COMPROMISE:
            raise _conflict(
                "key-compromised", fields[spki], "Nyckeln är spärrad som röjd och certifieras inte igen. Gör en ny nyckel."
            )
        owners.add((spki, subject_ref, profile or ""))
    holders: dict[str, int] = {}
    for spki, _subject_ref, _profile in owners:
        holders[spki] = holders.get(spki, 0) + 1
    if shared := next((spki for spki, number in holders.items() if number > 1), None):
        reason = "Nyckeln hör redan till en annan innehavare eller en annan användning. Gör en ny nyckel."
        raise _conflict("key-in-use", fields[shared], reason)
    ours = set(CertificateAuthority.objects.filter(spki_sha256__in=fields).values_list("spki_sha256", flat=True))
    # CKA_ID is the beginning of the key's hash (ADR 0012).
    ids = {spki[:40]: spki for spki in fields}
    ours |= {ids[key_id] for key_id in HsmKey.objects.filter(key_id__in=ids).values_list("key_id", flat=True)}
    for spki in ours:
        raise _conflict("key-in-use", fields[spki], "Nyckeln hör till en utfärdare.")


def _conflict(code: str, field: str, reason: str) -> Conflict:
    return Conflict(code, reason, fields={field: [reason]})


def lock(spki_hashes: Iterable[str]) -> None:
    """Locks the keys until the transaction ends, since two transactions that certify one key do not see each other's rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(number) FROM (SELECT hashtextextended(spki, 0) AS number"
            " FROM unnest(%s::text[]) AS spki ORDER BY number) AS ordered",
            [sorted(set(spki_hashes))],
        )


def with_keys(spki_hashes: Iterable[str]) -> Q:
    """Returns the condition for rows of `Certificate` with one of the keys, by the index `pki_cert_spki`.

    It includes that the hash is not empty: for a list of more than 100 values PostgreSQL does not infer that the partial index
    covers them, and would read the complete table.
    """
    return Q(spki_sha256__in=list(spki_hashes)) & ~Q(spki_sha256="")


def without_compromised(rows: QuerySet[Certificate]) -> QuerySet[Certificate]:
    """Returns the rows whose key is not revoked as compromised in another certificate, also after they were planned (B1.13)."""
    siblings = _compromised().filter(spki_sha256=OuterRef("spki_sha256")).exclude(spki_sha256="")
    return rows.exclude(Exists(siblings))


def _compromised() -> QuerySet[Certificate]:
    return Certificate.objects.filter(status=CertificateStatus.REVOKED, reason__in=COMPROMISE)


def revoke_compromised(*, whole: bool = False) -> int:
    """Revokes certificates whose key is revoked as compromised in another certificate; returns their number (BR section 4.9.1.1).

    They were planned or issued with that key before the compromise was known. Checks the compromises of the last RECENT, or with
    `whole` all of them. A sweeper: it searches from compromised keys and never reads all good certificates.
    """
    return sum(_revoke_siblings(part) for part in (_all_pieces() if whole else _recent_pieces()))


def _recent_pieces() -> Iterator[Sequence[str]]:
    lately = Revocation.objects.filter(decided_at__gte=clock.now() - RECENT, reason__in=COMPROMISE)
    found = lately.exclude(certificate__spki_sha256="").values_list("certificate__spki_sha256", flat=True)
    return batched(sorted(set(found)), _PIECE, strict=False)


def _all_pieces() -> Iterator[Sequence[str]]:
    """Yields the hashes of compromised keys from their index, a piece at a time."""
    known = _compromised().order_by("spki_sha256").values_list("spki_sha256", flat=True).distinct()
    last = ""
    while part := list(known.filter(spki_sha256__gt=last)[:_PIECE]):
        yield part
        last = part[-1]


def _revoke_siblings(spki_hashes: Sequence[str]) -> int:
    """Revokes the other certificates of these keys, in a transaction of its own. The hashes are values, so each is looked up."""
    with transaction.atomic(durable=True):
        rows = Certificate.objects.filter(with_keys(spki_hashes), status__in=_LIVE).order_by("id")
        ids = list(rows.values_list("id", flat=True))
        revoke_keys(ids, ACTOR, "The key was revoked as compromised in another certificate.")
    return len(ids)


def revoke_keys(ids: Sequence[object], actor_ref: str, justification: str) -> None:
    """Revokes certificates as compromised for a rule, in the caller's transaction."""
    if ids:
        plan_revocation(
            ids,  # type: ignore[arg-type]
            reason=RevocationReason.KEY_COMPROMISE,
            actor_ref=actor_ref,
            received_at=clock.now(),
            channel="system",
            justification=justification,
        )


def weak_list() -> WeakKeys:
    """Returns the current list in PKI_WEAK_KEYS_FILE, empty without a file. Raises Unavailable if the file cannot be used."""
    name = settings.PKI_WEAK_KEYS_FILE
    if not name:
        return WeakKeys()
    try:
        return read_weak_list(name)
    except (OSError, weak_keys.WeakKeyFileError) as error:
        log.error("weak_keys.unreadable", error=type(error).__name__)
        raise Unavailable("weak-keys-unreadable", "Listan över svaga nycklar går inte att läsa, så inget utfärdas nu.") from None


def read_weak_list(name: str) -> WeakKeys:
    """Returns the list in the file, and reads the file again if it has changed. Raises OSError, WeakKeyFileError."""
    path = Path(name)
    state = path.stat()
    return _read(path, state.st_mtime_ns, state.st_size, state.st_ino)


@functools.lru_cache(maxsize=2)
def _read(path: Path, _changed: int, _size: int, _inode: int) -> WeakKeys:
    with path.open("rb") as lines:
        return weak_keys.parse(lines)
