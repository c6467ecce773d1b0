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
    """As schemathesis has it; a body that is refused for its size counts as rejected, too."""
    return None if response.status_code == 413 else negative_data_rejection(ctx, response, case)


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    wrong_data_is_rejected,
    unsupported_method,
]
