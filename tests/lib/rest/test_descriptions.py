"""The OpenAPI files: every string has a length and its characters, every call and error an example, every error code a text."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils.module_loading import import_string

from issuance.carriers.domain.kinds import CARD_PROFILES
from issuance.suppliers.api.v1 import serializers as supplier_forms
from pki.domain import keys
from pki.domain.profiles import PROFILES
from siths_portal.lib.rest import openapi, problem_texts
from tests.openapi_files import description_in

ROOT = Path(__file__).resolve().parents[3]
FILES = ["issuance/suppliers/api/v1", "pki/clients/api/v1", "issuance/activation/api/v1", "issuance/mobile/api/v1"]
BOUNDED = {"uuid", "date", "date-time", "binary"}
"""Formats that bound a string."""
ERRORS = {
    "ApiError", "Conflict", "Forbidden", "Gone", "Invalid", "NotFound", "PreconditionFailed", "PreconditionRequired", "Refusal",
    "TooManyRequests", "Unauthenticated", "Unavailable", "_conflict", "_invalid", "_with_status",
}  # fmt: skip
SOURCES = {
    "issuance/suppliers/api/v1": [
        "issuance/suppliers/api", "issuance/suppliers/domain.py", "issuance/suppliers/queries.py", "issuance/suppliers/services",
        "siths_portal/lib/rest", "pki/issuing/key_checks.py"
    ],
    "pki/clients/api/v1": [
        "pki/clients/api", "pki/clients/operations.py", "siths_portal/lib/rest", "pki/issuing/key_checks.py",
        "pki/domain/proof_of_possession.py",
    ],
    "issuance/activation/api/v1": [
        "issuance/activation/api", "issuance/activation/services/activation_app.py",
        "issuance/activation/services/card_proofs.py", "issuance/activation/services/card_reports.py",
        "issuance/activation/services/transactions.py",
    ],
    "issuance/mobile/api/v1": [
        "issuance/mobile/api", "issuance/mobile/services/attestations.py", "issuance/mobile/services/device_app.py",
        "issuance/mobile/services/device_proofs.py", "issuance/mobile/services/device_start.py",
        "issuance/mobile/services/enrolments.py",
    ],
}  # fmt: skip
"""The code whose error codes an API shows."""


def described(folder: str) -> dict[str, Any]:
    return description_in(ROOT / folder / "openapi.yaml")


def table(folder: str) -> problem_texts.ProblemTexts:
    description: openapi.ApiDescription = import_string(f"{folder.replace('/', '.')}.description.DESCRIPTION")
    return description.problems


def schemas(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields each schema with its place. Leaves out examples, and request headers, which the server takes as they come."""
    if isinstance(node, list):
        for number, inner in enumerate(node):
            if not (isinstance(inner, dict) and inner.get("in") == "header"):
                yield from schemas(inner, f"{place}/{number}")
    elif isinstance(node, dict):
        if "type" in node:
            yield place, node
        for name, inner in node.items():
            if name not in ("example", "examples", "value", "parameters") or (place.count("/") > 2 and name == "parameters"):
                yield from schemas(inner, f"{place}/{name}")


@pytest.mark.parametrize("folder", FILES)
def test_every_string_has_a_length_and_its_characters(folder: str) -> None:
    loose = []
    for place, schema in schemas(described(folder)):
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        closed = "enum" in schema or "const" in schema or schema.get("format") in BOUNDED
        if "string" in types and not closed and not {"maxLength", "pattern"} <= schema.keys():
            loose.append(place)
    assert not loose


@pytest.mark.parametrize("folder", FILES)
def test_every_call_and_every_error_has_an_example(folder: str) -> None:
    description = described(folder)
    for path, methods in description["paths"].items():
        for operation in methods.values():
            if "requestBody" in operation:
                assert operation["requestBody"]["required"], path
                assert operation["requestBody"]["content"]["application/json"]["examples"], path
            for status, answer in operation["responses"].items():
                for media, content in answer.get("content", {}).items():
                    if media.endswith("json"):
                        assert content["examples"], f"{path} {status}"
            assert {"400", "401", "406", "429", "503"} <= operation["responses"].keys(), path


