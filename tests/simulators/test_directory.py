"""The directory simulator as the portal meets it: a process of its own, over HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

ROOT = Path(__file__).resolve().parents[2]
ANNA = {"kind": "personnummer", "value": "189001019802"}
BERTIL = {"kind": "personnummer", "value": "188502029815"}
ADDRESS = {"lines": ["Storgatan 1"], "postal_code": "50630", "city": "Borås", "country": "SE"}
REGISTER = {
    "given_names": "Anna Maria",
    "given_name_in_use": "Anna",
    "surname": "Demosson",
    "protected_person_indicator": False,
    "protected_population_record": False,
    "deceased": False,
    "registered_address": ADDRESS,
}
POST = {"hsa_id": "TST2321000131-A1b2", "organisation_hsa_id": "TST2321000131-1000", "given_name": "Anna", "surname": "Demosson"}


@dataclass
class Running:
    url: str
    data: Path
    process: subprocess.Popen[str]

    def ask(self, path: str, body: object) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=60)


def write(path: Path, people: object) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(people))
    temporary.replace(path)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    data = tmp_path / "people.json"
    write(
        data,
        [
            {"person_id": ANNA, "register": REGISTER, "posts": [POST]},
            {"person_id": BERTIL, "register": {**REGISTER, "protected_population_record": True}, "posts": []},
        ],
    )
    process = subprocess.Popen(
        [sys.executable, "manage.py", "directory_simulator", "--bind", "127.0.0.1:0", "--data", str(data)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout
    line = process.stdout.readline()
    assert "http://" in line
    yield Running(line.strip().rsplit(" ", 1)[1], data, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_finds_posts_by_hsa_id_in_any_case_and_by_person(running: Running) -> None:
    expected = {"posts": [{**POST, "person_id": ANNA}]}
    for hsa_id in ("TST2321000131-A1b2", "tst2321000131-a1B2"):
        assert running.ask("/directory/v1/posts/query", {"hsa_id": hsa_id}).json() == expected
    assert running.ask("/directory/v1/posts/query", {"person_id": ANNA}).json() == expected
    assert running.ask("/directory/v1/posts/query", {"person_id": BERTIL}).json() == {"posts": []}
    assert running.ask("/directory/v1/posts/query", {"hsa_id": "TST2321000131-zzzz"}).json() == {"posts": []}


def test_register_gives_the_record_and_keeps_a_protected_address(running: Running) -> None:
    assert running.ask("/person-register/v1/persons/query", {"person_id": ANNA}).json() == REGISTER
    assert running.ask("/person-register/v1/persons/query", {"person_id": BERTIL}).json()["registered_address"] is None
    unknown = running.ask("/person-register/v1/persons/query", {"person_id": {**ANNA, "value": "189001019810"}})
    assert unknown.status_code == 404
    assert unknown.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body", [{}, {"hsa_id": 1}, {"hsa_id": "x", "person_id": ANNA}, {"person_id": {"kind": "x", "value": "1"}}, [], "text"]
)
def test_refuses_other_queries(running: Running, body: object) -> None:
    assert running.ask("/directory/v1/posts/query", body).status_code == 400
    assert requests.post(running.url + "/directory/v1/posts/query", data=b"{", timeout=60).status_code == 400


def test_reads_the_file_again_when_it_changes(running: Running) -> None:
    write(running.data, [{"person_id": ANNA, "register": {**REGISTER, "surname": "Nygift"}, "posts": []}])
    assert running.ask("/person-register/v1/persons/query", {"person_id": ANNA}).json()["surname"] == "Nygift"


def test_is_down_while_the_switch_lies_there_and_while_the_data_is_broken(running: Running) -> None:
    switch = running.data.parent / "down"
    switch.touch()
    assert running.ask("/person-register/v1/persons/query", {"person_id": ANNA}).status_code == 503
    switch.unlink()
    assert running.ask("/person-register/v1/persons/query", {"person_id": ANNA}).status_code == 200
    running.data.write_text("{broken")
    assert running.ask("/person-register/v1/persons/query", {"person_id": ANNA}).status_code == 503


def test_logs_no_personal_data(running: Running) -> None:
    running.ask("/person-register/v1/persons/query", {"person_id": ANNA})
    requests.get(f"{running.url}/person/{ANNA['value']}?q=Demosson", timeout=60)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.stdout
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    lines = rf"{moment} POST /person-register/v1/persons/query 200\n{moment} GET - 404\n"
    assert re.fullmatch(lines, running.process.stdout.read())
