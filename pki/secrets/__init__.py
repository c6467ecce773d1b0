"""Secrets of cards (PUKs): received as JWE (RFC 7516), sealed under a key of the token, delivered to one recipient (E3.1).

Start in `received`. `sealing` and `delivering` run only in the `pki` worker, the only process that sees a secret in plaintext.
Other apps call this package through `pki.service`.
"""
