"""Paths and URLs of a CA's CRLs, including those of shards."""

from dataclasses import replace
from pathlib import Path

from django.conf import settings

from pki.domain.crl_shards import list_name, shard_of
from pki.domain.tbs import Issuer
from pki.models import CertificateAuthority


def crl_path(ca: CertificateAuthority, shard: int | None = None) -> Path:
    """Returns the path of the newest CRL of the CA, or of one of its shards."""
    return Path(settings.PKI_STATUS_DIR) / "crl" / list_name(ca.file_stem, shard)


def crl_url(ca: CertificateAuthority, shard: int | None = None) -> str:
    """Returns the URL of that file: used in certificates, and in the issuingDistributionPoint of a shard's CRL (B1.19)."""
    return f"{settings.STATUS_BASE_URL.rstrip('/')}/crl/{list_name(ca.file_stem, shard)}"


def issuer_for(ca: CertificateAuthority, issuer: Issuer, serial: int) -> Issuer:
    """Returns the issuer for a certificate with this serial: the issuer of a sharded CA has the URL of the shard's CRL."""
    if ca.crl_shards == 1:
        return issuer
    return replace(issuer, crl_url=crl_url(ca, shard_of(serial, ca.crl_shards)))
