"""What the library for X.509 raises for bytes from elsewhere that it cannot or will not read: some are no ValueError."""

from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""Of certificates, requests and lists, and of their parts."""
