"""Keys of the audit chains in the token: MAC keys and signing keys, one of each a year (ADR 0142).

Start in `keys`, which implements the port `siths_portal.lib.audit.keys.AuditKeys`. Processes without a token verify
with it, so it imports `token`, and with it the token library, only when the token is used.
"""
