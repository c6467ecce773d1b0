"""Response times of the sites and of the systems that they call, for the operators' page.

The processes count them in PROMETHEUS_MULTIPROC_DIR. Where each process has a folder of its own, as in a container, the worker
sees none, and the page has no rows of them; the alarm SiteSlow judges them anyway.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from django.conf import settings

from pki.domain.findings import Finding, Severity
from pki.health.limits import LIMITS
from siths_portal.lib.monitoring import metrics

log = structlog.get_logger(__name__)

type Counts = Mapping[str, Sequence[float]]
"""By a finding's subject, how many responses took at most each bound of RESPONSE_BUCKETS, the last count without bound."""

FEWEST = 100
"""Fewer responses than these are not judged: one slow response among them says nothing."""

_SHARE = 0.95
_LABELS = {"site_response_seconds": "site", "outbound_call_seconds": "host"}
_SITES = {"portal": "portalen", "minasidor": "Mina sidor", "login": "inloggning med kort"}
_SYSTEMS = {"DIRECTORY_URL": "HSA-katalogen", "PERSON_REGISTER_URL": "personregistret", "OIDC_ISSUER": "inloggningstjänsten"}


def counted() -> dict[str, list[float]]:
    """Returns the counts since the processes began; empty without the folder, or if it cannot be read."""
    if not settings.METRICS_DIR:
        return {}
    try:
        found = metrics.bucket_counts(Path(settings.METRICS_DIR), _LABELS)
    except (OSError, ValueError, struct.error) as error:
        log.warning("pki.response_times_not_read", fault=type(error).__name__)
        return {}
    return {subject: counts for key, subject in _subjects().items() if (counts := found.get(key))}


def _subjects() -> dict[tuple[str, str], str]:
    """Returns the subjects of findings by histogram and the value of its label."""
    sites = {("site_response_seconds", site): f"svarstid {name}" for site, name in _SITES.items()}
    hosts = {name: urlsplit(getattr(settings, setting)).netloc for setting, name in _SYSTEMS.items()}
    return sites | {("outbound_call_seconds", host): f"svarstid-system {name}" for name, host in hosts.items() if host}


def judged(now: Counts, before: Counts) -> Iterator[Finding]:
    """Yields how long the responses took that `now` has and `before` has not: the time that 95 of 100 kept.

    A count that has fallen began anew. Without a response nothing was measured.
    """
    for subject, counts in now.items():
        earlier = before.get(subject, ())
        fits = len(earlier) == len(counts) and all(old <= new for old, new in zip(earlier, counts, strict=True))
        new = [count - old for count, old in zip(counts, earlier, strict=True)] if fits else list(counts)
        if not new[-1]:
            yield Finding(subject, Severity.OK, "inget svar de senaste fem minuterna")
            continue
        took = _reached(new) * 1000
        slow = new[-1] >= FEWEST and took > LIMITS[subject.partition(" ")[0]].value
        text = f"95 av 100 svar inom {took:.0f} ms, av {new[-1]:.0f} svar de senaste fem minuterna"
        yield Finding(subject, Severity.WARNING if slow else Severity.OK, text, "milliseconds", took)


def _reached(counts: Sequence[float]) -> float:
    """Returns the seconds within which _SHARE of the responses came, as Prometheus estimates it: evenly between two bounds."""
    bounds = metrics.RESPONSE_BUCKETS
    rank = counts[-1] * _SHARE
    place = next(number for number, count in enumerate(counts) if count >= rank)
    if place >= len(bounds):
        return bounds[-1]
    low, below = (bounds[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    return low + (bounds[place] - low) * (rank - below) / (counts[place] - below)
