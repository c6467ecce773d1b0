"""Export formats of other CA products, after their documentation and their own exporters (ADR 0172).

XiPKI: the output of `ca:export-ca-certstore`. `ca-certstore.json` lists the CAs with id and name. `certs.mf` and `crls.mf` list
zip files of `certs/` and `crls/`. Each has the DER files and an `overview.json` (`certs`: file, caId, sn, rev, rr, rt, rit;
`crls`: file, caId). Times are seconds since 1970.

EJBCA has no exporter of its own: PostgreSQL exports the table `CertificateData` (`COPY … CSV HEADER`), with the columns
base64Cert, serialNumber (decimal), status, revocationDate (milliseconds, -1 for none), revocationReason (-1 for none), expireDate
and, from version 7 on, notBefore. Statuses are those of its page "Certificate Statuses".
"""

import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pki.domain import serials
from pki.takeover import sources
from pki.takeover.findings import plain
from pki.takeover.records import SourceCertificate, der_of, epoch, reason_of_code
from siths_portal.lib.errors import Invalid
from siths_portal.lib.imports.row_faults import RowFault

_LARGEST_MEMBER = 1 << 26  # of a zip file, unpacked: an overview of 10,000 certificates is some 3 MB
# Errors that `zipfile` raises for a truncated, damaged or encrypted file, or for an unknown compression method.
_ZIP_FAULTS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError)
_EJBCA_LISTED = {20, 21, 40, 60}  # active, notified, revoked, archived
_EJBCA_REVOKED, _EJBCA_ARCHIVED = 40, 60


class XiPki:
    """A folder with XiPKI's export of the certificate store; `name` is the CA's name in XiPKI."""

    def __init__(self, folder: Path, ca_name: str) -> None:
        self._folder = folder
        self._ca_name = ca_name

    def inputs(self) -> list[Path]:
        """Returns `ca-certstore.json`, the two lists of zip files, and the zip files."""
        main = self._folder / "ca-certstore.json"
        sources.require([main] if main.is_file() else [], main.name)
        return [main, *self._manifests(), *self._zips("certs"), *self._zips("crls")]

    def records(self, skip: int) -> Iterator[SourceCertificate]:
        """Yields one record for each certificate of the CA."""
        position, ca_id = 0, self._ca_id()
        for path in self._zips("certs"):
            with _opened(path) as archive:
                mine = [each for each in _overview(archive, path, "certs") if each.get("caId") == ca_id]
                for each in mine:
                    position += 1
                    if position > skip:
                        place = f"{path.name}:{str(each.get('file'))[:60]}"
                        yield sources.row(place, lambda each=each: each, lambda place, each: _xipki(place, each, archive))

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """Yields the CA's CRLs."""
        ca_id = self._ca_id()
        for path in self._zips("crls"):
            with _opened(path) as archive:
                for each in _overview(archive, path, "crls"):
                    if each.get("caId") == ca_id:
                        yield f"{path.name}:{each.get('file')}", _list(archive, str(each.get("file")))

    def _ca_id(self) -> int:
        try:
            store = json.loads((self._folder / "ca-certstore.json").read_bytes())
            found = [int(each["id"]) for each in store["cas"] if str(each["name"]).lower() == self._ca_name.lower()]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise Invalid("import-folder", "ca-certstore.json går inte att läsa.") from None
        if len(found) != 1:
            raise Invalid("import-folder", f"ca-certstore.json har ingen utfärdare som heter {self._ca_name}.")
        return found[0]

    def _manifests(self) -> list[Path]:
        return [path for path in (self._folder / f"{kind}.mf" for kind in ("certs", "crls")) if path.is_file()]

    def _zips(self, kind: str) -> list[Path]:
        listed = self._folder / f"{kind}.mf"
        if not listed.is_file():
            return []
        text = listed.read_bytes().decode(errors="replace")
        names = [line.strip() for line in text.splitlines() if line.strip()]
        place = self._folder / kind
        if lacking := [name for name in names if name != Path(name).name or "\0" in name or not (place / name).is_file()]:
            raise Invalid("import-folder", f"{kind}.mf nämner filer som inte finns: {plain(', '.join(lacking[:3]))}.")
        return [place / name for name in names]


