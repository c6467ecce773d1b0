"""Lifetime of a delegated OCSP responder (RFC 6960 section 4.2.2.2), and when its successor is created."""

import datetime as dt

LIFETIME = dt.timedelta(days=30)
RENEW_BEFORE = dt.timedelta(days=15)
"""Remaining lifetime of a responder when its successor is created."""
