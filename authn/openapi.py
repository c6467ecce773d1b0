"""The security scheme in the OpenAPI descriptions. `api` imports this module to register the scheme; processes without an API
never load the library, which takes 14 MB."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class ClientCertificateScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The security scheme of type mutualTLS (OpenAPI 3.1)."""

    target_class = "authn.api.ClientCertificateAuthentication"
    name = "clientCertificate"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Returns the scheme."""
        return {"type": "mutualTLS", "description": "The certificate that was registered for this client."}
