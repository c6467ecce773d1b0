"""Readiness of the `pki` worker: a database, a token that signs, a trusted clock, and its queue."""

from celery import current_app
from kombu.exceptions import OperationalError

from pki.authorities import clock_guard
from pki.health import checks
from siths_portal.lib.monitoring import health as lib_health


def token() -> str | None:
    """Checks that the token signs with its probe key."""
    return None if checks.token().ok else "HSM svarar inte"


def clock() -> str | None:
    """Checks that the clock has not gone back."""
    return "klockan har gått tillbaka" if clock_guard.look().went_back else None


def queue() -> str | None:
    """Checks that the broker responds: without it no process can wake the worker."""
    try:
        with current_app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, timeout=2, interval_start=0, interval_step=0)
    except (OperationalError, OSError):
        return "kön svarar inte"
    return None


CHECKS: dict[str, lib_health.Check] = {"database": lib_health.database, "hsm": token, "clock": clock, "queue": queue}
