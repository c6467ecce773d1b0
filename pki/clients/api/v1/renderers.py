"""Media types of a certificate. The bytes are plain responses, and problems are JSON whatever the client accepts."""

from rest_framework.renderers import JSONRenderer


class DerRenderer(JSONRenderer):
    """Allows a client to request the certificate in DER (RFC 5280, RFC 2585 section 4)."""

    media_type = "application/pkix-cert"


class PemChainRenderer(JSONRenderer):
    """Allows a client to request the certificate and the CAs below the root as PEM (RFC 8555 section 9.1)."""

    media_type = "application/pem-certificate-chain"
