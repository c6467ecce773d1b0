"""Metrics of the token (E2.16)."""

import os
import re
import threading

from pkcs11 import exceptions

from siths_portal.lib.monitoring import metrics

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIGN = metrics.histogram("hsm_sign_seconds", "Time in the token for one signature or MAC", ["purpose"], buckets=_BUCKETS)
_ERRORS = metrics.counter("hsm_errors", "Errors that the module returned", ["ckr"])
_RECONNECTS = metrics.counter("hsm_reconnects", "How often the module was re-initialised")
_SESSIONS = metrics.gauge("hsm_sessions_in_use", "Sessions at work now", ["token"], mode="livesum")
_CIRCUIT = metrics.gauge("hsm_circuit_open", "1 while calls fail fast because the token failed", ["token"], mode="livemax")
_GIVEN_UP = metrics.counter("hsm_calls_given_up", "Calls that did not return in time")

# prometheus_client has locks of its own; a fork while one is held would block the child at its first count.
_guard = threading.Lock()


def signed(purpose: str, seconds: float) -> None:
    """Counts a signature or MAC by a key of this purpose."""
    with _guard:
        _SIGN.labels(purpose).observe(seconds)


def failed(error: exceptions.PKCS11Error) -> None:
    """Counts an error that the module returned."""
    with _guard:
        _ERRORS.labels(ckr(error)).inc()


def reconnected() -> None:
    """Counts a re-initialisation of the module."""
    with _guard:
        _RECONNECTS.inc()


def given_up() -> None:
    """Counts a call that did not return in time."""
    with _guard:
        _GIVEN_UP.inc()


def session_taken(token: str) -> None:
    """Counts a session as in use."""
    with _guard:
        _SESSIONS.labels(token).inc()


def session_given_back(token: str) -> None:
    """Counts a session as no longer in use."""
    with _guard:
        _SESSIONS.labels(token).dec()


def circuit(token: str, *, is_open: bool) -> None:
    """Records whether calls fail fast."""
    with _guard:
        _CIRCUIT.labels(token).set(int(is_open))


_PURPOSE = re.compile(r"siths/[^ ]+/([a-z-]{1,20})/[0-9-]+")
OTHER = "other"


def purpose_of(label: str) -> str:
    """Returns the purpose in a label of ours, `other` for a key with another label, because metrics need few label values."""
    found = _PURPOSE.fullmatch(label)
    return found[1] if found else OTHER


_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_UNMAPPED = re.compile(r"0x[0-9a-f]+", re.I)


def ckr(error: exceptions.PKCS11Error) -> str:
    """Returns the standard's name of an error (PKCS #11 section 5.1), as far as the library has it."""
    if type(error) is not exceptions.PKCS11Error:
        return "CKR_" + _WORD.sub("_", type(error).__name__).upper()
    if "not initialized" in str(error):
        return "CKR_CRYPTOKI_NOT_INITIALIZED"
    number = _UNMAPPED.search(str(error))
    return f"CKR_{number[0].lower()}" if number else "CKR_UNKNOWN"


os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_guard.release)
