"""What every answer of an API is checked for against its OpenAPI file, and when the calls are made up.

Each test process loads the tests of all, and schemathesis would make up the cases that cover the limits of each operation while
it loads them: CPU seconds in each process, though one alone runs them. `tests/conftest.py` has them made up before a test runs.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import Phase
from schemathesis.checks import not_a_server_error
from schemathesis.generation.hypothesis import builder
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

PHASES = [Phase.explicit, Phase.generate] if os.environ.get("SITHS_LONG") else [Phase.explicit]
"""What is tried of each operation: the cases that cover its limits, in the long form also generated calls. In the short form the
walk of each API makes the generated ones, right and wrong, of every operation (`tests/api_walk.py`)."""
GENERATED = 300
"""How many calls of an operation are generated in the long form."""

_add_cases = builder.add_coverage
_waiting: dict[object, Callable[[], object]] = {}
"""What adds its cases to a test, by test."""


def _add_cases_later(test: Callable[..., Any], *arguments: Any, **options: Any) -> Callable[..., Any]:
    _waiting[test] = partial(_add_cases, test, *arguments, **options)
    return test


builder.add_coverage = _add_cases_later


def make_up_cases(test: object) -> None:
    """Adds the cases to a test of an operation, if they wait to be added."""
    if add := _waiting.pop(getattr(test, "func", test), None):  # a method is a partial of its function
        add()


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
