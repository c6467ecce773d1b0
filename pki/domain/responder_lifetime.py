"""How long a delegated OCSP responder lives (RFC 6960 section 4.2.2.2), and when the next one is made."""

import datetime as dt

LIFETIME = dt.timedelta(days=30)
RENEW_BEFORE = dt.timedelta(days=15)
"""What is left of a responder's life when its successor is made."""
