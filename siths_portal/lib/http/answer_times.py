"""How long an answer takes that must not tell whether something is there (S09, S13, S46).

What is hidden is read before it is refused, and what is missing is not. Queries and bodies are alike; tens of microseconds are
left, and a few thousand requests would measure them. So such an answer leaves at the end of a step of time.
"""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

UNTOLD = frozenset({404, 422})
"""Statuses of what is not there or may not be known, and of forms that name it."""


def in_step[R: HttpResponse](response: R) -> R:
    """The same answer, to leave at the end of a step whatever its status: a page that says that nothing was found."""
    response._in_step = True  # type: ignore[attr-defined]
    return response


class AnswerTimeMiddleware:
    """Holds answers whose time could tell of what is hidden to the end of a step of `ANSWER_STEP_SECONDS`, counted from the
    request's arrival; 0 holds nothing. Outermost in the chain, so that it counts what all others take.

    A step is several times what such an answer takes, so that nearly all leave after one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        arrived = time.perf_counter()
        response = self.get_response(request)
        if response.status_code in UNTOLD or getattr(response, "_in_step", False):
            time.sleep(rest_of_step(time.perf_counter() - arrived, settings.ANSWER_STEP_SECONDS))
        return response


def rest_of_step(taken: float, step: float) -> float:
    """Seconds left of the step that has begun after `taken` seconds; 0.0 without steps."""
    return step - taken % step if step > 0 else 0.0
