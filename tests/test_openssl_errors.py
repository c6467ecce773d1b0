"""A test begins without the errors that a token's library left in OpenSSL."""

import pytest

from tests import openssl_errors


@pytest.fixture
def left_by_a_token() -> None:
    openssl_errors.leave()
    assert not openssl_errors.is_empty()


def test_no_error_of_what_came_before_is_left(left_by_a_token: None) -> None:
    assert openssl_errors.is_empty()
