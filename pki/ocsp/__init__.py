"""OCSP (RFC 6960, RFC 9919, rules/pki 5): responses are signed ahead, and a publisher writes them into the store of `pki.ocspd`.

Start in `presigning` for the signatures and in `publishing` for the store. `live` signs responses that nobody can sign ahead:
with a nonce, for a new certificate, or for one on hold. No other app imports this package.
"""
