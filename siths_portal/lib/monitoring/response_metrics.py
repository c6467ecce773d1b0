"""Metrics of the sites' responses: how many of each kind, and how long they take (docs/alarms.md)."""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from siths_portal.lib.monitoring import metrics

KINDS = ("1xx", "2xx", "3xx", "4xx", "5xx")
_RESPONSES = metrics.counter("site_responses", "Responses of a site by the first digit of their status", ["site", "kind"])
_SECONDS = metrics.histogram(
    "site_response_seconds", "From a whole request to its response", ["site"], buckets=metrics.RESPONSE_BUCKETS
)


class ResponseMetricsMiddleware:
    """Counts each response. Outside all that may fail, so that it also sees error pages."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        # All series from the start: the increase from a series that is not there yet is unknown.
        self._counters = {kind: _RESPONSES.labels(settings.FACE, kind) for kind in KINDS}
        self._seconds = _SECONDS.labels(settings.FACE)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        began = time.perf_counter()
        response = self.get_response(request)
        self._seconds.observe(time.perf_counter() - began)
        self._counters[f"{response.status_code // 100}xx"].inc()
        return response
