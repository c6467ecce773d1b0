"""Revoking many certificates of a CA at once: counted, approved by two persons, then executed in batches (rules/pki 4.4).

Start in `lifecycle`. `selection` finds the certificates; `execution` revokes them in the `pki` worker. The names below are for
the operators' pages.
"""

from pki.mass_revocation.lifecycle import (
    MassRevocationGrounds,
    MassRevocationView,
    mass_revocation,
    mass_revocations,
    request_mass_revocation,
    start_mass_revocation,
    stop_mass_revocation,
)
from pki.mass_revocation.selection import MassRevocationDryRun, MassRevocationGroup, MassSelection, dry_run

__all__ = [
    "MassRevocationDryRun",
    "MassRevocationGrounds",
    "MassRevocationGroup",
    "MassRevocationView",
    "MassSelection",
    "dry_run",
    "mass_revocation",
    "mass_revocations",
    "request_mass_revocation",
    "start_mass_revocation",
    "stop_mass_revocation",
]
