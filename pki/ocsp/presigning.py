"""Signs OCSP responses ahead (RFC 6960, RFC 9919): at issuance, at revocation, and again at about half their lifetime.

A response carries the certificate's `status_version` it was signed for and is served only while that is current, so a late or
failed run results in `tryLater` and never in an outdated status. Responses for certificates on hold are never stored:
`pki.ocsp.live` signs them for each request. Runs in the `pki` worker, with no transaction open while the token signs.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import batched
from typing import Final, NamedTuple
from uuid import UUID

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Count, Exists, F, OuterRef, Q

from pki.authorities import clock_guard, journal
from pki.authorities.queries import known_until
from pki.domain import ocsp_response, tbs
from pki.hsm import Hsm, HsmError, Scheme, hsm_for
from pki.models import (
    ANSWERED,
    ANSWERING,
    CaState,
    CertIdHash,
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    OcspResponse,
    OcspSigner,
)
from siths_portal.lib import clock
from siths_portal.lib.database import bulk

log = structlog.get_logger(__name__)

LIFETIME = dt.timedelta(hours=24)
HOLD_LIFETIME = dt.timedelta(minutes=10)
"""Lifetime of a response for a certificate on hold: relying parties may keep it so long after the release."""
REFRESH_BEFORE = dt.timedelta(hours=12)
# A part of each run renews responses so much early, so that responses that were signed together are not due together.
EARLY = dt.timedelta(hours=2)
# A response whose lifetime is cut short by its signer's end is not signed again at once.
MIN_AGE = dt.timedelta(hours=1)
BATCH = 200
# Signatures per call into the token; other callers wait in the meantime.
IN_ONE_CALL = 32
# Besides the first and the last of a batch, each signature at this interval is verified before it is stored: see ADR 0021.
VERIFIED_EACH = 16

_HASHES: Final = tuple(CertIdHash.values)
STORED: Final = Q(status__in=ANSWERED, held=False)
"""Certificates whose responses are signed ahead and stored."""

type PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


class SelfCheckFailed(RuntimeError):
    """A signature from the token does not verify; the response was not stored."""


@dataclass(frozen=True)
class Responder:
    """A key in a token that may sign for one CA: a delegate's with its certificate, or the CA's own. Responses end by `until`."""

    ca: CertificateAuthority
    token: Hsm
    key_id: str
    certificate: x509.Certificate
    lifetime: dt.timedelta
    signer: OcspSigner | None = None
    until: dt.datetime | None = None

    @cached_property
    def public_key(self) -> PublicKey:
        """The certificate's public key. Raises SelfCheckFailed if we do not sign with this type of key."""
        public_key = self.certificate.public_key()
        if not isinstance(public_key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
            raise SelfCheckFailed("no signature for this kind of key")
        return public_key

    @property
    def end(self) -> dt.datetime:
        """Nothing that it signs is valid after this moment."""
        end = self.certificate.not_valid_after_utc
        return end if self.until is None else min(end, self.until)

    @property
    def family(self) -> str:
        """`ec` or `rsa`, as the algorithms are listed."""
        return "ec" if isinstance(self.public_key, ec.EllipticCurvePublicKey) else "rsa"

    def signatures(self, data: Sequence[bytes]) -> list[bytes]:
        """Returns a signature over each piece of data, several in one call into the token. Raises HsmError."""
        scheme = Scheme.ECDSA_SHA256 if self.family == "ec" else Scheme.RSA_SHA256
        made: list[bytes] = []
        for part in batched(data, IN_ONE_CALL, strict=False):
            signed = self.token.sign_all(self.key_id, part, scheme)
            if signed.error is not None:
                raise signed.error
            made += signed.made
        return made


def delegated_signer(ca: CertificateAuthority, now: dt.datetime) -> OcspSigner | None:
    """Returns the CA's delegated responder that is valid at `now` and ends last."""
    valid = OcspSigner.objects.filter(
        ca=ca, retired_at=None, not_before__lte=now, not_after__gt=now, certificate__status=CertificateStatus.ISSUED
    )
    return valid.order_by("-not_after").first()


def delegated_responder(ca: CertificateAuthority, now: dt.datetime) -> Responder | None:
    """Returns the CA's delegated responder with its key in the token; None if the CA has none. Raises HsmError.

    Also returns None for a CA with an external key without a current CRL: then the status of its certificates is not known.
    """
    signer, until = delegated_signer(ca, now), known_until(ca) if ca.state == CaState.EXTERNAL else None
    if signer is None or (ca.state == CaState.EXTERNAL and (until is None or until <= now)):
        return None
    certificate = x509.load_der_x509_certificate(bytes(signer.certificate_der))
    return Responder(ca, hsm_for(signer.token_label), signer.key_id, certificate, LIFETIME, signer, until)


def own_responder(ca: CertificateAuthority) -> Responder:
    """Returns the CA as its own responder, for a CA that is offline between ceremonies: responses live as long as its CRL."""
    certificate = x509.load_der_x509_certificate(bytes(ca.certificate_der))
    return Responder(ca, hsm_for(ca.token_label), ca.key_id, certificate, ca.crl_validity)


def presign(certificate_ids: Iterable[UUID]) -> int:
    """Signs and stores responses for these certificates' current status; returns for how many.

    Leaves out certificates that are reserved, failed, expired or on hold, and those of a CA without a delegated responder.

    Raises HsmError, ClockWentBack, and OSError if the journal cannot take a revocation.
    """
    now = clock.now()
    by_ca: dict[int, list[UUID]] = {}
    found = Certificate.objects.filter(STORED, id__in=list(certificate_ids), not_after__gt=now)
    for id_, ca_id in found.values_list("id", "ca_id"):
        by_ca.setdefault(ca_id, []).append(id_)
    done = 0
    for ca in CertificateAuthority.objects.filter(id__in=by_ca, state__in=ANSWERING).order_by("id"):
        responder = delegated_responder(ca, now)
        if responder is not None:
            done += _answer_for(responder, by_ca[ca.id])
    return done


def presign_due(*, limit: int = 500) -> int:
    """Signs responses for up to `limit` certificates per CA whose responses are due; returns for how many.

    Due are responses that are missing, for an old status version, by a revoked signer, from the future, or past half their
    lifetime; some are signed earlier, to spread the work. A CA whose key does not work does not delay the others.
    """
    now = clock.now()
    done = 0
    signed_for = Exists(OcspSigner.objects.filter(ca=OuterRef("id"), retired_at=None))
    for ca in CertificateAuthority.objects.filter(signed_for, state__in=ANSWERING).order_by("id"):
        due = _due(ca, now, limit)
        if not due:
            continue
        try:
            responder = delegated_responder(ca, now)
            if responder is None:
                log.error("ocsp.no_valid_signer", ca=ca.slug, waiting=len(due))
                continue
            done += _answer_for(responder, due)
            _drop_ended(ca, due, now)
        except (HsmError, SelfCheckFailed, clock_guard.ClockWentBack, OSError) as error:
            log.error("ocsp.presign_failed", ca=ca.slug, waiting=len(due), error=type(error).__name__)
    return done


def backlog(*, since: dt.datetime | None = None) -> dict[str, int]:
    """Returns how many certificates of each CA with a responder lack a current response, by `slug:generation`.

    CAs without such certificates are left out. With `since`, counts only certificates that were issued and, if so, revoked before
    that moment.
    """
    lacking = Certificate.objects.filter(
        STORED,
        Exists(OcspSigner.objects.filter(ca=OuterRef("ca"), retired_at=None)),
        ca__state__in=ANSWERING,
        not_after__gt=clock.now(),
    ).exclude(presigned_version=F("status_version"))
    if since is not None:
        lacking = lacking.exclude(issued_at__gte=since).exclude(revoked_at__gte=since)
    found = lacking.order_by().values_list("ca__slug", "ca__generation").annotate(Count("id"))
    return {f"{slug}:{generation}": number for slug, generation, number in found}


def presign_all(ca: CertificateAuthority) -> int:
    """Signs new responses for every live certificate of `ca`: by its delegate, or by its own key if it is offline."""
    responder = delegated_responder(ca, clock.now())
    if responder is None and ca.state == CaState.OFFLINE:
        responder = own_responder(ca)
    if responder is None:
        return 0
    live = Certificate.objects.filter(STORED, ca=ca, not_after__gt=clock.now()).values_list("id", flat=True)
    return sum(_answer_for(responder, part) for part in batched(live.iterator(chunk_size=2000), 2000, strict=False))


def _due(ca: CertificateAuthority, now: dt.datetime, limit: int) -> list[UUID]:
    """Ids, most urgent first: revoked or issued since the response, by a revoked signer, from the future, past half its time."""
    live = Certificate.objects.filter(STORED, ca=ca, not_after__gt=now)
    stale = live.exclude(presigned_version=F("status_version")).order_by("id").values_list("id", flat=True)
    changed = list(stale.filter(status=CertificateStatus.REVOKED)[:limit])
    changed += stale.filter(status=CertificateStatus.ISSUED)[: limit - len(changed)]
    if len(changed) == limit:
        return changed
    answers = OcspResponse.objects.filter(ca=ca)
    # No response outlives its signer.
    revoked = OcspSigner.objects.filter(ca=ca, not_after__gt=now, certificate__status=CertificateStatus.REVOKED)
    wanted = [
        answers.filter(signer__in=list(revoked)),
        # Signed while the clock was ahead; filtered by nextUpdate, which the index has.
        answers.filter(next_update__gt=now + LIFETIME, this_update__gt=now).order_by("-next_update"),
        answers.filter(next_update__lte=now + REFRESH_BEFORE, this_update__lte=now - MIN_AGE).order_by("next_update"),
    ]
    most = len(CertIdHash) * (limit - len(changed))
    found = [id_ for rows in wanted for id_ in rows.values_list("certificate_id", flat=True)[:most]]
    if len(changed) + len(found) < limit:
        early = answers.filter(next_update__lte=now + REFRESH_BEFORE + EARLY, this_update__lte=now - MIN_AGE)
        # Responses for both hashes of a certificate that were signed together sort together, so the part is a fifth.
        found += early.order_by("next_update", "certificate_id").values_list("certificate_id", flat=True)[
            : len(CertIdHash) * limit // 5
        ]
    return list(dict.fromkeys([*changed, *found]))[:limit]


def _drop_ended(ca: CertificateAuthority, certificate_ids: Sequence[UUID], now: dt.datetime) -> None:
    """Removes the responses for expired certificates: they are never renewed, and would always sort first among the old ones."""
    OcspResponse.objects.filter(ca=ca, certificate_id__in=certificate_ids, certificate__not_after__lte=now).delete()


def _answer_for(responder: Responder, certificate_ids: Sequence[UUID]) -> int:
    done = 0
    signing = Signing(responder)
    for part in batched(certificate_ids, BATCH, strict=False):
        rows = list(Certificate.objects.filter(STORED, id__in=part, not_after__gt=clock.now()).only(*_SIGNED_FIELDS))
        journal.revoked(responder.ca, (row for row in rows if row.revoked_at and row.presigned_version != row.status_version))
        done += _store(_sign(signing, rows))
    return done


class SignedAnswer(NamedTuple):
    """A future row of OcspResponse; the fields are its columns."""

    ca_id: int
    certificate_id: UUID
    signer_id: int | None
    cert_id_hash: str
    der: bytes
    status_version: int
    this_update: dt.datetime
    next_update: dt.datetime


def _sign(signing: "Signing", rows: Iterable[Certificate]) -> list[SignedAnswer]:
    signer_id = signing.responder.signer.id if signing.responder.signer is not None else None
    each = [(row, single) for row in rows for single in _singles(row)]
    ders, this_update, next_update = signing.answers([single for _, single in each])
    return [
        SignedAnswer(row.ca_id, row.id, signer_id, single.hash, der, row.status_version, this_update, next_update)
        for (row, single), der in zip(each, ders, strict=True)
    ]


def _singles(row: Certificate) -> list["Single"]:
    status, serial = status_of(row), int(row.serial, 16)
    return [Single(name, serial, status) for name in _HASHES]


# The fields that `status_of` and its callers read.
STATUS_FIELDS: Final = ("ca", "serial", "status", "held", "status_version", "created_at", "issued_at", "revoked_at", "reason")
_SIGNED_FIELDS: Final = (*STATUS_FIELDS, "presigned_version", "invalidity_date")


def status_of(row: Certificate) -> bytes:
    """Returns the certStatus of an issued or revoked certificate. A hold dates from the issuance."""
    if row.status == CertificateStatus.REVOKED and row.revoked_at:
        return ocsp_response.revoked(row.revoked_at, row.reason)
    return ocsp_response.on_hold(row.issued_at or row.created_at) if row.held else ocsp_response.GOOD


class Single(NamedTuple):
    """The content of one response: a CertID by `hash` and serial, a certStatus, and perhaps a nonce."""

    hash: str
    serial: int
    status: bytes
    nonce: bytes = b""


class Signing:
    """Signs for one responder. Encodes once what the responses of a second have in common."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder
        self._moment: dt.datetime | None = None
        self._template: ocsp_response.Template | None = None

    def answers(
        self, singles: Sequence[Single], *, lifetime: dt.timedelta | None = None
    ) -> tuple[list[bytes], dt.datetime, dt.datetime]:
        """Returns the DER of each response, and their thisUpdate and nextUpdate; nextUpdate is not after the signer's end.

        Verifies the first, each sixteenth and the last signature. Raises HsmError, ClockWentBack, and SelfCheckFailed if one does
        not verify.
        """
        moment = clock_guard.check().replace(microsecond=0)
        if moment != self._moment or self._template is None:
            self._moment, self._template = moment, _template(self.responder, moment)
        template = self._template
        end = min(moment + (lifetime or self.responder.lifetime), self.responder.end)
        data = [template.data(name, serial, status, end, nonce) for name, serial, status, nonce in singles]
        signatures = self.responder.signatures(data)
        for number in {*range(0, len(data), VERIFIED_EACH), len(data) - 1} if data else ():
            _verify(self.responder.public_key, data[number], signatures[number])
        return [*map(template.response, data, signatures)], moment, end


def _template(responder: Responder, moment: dt.datetime) -> ocsp_response.Template:
    issuers = [
        ocsp_response.Issuer(
            name, bytes.fromhex(getattr(responder.ca, f"name_{name}")), bytes.fromhex(getattr(responder.ca, f"key_{name}"))
        )
        for name in CertIdHash.values
    ]
    # Includes the certificate of a CA that signs itself: GnuTLS looks up a signer by key hash only among the response's
    # certificates.
    return ocsp_response.Template(
        responder_key_hash=x509.SubjectKeyIdentifier.from_public_key(responder.public_key).digest,
        certificates=[responder.certificate.public_bytes(Encoding.DER)],
        issuers=issuers,
        this_update=moment,
        signature=ocsp_response.Signature(
            tbs.ALGORITHMS[responder.family, "sha256"], lambda data: responder.signatures([data])[0]
        ),
    )


def verify(certificate: x509.Certificate, to_be_signed: bytes, signature: bytes) -> None:
    """Verifies a response's signature with the responder's certificate. Raises SelfCheckFailed."""
    _verify(certificate.public_key(), to_be_signed, signature)


def _verify(public_key: object, to_be_signed: bytes, signature: bytes) -> None:
    try:
        if isinstance(public_key, ec.EllipticCurvePublicKey):
            public_key.verify(signature, to_be_signed, ec.ECDSA(hashes.SHA256()))
        elif isinstance(public_key, rsa.RSAPublicKey):
            public_key.verify(signature, to_be_signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            raise SelfCheckFailed("no verifier for this kind of key")
    except InvalidSignature as error:
        raise SelfCheckFailed("the signature does not verify") from error


def _store(answers: list[SignedAnswer]) -> int:
    """Stores the responses whose certificate still has the status they were signed for; returns for how many certificates."""
    ids = {answer.certificate_id for answer in answers}
    with transaction.atomic(durable=True):
        locked = Certificate.objects.filter(id__in=ids).select_for_update(no_key=True).order_by("id")
        current = dict(locked.values_list("id", "status_version"))
        valid = [answer for answer in answers if current.get(answer.certificate_id) == answer.status_version]
        with connection.cursor() as cursor:
            make_piece(cursor)
            bulk.insert_values(OcspResponse, SignedAnswer._fields, valid, table="pki_ocsp_piece")
            cursor.execute(_FROM_PIECE)
        stored = {answer.certificate_id for answer in valid}
        lacking = Certificate.objects.filter(id__in=stored).exclude(presigned_version=F("status_version"))
        lacking.update(presigned_version=F("status_version"))
    return len(stored)


def make_piece(cursor: CursorWrapper) -> None:
    """Creates the session's temporary table for responses that are about to be stored, unless it exists.

    Checks for it first: a read-only session cannot run CREATE, not even IF NOT EXISTS (`scratch`).
    """
    cursor.execute("SELECT to_regclass('pg_temp.pki_ocsp_piece')")
    if cursor.fetchone() == (None,):
        cursor.execute(_PIECE)


_COLUMNS: Final = ", ".join(SignedAnswer._fields)
# The table belongs to the connection and is emptied after each transaction.
_PIECE: Final = f"""
CREATE TEMPORARY TABLE pki_ocsp_piece ON COMMIT DELETE ROWS AS SELECT {_COLUMNS} FROM pki_ocspresponse WITH NO DATA
"""  # noqa: S608  (names of our own)
_FROM_PIECE: Final = f"""
INSERT INTO pki_ocspresponse ({_COLUMNS}) SELECT {_COLUMNS} FROM pki_ocsp_piece ORDER BY certificate_id
ON CONFLICT (certificate_id, cert_id_hash) DO UPDATE SET
{", ".join(f"{name} = EXCLUDED.{name}" for name in ("signer_id", *SignedAnswer._fields[4:], "xid"))}
"""  # noqa: S608
