"""API authentication by the client certificate that the reverse proxy passes on in a header."""

from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from authn import openapi  # noqa: F401  (openapi is registered by being imported)
from authn.services import clients

_LONGEST = 16_384


class Caller(clients.ServiceClientView):
    """The machine client of a request, as REST framework's `request.user`."""

    @property
    def is_authenticated(self) -> bool:
        """Always true: a Caller is made only for an accepted certificate."""
        return True


class ClientCertificateAuthentication(BaseAuthentication):
    """Authenticates the client by its certificate, a URL-escaped PEM in the header that MTLS_CERTIFICATE_HEADER names.

    Set this setting only for a process on a unix socket behind the reverse proxy, which overwrites the header and has verified
    that the peer holds the key. Without the setting no request is authenticated. A missing, unknown or revoked certificate
    gives 401.
    """

    def authenticate(self, request: Request) -> tuple[Caller, x509.Certificate] | None:
        """Returns the caller and the certificate, or None without a certificate. Raises AuthenticationFailed if it is refused."""
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
        view = clients.client_of_certificate(certificate.public_bytes(serialization.Encoding.DER))
        if view is None:
            raise AuthenticationFailed
        return Caller(view.client_ref, view.kind, view.name, view.certificate_subject, view.is_pushed_to), certificate

    def authenticate_header(self, request: Request) -> str:
        """Returns the challenge that RFC 9110 section 11.6.1 requires in a 401. The scheme name is our own; TLS has none."""
        return 'ClientCertificate realm="siths-portal"'
