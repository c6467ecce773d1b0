"""What operators see: health, metrics, log lines without personal data."""
