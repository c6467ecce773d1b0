"""Issuing certificates (RFC 5280 section 4, rules/pki 3): the caller's transaction plans one, the `pki` worker signs it later.

Start in `planning`, then `claiming` and `signing`. Before a signature `lint` reads the bytes back, `key_checks` refuses weak and
reused keys, and `card_checks` requires an order (ADR 0310). Other apps call this package through `pki.service`.
"""
