"""The one error type of the domain. Worded once, in Swedish, and turned into HTTP or a command's line only at the edge."""

from collections.abc import Mapping
from typing import ClassVar


class DomainError(Exception):
    """A refusal or a fault that the caller is told about.

    `code` is a stable kebab-case name of the reason; `message` one Swedish sentence that says what to do; `fields` maps a
    field's name to its messages. None of the three may hold personal data, since they reach logs.
    """

    http_status: ClassVar[int] = 400

    def __init__(self, code: str, message: str, *, fields: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.fields: Mapping[str, list[str]] = fields or {}


class Invalid(DomainError):
    """What was given does not meet a rule; `fields` says where."""

    http_status = 422


class NotFound(DomainError):
    """There is no such thing, or the actor may not know that there is."""

    http_status = 404


class Forbidden(DomainError):
    """The actor sees the thing and may not do this to it."""

    http_status = 403


class Unauthenticated(DomainError):
    """The caller is unknown."""

    http_status = 401


class Conflict(DomainError):
    """The thing's present state does not admit the act."""

    http_status = 409


class IllegalTransition(Conflict):
    """A transition table has no row for this state and action. APIs show `api_message`, if given, in place of the page's text."""

    def __init__(self, code: str, message: str, *, api_message: str = "") -> None:
        super().__init__(code, message)
        self.api_message = api_message or message


class Altered(Conflict):
    """What is stored is not what was stored, so it is not shown. Nobody who reads it can do anything about it."""


class Gone(DomainError):
    """The thing was here and is not any more (RFC 9110 section 15.5.11)."""

    http_status = 410


class PreconditionFailed(DomainError):
    """The thing changed since the caller read it (RFC 9110 section 13.1.1)."""

    http_status = 412


class PreconditionRequired(DomainError):
    """The caller must say which version it means (RFC 6585 section 3)."""

    http_status = 428


class TooManyRequests(DomainError):
    """The caller's budget is used up (RFC 6585 section 4); `retry_after` seconds later there is room again, if known."""

    http_status = 429

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retry_after: int | None = None,
        fields: Mapping[str, list[str]] | None = None,
    ) -> None:
        super().__init__(code, message, fields=fields)
        self.retry_after = retry_after


class Unavailable(DomainError):
    """Something that the act needs does not answer now; nothing was changed; trying again later is safe."""

    http_status = 503


class Refused(DomainError):
    """An outside system answered and declined; asking again without a change is no use. `status` is its HTTP status."""

    http_status = 502

    def __init__(self, code: str, message: str, *, status: int, fields: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(code, message, fields=fields)
        self.status = status
