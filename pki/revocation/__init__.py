"""Revoking certificates and ending holds (RFC 5280 section 5.3.1, rules/pki 4). A revocation is final.

Start in `revoking`. `releasing` ends a hold in the `pki` worker after it verified the card's proof (ADR 0315);
`publication` shows when relying parties see a revocation. Other apps call this package through `pki.service`.
"""
