"""Lets a failed comparison with the model show both sides."""

import pytest

pytest.register_assert_rewrite("tests.issuance.carriers.agreeing")
