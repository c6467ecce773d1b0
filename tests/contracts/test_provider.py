"""The other side of the contract: what the simulator answers to each case, against the schema of the wire format."""

import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource

from siths_portal.demo.people import write_directory
from siths_portal.lib.errors import NotFound
from tests.contracts.cases import DIRECTORY, MANY, ORGANISATIONS, PEOPLE, PLACES, REGISTER, Case
from tests.contracts.peers import Simulator
from tests.contracts.peers import simulator as running_simulator

SCHEMA = json.loads((settings.BASE_DIR / "docs" / "wire" / "outside.schema.json").read_text())
REGISTRY = Registry().with_resource(SCHEMA["$id"], Resource.from_contents(SCHEMA))
POSTS, PERSONS = "/directory/v1/posts/query", "/person-register/v1/persons/query"
BATCH = "/person-register/v1/persons/batch-query"
OF_ORGANISATIONS = "/directory/v1/organisations/query"


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"{SCHEMA['$id']}#/$defs/{name}"}, registry=REGISTRY, format_checker=FormatChecker())


def ask(simulator: Simulator, path: str, body: Any) -> requests.Response:
    return requests.post(simulator.url + path, json=body, timeout=60)


def is_problem(answer: requests.Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    validator("Problem").validate(answer.json())
    assert (answer.json()["status"], answer.json()["code"]) == (status, code)


def test_the_schema_is_one_and_names_what_is_required() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for name, wrong in (
        ("PersonId", {"kind": "bankid", "value": "1"}), ("PostsQuery", {}), ("PostsQuery", {"hsa_id": "x", "person_id": {}}),
        ("PostsReply", {"posts": [{}]}), ("PersonReply", {}), ("Problem", {"code": "x"}), ("Name", "a\nb"), ("Name", "x" * 101),
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            validator(name).validate(wrong)
    protected = {**PEOPLE[2]["register"]}
    with pytest.raises(ValidationError):
        validator("PersonReply").validate(protected)  # as it lies in the data, with an address
    validator("PersonReply").validate({**protected, "registered_address": None})


@pytest.mark.parametrize("case", DIRECTORY, ids=[case.name for case in DIRECTORY])
def test_posts(simulator: Simulator, case: Case) -> None:
    validator("PostsQuery").validate(case.body)
    answer = ask(simulator, POSTS, case.body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    validator("PostsReply").validate(answer.json())
    assert [post["hsa_id"] for post in answer.json()["posts"]] == [post.hsa_id for post in case.expected]
    assert [post["person_id"]["value"] for post in answer.json()["posts"]] == [post.person.value for post in case.expected]


@pytest.mark.parametrize("case", REGISTER, ids=[case.name for case in REGISTER])
def test_persons(simulator: Simulator, case: Case) -> None:
    validator("PersonQuery").validate(case.body)
    answer = ask(simulator, PERSONS, case.body)
    if case.expected is NotFound:
        is_problem(answer, 404, "person-unknown")
        return
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    validator("PersonReply").validate(answer.json())
    assert answer.json()["given_names"] == case.expected.given_names
    if case.expected.is_protected:
        assert "Storgatan" not in answer.text


def test_many_persons(simulator: Simulator) -> None:
    (case,) = MANY
    validator("PersonsQuery").validate(case.body)
    answer = ask(simulator, BATCH, case.body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    validator("PersonsReply").validate(answer.json())
    assert [each["person_id"]["value"] for each in answer.json()["persons"]] == [key.value for key in case.expected]
    assert "Storgatan" not in answer.text


@pytest.mark.parametrize(
    "body",
    [{}, [], {"person_ids": []}, {"person_ids": "x"}, {"person_ids": [1]}, {"person_ids": [{}] * 201}, MANY[0].body | {"y": 1}],
)
def test_another_question_of_many_persons(simulator: Simulator, body: Any) -> None:
    with pytest.raises(ValidationError):
        validator("PersonsQuery").validate(body)
    is_problem(ask(simulator, BATCH, body), 400, "bad-query")


@pytest.mark.parametrize("case", PLACES, ids=[case.name for case in PLACES])
def test_organisations(simulator: Simulator, case: Case) -> None:
    validator("OrganisationsQuery").validate(case.body)
    answer = ask(simulator, OF_ORGANISATIONS, case.body)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    validator("OrganisationsReply").validate(answer.json())
    assert [each["hsa_id"] for each in answer.json()["organisations"]] == [each.hsa_id for each in case.expected]


@pytest.mark.parametrize(
    "body", [{}, [], {"hsa_ids": []}, {"hsa_ids": "x"}, {"hsa_ids": [1]}, {"hsa_ids": ["x"] * 101}, {"hsa_ids": ["x"], "y": 1}]
)
def test_another_question_of_organisations(simulator: Simulator, body: Any) -> None:
    with pytest.raises(ValidationError):
        validator("OrganisationsQuery").validate(body)
    is_problem(ask(simulator, OF_ORGANISATIONS, body), 400, "bad-query")


def test_organisations_without_their_file(tmp_path: Path) -> None:
    with running_simulator(tmp_path, PEOPLE) as served:
        is_problem(ask(served, OF_ORGANISATIONS, PLACES[0].body), 503, "unavailable")
        assert ask(served, POSTS, DIRECTORY[0].body).status_code == 200
        (tmp_path / "organisations.json").write_text(json.dumps(ORGANISATIONS))
        assert ask(served, OF_ORGANISATIONS, PLACES[0].body).status_code == 200


@pytest.mark.parametrize("path", [POSTS, PERSONS])
class TestRefusals:
    def test_down(self, simulator: Simulator, path: str) -> None:
        with simulator.down():
            is_problem(ask(simulator, path, REGISTER[0].body), 503, "unavailable")
        assert ask(simulator, path, REGISTER[0].body).status_code == 200

    @pytest.mark.parametrize(
        "body",
        [
            {},
            [],
            "text",
            None,
            {"person_id": None},
            {"person_id": {"kind": "personnummer"}},
            {"person_id": {"kind": "bankid", "value": "1"}},
            {"person_id": {"kind": "personnummer", "value": 189001019802}},
            {"person_id": {"kind": ["personnummer"], "value": "1"}},
            {**REGISTER[0].body, "hsa_id": "x"},
            {**REGISTER[0].body, "more": 1},
        ],
        ids=lambda body: json.dumps(body)[:50],
    )
    def test_a_query_of_another_form(self, simulator: Simulator, path: str, body: Any) -> None:
        for name in ("PostsQuery", "PersonQuery"):
            with pytest.raises(ValidationError):
                validator(name).validate(body)
        answer = requests.post(simulator.url + path, data=json.dumps(body), timeout=60)
        is_problem(answer, 400, "bad-query")

    def test_no_json(self, simulator: Simulator, path: str) -> None:
        for content in (b"{", b"\xff\xfe", b"pnr=1"):
            is_problem(requests.post(simulator.url + path, data=content, timeout=60), 400, "bad-json")

    def test_a_huge_query(self, simulator: Simulator, path: str) -> None:
        is_problem(requests.post(simulator.url + path, data=b" " * (64 * 1024 + 1), timeout=60), 413, "bad-length")

    def test_a_query_without_length(self, simulator: Simulator, path: str) -> None:
        parts = urlsplit(simulator.url)
        with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=60) as line:
            line.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert line.recv(100).startswith(b"HTTP/1.1 411 ")

    def test_it_is_asked_by_post_alone(self, simulator: Simulator, path: str) -> None:
        """By GET the question would stand in an address, and so in logs."""
        is_problem(requests.get(f"{simulator.url}{path}?hsa_id=x", timeout=60), 404, "not-found")


def test_another_address(simulator: Simulator) -> None:
    is_problem(ask(simulator, "/directory/v2/posts/query", {"hsa_id": "x"}), 404, "not-found")


def test_the_demos_data_is_of_the_wire_format(tmp_path: Path) -> None:
    """`demo_load` writes the simulator's file; what it serves of it is the contract's too."""
    write_directory(tmp_path / "people.json", 60)
    people = json.loads((tmp_path / "people.json").read_text())
    with running_simulator(tmp_path, people) as served:
        for entry in people:
            query = {"person_id": entry["person_id"]}
            validator("PersonQuery").validate(query)
            validator("PostsReply").validate(ask(served, POSTS, query).json())
            validator("PersonReply").validate(ask(served, PERSONS, query).json())
