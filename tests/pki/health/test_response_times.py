"""How long the sites and external systems took to answer, by what their processes count, and when that is judged."""

import pytest

from pki.domain.findings import Severity
from pki.health import response_times
from siths_portal.lib.monitoring import metrics

PORTAL, REGISTER = "svarstid portalen", "svarstid-system personregistret"


def cumulated(*at_bounds: tuple[float, int]) -> list[float]:
    """Counts of responses that took at most each bound: `at_bounds` has the bound whose bucket each lot is in."""
    bounds = (*metrics.RESPONSE_BUCKETS, float("inf"))
    return [sum(number for limit, number in at_bounds if limit <= bound) for bound in bounds]


@pytest.mark.parametrize(
    ("subject", "counts", "milliseconds", "severity"),
    [
        (PORTAL, cumulated((0.1, 200)), 97.5, Severity.OK),
        (PORTAL, cumulated((0.1, 150), (1, 50)), 900, Severity.WARNING),
        (PORTAL, cumulated((0.1, 50), (1, 49)), 950, Severity.OK),  # too few to judge
        (PORTAL, cumulated((float("inf"), 100)), 30_000, Severity.WARNING),
        (REGISTER, cumulated((1, 200)), 975, Severity.OK),
        (REGISTER, cumulated((2.5, 200)), 2425, Severity.WARNING),
    ],
)
def test_ninety_five_of_a_hundred_responses_are_measured_against_the_limit(subject, counts, milliseconds, severity):
    (found,) = response_times.judged({subject: counts}, {})
    assert (found.subject, found.severity, found.measure) == (subject, severity, "milliseconds")
    assert found.value == pytest.approx(milliseconds, abs=10)


def test_what_was_counted_before_is_not_counted_again():
    slow, fast = cumulated((1, 1000)), cumulated((0.1, 200), (1, 1000))
    (found,) = response_times.judged({PORTAL: fast}, {PORTAL: slow})
    assert found.value < 100
    (found,) = response_times.judged({PORTAL: slow}, {PORTAL: slow})
    assert (found.measure, found.text) == ("", "inget svar de senaste fem minuterna")
    (found,) = response_times.judged({PORTAL: cumulated((0.1, 20))}, {PORTAL: slow})
    assert "av 20 svar" in found.text, "the processes began anew"


def test_files_that_cannot_be_read_give_no_row(settings, tmp_path):
    settings.METRICS_DIR = ""
    assert response_times.counted() == {}
    settings.METRICS_DIR = str(tmp_path)
    assert response_times.counted() == {}
    (tmp_path / "histogram_1.db").write_bytes(b"\xff" * 100)
    assert response_times.counted() == {}
