"""What every answer of an API is checked for against its OpenAPI file."""

from typing import Any

from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)


def wrong_data_is_rejected(ctx: Any, response: Any, case: Any) -> bool | None:
    """As schemathesis has it; a body refused for its size counts as rejected, too, and a batch with an entry that is refused."""
    if response.status_code == 413 or (response.status_code == 200 and _refuses_an_entry(response)):
        return None
    return negative_data_rejection(ctx, response, case)


def _refuses_an_entry(response: Any) -> bool:
    body = response.json() if "json" in response.headers.get("content-type", [""])[0] else {}
    return any(result["status"] >= 400 for result in body.get("results", []))


def problem_is_listed(ctx: Any, response: Any, case: Any) -> bool | None:
    """The code of a problem is in the file's list of error codes, with this status."""
    if "problem+json" in response.headers.get("content-type", [""])[0]:
        problem = response.json()
        if problem["code"] == "method-not-allowed" or problem["status"] >= 502:
            return None
        listed = case.operation.schema.raw_schema["components"]["examples"]
        assert problem["code"] in listed, f"{problem['code']} is not listed"
        assert listed[problem["code"]]["value"]["status"] == problem["status"]
    return None


CHECKS = [
    problem_is_listed,
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    wrong_data_is_rejected,
    unsupported_method,
]
