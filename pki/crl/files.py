"""CRL files: written in pieces next to the published one, read back for a check, and renamed into place."""

import contextlib
import datetime as dt
import hashlib
import itertools
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from cryptography import x509

from pki.crl.entries import Written
from pki.domain import crl, crl_reader
from siths_portal.lib.files.atomic import sync_folder

_CHUNK = 1 << 18
SMALL = 1 << 20
"""CRLs up to this size in octets are also read by the library."""

_NEVER = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)


class SelfCheckFailed(RuntimeError):
    """A CRL was built that lacks a required value; it was not published."""


@dataclass(frozen=True)
class Built:
    """A complete CRL in a file that is not published yet."""

    path: Path
    entries: int
    size: int
    sha256: str


class Maker:
    """Makes one CRL next to `path`: call `entries`, then `digest`, then `finish` with the signature over the digest.

    A context manager: removes its files if it ends by an error. On entry it removes files that a dead process left for this CRL.
    """

    def __init__(self, path: Path, frame: crl.Frame, hash_name: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{path.name}.*.tmp"):
            left.unlink(missing_ok=True)
        self._temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        self._frame, self._hash_name = frame, hash_name
        self._entries = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115  (closed by the context)
        self._written = Written(0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        # Data that cannot be flushed to a full disk fails again when the file is closed.
        with contextlib.suppress(OSError):
            self._entries.close()
        if kind is not None:
            self._temporary.unlink(missing_ok=True)

    def entries(self, write: Callable[[BinaryIO], Written]) -> None:
        """Calls `write` to append the entries. Raises what it raises, and OSError."""
        self._written = write(self._entries)
        self._entries.flush()

    def _pieces(self) -> Iterator[bytes]:
        yield self._frame.before(self._written.size)
        self._entries.seek(0)
        while chunk := self._entries.read(_CHUNK):
            yield chunk
        yield self._frame.after()

    def digest(self) -> bytes:
        """Returns the digest of the TBSCertList, for the signature."""
        hashed = hashlib.new(self._hash_name)
        for piece in self._pieces():
            hashed.update(piece)
        return hashed.digest()

    def finish(self, signature: bytes) -> Built:
        """Writes and syncs the complete CRL."""
        start, end = self._frame.wrapped(self._written.size, signature)
        hashed, size = hashlib.sha256(), 0
        descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            for piece in itertools.chain([start], self._pieces(), [end]):
                file.write(piece)
                hashed.update(piece)
                size += len(piece)
            file.flush()
            os.fsync(file.fileno())
        return Built(self._temporary, self._written.count, size, hashed.hexdigest())


def publish(built: Built, path: Path) -> None:
    """Renames the CRL into place: a reader sees the old or the new one, also after a power failure. Raises OSError."""
    built.path.replace(path)
    sync_folder(path.parent)


@dataclass(frozen=True)
class ExpectedCrl:
    """The values that a CRL must have: its issuer, the certificate of the signing key, and the times and number drawn for it.

    `issuer` is the CA's subject, DER; `above` the number of the previous CRL, -1 if there was none; `next_update` None for a last
    CRL; `point` the URL of a shard's CRL, None for the CRL of all certificates.
    """

    certificate: x509.Certificate
    issuer: bytes
    number: int
    above: int
    this_update: dt.datetime
    next_update: dt.datetime | None
    point: str | None


def check(built: Built, expected: ExpectedCrl, hash_name: str) -> None:
    """Reads the file back as a relying party would. Raises SelfCheckFailed."""
    try:
        with built.path.open("rb") as file:
            found = crl_reader.read(file, hash_name=hash_name)
            file.seek(0)
            small = x509.load_der_x509_crl(file.read()) if built.size <= SMALL else None
        failed = {
            "signature": not found.is_signed_by(expected.certificate.public_key()),
            "issuer": found.issuer != expected.issuer or found.frame.issuer != expected.certificate.subject,
            "count": found.entries != built.entries or (small is not None and len(small) != built.entries),
            "number": not expected.above < _number(found.frame) == expected.number,
            "times": _times(found.frame) != (expected.this_update, expected.next_update or _NEVER),
            "key": _key_identifier(found.frame.extensions) != _subject_key(expected.certificate),
            "scope": _point(found.frame) != expected.point,
        }
    except (ValueError, x509.ExtensionNotFound) as error:
        raise SelfCheckFailed(f"not a CRL of ours: {error}") from None
    if any(failed.values()):
        raise SelfCheckFailed(", ".join(name for name, bad in failed.items() if bad))


def _number(found: x509.CertificateRevocationList) -> int:
    return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def _times(found: x509.CertificateRevocationList) -> tuple[dt.datetime, dt.datetime | None]:
    return found.last_update_utc, found.next_update_utc


def _key_identifier(extensions: x509.Extensions) -> bytes | None:
    return extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier


def _subject_key(certificate: x509.Certificate) -> bytes:
    return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest


def _point(found: x509.CertificateRevocationList) -> str | None:
    """Returns the URL of a critical issuingDistributionPoint; None without the extension. Raises ValueError for another kind."""
    try:
        extension = found.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
    except x509.ExtensionNotFound:
        return None
    names = list(extension.value.full_name or ())
    if not extension.critical or len(names) != 1:
        raise ValueError("not the issuingDistributionPoint of a shard")
    return str(names[0].value)
