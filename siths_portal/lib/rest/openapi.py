"""Shared parts of the APIs' OpenAPI descriptions: problem responses, headers, titles."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from siths_portal.lib.rest.problem import MEDIA_TYPE

_MEANINGS = {
    400: "The request breaks a rule of HTTP, JSON or this API.",
    401: "The client certificate is not that of a registered client, or was revoked.",
    403: "The client is not of the kind that this API is for.",
    404: "There is no such thing, or it is another client's; the two are answered alike.",
    405: "The method does not exist here.",
    406: "Answers are JSON only.",
    409: "The present state does not admit the act, or the same request is under way (code request-in-progress).",
    410: "It was here and is not any more.",
    412: "The thing changed since it was read.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A value does not meet a rule (see invalid-parameters), or the Idempotency-Key was used for another request.",
    428: "If-Match is missing.",
    429: "Too many calls; Retry-After tells when there is room again.",
    503: "Something that is needed does not answer now. Nothing was changed; try again.",
}
ALWAYS = (400, 401, 403, 406)
WITH_BODY = (413, 415, 422)


class InvalidParameter(serializers.Serializer[Any]):
    """One value that was not accepted."""

    name = serializers.CharField()
    reason = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """Problem details (RFC 9457). `code` is stable; `detail` is Swedish and for people."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        """Adds the member whose name is not a Python identifier."""
        return super().get_fields() | {"invalid-parameters": InvalidParameter(many=True, required=False)}


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    OpenApiParameter.HEADER,
    required=True,
    description="The same value at each attempt of the same request; then it has one effect and gets one answer.",
)
IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, required=True, description="The ETag of the version that is replaced."
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The ETag of the version that the client has."
)
LOCATION = OpenApiParameter(
    "Location", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[201, 202], description="Where the result is read."
)
ETAG = OpenApiParameter(
    "ETag", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[200], description="Names this version (RFC 9110)."
)


CLOSED = {"x-closed": True}
"""Marks a serializer that accepts only declared members."""

RETRY_AFTER = OpenApiParameter(
    "Retry-After", OpenApiTypes.INT, OpenApiParameter.HEADER, response=[202], description="Seconds to wait before asking again."
)


def problems(
    *statuses: int, meanings: Mapping[int, str] | None = None, always: Iterable[int] = ALWAYS
) -> dict[tuple[int, str], OpenApiResponse]:
    """Returns the problem responses of an operation: `statuses`, and `always` those of any operation.

    `meanings` replaces the description of a status in this API.
    """
    texts = {**_MEANINGS, **(meanings or {})}
    return {(status, MEDIA_TYPE): OpenApiResponse(Problem, description=texts[status]) for status in sorted({*always, *statuses})}


def not_modified() -> dict[int, OpenApiResponse]:
    """Returns the 304 response to a conditional GET."""
    return {304: OpenApiResponse(description="The client has this version.")}


def finish(result: dict[str, Any], **_options: Any) -> dict[str, Any]:
    """Postprocessing hook of drf-spectacular: sets the title and text of the described API, and marks closed objects."""
    for prefix, info in settings.API_DESCRIPTIONS.items():
        if result["paths"] and all(path.startswith(prefix) for path in result["paths"]):
            result["info"] |= info
    for schema in result.get("components", {}).get("schemas", {}).values():
        if schema.pop("x-closed", False):
            schema["additionalProperties"] = False
    return result
