"""Answers that must not tell by their time what is hidden leave at the end of a step."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from siths_portal.lib.http import answer_times
from siths_portal.lib.http.answer_times import AnswerTimeMiddleware, in_step, rest_of_step


@pytest.mark.parametrize(
    ("taken", "step", "rest"),
    [(0.0, 0.25, 0.25), (0.0625, 0.25, 0.1875), (0.3125, 0.25, 0.1875), (1.125, 0.25, 0.125), (3.0, 0.0, 0.0)],
)
def test_the_rest_of_a_step(taken: float, step: float, rest: float) -> None:
    assert rest_of_step(taken, step) == rest


@pytest.mark.parametrize(
    ("answer", "leaves_after"),
    [
        (lambda: HttpResponse(status=404), 0.5),
        (lambda: HttpResponse(status=422), 0.5),
        (lambda: in_step(HttpResponse()), 0.5),
        (HttpResponse, 0.375),
        (lambda: HttpResponse(status=302), 0.375),
        (lambda: HttpResponse(status=403), 0.375),
    ],
)
def test_what_could_tell_leaves_at_the_end_of_a_step(
    answer: Callable[[], HttpResponse], leaves_after: float, monkeypatch: pytest.MonkeyPatch, settings: SimpleNamespace
) -> None:
    settings.ANSWER_STEP_SECONDS = 0.25
    clock = SimpleNamespace(at=1000.0)

    def passes(seconds: float) -> None:
        clock.at += seconds

    def view(_request: HttpRequest) -> HttpResponse:
        passes(0.375)
        return answer()

    monkeypatch.setattr(answer_times, "time", SimpleNamespace(perf_counter=lambda: clock.at, sleep=passes))
    AnswerTimeMiddleware(view)(RequestFactory().get("/"))
    assert clock.at - 1000.0 == leaves_after
