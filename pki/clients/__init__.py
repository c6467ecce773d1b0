"""The PKI API for machine clients: order, read, search and revoke certificates over mutual TLS (rules/pki 3.4).

Start in `api.v1.views`, which call `operations`; `permissions` holds what a client may do for each CA, profile and name.
The names below grant and withdraw permissions. The demo uses them; operators use the command `pki_client`.
"""

from pki.clients.permissions import PermissionView, client_permissions, grant_client, withdraw_client

__all__ = ["PermissionView", "client_permissions", "grant_client", "withdraw_client"]
