"""The sessions of `client`, by requests."""

import os
import threading
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3

FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What a call raises that got no whole answer."""


class _NoCookies(DefaultCookiePolicy):
    """Neither takes nor returns cookies."""

    def set_ok(self, cookie: Any, request: Any) -> bool:
        return False

    def return_ok(self, cookie: Any, request: Any) -> bool:
        return False


def session(kept: threading.local, certificate: str | tuple[str, str] | None, ca_bundle: str) -> requests.Session:
    """This thread's session in this process, out of `kept`: neither threads nor a forked child share sockets."""
    if getattr(kept, "owner", None) != os.getpid():
        made = requests.Session()
        made.trust_env = False
        made.cookies.set_policy(_NoCookies())
        made.cert = certificate
        made.verify = ca_bundle or True
        kept.session, kept.owner = made, os.getpid()
    found: requests.Session = kept.session
    return found
