"""Log lines: one JSON object each on standard error, with a request id or task and without personal data (`redaction`).

All loggers use the same handler: structlog's, and those of the standard library (Django, Celery, granian, warnings).
"""

import contextlib
import json
import logging
import re
import sys
import uuid
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

from django.http import HttpRequest, HttpResponse

from siths_portal.lib.monitoring.redaction import clean, clean_item, explain, scrub
from siths_portal.lib.processes.loading import without

with without("rich"):  # structlog would load it for coloured text if development tools installed it; we write JSON
    import structlog

Event = MutableMapping[str, Any]

OURS = ("siths_portal", "authn", "pki", "issuance", "billing")
_PLAIN = frozenset({"event", "level", "timestamp", "logger", "request_id", "task", "task_id", "exception"})
_TRACEBACK = "Traceback (most recent call last)"
_TYPE = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)", re.MULTILINE)  # the first line after the frames that is not indented
_FRAME = re.compile(r'File "([^"\n]+)", line (\d+), in (\S+)')


class _StandardError(logging.StreamHandler[TextIO]):
    """A handler that writes to the present `sys.stderr`, also after a fork or a redirection."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """The present standard error."""
        return sys.stderr

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (the name is the standard library's)
        """Drops a line that cannot be written: printing the record would reveal its values."""


def _foreign(_logger: Any, _method: str, event: Event) -> Event:
    """Reduces a record of the standard library to what may be logged: no request, no task arguments, no return value."""
    record: logging.LogRecord = event["_record"]
    arguments = event.pop("positional_args", ())
    if event["_from_structlog"]:
        return event
    if record.name.startswith(("django.request", "django.security")):
        match = getattr(getattr(record, "request", None), "resolver_match", None)
        event["event"] = str(event["event"]).partition(":")[0]
        event.update(status=getattr(record, "status_code", None), route=getattr(match, "route", None))
    elif record.name.startswith("celery.") and isinstance(arguments, Mapping) and "name" in arguments:
        step = arguments.get("description") or ("succeeded" if "runtime" in arguments else "retried")
        event["event"] = f"task.{str(step).lower().replace(' ', '-')}"
        event.update(task=arguments["name"], task_id=arguments.get("id"))
    elif isinstance(arguments, tuple) and arguments:
        with contextlib.suppress(TypeError, ValueError):
            event["event"] = str(record.msg) % tuple(clean(argument) for argument in arguments)
    text = str(event["event"])
    if _TRACEBACK in text:
        # A traceback as text, such as granian's: keeps the code locations and drops the exception's message.
        event["event"] = text.partition("\n")[0].partition(_TRACEBACK)[0].strip()
        frames = [f"{file}:{line} {function}" for file, line, function in _FRAME.findall(text)]
        event["exception"] = [*_TYPE.findall(text.partition(_TRACEBACK)[2])[:1], *frames[-20:]]
    return event


def _exception(_logger: Any, _method: str, event: Event) -> Event:
    """Replaces exc_info with exception types and code locations. The standard text of a traceback can quote data."""
    info = event.pop("exc_info", None)
    event.pop("exc_text", None)
    event.pop("stack_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, BaseException):
        event["exception"] = explain(info)
    elif isinstance(info, tuple) and info[1] is not None:
        event["exception"] = explain(info[1], info[2])
    return event


def redact(_logger: Any, _method: str, event: Event) -> Event:
    """structlog processor: hides values of sensitive keys and sensitive numbers in any text, and escapes control characters."""
    cleaned: Event = {}
    for key, value in event.items():
        if key == "exception":
            cleaned[key] = value
        elif key in _PLAIN:
            cleaned[key] = scrub(str(value)) if value is not None else None
        else:
            cleaned[scrub(str(key))] = clean_item(str(key), value)
    return cleaned


def _json(_logger: Any, _method: str, event: Event) -> str:
    return json.dumps(event, ensure_ascii=False)


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(*, debug: bool) -> None:
    """Configures logging for the process. `debug` only allows later reconfiguration; redaction is the same in development."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=not debug,
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[_foreign, structlog.stdlib.ProcessorFormatter.remove_processors_meta, _exception, redact, _json],
            pass_foreign_args=True,
        )
    )
    root = logging.getLogger()
    for other in [h for h in root.handlers if isinstance(h, _StandardError)]:
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("celery").setLevel(logging.INFO)
    # A line for each request, statement or run of a sweeper is useless, and might contain URLs and parameters.
    for name in (
        "django.server",
        "django.db.backends",
        "granian.access",
        "celery.app.trace",
        "celery.worker.strategy",
        "celery.beat",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("_granian", "granian.access", "django", "django.server"):
        adopted = logging.getLogger(name)
        adopted.handlers.clear()
        adopted.propagate = True
    logging.captureWarnings(True)


def current_request_id() -> str:
    """Returns the log's id of the request being served, or "" outside a request."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def begin_task(name: str, task_id: str) -> None:
    """Adds the task's name and id to each log line until `end_task`."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=name, task_id=task_id)


def end_task() -> None:
    """Removes the task from log lines."""
    structlog.contextvars.clear_contextvars()


class RequestIdMiddleware:
    """Adds a new request id to each log line of a request, and to the response as `X-Request-Id`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        request_id = uuid.uuid4().hex
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-Id"] = request_id
        return response
