"""Delays responses so that timing does not show whether a hidden row exists (S09, S13, S46).

The code reads a hidden row before refusing it; a missing row takes less time. Queries and bodies are equal, but a client could
measure the remaining tens of microseconds with a few thousand requests. So such a response is sent at the end of a time step.
"""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

DELAYED = frozenset({404, 422})
"""Statuses of missing and hidden rows, and of forms that refer to one."""


def in_step[R: HttpResponse](response: R) -> R:
    """Marks a response to be delayed whatever its status, such as a page without search results, and returns it."""
    response._in_step = True  # type: ignore[attr-defined]
    return response


class AnswerTimeMiddleware:
    """Delays such responses to the end of a step of `ANSWER_STEP_SECONDS` after the request's arrival; 0 disables it.

    It is the outermost middleware, to include the time of all others. A step is several times the normal response time, so that
    nearly all responses are sent after one step.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        arrived = time.perf_counter()
        response = self.get_response(request)
        if response.status_code in DELAYED or getattr(response, "_in_step", False):
            time.sleep(rest_of_step(time.perf_counter() - arrived, settings.ANSWER_STEP_SECONDS))
        return response


def rest_of_step(taken: float, step: float) -> float:
    """Returns the seconds until the end of the present step, `taken` seconds after arrival; 0.0 if `step` is 0."""
    return step - taken % step if step > 0 else 0.0
