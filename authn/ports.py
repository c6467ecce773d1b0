"""What `authn` needs from outside itself."""

from typing import Protocol


class CertificateStatusChecker(Protocol):
    """Knows whether a certificate was revoked by its issuer."""

    def is_revoked(self, der: bytes) -> bool:
        """True if the issuer has revoked it; False if not, or if the issuer is none that this installation knows."""
        ...
