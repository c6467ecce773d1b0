"""Where a CA's CRLs lie, as files and as addresses, those of shards among them."""

from dataclasses import replace
from pathlib import Path

from django.conf import settings

from pki.domain.crl_shards import list_name, shard_of
from pki.domain.tbs import Issuer
from pki.models import CertificateAuthority


def crl_path(ca: CertificateAuthority, shard: int | None = None) -> Path:
    """Where the newest CRL of the CA, or of one of its shards, lies."""
    return Path(settings.PKI_STATUS_DIR) / "crl" / list_name(ca.file_stem, shard)


def crl_url(ca: CertificateAuthority, shard: int | None = None) -> str:
    """The address of that file: in certificates, and in the issuingDistributionPoint of a shard's list (B1.19)."""
    return f"{settings.STATUS_BASE_URL.rstrip('/')}/crl/{list_name(ca.file_stem, shard)}"


def issuer_for(ca: CertificateAuthority, issuer: Issuer, serial: int) -> Issuer:
    """The issuer as a certificate with this serial names it: that of a sharded CA points to the list of its shard."""
    if ca.crl_shards == 1:
        return issuer
    return replace(issuer, crl_url=crl_url(ca, shard_of(serial, ca.crl_shards)))
