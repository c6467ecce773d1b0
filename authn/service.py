"""The public interface of `authn`: ending sessions, last log-ins, and the register of machine clients."""

from authn.services.clients import client_names, idempotency_store, suppliers, sync_clients
from authn.services.sessions import ROLE_ENDED, end_sessions, last_log_ins

__all__ = ["ROLE_ENDED", "client_names", "end_sessions", "idempotency_store", "last_log_ins", "suppliers", "sync_clients"]
