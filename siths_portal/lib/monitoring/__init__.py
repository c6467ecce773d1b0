"""Monitoring: health, metrics, and log lines without personal data."""
