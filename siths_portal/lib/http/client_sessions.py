"""The `requests` sessions that `client` uses, and the metric of its calls."""

import os
import threading
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3

from siths_portal.lib.monitoring import metrics

FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""The exceptions of a call without a complete response."""


_CALLS = metrics.counter("outbound_calls", "Calls to external systems, answered or failed", ["host", "outcome"])
_SECONDS = metrics.histogram(
    "outbound_call_seconds", "From a call to an external system to its end", ["host"], buckets=metrics.RESPONSE_BUCKETS
)


class _NoCookies(DefaultCookiePolicy):
    """A policy that neither accepts nor sends cookies."""

    def set_ok(self, cookie: Any, request: Any) -> bool:
        return False

    def return_ok(self, cookie: Any, request: Any) -> bool:
        return False


def session(kept: threading.local, certificate: str | tuple[str, str] | None, ca_bundle: str) -> requests.Session:
    """Returns the session of this thread and process from `kept`, or a new one. Threads and forked children share no sockets."""
    if getattr(kept, "owner", None) != os.getpid():
        new = requests.Session()
        new.trust_env = False
        new.cookies.set_policy(_NoCookies())
        new.cert = certificate
        new.verify = ca_bundle or True
        kept.session, kept.owner = new, os.getpid()
    existing: requests.Session = kept.session
    return existing


def count(host: str, status: int | None, fault: str | None, seconds: float) -> None:
    """Counts a call and its time. It failed without a complete response, and with one that says that the system cannot answer."""
    failed = fault is not None or status is None or status >= 500 or status == 429
    _CALLS.labels(host, "failed" if failed else "answered").inc()
    _SECONDS.labels(host).observe(seconds)
