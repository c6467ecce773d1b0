"""OCSP (RFC 6960, RFC 9919, rules/pki 5): signs responses ahead and publishes them to the store of `pki.ocspd`.

Start in `presigning` for the signatures and in `publishing` for the store. `live` signs responses that cannot be signed ahead:
with a nonce, for a new certificate, or for one on hold. No other app imports this package.
"""
