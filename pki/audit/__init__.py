"""Keys of the audit chains in the token: one MAC key and one signing key a year (ADR 0142).

Start in `keys`, which implements the port `siths_portal.lib.audit.keys.AuditKeys`. Processes without a token verify with it, so
it imports `token`, and through it the token library, only when it uses the token.
"""
