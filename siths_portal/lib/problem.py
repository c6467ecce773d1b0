"""Problem details (RFC 9457): the one form of errors in APIs, with stable codes and Swedish details."""

from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.response import Response

from siths_portal.lib.errors import DomainError, NotFound

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"


def body(error: DomainError) -> dict[str, Any]:
    """The problem object of a domain error: type, title, status, detail, code and, where given, invalid-parameters."""
    problem: dict[str, Any] = {
        "type": f"urn:siths-portal:problem:{error.code}",
        "title": error.code,
        "status": error.http_status,
        "detail": error.message,
        "code": error.code,
    }
    if error.fields:
        problem["invalid-parameters"] = [{"name": name, "reason": " ".join(reasons)} for name, reasons in error.fields.items()]
    return problem


def response(error: DomainError) -> JsonResponse:
    """A plain Django response that carries the problem."""
    return JsonResponse(body(error), status=error.http_status, content_type=MEDIA_TYPE)


def _from_framework(error: Exception) -> DomainError | None:
    if isinstance(error, DomainError):
        return error
    if isinstance(error, Http404):
        return NotFound("not-found", "Det du söker finns inte.")
    if isinstance(error, PermissionDenied):
        return _coded(exceptions.PermissionDenied())
    if isinstance(error, exceptions.ValidationError):
        detail = error.detail
        fields = (
            {k: [str(x) for x in (v if isinstance(v, list) else [v])] for k, v in detail.items()}
            if isinstance(detail, dict)
            else {"body": [str(x) for x in detail]}
        )
        problem = DomainError("invalid", "Uppgifterna uppfyller inte reglerna. Rätta de fält som anges.", fields=fields)
        problem.http_status = 422  # type: ignore[misc]
        return problem
    if isinstance(error, exceptions.APIException):
        return _coded(error)
    return None


_DETAILS = {
    400: "Begäran går inte att tolka.",
    401: "Anslut med ett registrerat klientcertifikat.",
    403: "Du får inte göra detta.",
    404: "Det du söker finns inte.",
    405: "Metoden finns inte på denna adress.",
    406: "Svar kan bara ges som JSON.",
    415: "Innehållstypen stöds inte. Skicka JSON.",
    429: "För många anrop. Vänta och försök igen.",
}


def _coded(error: exceptions.APIException) -> DomainError:
    code = str(getattr(error, "default_code", "error")).replace("_", "-")
    problem = DomainError(code, _DETAILS.get(error.status_code, "Begäran kunde inte utföras."))
    problem.http_status = error.status_code  # type: ignore[misc]
    return problem


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler. An unforeseen error is logged and becomes 500 by Django's handler."""
    problem = _from_framework(error)
    if problem is None:
        return None
    answer = Response(body(problem), status=problem.http_status, content_type=MEDIA_TYPE)
    answer["Content-Type"] = MEDIA_TYPE
    return answer


def server_error(_request: HttpRequest) -> JsonResponse:
    """`handler500` of API faces."""
    problem = DomainError("internal-error", "Ett oväntat fel inträffade. Försök igen, samma anrop är ofarligt att upprepa.")
    problem.http_status = status.HTTP_500_INTERNAL_SERVER_ERROR  # type: ignore[misc]
    return response(problem)
