"""The `requests` sessions that `client` uses."""

import os
import threading
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3

FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""The exceptions of a call without a complete response."""


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
