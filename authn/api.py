"""API authentication by the client certificate that the reverse proxy passes on in a header."""

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from authn import client_certificate, openapi  # noqa: F401  (openapi is registered by being imported)
from authn.services import clients


class Caller(clients.ServiceClientView):
    """The machine client of a request, as REST framework's `request.user`."""

    @property
    def is_authenticated(self) -> bool:
        """Always true: a Caller is made only for an accepted certificate."""
        return True


class ClientCertificateAuthentication(BaseAuthentication):
    """Authenticates the client by its certificate (`client_certificate.presented`).

    A missing, unknown or revoked certificate gives 401.
    """

    def authenticate(self, request: Request) -> tuple[Caller, x509.Certificate] | None:
        """Returns the caller and the certificate, or None without a certificate. Raises AuthenticationFailed if it is refused."""
        try:
            certificate = client_certificate.presented(request.headers)
        except ValueError:
            raise AuthenticationFailed from None
        if certificate is None:
            return None
        view = clients.client_of_certificate(certificate.public_bytes(serialization.Encoding.DER))
        if view is None:
            raise AuthenticationFailed
        return Caller(view.client_ref, view.kind, view.name, view.certificate_subject, view.is_pushed_to), certificate

    def authenticate_header(self, request: Request) -> str:
        """Returns the challenge that RFC 9110 section 11.6.1 requires in a 401. The scheme name is our own; TLS has none."""
        return 'ClientCertificate realm="siths-portal"'
