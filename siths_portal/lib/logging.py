"""Log lines as JSON on standard output, with a request id and without personal data."""

import re
import uuid
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

_SENSITIVE_KEYS = re.compile(r"(pin|puk|code|password|secret|token|personnummer|person_id|hsa|serial|name|address|mail)", re.I)
_SENSITIVE_TEXT = [
    re.compile(r"\b(?:18|19|20)?\d{6}[-+ ]?\d{4}\b"),  # personnummer and samordningsnummer
    re.compile(r"\b[A-Z]{2,6}\d{10}-[A-Za-z0-9]+\b"),  # HSA-id
    re.compile(r"\b\d{19}\b"),  # card serial
]


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: hides values of sensitive keys, and personal numbers anywhere in text."""
    for key, value in event.items():
        if key in ("event", "level", "timestamp", "logger", "request_id"):
            continue
        if _SENSITIVE_KEYS.search(key):
            event[key] = "[dolt]"
        elif isinstance(value, str):
            event[key] = scrub(value)
    event["event"] = scrub(str(event.get("event", "")))
    return event


def scrub(text: str) -> str:
    """`text` with everything that looks like a personal number, HSA-id or card serial replaced."""
    for pattern in _SENSITIVE_TEXT:
        text = pattern.sub("[dolt]", text)
    return text


def configure(*, debug: bool) -> None:
    """Sets structlog up once per process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        cache_logger_on_first_use=not debug,
    )


class RequestIdMiddleware:
    """Binds a fresh request id to each log line of a request and returns it in `X-Request-Id`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        request_id = uuid.uuid4().hex
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response
