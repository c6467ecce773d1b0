"""Responses of sites and tasks of workers are counted, so that the rules of docs/alarms/portal.rules.yml see them."""

import pytest
from celery import shared_task
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory
from prometheus_client import REGISTRY

from siths_portal.celery import app
from siths_portal.lib import clock
from siths_portal.lib.monitoring.response_metrics import KINDS, ResponseMetricsMiddleware


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


@pytest.mark.parametrize(("status", "kind"), [(200, "2xx"), (302, "3xx"), (404, "4xx"), (503, "5xx")])
def test_a_response_counts_by_its_kind_and_time(status, kind):
    middleware = ResponseMetricsMiddleware(lambda _request: HttpResponse(status=status))
    before = {each: counted("site_responses_total", site=settings.FACE, kind=each) for each in KINDS}
    timed = counted("site_response_seconds_count", site=settings.FACE)
    assert middleware(RequestFactory().get("/")).status_code == status
    after = {each: counted("site_responses_total", site=settings.FACE, kind=each) for each in KINDS}
    assert {each: after[each] - before[each] for each in KINDS if after[each] != before[each]} == {kind: 1}
    assert counted("site_response_seconds_count", site=settings.FACE) == timed + 1


def test_every_site_counts_outside_of_what_may_fail():
    first = settings.MIDDLEWARE.index("siths_portal.lib.monitoring.response_metrics.ResponseMetricsMiddleware")
    assert settings.MIDDLEWARE[:first] == ["siths_portal.lib.http.answer_times.AnswerTimeMiddleware"]


@shared_task(name="tests.counted_work")
def work(*, fails: bool) -> None:
    if fails:
        raise LookupError("planted")


def test_a_task_that_begins_and_one_that_fails_are_counted():
    began = clock.now().timestamp()
    app.tasks["tests.counted_work"].apply(kwargs={"fails": False})
    assert began <= counted("task_begun_seconds", queue="default") <= clock.now().timestamp()
    assert counted("task_failures_total", task="tests.counted_work") == 0
    app.tasks["tests.counted_work"].apply(kwargs={"fails": True})
    assert counted("task_failures_total", task="tests.counted_work") == 1
