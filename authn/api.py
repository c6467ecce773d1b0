"""Who calls an API: authentication by the client certificate that the TLS front passes on."""

from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from authn import openapi, service  # noqa: F401  (openapi is registered by being imported)

_LONGEST = 16_384


class Caller(service.ServiceClientView):
    """The machine client of a request, as REST framework's `request.user`."""

    @property
    def is_authenticated(self) -> bool:
        """Always true: a caller exists only when its certificate was accepted."""
        return True


class ClientCertificateAuthentication(BaseAuthentication):
    """Accepts the client whose certificate stands, URL-escaped PEM, in the header that MTLS_CERTIFICATE_HEADER names.

    The setting is set only for a process on a unix socket behind the TLS front, which overwrites the header and has checked
    that the peer holds the key. Without the setting nobody is authenticated. No, unknown or revoked certificate: 401.
    """

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        """The caller; None if the request carries no certificate. AuthenticationFailed if it carries a refused one."""
        header = settings.MTLS_CERTIFICATE_HEADER
        value = request.headers.get(header, "") if header else ""
        if not value:
            return None
        if len(value) > _LONGEST:
            raise AuthenticationFailed
        try:
            certificate = x509.load_pem_x509_certificate(unquote(value).encode())
        except ValueError:
            raise AuthenticationFailed from None
        view = service.client_of_certificate(certificate.public_bytes(serialization.Encoding.DER))
        if view is None:
            raise AuthenticationFailed
        return Caller(view.client_ref, view.kind, view.name, view.certificate_subject), None

    def authenticate_header(self, request: Request) -> str:
        """RFC 9110 section 11.6.1 wants a challenge with each 401; the scheme's name is ours, as TLS has none."""
        return 'ClientCertificate realm="siths-portal"'
