"""What the operators' pages read of the PKI, one public module for each subject. It reads only, and nothing here needs a token.

Start in `authorities` or `certificates`. Acts are in the package of their subject: `pki.approvals`, `pki.authorities`,
`pki.ceremonies`, `pki.mass_revocation` (ADR 0342). `status_measures` is not for pages: the `pki` worker runs it.
"""
