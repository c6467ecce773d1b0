"""The pages of the APIs' descriptions: everything of the OpenAPI file, from own files, without scripts."""

import copy
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from siths_portal.lib.rest.description_reading import page_of
from tests.access.faces import face
from tests.openapi_files import description_in

ROOT = Path(__file__).resolve().parents[3]
FILES = {"supplier": "issuance/suppliers/api/v1/openapi.yaml", "pki": "pki/clients/api/v1/openapi.yaml"}


@pytest.fixture
def shown() -> Any:
    with face("api"):
        yield Client()


def described(api: str) -> dict[str, Any]:
    return description_in(ROOT / FILES[api])


@pytest.mark.parametrize("api", FILES)
def test_a_page_has_every_call_every_schema_and_every_error_code(shown: Client, api: str) -> None:
    answer = shown.get(f"/api/docs/{api}/")
    assert answer.status_code == 200
    text, description = answer.content.decode(), described(api)
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            assert f'id="{operation["operationId"]}"' in text
            assert f"<b>{method.upper()}</b> {path}" in text
    for name in description["components"]["schemas"]:
        assert f'id="schema-{name}"' in text
    for code in description["components"]["examples"]:
        assert f'id="code-{code}"' in text


@pytest.mark.parametrize("api", FILES)
def test_a_page_has_no_script_and_nothing_from_elsewhere_and_its_links_lead_somewhere(shown: Client, api: str) -> None:
    text = shown.get(f"/api/docs/{api}/").content.decode()
    assert "<script" not in text
    assert "<style" not in text
    assert not re.findall(r'\s(?:style|on\w+)="', text)
    assert not re.findall(r'(?:href|src)="(?:https?:)?//', text)
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert {unescape(target) for target in re.findall(r'href="#([^"]+)"', text)} <= set(ids)


def test_the_list_names_each_api(shown: Client) -> None:
    text = shown.get("/api/docs/").content.decode()
    for api in FILES:
        assert f'href="/api/docs/{api}/"' in text
        assert described(api)["info"]["title"] in text


def test_an_api_that_is_none_and_another_method_are_refused(shown: Client) -> None:
    unknown = shown.get("/api/docs/eidapp/")
    assert (unknown.status_code, unknown.headers["Content-Type"]) == (404, "application/problem+json")
    assert shown.post("/api/docs/supplier/").status_code == 405


def test_what_a_description_says_is_text_and_never_markup(tmp_path: Path) -> None:
    file = tmp_path / "openapi.yaml"
    description = copy.deepcopy(described("supplier"))
    path = next(iter(description["paths"].values()))
    path["get"]["description"] = "Use `<b>` & <i>."
    file.write_text(yaml.safe_dump(description))
    page = page_of(file)
    assert page.tags[0].operations[0].text == "Use <code>&lt;b&gt;</code> &amp; &lt;i&gt;."
