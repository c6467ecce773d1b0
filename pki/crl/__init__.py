"""Certificate revocation lists (RFC 5280 section 5): built from the database, signed, checked and published as files
(rules/pki 6).

Start in `building`. `scopes` decides which CRL is due and which worker makes it; `web` serves the files. No other app imports
this package.
"""
