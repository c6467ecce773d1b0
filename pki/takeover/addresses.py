"""URLs in imported certificates: which of them we serve (rules/pki 1.3, ADR 0217)."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from cryptography import x509

from pki.domain import serials
from pki.domain.crl_shards import list_name
from pki.domain.imported_certificates import Address, addresses_of
from pki.models import CaImport, CertificateAuthority, ImportFinding, OcspSigner
from pki.takeover import foreign_crls
from pki.takeover.findings import Ledger, plain

KIND = "address"
MOST = 2000
"""The limit of different URLs that one import checks. A CA with 256 shards has fewer."""
_SERVED_STEM = re.compile(r"[a-z0-9]{1,64}")  # the form that the status service accepts


class Addresses:
    """The URLs in one issuer's certificates. Records each URL that we do not serve, once."""

    def __init__(
        self, issuer: CertificateAuthority, ledger: Ledger, resumed: CaImport | None = None, *, listed: bool = False
    ) -> None:
        self._issuer, self._ledger = issuer, ledger
        self._listed = bool(issuer.key_id) or listed or foreign_crls.has_list(issuer)
        self._answered = bool(issuer.key_id) or OcspSigner.objects.filter(ca=issuer, retired_at=None).exists()
        self._seen: set[str] = set()
        if resumed is not None and resumed.position:
            reported = ImportFinding.objects.filter(ca_import=resumed, kind=KIND)
            self._seen.update(reported.values_list("detail", flat=True))

    def look(self, place: str, serial: str, addresses: Iterable[Address]) -> None:
        """Checks the URLs of one certificate."""
        for use, url in addresses:
            line = plain(f"{use} {url}")[:200]
            if line in self._seen or len(self._seen) >= MOST:
                continue
            self._seen.add(line)
            if not is_served(use, url, self._issuer, listed=self._listed, answered=self._answered):
                self._ledger.report(place, KIND, serial, line)


def look_at_own(ca: CertificateAuthority, ledger: Ledger) -> None:
    """Checks the URLs in the CA's own certificate, which its parent serves."""
    certificate = x509.load_der_x509_certificate(bytes(ca.certificate_der))
    serial = serials.text(certificate.serial_number)
    Addresses(ca.parent or ca, ledger).look("ca", serial, addresses_of(certificate))


def is_served(use: str, url: str, issuer: CertificateAuthority, *, listed: bool, answered: bool) -> bool:
    """Returns whether we serve this URL for the issuer, whatever its host is.

    We serve the issuer's certificate, its CRLs if `listed` and its OCSP responses if `answered`.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme != "http" or (use == "ocsp" and not answered) or (use == "crl" and not listed):
        return False
    if use == "ocsp":
        return parts.path.rstrip("/") in ("", "/ocsp")
    if not _SERVED_STEM.fullmatch(issuer.file_stem):
        return False
    if use == "caIssuers":
        return parts.path in (f"/{issuer.file_stem}.cer", f"/aia/{issuer.file_stem}.cer")
    shards = range(issuer.crl_shards) if issuer.crl_shards > 1 else ()
    names = [list_name(issuer.file_stem, shard) for shard in (None, *shards)]
    return any(parts.path in (f"/{name}", f"/crl/{name}") for name in names)
