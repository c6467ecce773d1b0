"""The public key infrastructure: CAs, certificates, OCSP, CRLs and secrets. It knows no persons: `*_ref` values are opaque text.

Other apps call `pki.service` and listen to `pki.signals`. The operators' pages also use the packages' public interfaces, which
`.importlinter` lists (ADR 0342). `docs/rules/pki.md` has the rules that the code cites.
"""
