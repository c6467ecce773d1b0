"""The fixture by which a test reports its runs to the table of fault experiments."""

import pytest

from tests.faults.tally import Tally


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Counts the runs of this test. The report of the test carries them, also out of a forked process."""
    return Tally(request.node.user_properties.append)