class Ejbca:
    """`CertificateData.csv`: PostgreSQL's export of EJBCA's table, with the certificates of one CA."""

    file_name = "CertificateData.csv"

    def __init__(self, folder: Path) -> None:
        self._path = folder / self.file_name

    def inputs(self) -> list[Path]:
        """Returns the file."""
        return sources.require([self._path] if self._path.is_file() else [], self.file_name)

    def records(self, skip: int) -> Iterator[SourceCertificate]:
        """Yields one record for each row."""
        needed = {"base64cert", "serialnumber", "status", "revocationdate", "revocationreason", "expiredate"}
        for number, values in sources.table(self._path, self.file_name, needed, lower=True):
            if number > skip:
                yield sources.row(f"{self.file_name}:{number + 1}", lambda values=values: values, _ejbca)

    def lists(self) -> Iterator[tuple[str, bytes]]:
        """Yields no CRL: the format has only those of `crls/`."""
        return iter(())


def _xipki(place: str, each: Mapping[str, Any], archive: zipfile.ZipFile) -> SourceCertificate:
    revoked = each.get("rev") not in (None, 0)
    return SourceCertificate(
        place,
        der=der_of(_member(archive, str(each.get("file")))),
        serial=str(each.get("sn", "")),
        revoked_at=epoch(each.get("rt")) if revoked else None,
        reason=reason_of_code(each.get("rr")) if revoked else "",
        invalidity_date=epoch(each["rit"]) if revoked and each.get("rit") else None,
    )


def _ejbca(place: str, values: Mapping[str, str]) -> SourceCertificate:
    try:
        status, why = int(values["status"]), int(values["revocationreason"])
        serial = serials.text(int(values["serialnumber"]))
    except ValueError:
        raise RowFault("unreadable", "tal") from None
    if status not in _EJBCA_LISTED:
        raise RowFault("status", str(status))
    # An archived certificate keeps its revocation reason; one released from hold is active and has removeFromCRL.
    revoked = status == _EJBCA_REVOKED or (status == _EJBCA_ARCHIVED and why >= 0)
    text = "".join(values["base64cert"].split())
    before = values.get("notbefore", "")
    return SourceCertificate(
        place,
        der=sources.decoded(text) if text else None,
        serial=serial,
        not_before=epoch(before, milliseconds=True) if before else None,
        not_after=epoch(values["expiredate"], milliseconds=True),
        revoked_at=epoch(values["revocationdate"], milliseconds=True) if revoked else None,
        reason=reason_of_code(max(why, 0)) if revoked else "",
    )


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _ZIP_FAULTS:
        raise Invalid("import-folder", f"{path.name} går inte att läsa som zip-fil.") from None


def _overview(archive: zipfile.ZipFile, path: Path, kind: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(_member(archive, "overview.json"))[kind]
        return [each for each in found if isinstance(each, dict)]
    except (RowFault, ValueError, KeyError, TypeError, RecursionError):
        raise Invalid("import-folder", f"{path.name} har ingen overview.json som går att läsa.") from None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        if archive.getinfo(name).file_size > _LARGEST_MEMBER:
            raise RowFault("unreadable", "för stor fil")
        return archive.read(name)
    except (KeyError, *_ZIP_FAULTS):
        raise RowFault("unreadable", "filen saknas i zip-filen, eller går inte att läsa") from None


def _list(archive: zipfile.ZipFile, name: str) -> bytes:
    """Returns a CRL from the zip file, or b"" if it cannot be read; the import then reports it like any invalid CRL."""
    try:
        return _member(archive, name)
    except RowFault:
        return b""
