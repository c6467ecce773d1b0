"""Addresses without arguments, each looked up once per process. Django's lookup takes longer than to write the rest of a link."""

from functools import lru_cache

from django.conf import settings
from django.urls import get_script_prefix, get_urlconf, reverse


def address(name: str) -> str:
    """Returns the address with this URL name in the present site. The name has no namespace."""
    return _address(name, get_urlconf() or settings.ROOT_URLCONF, get_script_prefix())


@lru_cache(maxsize=1000)  # more than all sites have
def _address(name: str, urlconf: str, _prefix: str) -> str:
    return reverse(name, urlconf=urlconf)
