"""APIs: their frame, their descriptions and their clients."""

from siths_portal.settings.environment import TRUSTED_PROXIES, env

REST_FRAMEWORK = {
    # For machine clients; APIs for other callers set their own class.
    "DEFAULT_AUTHENTICATION_CLASSES": ["authn.api.ClientCertificateAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["siths_portal.lib.rest.parser.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "siths_portal.lib.rest.problem.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "NUM_PROXIES": TRUSTED_PROXIES,
}
SPECTACULAR_SETTINGS = {
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SORT_OPERATIONS": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "OrderStatus": "issuance.suppliers.api.v1.serializers.STATUSES",
        "IssuedStatus": "issuance.suppliers.api.v1.serializers.ISSUED",
        "PendingStatus": "issuance.suppliers.api.v1.serializers.PENDING",
        "CertificateStatus": "pki.clients.api.v1.serializers.STATUSES",
        "RevocationReason": "pki.clients.api.v1.serializers.REASONS",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "siths_portal.lib.rest.openapi.finish"],
}
# The parts of each OpenAPI description that its views do not hold, by the module of its URLs.
API_DESCRIPTIONS = {
    "issuance.suppliers.api.v1.urls": "issuance.suppliers.api.v1.description.DESCRIPTION",
    "pki.clients.api.v1.urls": "pki.clients.api.v1.description.DESCRIPTION",
    "issuance.activation.api.v1.urls": "issuance.activation.api.v1.description.DESCRIPTION",
    "issuance.mobile.api.v1.urls": "issuance.mobile.api.v1.description.DESCRIPTION",
}
API_CONTACT = {"name": "Support of the SITHS eID Portal", "email": "support@demo-e-legitimationer.example"}
API_LICENCE = {"name": "For registered clients of the portal", "identifier": "LicenseRef-siths-eid-portal-clients"}

# Calls per client, process and minute: of the supplier API, and of the PKI API by operation.
SUPPLIER_API_CALLS_PER_MINUTE = env.int("SUPPLIER_API_CALLS_PER_MINUTE", default=12_000)
PKI_API_ORDERS_PER_MINUTE = env.int("PKI_API_ORDERS_PER_MINUTE", default=300)
PKI_API_REVOCATIONS_PER_MINUTE = env.int("PKI_API_REVOCATIONS_PER_MINUTE", default=300)
PKI_API_READS_PER_MINUTE = env.int("PKI_API_READS_PER_MINUTE", default=1200)
PKI_API_SEARCHES_PER_MINUTE = env.int("PKI_API_SEARCHES_PER_MINUTE", default=120)

SUPPLIERS_FILE = env.str("SUPPLIERS_FILE", default="")
# Hosts (host or host:port) of suppliers that take their orders by signed calls. Nothing is sent anywhere else.
SUPPLIER_PUSH_HOSTS = env.list("SUPPLIER_PUSH_HOSTS", default=[])
# Folder with the client key for those calls, given to the suppliers' worker only: client.pem, client.key, ca.pem, signing.keys.
SUPPLIER_PUSH_FOLDER = env.str("SUPPLIER_PUSH_FOLDER", default="")
SUPPLIER_CHANNEL_BACKEND = env.str("SUPPLIER_CHANNEL_BACKEND", default="issuance.suppliers.push.adapters.rest.RestChannel")
# Set only for the process behind nginx on a unix socket. Only there is the client-certificate header accepted.
MTLS_CERTIFICATE_HEADER = env.str("MTLS_CERTIFICATE_HEADER", default="")
# The age at which a claim of an idempotency key is taken over even if its process seems to run.
IDEMPOTENCY_LEASE_SECONDS = env.int("IDEMPOTENCY_LEASE_SECONDS", default=120)
IDEMPOTENCY_KEEP_DAYS = env.int("IDEMPOTENCY_KEEP_DAYS", default=30)
# How long an API request waits for its certificates before it returns 202.
CERTIFICATE_WAIT_SECONDS = env.float("CERTIFICATE_WAIT_SECONDS", default=5.0)
