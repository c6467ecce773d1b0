"""The exceptions that the X.509 library raises for input that it cannot parse. Some are not subclasses of ValueError."""

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
"""Exceptions for certificates, certificate requests, CRLs and their parts."""
