"""Helpers of the CRL tests: revoking, reading what is published, other programs' opinions, sharded CAs."""

import subprocess

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import transaction

from pki.crl import building
from pki.models import CertificateAuthority
from pki.revocation.revoking import plan_revocation
from siths_portal.lib import clock
from tests.pki import linting


def revoke(*rows, reason="superseded", **options):
    """Revokes certificates as the portal does."""
    values = {"actor_ref": "user:1", "received_at": clock.now(), "channel": "portal"} | options
    with transaction.atomic(durable=True):
        plan_revocation([row.id for row in rows], reason=reason, **values)


def published(ca, shard=None) -> x509.CertificateRevocationList:
    """The list that relying parties get now."""
    return x509.load_der_x509_crl(building.crl_path(ca, shard).read_bytes())


def number(found) -> int:
    return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def serials_of(found) -> set[int]:
    return {entry.serial_number for entry in found}


def sharded(ca, shards=4) -> CertificateAuthority:
    """The CA with so many shards, as if its ceremony had said so."""
    CertificateAuthority.objects.filter(id=ca.id).update(crl_shards=shards)
    ca.refresh_from_db()
    return ca


def pem(der) -> bytes:
    return x509.load_der_x509_certificate(bytes(der)).public_bytes(Encoding.PEM)


def run(*command, check=False) -> subprocess.CompletedProcess:
    """Another program's opinion."""
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=check)


def lint(flavour, path) -> int:
    """How many findings pkilint's CRL linter has at WARNING or above."""
    return linting.lint("lint_crl", "-t", flavour, "-p", "PKIX", *linting.WARNING, path)
