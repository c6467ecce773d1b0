"""Whether public keys may be certified, by what is known of others (B1.12, B1.13). What a key shows by itself is in `keys`."""

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
"""How long a compromise is looked at each few seconds; what is missed then waits for the search through all of them."""

_PIECE = 1000
_LIVE = [CertificateStatus.RESERVED, CertificateStatus.ISSUED]


@dataclass(frozen=True)
class Use:
    """A key, and whose it is for what: `profile` is a profile's name."""

    public_key: PublicKeyTypes
    spki_sha256: str
    subject_ref: str
    profile: str
    field: str


def refuse(uses: Sequence[Use], *, one_set: bool = False) -> None:
    """Raises Invalid for a key that is on the list of weak keys or shares a prime with another of these, by its field.

    With `one_set` also for a key that two of these have, and for keys of different types. Raises Conflict for a key that another
    subject or use has, that is one of our own, or that was compromised.

    In the caller's transaction, in which the keys stay locked: two orders for one key wait for each other.
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
    """Holds the keys until the transaction ends: of two that certify one key, neither sees the other's rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(number) FROM (SELECT hashtextextended(spki, 0) AS number"
            " FROM unnest(%s::text[]) AS spki ORDER BY number) AS ordered",
            [sorted(set(spki_hashes))],
        )


def with_keys(spki_hashes: Iterable[str]) -> Q:
    """Which rows of `Certificate` have one of the keys, by `pki_cert_spki`.

    It says that the hash is not empty: of a list of more than 100 PostgreSQL does not see by itself that the partial index has
    all of them, and would read the whole table.
    """
    return Q(spki_sha256__in=list(spki_hashes)) & ~Q(spki_sha256="")


def without_compromised(rows: QuerySet[Certificate]) -> QuerySet[Certificate]:
    """The rows whose key was not revoked as compromised in another certificate, also since they were planned (B1.13)."""
    siblings = _compromised().filter(spki_sha256=OuterRef("spki_sha256")).exclude(spki_sha256="")
    return rows.exclude(Exists(siblings))


def _compromised() -> QuerySet[Certificate]:
    return Certificate.objects.filter(status=CertificateStatus.REVOKED, reason__in=COMPROMISE)


def revoke_compromised(*, whole: bool = False) -> int:
    """Revokes what has a key that was revoked as compromised in another certificate; returns how many (BR section 4.9.1.1).

    That is what was planned or issued with it before the compromise was known. Looks at the compromises of the last RECENT, or
    with `whole` at all there are. A sweeper: it goes from these to their siblings, and never through all that is good.
    """
    return sum(_revoke_siblings(part) for part in (_all_pieces() if whole else _recent_pieces()))


def _recent_pieces() -> Iterator[Sequence[str]]:
    lately = Revocation.objects.filter(decided_at__gte=clock.now() - RECENT, reason__in=COMPROMISE)
    found = lately.exclude(certificate__spki_sha256="").values_list("certificate__spki_sha256", flat=True)
    return batched(sorted(set(found)), _PIECE, strict=False)


def _all_pieces() -> Iterator[Sequence[str]]:
    """By the index of compromised keys, a piece at a time."""
    known = _compromised().order_by("spki_sha256").values_list("spki_sha256", flat=True).distinct()
    last = ""
    while part := list(known.filter(spki_sha256__gt=last)[:_PIECE]):
        yield part
        last = part[-1]


def _revoke_siblings(spki_hashes: Sequence[str]) -> int:
    """In a transaction of its own. The hashes are values, so that the database looks each up."""
    with transaction.atomic(durable=True):
        rows = Certificate.objects.filter(with_keys(spki_hashes), status__in=_LIVE).order_by("id")
        ids = list(rows.values_list("id", flat=True))
        revoke_keys(ids, ACTOR, "The key was revoked as compromised in another certificate.")
    return len(ids)


def revoke_keys(ids: Sequence[object], actor_ref: str, justification: str) -> None:
    """Revokes certificates as compromised, by a rule, in the caller's transaction."""
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
    """The list in PKI_WEAK_KEYS_FILE as the file stands now, empty without one. Raises Unavailable if the file cannot be used."""
    name = settings.PKI_WEAK_KEYS_FILE
    if not name:
        return WeakKeys()
    try:
        return read_weak_list(name)
    except (OSError, weak_keys.WeakKeyFileError) as error:
        log.error("weak_keys.unreadable", error=type(error).__name__)
        raise Unavailable("weak-keys-unreadable", "Listan över svaga nycklar går inte att läsa, så inget utfärdas nu.") from None


def read_weak_list(name: str) -> WeakKeys:
    """The list in the file, read anew when the file has changed. Raises OSError, WeakKeyFileError."""
    path = Path(name)
    state = path.stat()
    return _read(path, state.st_mtime_ns, state.st_size, state.st_ino)


@functools.lru_cache(maxsize=2)
def _read(path: Path, _changed: int, _size: int, _inode: int) -> WeakKeys:
    with path.open("rb") as lines:
        return weak_keys.parse(lines)
