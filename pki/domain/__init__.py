"""Rules and encodings without a database, a token or Django models: DER, names, profiles, to-be-signed certificates, CRLs, OCSP.

Start in `profiles` for what a certificate contains, and in `tbs` for how it is built (RFC 5280). The lowest package of `pki`.
"""
