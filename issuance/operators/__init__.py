"""The operators' pages for the PKI: CAs, keys, certificates, approvals, ceremonies, imports, status, health."""
