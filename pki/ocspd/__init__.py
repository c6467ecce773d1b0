"""The OCSP responder (RFC 6960, RFC 9919, rules/pki 5.1): processes that answer HTTP from files, without database or token.

Nothing here imports Django. Start in `app`, which answers a request, and in `layout`, which defines the contents of the files.
`writing` is for the publisher (`pki.ocsp.publishing`), `reading` for the responder; `signer_client` asks the `pki` worker for a
response that is not stored.
"""
