"""Addresses that the portal may send to: only hosts that a setting names."""

from collections.abc import Collection
from urllib.parse import urlsplit


def is_allowed(url: str, hosts: Collection[str]) -> bool:
    """Returns whether `url` is an absolute https URL without user, query and fragment whose `host[:port]` is one of `hosts`.

    The comparison is exact, so a subdomain, another port or a host written in another way is not allowed.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # ValueError if it is no number
    except ValueError:
        return False
    plain = not (parts.username or parts.password or "@" in parts.netloc or parts.query or parts.fragment or "?" in url)
    return parts.scheme == "https" and bool(parts.hostname) and plain and parts.netloc in hosts
