"""The public interface of `authn`: ending sessions, recent and last log-ins, and the register of machine clients."""

from authn.services.clients import (
    KeyAttestation,
    PushEndpoint,
    SupplierView,
    client_names,
    idempotency_store,
    key_attestation,
    letter_certificate,
    push_endpoints,
    registered_suppliers,
    suppliers,
    sync_clients,
)
from authn.services.sessions import (
    AT_ONCE,
    CARRIER_REVOKED,
    ROLE_ENDED,
    end_sessions,
    is_logged_in_since,
    last_log_ins,
)
from authn.services.sessions import end_another as end_session
from authn.services.sessions import live as live_sessions

__all__ = [
    "AT_ONCE",
    "CARRIER_REVOKED",
    "ROLE_ENDED",
    "KeyAttestation",
    "PushEndpoint",
    "SupplierView",
    "client_names",
    "end_session",
    "end_sessions",
    "idempotency_store",
    "is_logged_in_since",
    "key_attestation",
    "last_log_ins",
    "letter_certificate",
    "live_sessions",
    "push_endpoints",
    "registered_suppliers",
    "suppliers",
    "sync_clients",
]
