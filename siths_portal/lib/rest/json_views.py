"""Shared code of the JSON APIs' views: idempotent POST, entity tags, opaque cursors."""

import base64
import binascii
import contextlib
import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.request import RawPostDataException
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from siths_portal.lib import ports
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import DomainError, PreconditionFailed, PreconditionRequired
from siths_portal.lib.rest import idempotency
from siths_portal.lib.rest.problem_texts import COMMON, ProblemTexts

_KEPT_HEADERS = ("Location", "ETag", "Retry-After")
_LONGEST_CURSOR = 200

Handler = Callable[..., Response]


class ApiError(DomainError):
    """The request breaks a rule of the API, before any rule of the domain is checked (400)."""


class JsonView(APIView):
    """Base of our API views: responses are never cached, only methods that the view defines are allowed, and errors are in the
    language that the client accepts.
    """

    http_method_names = ["get", "head", "post", "put"]
    problem_texts: ProblemTexts = COMMON
    """The error codes of the view's API."""
    rate_setting = ""
    """The setting with the limit of `throttles.ClientThrottle`, for views that have this throttle."""
    rate_limit: Any = None
    """The client's `throttles.RateLimit` once the call is counted."""
    body_limit: int | None = None
    """The limit of a request body in bytes, if lower than the process's limit, for APIs behind a proxy that buffers bodies."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Handles the request with its language active: Swedish, or English if the client prefers it."""
        with translation.override(translation.get_language_from_request(request)):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Authenticates the client, then refuses a body with a too large Content-Length (413) without parsing it."""
        super().initial(request, *args, **kwargs)
        if self.body_limit is not None and _content_length(request) > self.body_limit:
            raise RequestDataTooBig

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Adds `Cache-Control: no-store`, since responses may contain personal data."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final.headers.setdefault("Cache-Control", "no-store")
        for name, value in self.rate_limit.headers().items() if self.rate_limit else ():
            final.headers[name] = value
        if self.body_limit is not None:
            _drain(request)
        return final


def _drain(request: Request) -> None:
    """Reads the rest of the body. If we close first, a reverse proxy that is still sending returns 502 instead of our error."""
    with contextlib.suppress(RawPostDataException, RequestDataTooBig, UnreadablePostError):
        _ = request.body


def _content_length(request: Request) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0  # Django then reads no body


class JpegRenderer(JSONRenderer):
    """Allows clients to request `image/jpeg`. The view returns the image as a plain response; problems are always JSON."""

    media_type = "image/jpeg"


class PngRenderer(JSONRenderer):
    """Does the same for `image/png`."""

    media_type = "image/png"


def valid(form: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    """Validates `data` with the serializer and returns its values. Raises ValidationError (422)."""
    checked = form(data=data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


def client_ref(request: Request) -> str:
    """Returns the reference of the authenticated machine client."""
    caller: Any = request.user
    return str(caller.client_ref)


def idempotent(
    read_again: Handler | None = None, *, kept: Callable[[Any], Any] | None = None, about: Callable[..., str] | None = None
) -> Callable[[Handler], Callable[..., HttpResponse]]:
    """Makes a POST handler of a `JsonView` support Idempotency-Key, per `request.user.client_ref` (see `idempotency`).

    A repeated response has `Idempotency-Replayed: true`. 400 without a key, 422 if the key was used for another request, 409 if
    the same request is in progress. With `read_again` the body of a 201, which may contain personal data, is not stored: a repeat
    returns what `read_again` returns then, or raises what it raises. With `kept` only that part of any body is stored, and
    `read_again` also gets it as `stored`. `about` gets what the handler gets and names what the request is about where its path
    and body do not; once that is another thing, the same path and body are another request.
    """

    def decorate(handler: Handler) -> Callable[..., HttpResponse]:
        @functools.wraps(handler)
        def answered(view: JsonView, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
            key = idempotency.required_key(request.headers.get("Idempotency-Key"))
            body = request.body  # before `about` parses it
            path = request.path + (about(view, request, *args, **kwargs) if about else "")
            fresh: dict[str, str] = {}

            def act() -> idempotency.Answer:
                response = handler(view, request, *args, **kwargs)
                headers = {name: response[name] for name in _KEPT_HEADERS if response.has_header(name)}
                text = JSONRenderer().render(response.data).decode()
                if kept:
                    fresh["text"], text = text, json.dumps(kept(response.data))
                elif read_again and response.status_code == 201:
                    fresh["text"], text = text, ""
                return idempotency.Answer(response.status_code, headers, text)

            answer = ports.get(idempotency.Store).perform(
                client_ref=client_ref(request), key=key, method=str(request.method), path=path, body=body, act=act
            )
            text = fresh.get("text", answer.body)
            if read_again and answer.replayed and (kept or answer.status == 201):
                stored = {"stored": json.loads(answer.body)} if kept else {}
                text = JSONRenderer().render(read_again(view, request, *args, **kwargs, **stored).data).decode()
            response = HttpResponse(text, status=answer.status, content_type="application/json", headers=answer.headers)
            if answer.replayed:
                response["Idempotency-Replayed"] = "true"
            return response

        return answered

    return decorate


def etag_of(content: bytes) -> str:
    """Returns a strong entity tag (RFC 9110 section 8.8.3) of `content`."""
    return f'"{sha256_hex(content)[:32]}"'


def tagged(request: Request, data: Any) -> Response:
    """Returns 200 with `data` and its entity tag, or 304 if the client has that version (RFC 9110 section 13.1.2)."""
    etag = etag_of(JSONRenderer().render(data))
    if _names(request.headers.get("If-None-Match", ""), etag, weak=True):
        return Response(status=304, headers={"ETag": etag})
    return Response(data, headers={"ETag": etag})


def tagged_bytes(request: Request, content: bytes, media_type: str) -> HttpResponse:
    """Does the same as `tagged` for bytes that are not JSON, and forbids content sniffing."""
    etag = etag_of(content)
    if _names(request.headers.get("If-None-Match", ""), etag, weak=True):
        return HttpResponse(status=304, headers={"ETag": etag})
    headers = {"ETag": etag, "X-Content-Type-Options": "nosniff"}
    return HttpResponse(content, content_type=media_type, headers=headers)


def required_match(request: Request) -> str:
    """Returns the value of If-Match. Raises PreconditionRequired (428) if it is missing."""
    condition = request.headers.get("If-Match")
    if not condition:
        raise PreconditionRequired("if-match-missing", "Ange i If-Match vilken version som ändras: värdet av ETag vid läsning.")
    return condition


def require_match(condition: str, etag: str) -> None:
    """Raises PreconditionFailed (412) unless the If-Match value `condition` contains `etag`."""
    if not _names(condition, etag, weak=False):
        raise PreconditionFailed("version-stale", "Uppgiften har ändrats sedan den lästes. Läs den igen och gör om ändringen.")


def _names(condition: str, etag: str, *, weak: bool) -> bool:
    candidates = [candidate.strip() for candidate in condition.split(",")]
    if weak:
        candidates = [candidate.removeprefix("W/") for candidate in candidates]
    return "*" in candidates or etag in candidates


def cursor_text(position: list[int | str]) -> str:
    """Returns an opaque cursor for `position`. Clients must not parse it; its form may change."""
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode().rstrip("=")


def cursor_position(text: str) -> list[int | str]:
    """Parses the result of `cursor_text`. Raises ApiError (400) for any other text."""
    try:
        if len(text) > _LONGEST_CURSOR:
            raise ValueError
        position = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        if not isinstance(position, list) or not all(isinstance(part, int | str) for part in position):
            raise ValueError
    except (ValueError, binascii.Error):
        raise _not_a_cursor() from None
    return position


def _not_a_cursor() -> ApiError:
    return ApiError("cursor-invalid", "cursor ska vara next_cursor ur ett tidigare svar.")


def next_cursor(found: Sequence[Any], limit: int, key: Callable[[Any], int | str]) -> str | None:
    """Returns the cursor after the first `limit` rows of `found`, None if there are no more. `key` returns a row's position."""
    return cursor_text([key(found[limit - 1])]) if len(found) > limit else None


def cursor_key(cursor: str | None) -> str | None:
    """Returns the position in a cursor of `next_cursor`, or None without one. Raises ApiError (400)."""
    if not cursor:
        return None
    position = cursor_position(cursor)
    if len(position) != 1 or not isinstance(position[0], str):
        raise _not_a_cursor()
    return position[0]


def description_view(file: Path) -> Callable[[HttpRequest], HttpResponse]:
    """Returns a view of an API's OpenAPI file (media type of RFC 9512). Methods other than GET and HEAD give 405."""

    def describe(request: HttpRequest) -> HttpResponse:
        content = file.read_bytes()
        return HttpResponse(content, content_type="application/yaml", headers={"ETag": etag_of(content)})

    return csrf_exempt(require_safe(describe))
