"""Shared code for X.509 and for signatures by our key types."""
