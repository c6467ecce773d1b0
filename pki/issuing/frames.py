"""What the certificates of one batch share, parsed once: their issuers and profiles, and our own check by them."""

from django.conf import settings

from pki.authorities.crl_addresses import issuer_for
from pki.authorities.queries import issuer_of
from pki.domain.profile_versions import KNOWN
from pki.domain.profiles import Profile
from pki.domain.tbs import Issuer
from pki.issuing import lint
from pki.issuing.claiming import Claimed
from pki.models import CertificateAuthority, ProfileVersion
from siths_portal.lib.canonical import canonical_json, sha256_hex


class Frames:
    """The issuers and profiles that rows of one batch share."""

    def __init__(self) -> None:
        self._issuers: dict[int, Issuer] = {}
        self._profiles: dict[int, Profile | None] = {}

    def issuer(self, ca: CertificateAuthority) -> Issuer:
        """Returns the CA's values that its certificates contain."""
        if ca.id not in self._issuers:
            self._issuers[ca.id] = issuer_of(ca)
        return self._issuers[ca.id]

    def profile(self, version: ProfileVersion) -> Profile | None:
        """Returns the profile version of the planned certificate; None if this product never had that version.

        Otherwise a process that can write to the database could get any content signed, by a profile that allows it.
        """
        if version.id not in self._profiles:
            known = sha256_hex(canonical_json(version.definition)) in KNOWN
            self._profiles[version.id] = Profile.from_definition(version.definition) if known else None
        return self._profiles[version.id]

    def faults(self, row: Claimed, to_be_signed: bytes) -> list[str]:
        """Returns the faults of the bytes that the row plans to sign; empty if they may be signed."""
        if sha256_hex(to_be_signed) != row.tbs_sha256:
            return ["the stored bytes are not those that were planned"]
        if row.profile_version is None:
            return ["no profile"]
        profile, issuer = self.profile(row.profile_version), issuer_for(row.ca, self.issuer(row.ca), int(row.serial, 16))
        if profile is None:
            return ["the profile is none of ours"]
        stored = lint.StoredValues(row.serial, row.spki_sha256, row.not_before, row.not_after)
        return lint.faults(to_be_signed, profile, issuer, settings.PKI_POLICY_ARC, stored)
