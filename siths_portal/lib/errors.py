"""The errors of the domain. They have a Swedish text; only views, APIs and commands turn them into a response or a line."""

from collections.abc import Mapping
from typing import ClassVar


class DomainError(Exception):
    """A refusal or fault that is shown to the user or API client.

    `code` is a stable kebab-case name of the reason; `message` is a Swedish sentence that says what to do; `fields` maps the name
    of a field to its messages. None of the three may contain personal data, because they are logged.
    """

    http_status: ClassVar[int] = 400

    def __init__(self, code: str, message: str, *, fields: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.fields: Mapping[str, list[str]] = fields or {}


class Invalid(DomainError):
    """A value does not meet a rule; `fields` says which."""

    http_status = 422


class NotFound(DomainError):
    """The resource does not exist, or the actor may not see it."""

    http_status = 404


class Forbidden(DomainError):
    """The actor may see the resource but may not do this with it."""

    http_status = 403


class Unauthenticated(DomainError):
    """The caller is not authenticated."""

    http_status = 401


class Conflict(DomainError):
    """The resource's present state does not allow the action."""

    http_status = 409


class IllegalTransition(Conflict):
    """The transition table has no row for this state and action. APIs show `api_message`, if given, instead of `message`."""

    def __init__(self, code: str, message: str, *, api_message: str = "") -> None:
        super().__init__(code, message)
        self.api_message = api_message or message


class Altered(Conflict):
    """Stored data was changed after it was stored, so it is not shown. The user cannot correct it."""


class Gone(DomainError):
    """The resource existed and has been removed (RFC 9110 section 15.5.11)."""

    http_status = 410


class PreconditionFailed(DomainError):
    """The resource has changed since the caller read it (RFC 9110 section 13.1.1)."""

    http_status = 412


class PreconditionRequired(DomainError):
    """The caller must state which version it changes (RFC 6585 section 3)."""

    http_status = 428


class TooManyRequests(DomainError):
    """The caller has reached a rate limit (RFC 6585 section 4). `retry_after` is the time until it may try again, in seconds."""

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
    """A component or system that the action needs does not respond now. Nothing was changed, so the caller may try again."""

    http_status = 503


class Refused(DomainError):
    """An external system refused the request, so repeating it without a change is useless. `status` is its HTTP status."""

    http_status = 502

    def __init__(self, code: str, message: str, *, status: int, fields: Mapping[str, list[str]] | None = None) -> None:
        super().__init__(code, message, fields=fields)
        self.status = status
