"""The client certificate of a request, from the header of the TLS proxy (ADR 0040, S28)."""

from collections.abc import Mapping
from urllib.parse import unquote

from cryptography import x509
from django.conf import settings

_LONGEST = 16_384


def presented(headers: Mapping[str, str]) -> x509.Certificate | None:
    """Returns the certificate in the header that MTLS_CERTIFICATE_HEADER names (URL-escaped PEM), or None without a certificate.

    The setting is only for a process on a unix socket behind the proxy, which overwrites the header and has verified chain and
    key. Without the setting no request has a certificate. Raises ValueError if the header cannot be read.
    """
    name = settings.MTLS_CERTIFICATE_HEADER
    value = headers.get(name, "") if name else ""
    if not value:
        return None
    if len(value) > _LONGEST:
        raise ValueError("too long")
    return x509.load_pem_x509_certificate(unquote(value).encode())