@pytest.mark.parametrize("folder", FILES)
def test_answers_have_the_headers_that_their_status_asks_for(folder: str) -> None:
    for path, methods in described(folder)["paths"].items():
        for operation in methods.values():
            keyed = any(parameter.get("name") == "Idempotency-Key" for parameter in operation["parameters"])
            for status, answer in operation["responses"].items():
                headers = answer.get("headers", {}).keys()
                assert ("Idempotency-Replayed" in headers) == (keyed and status < "300"), f"{path} {status}"
                if status in ("429", "503"):
                    assert "Retry-After" in headers, f"{path} {status}"
                if status >= "400":
                    assert "Content-Language" in headers, f"{path} {status}"


def raised(source: str) -> Iterator[str]:
    """Yields the error codes that the code in a file or folder raises by name, or has beside a sentence in a tuple."""
    start = ROOT / source
    for file in [start] if start.is_file() else sorted(start.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                named = node.args[:1] if name in ERRORS else []
            else:
                named = node.elts[:1] if isinstance(node, ast.Tuple) and len(node.elts) == 2 and _ends(node.elts[1]) else []
            yield from (each.value for each in named if isinstance(each, ast.Constant) and isinstance(each.value, str))


def _ends(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and str(node.value).endswith(".")


@pytest.mark.parametrize("folder", FILES)
def test_every_error_code_that_is_raised_has_a_text(folder: str) -> None:
    codes = {code for source in SOURCES[folder] for code in raised(source)}
    assert len(codes) > 10
    assert not codes - table(folder).keys()


@pytest.mark.parametrize("folder", FILES)
def test_every_text_of_an_api_of_its_own_is_in_its_file(folder: str) -> None:
    """A code that no operation names would be in no list that a client reads."""
    shown = described(folder)["components"]["examples"].keys()
    assert not table(folder).keys() - problem_texts.COMMON.keys() - shown


@pytest.mark.parametrize(
    ("operation", "form"),
    [
        ("request_certificates", supplier_forms.CertificateRequest),
        ("report_event", supplier_forms.SentReport),
        ("put_customisation", supplier_forms.LogotypeSerializer),
    ],
)
def test_the_examples_of_the_supplier_api_are_accepted(operation: str, form: Any) -> None:
    description: openapi.ApiDescription = import_string("issuance.suppliers.api.v1.description.DESCRIPTION")
    given = form(data=description.examples[operation].request)
    assert given.is_valid(), given.errors


@pytest.mark.parametrize("form", ["Csrs", "ItemCsrs"])
def test_the_supplier_api_says_the_keys_of_each_profile(form: str) -> None:
    fields = described("issuance/suppliers/api/v1")["components"]["schemas"][form]["properties"]
    said = {profile: field.get("description") for profile, field in fields.items()}
    assert said == {profile: f"Its key is {keys.description(PROFILES[profile].keys)}." for profile in fields}
    assert set(CARD_PROFILES) <= fields.keys()


def test_the_supplier_api_says_which_keys_a_card_has_all_of() -> None:
    (types,) = {keys.description(PROFILES[profile].keys) for profile in CARD_PROFILES}
    said = described("issuance/suppliers/api/v1")["components"]["examples"]["key-types-mixed"]["description"]
    assert said == f"Make all keys {types.replace(' or ', ' or all ')}."


@pytest.mark.parametrize(
    "file",
    [
        "siths_portal/lib/rest/fields.py", "issuance/suppliers/api/v1/serializers.py", "issuance/suppliers/domain.py",
        "issuance/suppliers/services/supplier_events.py",
    ],
)  # fmt: skip
def test_every_reason_has_an_english_text(file: str) -> None:
    """A reason is a Swedish sentence in a list or in a `ValidationError`."""
    import_string("issuance.suppliers.api.v1.description.DESCRIPTION")  # whose import registers the texts of suppliers' reasons
    found = set()
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        called = isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", ""))
        if isinstance(node, ast.List) or called in ("ValidationError", "RegexValidator"):
            found |= {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and str(each.value).endswith(".")}
    assert found
    assert not found - problem_texts.REASONS.keys()
