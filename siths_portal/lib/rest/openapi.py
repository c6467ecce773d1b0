"""Shared parts of the APIs' OpenAPI descriptions: problem responses, headers, titles, tags and examples."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from siths_portal.lib.rest.fields import Text, Words
from siths_portal.lib.rest.problem import MEDIA_TYPE, NAME_LIMIT, REASON_LIMIT
from siths_portal.lib.rest.problem_texts import ProblemText, ProblemTexts

ALWAYS = (
    "parse-error", "client-certificate-required", "authentication-failed", "permission-denied", "not-acceptable", "throttled",
    "database-unavailable", "unavailable",
)  # fmt: skip
"""The error codes of every operation for machine clients."""
WITH_KEY = ("idempotency-key-missing", "idempotency-key-malformed", "idempotency-key-reused", "request-in-progress")
WITH_BODY = ("too-large", "unsupported-media-type", "invalid")


@dataclass(frozen=True)
class CallExample:
    """An example of an operation: its JSON body, and its JSON answers by status."""

    request: Any = None
    answers: Mapping[int, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ApiDescription:
    """The parts of an API's OpenAPI file that its views do not hold. `tags` maps each tag to its description,
    `tag_of` an address or its last part to its tag, `examples` an operationId to its example, and `path_parameters` the name of a
    part of an address to its description and schema. `rate_limited` says that answers have the headers of `throttles.RateLimit`.
    """

    title: str
    text: str
    problems: ProblemTexts
    tags: Mapping[str, str]
    tag_of: Mapping[str, str]
    examples: Mapping[str, CallExample]
    path_parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rate_limited: bool = False


class InvalidParameter(serializers.Serializer[Any]):
    """One value that was not accepted."""

    name = Words(max_length=NAME_LIMIT, help_text="The field, with the names of the objects around it: csrs.person-id-auth.")
    reason = Words(max_length=REASON_LIMIT, help_text="In the language of Content-Language where it has the text.")


class Problem(serializers.Serializer[Any]):
    """Problem details (RFC 9457). `code` is stable; `detail` is for people, in the language of Content-Language."""

    type = Text(max_length=120, pattern=r"^urn:siths-portal:problem:[a-z0-9-]+$", help_text="The code as a URN.")
    title = Text(max_length=90, pattern=r"^[a-z0-9-]+$", help_text="The code.")
    status = serializers.IntegerField(min_value=400, max_value=599, help_text="The HTTP status.")
    detail = Words(max_length=1000, help_text="What is wrong and what to do, in Swedish or English.")
    code = Text(
        max_length=90, pattern=r"^[a-z0-9-]+$", help_text="The error code. Treat an unknown code as its HTTP status says."
    )

    def get_fields(self) -> dict[str, Any]:
        """Adds the member whose name is not a Python identifier."""
        invalid: serializers.ListSerializer[Any] = serializers.ListSerializer(
            child=InvalidParameter(), required=False, max_length=500
        )
        return super().get_fields() | {"invalid-parameters": invalid}


def _header(name: str, schema: dict[str, Any], description: str, **options: Any) -> OpenApiParameter:
    return OpenApiParameter(name, schema, OpenApiParameter.HEADER, description=description, **options)


_TAG = {"type": "string", "maxLength": 34, "pattern": '^"[0-9a-f]{32}"$'}
_SECONDS = {"type": "integer", "minimum": 1, "maximum": 86_400}

IDEMPOTENCY_KEY = _header(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$", "examples": ["order-7f3a-accept"]},
    "The same value at each attempt of the same request; then it has one effect and gets one answer.",
    required=True,
)
IF_MATCH = _header("If-Match", {"type": "string"}, "The ETag of the version that is replaced.", required=True)
IF_NONE_MATCH = _header("If-None-Match", {"type": "string"}, "The ETag of the version that the client has.")
LOCATION = _header(
    "Location",
    {"type": "string", "maxLength": 200, "pattern": "^/api/[A-Za-z0-9/_-]+$"},
    "Where the result is read.",
    response=[201, 202],
)
ETAG = _header("ETag", _TAG, "Names this version (RFC 9110).", response=[200, 304])
RETRY_AFTER = _header("Retry-After", _SECONDS, "Seconds to wait before asking again.", response=[202])

_COMMON_TEXT = (
    "Errors are problem details (RFC 9457) with stable codes. `detail` is in Swedish, or in English with `Accept-Language: en`. "
    "Only additions are made within a version: ignore members and codes that you do not know. Certificates, signatures and JWEs "
    "in the examples are shortened."
)

CLOSED = {"x-closed": True}
"""Marks a serializer that accepts only declared members."""

_ACCEPT_LANGUAGE = {
    "name": "Accept-Language",
    "in": "header",
    "description": "The language of `detail` in errors: sv (default) or en.",
    "schema": {"type": "string"},
    "example": "en",
}
_HEADERS: dict[str, dict[str, Any]] = {
    "Content-Language": {"description": "The language of `detail`.", "schema": {"type": "string", "enum": ["sv", "en"]}},
    "Retry-After": {"description": "Seconds to wait before the same call.", "schema": _SECONDS},
    "RateLimit-Policy": {
        "description": "The client's calls in a minute (q), in each process (draft-ietf-httpapi-ratelimit-headers).",
        "schema": {"type": "string", "maxLength": 60, "pattern": '^"minute";q=[0-9]+;w=60$'},
        "example": '"minute";q=12000;w=60',
    },
    "RateLimit": {
        "description": "The calls left in this minute (r), and the seconds until the next one (t).",
        "schema": {"type": "string", "maxLength": 60, "pattern": '^"minute";r=[0-9]+;t=[0-9]+$'},
        "example": '"minute";r=11994;t=42',
    },
    "WWW-Authenticate": {
        "description": "The challenge of RFC 9110 section 11.6.1.",
        "schema": {"type": "string", "maxLength": 100, "pattern": "^[\\x20-\\x7e]+$"},
    },
    "Idempotency-Replayed": {
        "description": "true if this is the stored answer to an earlier attempt, else absent.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}


def problems(texts: ProblemTexts, *codes: str, always: Iterable[str] = ALWAYS) -> dict[int | tuple[int, str], OpenApiResponse]:
    """Returns the problem responses of an operation, by status: its error `codes`, and `always` those of any operation."""
    by_status: defaultdict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys((*always, *codes)):
        by_status[texts[code].status].append(code)
    return {
        (status, MEDIA_TYPE): OpenApiResponse(
            Problem,
            description="\n".join(f"- `{code}`: {texts[code].detail}" for code in named),
            examples=[OpenApiExample(code, value=problem_example(code, texts[code])) for code in named],
        )
        for status, named in sorted(by_status.items())
    }


def problem_example(code: str, text: ProblemText) -> dict[str, Any]:
    """Returns the problem object of an error code, as an example."""
    return {
        "type": f"urn:siths-portal:problem:{code}",
        "title": code,
        "status": text.status,
        "detail": text.detail,
        "code": code,
    }


def not_modified() -> dict[int, OpenApiResponse]:
    """Returns the 304 response to a conditional GET."""
    return {304: OpenApiResponse(description="The client has this version.")}


def finish(result: dict[str, Any], *, generator: Any, **_options: Any) -> dict[str, Any]:
    """Postprocessing hook of drf-spectacular: adds what the description of the API with these URLs has, shared headers and
    examples, and marks closed objects.
    """
    if name := settings.API_DESCRIPTIONS.get(generator.urlconf):
        _describe(result, import_string(name), f"/{import_string(f'{generator.urlconf}.BASE')}")
    for schema in result.get("components", {}).get("schemas", {}).values():
        if schema.pop("x-closed", False):
            schema["additionalProperties"] = False
    return result


def _describe(result: dict[str, Any], api: ApiDescription, prefix: str) -> None:
    operations = {(path, method): operation for path, methods in result["paths"].items() for method, operation in methods.items()}
    codes: set[str] = set()
    for (path, _method), operation in operations.items():
        place = path.removeprefix(prefix)
        operation["tags"] = [api.tag_of.get(place) or api.tag_of[place.split("/")[-1]]]
        parameters = operation.setdefault("parameters", [])
        for parameter in parameters:
            if parameter["in"] == "path":
                parameter |= api.path_parameters[parameter["name"]]
        parameters.append({"$ref": "#/components/parameters/Accept-Language"})
        if "requestBody" in operation:
            operation["requestBody"]["required"] = True
        codes |= _share_problem_examples(operation)
        _add_headers(operation, rate_limited=api.rate_limited)
        _add_examples(operation, api.examples.get(operation["operationId"], CallExample()))
    components = result["components"]
    components["parameters"] = {"Accept-Language": _ACCEPT_LANGUAGE}
    components["headers"] = {name: header for name, header in _HEADERS.items() if _is_used(operations.values(), name)}
    components["examples"] = {
        code: {"summary": text.meaning, "description": text.action, "value": problem_example(code, text)}
        for code, text in api.problems.items()
        if code in codes
    }
    result["info"] |= {
        "title": api.title,
        "version": "1",
        "description": f"{api.text}\n\n{_COMMON_TEXT}\n\n{_code_list(api.problems, codes)}",
        "contact": settings.API_CONTACT,
        "license": settings.API_LICENCE,
    }
    result["servers"] = [{"url": "/", "description": "The host that this file is read from."}]
    result["tags"] = [{"name": name, "description": text} for name, text in api.tags.items()]


def _share_problem_examples(operation: dict[str, Any]) -> set[str]:
    """Replaces the examples of problems by references to the components, and returns their codes."""
    codes = set()
    for response in operation["responses"].values():
        if MEDIA_TYPE in response.get("content", {}):
            media = response["content"][MEDIA_TYPE]
            named = [each["value"]["code"] for each in media.get("examples", {}).values()]
            media["examples"] = {code: {"$ref": f"#/components/examples/{code}"} for code in named}
            codes |= set(named)
    return codes


def _add_headers(operation: dict[str, Any], *, rate_limited: bool) -> None:
    """Adds the headers that follow from an answer's status and from an Idempotency-Key."""
    keyed = any(parameter.get("name") == "Idempotency-Key" for parameter in operation["parameters"])
    for status, response in operation["responses"].items():
        names = []
        if MEDIA_TYPE in response.get("content", {}):
            names.append("Content-Language")
        if status in ("429", "503") or (status == "409" and keyed):
            names.append("Retry-After")
        if status == "401":
            names.append("WWW-Authenticate")
        if status.startswith("2") and keyed:
            names.append("Idempotency-Replayed")
        if rate_limited and status not in ("401", "403"):
            names += ["RateLimit-Policy", "RateLimit"]
        shared = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        if shared:
            response["headers"] = response.get("headers", {}) | shared


def _is_used(operations: Iterable[dict[str, Any]], header: str) -> bool:
    reference = {"$ref": f"#/components/headers/{header}"}
    answers = [answer for operation in operations for answer in operation["responses"].values()]
    return any(reference in answer.get("headers", {}).values() for answer in answers)


def _add_examples(operation: dict[str, Any], example: CallExample) -> None:
    if example.request is not None:
        operation["requestBody"]["content"]["application/json"]["examples"] = {"example": {"value": example.request}}
    for status, value in example.answers.items():
        content = operation["responses"][str(status)]["content"]["application/json"]
        content["examples"] = {"example": {"value": value}}


def _code_list(texts: ProblemTexts, codes: set[str]) -> str:
    """Returns the Markdown table of the API's error codes."""
    rows = [f"| `{code}` | {text.status} | {text.meaning} | {text.action} |" for code, text in texts.items() if code in codes]
    return "\n".join(["## Error codes", "", "| code | status | meaning | what to do |", "|---|---|---|---|", *rows])
