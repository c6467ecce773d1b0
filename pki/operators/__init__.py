"""The PKI data that the operators' pages read, one public module for each subject. Read-only; no module needs a token.

Start in `authorities` or `certificates`. Functions that write are in the package of their subject: `pki.approvals`,
`pki.authorities`, `pki.ceremonies`, `pki.mass_revocation` (ADR 0342). `status_measures` runs in the `pki` worker, not for pages.
"""
