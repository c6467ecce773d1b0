"""Problem details (RFC 9457): each error of an API has one shape, a stable code and a Swedish sentence."""

import json
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404
from django.test import Client, RequestFactory, override_settings
from django.urls import path
from rest_framework import exceptions, serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from siths_portal.lib import errors
from siths_portal.lib.rest import problem
from siths_portal.lib.rest.json_views import JsonView, valid
from siths_portal.lib.rest.problem_texts import COMMON, ProblemText


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


class Asks(JsonView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    problem_texts = COMMON | {"too-young": ProblemText(422, "The person is too young.", "Order later.")}

    def post(self, request: Request) -> Response:
        if request.data == "young":
            message = "Personen är för ung."
            raise errors.Invalid("too-young", message, fields={"person": [message, "Fråga vårdnadshavaren."]})
        return Response(valid(Body, request.data))


def raising(error: Exception) -> Any:
    class View(JsonView):
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
        path("asks", Asks.as_view()),
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
    request = RequestFactory().get("/")
    assert json.loads(problem.response(error, request).content)["invalid-parameters"] == [
        {"name": "csr", "reason": "Fel nyckel. Fel signatur."}
    ]


@pytest.mark.parametrize(
    ("accepted", "language", "detail"),
    [
        ("", "sv", "Personen är för ung."),
        ("de", "sv", "Personen är för ung."),
        ("sv, en;q=0.9", "sv", "Personen är för ung."),
        ("en-GB, sv;q=0.5", "en", "The person is too young. Order later."),
    ],
)
def test_detail_is_in_the_language_that_the_client_accepts(accepted: str, language: str, detail: str) -> None:
    answer = Client().post("/asks", '"young"', "application/json", headers={"Accept-Language": accepted})
    assert (answer.status_code, answer.headers["Content-Language"]) == (422, language)
    body = answer.json()
    assert body["detail"] == detail
    assert body["invalid-parameters"] == [{"name": "person", "reason": f"{detail} Fråga vårdnadshavaren."}]


def test_reasons_of_the_framework_and_of_our_fields_are_in_that_language_too() -> None:
    for language, reason in (("en", "This field is required."), ("sv", "Det här fältet är obligatoriskt.")):
        answer = Client().post("/asks", "{}", "application/json", headers={"Accept-Language": language})
        assert {"name": "kind", "reason": reason} in answer.json()["invalid-parameters"]


def test_what_the_client_sent_is_repeated_without_control_characters_and_cut() -> None:
    error = errors.Invalid("invalid", "Rätta.", fields={"a\x00b" + "c" * 300: ["\x1b[31m" + "x" * 2000]})
    (parameter,) = problem.body(error)["invalid-parameters"]
    assert parameter["name"] == ("a b" + "c" * 300)[:200]
    assert parameter["reason"] == (" [31m" + "x" * 2000)[:1000]


def test_an_error_without_an_english_text_says_that_it_is_swedish() -> None:
    client = Client(raise_request_exception=False)
    answer = client.get("/conflict", headers={"Accept-Language": "en"})
    assert (answer.headers["Content-Language"], answer.json()["detail"]) == ("sv", "Redan skickat.")
    away = client.get("/nowhere", headers={"Accept-Language": "en"})
    assert (away.headers["Content-Language"], away.json()["code"]) == ("en", "not-found")
    assert away.json()["detail"].startswith("It does not exist")


def test_faults_outside_a_view_are_problems_too() -> None:
    client = Client(raise_request_exception=False)
    assert_problem(client.get("/nowhere"), 404, "not-found")
    assert_problem(client.get("/outside"), 500, "internal-error")
