"""Problem details (RFC 9457): each error of an API has one shape, a stable code and a Swedish sentence."""

import json
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from django.test import Client, override_settings
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from siths_portal.lib import errors
from siths_portal.lib.rest import problem


class Inner(serializers.Serializer):  # type: ignore[type-arg]
    size = serializers.IntegerField(max_value=9)


class Body(serializers.Serializer):  # type: ignore[type-arg]
    kind = serializers.CharField(max_length=4)
    inner = Inner()


class Reads(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        serializer = Body(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response({})


def raising(error: Exception) -> Any:
    class View(APIView):
        authentication_classes = ()
        permission_classes = (AllowAny,)

        def get(self, request: Request) -> Response:
            raise error

    return View.as_view()


RAISED: dict[str, tuple[Exception, int, str]] = {
    "invalid": (errors.Invalid("too-young", "Personen är för ung."), 422, "too-young"),
    "not-found": (errors.NotFound("no-such-order", "Beställningen finns inte."), 404, "no-such-order"),
    "forbidden": (errors.Forbidden("not-yours", "Du får inte."), 403, "not-yours"),
    "unauthenticated": (errors.Unauthenticated("unknown-client", "Okänd klient."), 401, "unknown-client"),
    "conflict": (errors.Conflict("already-sent", "Redan skickat."), 409, "already-sent"),
    "transition": (errors.IllegalTransition("not-from-here", "Går inte härifrån."), 409, "not-from-here"),
    "step": (errors.IllegalTransition("moved", "Ladda om sidan, Provsson.", api_message="Har en annan status."), 409, "moved"),
    "gone": (errors.Gone("photo-removed", "Fotot är borttaget."), 410, "photo-removed"),
    "precondition": (errors.PreconditionFailed("changed", "Ändrad sedan du läste."), 412, "changed"),
    "required": (errors.PreconditionRequired("which-version", "Ange version."), 428, "which-version"),
    "too-many": (errors.TooManyRequests("slow-down", "Vänta."), 429, "slow-down"),
    "unavailable": (errors.Unavailable("hsm-away", "Försök igen."), 503, "hsm-away"),
    "refused": (errors.Refused("upstream-refused-400", "Nej.", status=400), 502, "upstream-refused-400"),
    "http404": (Http404("Provsson"), 404, "not-found"),
    "denied": (PermissionDenied("Provsson"), 403, "permission-denied"),
    "bad": (BadRequest("Provsson"), 400, "parse-error"),
    "big": (RequestDataTooBig("Provsson"), 413, "too-large"),
    "method": (exceptions.MethodNotAllowed("TRACE"), 405, "method-not-allowed"),
    "throttled": (exceptions.Throttled(7), 429, "throttled"),
    "database": (OperationalError("Provsson"), 503, "database-unavailable"),
    "bug": (KeyError("Provsson"), 500, "internal-error"),
}


class Urls:
    handler404, handler500 = problem.not_found, problem.server_error
    urlpatterns = [
        path("reads", Reads.as_view()),
        path("outside", lambda _request: 1 / 0),
        *(path(name, raising(error)) for name, (error, _, _) in RAISED.items()),
    ]


pytestmark = pytest.mark.usefixtures("urls")


@pytest.fixture
def urls() -> Any:
    with override_settings(ROOT_URLCONF=Urls):
        yield


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.content)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert body["type"] == f"urn:siths-portal:problem:{code}"
    assert (body["title"], body["code"], body["status"]) == (code, code, status)
    assert body["detail"].endswith(".")
    assert "Provsson" not in answer.content.decode()
    return body


@pytest.mark.parametrize("name", RAISED)
def test_an_error_becomes_a_problem(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    error, status, code = RAISED[name]
    answer = Client(raise_request_exception=False).get(f"/{name}")
    body = assert_problem(answer, status, code)
    assert "invalid-parameters" not in body
    if isinstance(error, errors.DomainError):
        assert body["detail"] == getattr(error, "api_message", error.message)
    assert answer.has_header("Retry-After") == (status in (429, 503))
    log = capfd.readouterr().err
    assert "Provsson" not in log
    assert ("api.failed" in log) == (status == 500)


def test_a_body_that_breaks_rules_names_each_field() -> None:
    answer = Client().post("/reads", {"kind": "for long", "inner": {"size": 10}}, content_type="application/json")
    body = assert_problem(answer, 422, "invalid")
    assert {entry["name"] for entry in body["invalid-parameters"]} == {"kind", "inner.size"}
    assert all(entry["reason"] for entry in body["invalid-parameters"])


@pytest.mark.parametrize(
    ("content", "media_type", "status", "code"),
    [
        (b"{", "application/json", 400, "parse-error"),
        (b'{"kind": "a", "kind": "b"}', "application/json", 400, "parse-error"),
        (b"\xff", "application/json", 400, "parse-error"),
        (b"<a/>", "text/xml", 415, "unsupported-media-type"),
        (b"[]", "application/json", 422, "invalid"),
    ],
)
def test_a_body_that_is_none_is_refused(content: bytes, media_type: str, status: int, code: str) -> None:
    assert_problem(Client().post("/reads", content, content_type=media_type), status, code)


def test_fields_of_a_domain_error_are_named() -> None:
    error = errors.Invalid("invalid", "Rätta fälten.", fields={"csr": ["Fel nyckel.", "Fel signatur."]})
    assert json.loads(problem.response(error).content)["invalid-parameters"] == [
        {"name": "csr", "reason": "Fel nyckel. Fel signatur."}
    ]


def test_faults_outside_a_view_are_problems_too() -> None:
    client = Client(raise_request_exception=False)
    assert_problem(client.get("/nowhere"), 404, "not-found")
    assert_problem(client.get("/outside"), 500, "internal-error")
