"""Whose calls are counted: the address that our own proxies saw, whatever the caller says of itself (S28)."""

import pytest
from django.test import RequestFactory

from siths_portal.lib.http import rate_limits

SAID = "192.0.2.7, 203.0.113.5, 198.51.100.1"
"""What the caller claims, what the first proxy saw, and what the second one saw."""


@pytest.mark.parametrize(("proxies", "expected"), [(0, "127.0.0.1"), (1, "198.51.100.1"), (2, "203.0.113.5")])
def test_the_address_is_the_one_that_the_first_of_our_proxies_saw(settings, proxies: int, expected: str) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", headers={"X-Forwarded-For": SAID})
    assert rate_limits.address(request) == expected
    assert rate_limits.address(RequestFactory().get("/")) == "127.0.0.1"
