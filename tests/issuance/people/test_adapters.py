"""Catalogue and person register over the wire: the demo's people come back whole, and odd values are no answer.

What the ports promise, case by case and also when a peer misbehaves, is in `tests/contracts`.
"""

import datetime as dt
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from issuance.people.adapters.directory_json import JsonDirectory
from issuance.people.adapters.person_register_json import JsonPersonRegister
from issuance.people.ports import PersonKey, PersonRegister, RegisteredAddress, StaffDirectory
from siths_portal.demo.people import people, write_directory
from siths_portal.lib import ports
from siths_portal.lib.errors import Unavailable


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The directory simulator as its own process, with the first hundred people of the demo."""
    data = tmp_path_factory.mktemp("directory") / "people.json"
    write_directory(data, 100)
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "directory_simulator", "--bind", "127.0.0.1:0"]
    with subprocess.Popen([*command, "--data", str(data)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1], data
        process.terminate()


def test_the_settings_name_these_adapters() -> None:
    assert isinstance(ports.get(StaffDirectory), JsonDirectory)
    assert isinstance(ports.get(PersonRegister), JsonPersonRegister)


def test_every_person_comes_back_as_written(simulator: tuple[str, Path]) -> None:
    directory, register = JsonDirectory(simulator[0]), JsonPersonRegister(simulator[0])
    for one in people(100):
        key = PersonKey(one.person_id.kind.value, one.person_id.value)
        assert directory.find_posts_by_person_id(key) == list(one.posts)
        assert directory.find_posts_by_hsa_id(one.posts[0].hsa_id.lower()) == [one.posts[0]]
        assert register.read_person(key) == one.register


@pytest.fixture
def peer() -> Iterator[Callable[[Any], str]]:
    """A peer that answers everything with what it is told; returns its address."""
    servers = []

    def answering(body: Any) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_arguments: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield answering
    for server in servers:
        server.shutdown()
        server.server_close()


PERSON = {
    "given_names": "Prov Andra", "given_name_in_use": "Prov", "surname": "Provsson", "protected_person_indicator": False,
    "protected_population_record": False, "deceased": False,
    "registered_address": {"lines": ["c/o Test", "Gatan 1"], "postal_code": "123 45", "city": "Staden", "country": "SE"},
}  # fmt: skip
POST = {
    "hsa_id": "SE2321000131-1", "organisation_hsa_id": "SE2321000131-1000", "given_name": "Prov", "surname": "Provsson",
    "person_id": {"kind": "personnummer", "value": "185001019802"}, "title": None, "mail": None, "upn": None,
    "valid_to": "2027-01-31",
}  # fmt: skip
KEY = PersonKey("personnummer", "185001019802")


def test_optional_values_may_be_missing(peer: Callable[[Any], str]) -> None:
    (post,) = JsonDirectory(peer({"posts": [POST]})).find_posts_by_hsa_id("x")
    assert (post.title, post.mail, post.upn, post.valid_to) == ("", "", "", dt.date(2027, 1, 31))
    person = JsonPersonRegister(peer(PERSON)).read_person(KEY)
    assert person.registered_address == RegisteredAddress(("c/o Test", "Gatan 1"), "123 45", "Staden", "SE")


@pytest.mark.parametrize(
    "change",
    [
        {"protected_person_indicator": None},  # never read as unprotected
        {"protected_population_record": "false"},
        {"deceased": 0},
        {"surname": None},
        {"surname": "x" * 101},
        {"surname": "Prov\nsson"},
        {"registered_address": {"lines": "Gatan 1", "postal_code": "12345", "city": "Staden", "country": "SE"}},
        {"registered_address": {"lines": ["Gatan 1"], "postal_code": 12345, "city": "Staden", "country": "SE"}},
    ],
)
def test_a_person_of_the_wrong_form_is_no_answer(peer: Callable[[Any], str], change: dict[str, Any]) -> None:
    with pytest.raises(Unavailable) as refused:
        JsonPersonRegister(peer(PERSON | change)).read_person(KEY)
    assert "Prov" not in str(refused.value) + refused.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        {"posts": {}},
        {"posts": [1]},
        {"posts": [POST | {"hsa_id": None}]},
        {"posts": [POST | {"valid_to": "soon"}]},
    ],
)
def test_posts_of_the_wrong_form_are_no_answer(peer: Callable[[Any], str], body: Any) -> None:
    with pytest.raises(Unavailable):
        JsonDirectory(peer(body)).find_posts_by_hsa_id("x")
