"""The English texts of error codes, and what a client does about each. Responses and OpenAPI files take them from these tables.

The Swedish text of an error is where the error is raised. An API has a table of its codes: COMMON, and beside its views its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ProblemText:
    """An error code's HTTP status, its meaning, and what the client does about it. Both are English sentences."""

    status: int
    meaning: str
    action: str

    @property
    def detail(self) -> str:
        """Returns the English `detail` of a problem."""
        return f"{self.meaning} {self.action}"


type ProblemTexts = Mapping[str, ProblemText]

COMMON: ProblemTexts = {
    "parse-error": ProblemText(400, "The request cannot be read.", "Send JSON in UTF-8, without repeated names."),
    "cursor-invalid": ProblemText(400, "The cursor is not from a response.", "Send next_cursor unchanged, or no cursor."),
    "idempotency-key-missing": ProblemText(
        400, "The Idempotency-Key is missing.", "Send a value of your own, the same at each attempt."
    ),
    "idempotency-key-malformed": ProblemText(
        400, "The Idempotency-Key is malformed.", "Send 1 to 255 visible ASCII characters."
    ),
    "tls-required": ProblemText(400, "The request came without TLS.", "Use https."),
    "client-certificate-required": ProblemText(
        401, "The connection has no valid client certificate.", "Connect with the registered client certificate."
    ),
    "not-authenticated": ProblemText(
        401, "The connection has no client certificate.", "Connect with the registered client certificate."
    ),
    "authentication-failed": ProblemText(
        401, "The client certificate is unknown or revoked.", "Connect with the registered client certificate."
    ),
    "permission-denied": ProblemText(403, "The client has no right to this call.", "Use the API of the client's kind."),
    "not-found": ProblemText(404, "It does not exist, or is not visible to the client.", "Check the address and the id."),
    "method-not-allowed": ProblemText(405, "The address does not have this method.", "See the OpenAPI file."),
    "not-acceptable": ProblemText(406, "The response has another media type.", "Accept application/json."),
    "request-in-progress": ProblemText(409, "The same request is in progress.", "Repeat it after Retry-After."),
    "version-stale": ProblemText(412, "It was changed after the client read it.", "Read it again and repeat the change."),
    "too-large": ProblemText(413, "The request is too large.", "Keep to the limits in the OpenAPI file."),
    "uri-too-long": ProblemText(414, "The address is too long.", "Keep to the limits in the OpenAPI file."),
    "unsupported-media-type": ProblemText(415, "The body has another media type.", "Send application/json."),
    "invalid": ProblemText(422, "Values do not meet the rules.", "Correct the fields in invalid-parameters."),
    "idempotency-key-reused": ProblemText(
        422, "The Idempotency-Key was used for another request.", "Send this request with a new value."
    ),
    "if-match-missing": ProblemText(428, "If-Match is missing.", "Send the ETag of the version that is replaced."),
    "throttled": ProblemText(429, "The client has made too many calls.", "Wait for Retry-After and repeat the call."),
    "internal-error": ProblemText(500, "An unexpected error occurred.", "Repeat the same call; it has one effect."),
    "database-unavailable": ProblemText(503, "The service does not respond now.", "Repeat the same call after Retry-After."),
    "unavailable": ProblemText(
        503, "The service, or a system that it needs, does not respond now. Nothing has changed.",
        "Repeat the same call after Retry-After.",
    ),
}  # fmt: skip

OF_STATUS = {503: "unavailable"}
"""The code in COMMON whose text an error has that is in no table: connected systems have codes of their own."""

REASONS: dict[str, str] = {
    "Värdet har inte rätt form.": "The value does not match its pattern.",
    "Ange tid med datum och zon, till exempel 2026-01-31T08:30:00Z.": "Give date, time and offset: 2026-01-31T08:30:00Z.",
    "Ange en tid efter år 1999.": "Give a time after the year 1999.",
    "Okänt fält.": "Unknown field.",
    "Ange en certifikatbegäran (PKCS #10) i PEM.": "Give a certificate request (PKCS #10) in PEM.",
    "Ange en publik nyckel (SubjectPublicKeyInfo) i PEM.": "Give a public key (SubjectPublicKeyInfo) in PEM.",
    "Ange ett certifikat i PEM.": "Give a certificate in PEM.",
    "Ange Base64 med standardalfabetet.": "Give Base64 in the standard alphabet.",
}
"""English for the Swedish reasons in `invalid-parameters`, by the Swedish text. REST framework translates its own. The tables of
the APIs add theirs by `add_reasons`. A reason without English stays Swedish.
"""


def add_reasons(reasons: Mapping[str, str]) -> None:
    """Adds English for the reasons of an API."""
    REASONS.update(reasons)


def text_of(code: str, status: int, texts: ProblemTexts) -> ProblemText | None:
    """Returns the text of an error's code in `texts`, else the general one of its status, or None."""
    return texts.get(code) or COMMON.get(OF_STATUS.get(status, ""))
