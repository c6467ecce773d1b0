"""How OpenAPI descriptions name our authentication. Registered by being imported by `api`: only faces with an API load
the library, which takes 14 MB."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class ClientCertificateScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI description names the authentication (OpenAPI 3.1: security scheme of type mutualTLS)."""

    target_class = "authn.api.ClientCertificateAuthentication"
    name = "clientCertificate"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """The scheme."""
        return {"type": "mutualTLS", "description": "The certificate that was registered for this client."}
