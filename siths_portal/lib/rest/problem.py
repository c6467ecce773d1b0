"""Problem details (RFC 9457): the form of all API errors, with stable codes. `detail` is in the language that the client accepts:
Swedish, or English from the tables of `problem_texts`.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import structlog
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse, UnreadablePostError
from django.utils import translation
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.settings import api_settings

from siths_portal.lib.errors import DomainError, IllegalTransition, Invalid, NotFound, TooManyRequests, Unavailable
from siths_portal.lib.rest.idempotency import UnderWay
from siths_portal.lib.rest.problem_texts import COMMON, REASONS, ProblemTexts, text_of

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
NAME_LIMIT, REASON_LIMIT = 200, 1000
"""Characters of a name and a reason in `invalid-parameters`."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def body(error: DomainError, texts: ProblemTexts = COMMON) -> dict[str, Any]:
    """Returns the problem object of a domain error: type, title, status, detail, code and, with fields, invalid-parameters.

    The texts are in the active language: Swedish, or English if `texts` has the code.
    """
    swedish = error.api_message if isinstance(error, IllegalTransition) else error.message
    english = text_of(error.code, error.http_status, texts) if translation.get_language() == "en" else None
    detail = english.detail if english else swedish
    problem: dict[str, Any] = {
        "type": f"urn:siths-portal:problem:{error.code}",
        "title": error.code,
        "status": error.http_status,
        "detail": detail,
        "code": error.code,
    }
    if error.fields:
        known = {**REASONS, swedish: detail} if english else {}
        problem["invalid-parameters"] = [_parameter(name, reasons, known) for name, reasons in error.fields.items()]
    return problem


def _parameter(name: str, reasons: list[str], known: Mapping[str, str]) -> dict[str, str]:
    """Names and reasons may repeat what the client sent, so they are cut and have no control characters."""
    reason = " ".join(known.get(reason, reason) for reason in reasons)
    return {"name": _CONTROL.sub(" ", name)[:NAME_LIMIT], "reason": _CONTROL.sub(" ", reason)[:REASON_LIMIT]}


def language(error: DomainError, texts: ProblemTexts = COMMON) -> str:
    """Returns the language of the problem's `detail`, for Content-Language."""
    english = translation.get_language() == "en" and text_of(error.code, error.http_status, texts) is not None
    return "en" if english else "sv"


def response(error: DomainError, request: HttpRequest) -> JsonResponse:
    """Returns the problem as a plain Django response, in the language that the client accepts."""
    with translation.override(translation.get_language_from_request(request)):
        headers = {"Content-Language": language(error)}
        return JsonResponse(body(error), status=error.http_status, content_type=MEDIA_TYPE, headers=headers)


def _from_framework(error: Exception) -> DomainError | None:
    if isinstance(error, DomainError):
        return error
    if isinstance(error, Http404):
        return NotFound("not-found", _DETAILS[404])
    if isinstance(error, PermissionDenied):
        return _coded(exceptions.PermissionDenied())
    if isinstance(error, OperationalError | InterfaceError):
        log.error("api.database_unavailable", error=type(error).__name__)
        return Unavailable("database-unavailable", "Tjänsten svarar inte just nu. Samma anrop är ofarligt att upprepa.")
    if isinstance(error, RequestDataTooBig):
        return _with_status(DomainError("too-large", "Begäran är för stor."), status.HTTP_413_REQUEST_ENTITY_TOO_LARGE)
    if isinstance(error, BadRequest | SuspiciousOperation | UnreadablePostError):
        return _coded(exceptions.ParseError())
    if isinstance(error, exceptions.ValidationError):
        return Invalid("invalid", "Uppgifterna uppfyller inte reglerna. Rätta de fält som anges.", fields=_flat(error.detail))
    if isinstance(error, exceptions.APIException):
        return _coded(error)
    return None


_DETAILS = {
    400: "Begäran går inte att tolka.",
    401: "Anslut med ett registrerat klientcertifikat.",
    403: "Klienten saknar rätt till åtgärden.",
    404: "Det du söker finns inte.",
    405: "Metoden finns inte på denna adress.",
    406: "Svar kan bara ges som JSON.",
    415: "Innehållstypen stöds inte. Skicka JSON.",
    429: "För många anrop. Vänta och försök igen.",
}


def _flat(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """Returns a validation error's nested detail as `field.inner: reasons`. Faults of the complete body have the name `body`."""
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for name, inner in detail.items():
            whole = name == api_settings.NON_FIELD_ERRORS_KEY
            found |= _flat(inner, prefix if whole else f"{prefix}.{name}" if prefix else str(name))
        return found
    reasons = detail if isinstance(detail, list) else [detail]
    return {prefix or "body": [str(reason) for reason in reasons]}


def _coded(error: exceptions.APIException) -> DomainError:
    code = str(getattr(error, "default_code", "error")).replace("_", "-")
    return _with_status(DomainError(code, _DETAILS.get(error.status_code, "Begäran kunde inte utföras.")), error.status_code)


def _with_status(problem: DomainError, http_status: int) -> DomainError:
    problem.http_status = http_status  # type: ignore[misc]
    return problem


def _internal() -> DomainError:
    problem = DomainError("internal-error", "Ett oväntat fel inträffade. Försök igen, samma anrop är ofarligt att upprepa.")
    return _with_status(problem, status.HTTP_500_INTERNAL_SERVER_ERROR)


def of(error: Exception) -> DomainError:
    """Returns the domain error that stands for any error. Logs an unexpected one, which becomes 500."""
    problem = _from_framework(error)
    if problem is None:
        log.error("api.failed", exc_info=error)
        problem = _internal()
    return problem


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """REST framework's exception handler."""
    problem = of(error)
    texts: ProblemTexts = getattr(context.get("view"), "problem_texts", COMMON)
    answer = Response(body(problem, texts), status=problem.http_status, content_type=MEDIA_TYPE)
    answer["Content-Type"] = MEDIA_TYPE
    answer["Content-Language"] = language(problem, texts)
    if challenge := getattr(error, "auth_header", None):
        answer["WWW-Authenticate"] = challenge
    if isinstance(problem, UnderWay) or problem.http_status in (
        status.HTTP_429_TOO_MANY_REQUESTS,
        status.HTTP_503_SERVICE_UNAVAILABLE,
    ):
        answer["Retry-After"] = str(_wait(error))
    return answer


def _wait(error: Exception) -> int:
    """Returns the seconds until the client may try again: those of the rate limit, else RETRY_AFTER_SECONDS."""
    seconds = error.retry_after if isinstance(error, TooManyRequests) else getattr(error, "wait", None)
    return max(1, math.ceil(seconds)) if seconds is not None else RETRY_AFTER_SECONDS


def server_error(request: HttpRequest) -> JsonResponse:
    """`handler500` of the APIs."""
    return response(_internal(), request)


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """`handler404` of the APIs, and their last route, since with DEBUG on Django would return a page."""
    return response(NotFound("not-found", _DETAILS[404]), request)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """`handler400` of the APIs."""
    return response(_coded(exceptions.ParseError()), request)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """`handler403` of the APIs."""
    return response(_coded(exceptions.PermissionDenied()), request)
