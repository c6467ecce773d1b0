"""What the health checks measured in the last days, stored for the curves of the operators' page."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from django.db import transaction

from pki.domain.findings import Finding
from pki.health.limits import LIMITS
from pki.models import HealthSample
from siths_portal.lib import clock

EACH = dt.timedelta(minutes=5)
"""The checks run so often; a sample stands for as long."""

APART = 3 * EACH
"""Between samples that are further apart nothing is known."""

KEPT = dt.timedelta(days=14)
HOURS = 24

OF_MANY = ("ca", "ocsp-signer", "händelsekedja", "tls")
"""Kinds with a finding for each CA, chain or address, whose values change by the day."""

_HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class DayView:
    """The last 24 hours, the present one included: each by its beginning, with the worst value of each subject in it, and with
    the responses of the OCSP responder. None stands for an hour without a sample.
    """

    hours: tuple[dt.datetime, ...]
    worst: Mapping[str, tuple[float | None, ...]]
    ocsp_answers: tuple[int | None, ...]


@transaction.atomic
def keep(found: Iterable[Finding], *, ocsp_answers: int | None, responses: Mapping[str, Sequence[float]] | None = None) -> None:
    """Stores what was measured in these five minutes; a further run in them replaces it. Deletes rows older than two weeks.

    `responses` are the counts of `response_times.counted`.
    """
    now = clock.now()
    values = {
        each.subject: each.value
        for each in found
        if each.measure and (kind := each.subject.partition(" ")[0]) in LIMITS and kind not in OF_MANY
    }
    HealthSample.objects.filter(at__lt=now - KEPT).delete()
    HealthSample.objects.update_or_create(
        at=now - (now - dt.datetime.min.replace(tzinfo=dt.UTC)) % EACH,
        defaults={"values": values, "ocsp_answers": ocsp_answers, "responses": responses or {}},
    )


def last_responses() -> dict[str, list[float]]:
    """Returns the counts of responses of the newest sample, or nothing if it is too old to compare with."""
    row = HealthSample.objects.filter(at__gt=clock.now() - APART).order_by("-at").values_list("responses", flat=True).first()
    return row or {}


def of_day() -> DayView:
    """Returns the last 24 hours. One query of at most 300 rows."""
    first = clock.now().replace(minute=0, second=0, microsecond=0) - (HOURS - 1) * _HOUR
    hours = tuple(first + number * _HOUR for number in range(HOURS))
    rows = list(HealthSample.objects.filter(at__gte=first - EACH).order_by("at"))
    by_hour: dict[dt.datetime, list[HealthSample]] = {hour: [] for hour in hours}
    for row in rows:
        by_hour.get(_hour_of(row.at), []).append(row)
    subjects = {subject for row in rows for subject in row.values if subject.partition(" ")[0] in LIMITS}
    worst = {
        subject: tuple(_worst(subject, [row.values[subject] for row in by_hour[hour] if subject in row.values]) for hour in hours)
        for subject in subjects
    }
    answered = _answered(rows)
    return DayView(hours, worst, tuple(answered.get(hour) for hour in hours))


def _hour_of(at: dt.datetime) -> dt.datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _worst(subject: str, values: Sequence[float]) -> float | None:
    """Returns the worst of the values, without its sign; None without any."""
    found = [abs(value) for value in values]
    least = LIMITS[subject.partition(" ")[0]].least
    return (min(found) if least else max(found)) if found else None


def _answered(rows: Sequence[HealthSample]) -> dict[dt.datetime, int]:
    """Returns the responses of the hours that are known. A count that has fallen began anew."""
    found: dict[dt.datetime, int] = {}
    for hour, more in _growth(rows):
        found[hour] = found.get(hour, 0) + more
    return found


def _growth(rows: Sequence[HealthSample]) -> Iterator[tuple[dt.datetime, int]]:
    for before, after in pairwise(rows):
        near = after.at - before.at <= APART
        if near and before.ocsp_answers is not None and after.ocsp_answers is not None:
            more = after.ocsp_answers - before.ocsp_answers
            yield _hour_of(after.at), more if more >= 0 else after.ocsp_answers
