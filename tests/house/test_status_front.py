"""The front of the status face: OCSP goes to its responder, the rest to the face, and OCSP too while the responder is away."""

import base64
import contextlib
import http.client
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from siths_portal.dev import nginx, processes, programs
from siths_portal.dev.home import House
from siths_portal.dev.probes import accepts
from siths_portal.dev.supervision import Supervisor
from tests.house.conftest import copy_house
from tests.house.test_nginx import UnixServer
from tests.waiting import wait_for


class Named(BaseHTTPRequestHandler):
    """Says who it is and what it was asked."""

    protocol_version = "HTTP/1.1"
    name = ""

    def do_GET(self) -> None:
        self._say(b"")

    def do_POST(self) -> None:
        self._say(self.rfile.read(int(self.headers["Content-Length"])))

    def _say(self, body: bytes) -> None:
        said = f"{self.name} {self.path} {len(body)} {self.headers['X-Forwarded-For']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def address_string(self) -> str:
        return ""


class Face(Named):
    name = "face"


class Responder(Named):
    name = "responder"


class Dying(Named):
    """A responder that is killed when it has read a question."""

    asked: list[str] = []

    def _say(self, body: bytes) -> None:
        self.asked.append(self.command)
        self.close_connection = True


@contextlib.contextmanager
def responder(house: House, kind: type[Named] = Responder) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", house.port("ocspd")), kind) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.fixture
def front(folder: Path, found: Callable[..., House]) -> Iterator[House]:
    house = found(copy_house(folder / "a clone"))
    house.release_ports()
    configuration = nginx.write_status(house)
    with UnixServer(str(house.status_socket), Face) as face:
        threading.Thread(target=face.serve_forever, daemon=True).start()
        process = subprocess.Popen(["/usr/sbin/nginx", "-e", "stderr", "-c", str(configuration)])
        wait_for(lambda: accepts(house.port("status")), "nginx")
        yield house
        process.terminate()
        process.wait()
        face.shutdown()


def ask(house: House, method: str, path: str, body: bytes | None = None, **headers: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", house.port("status"), timeout=60)
    connection.request(method, path, body, headers=headers)
    return connection.getresponse().read().decode()


def test_a_question_that_a_killed_responder_had_is_answered(front: House) -> None:
    with responder(front, Dying):
        assert ask(front, "POST", "/ocsp", b"abc") == "face /ocsp 3 None"
    assert Dying.asked == ["POST"]


def test_ocsp_goes_to_its_responder_and_the_rest_to_the_face(front: House) -> None:
    with responder(front):
        assert ask(front, "POST", "/ocsp", b"abc") == "responder /ocsp 3 None"
        assert ask(front, "GET", "/crl/x.crl") == "face /crl/x.crl 0 None"
        assert ask(front, "GET", "/healthz/ready") == "face /healthz/ready 0 None"
        assert ask(front, "GET", "/", None, **{"X-Forwarded-For": "1.2.3.4"}) == "face / 0 None"


def test_what_is_asked_passes_unchanged(front: House) -> None:
    with responder(front):
        for tail in ("//MFQw+/a//b==", "MFQw%2B%2Fa%3D", "a%0Ab", "%2F%2Fx"):
            assert ask(front, "GET", f"/ocsp/{tail}") == f"responder /ocsp/{tail} 0 None"
        assert ask(front, "POST", "/ocsp", b"0" * 20_000) == "responder /ocsp 20000 None"
        longest = base64.b64encode(b"0" * 4000).decode()
        assert ask(front, "GET", f"/ocsp/{longest}") == f"responder /ocsp/{longest} 0 None"


def test_the_face_takes_ocsp_while_the_responder_is_away(front: House) -> None:
    assert ask(front, "POST", "/ocsp", b"abc") == "face /ocsp 3 None"
    assert ask(front, "GET", "/ocsp/x") == "face /ocsp/x 0 None"
    assert ask(front, "POST", "/", b"abc") == "face /ocsp 3 None"
    assert ask(front, "GET", "/MFQw//x") == "face /ocsp/MFQw//x 0 None"
    with responder(front):
        wait_for(lambda: ask(front, "POST", "/ocsp", b"abc").startswith("responder"), "the responder's return")


def test_ocsp_without_a_path_goes_to_the_responder_as_it_came(front: House) -> None:
    with responder(front):
        assert ask(front, "POST", "/", b"0" * 20_000) == "responder /ocsp 20000 None"
        for tail in ("MFQwUj//a+b==", "/MFQw+/a//b==", "MEIw%2B%2Fa%3D", "MIGHa%0Ab", "%2F%2FMFx", "%4DFQx"):
            assert ask(front, "GET", f"/{tail}") == f"responder /ocsp/{tail} 0 None"
        longest = base64.b64encode(b"\x30" + b"0" * 4000).decode()
        assert ask(front, "GET", f"/{longest}") == f"responder /ocsp/{longest} 0 None"
        assert ask(front, "GET", "http://ocsp1.old.test/MFQw") == "responder /ocsp/MFQw 0 None"
        for path in ("/", "/?x", "/M", "/mFQw", "/NFQw", "/x/MFQw", "/a.crl", "/a.cer", "/static/M.css"):
            assert ask(front, "GET", path) == f"face {path} 0 None"
        assert ask(front, "POST", "/x", b"abc") == "face /x 3 None"


def test_the_responders_processes_have_neither_pin_nor_another_face(folder: Path, found: Callable[..., House]) -> None:
    house = found(copy_house(folder / "clone"))
    known = {program.name: program for program in programs.application_programs(house)}
    for name in ("status", "ocsp-publisher", "ocspd"):
        assert known[name].env["PKCS11_PIN_FILE"] == ""
    assert str(house.port("status")) not in " ".join(known["status"].command)
    assert f"127.0.0.1:{house.port('ocspd')}" in known["ocspd"].command


def test_stop_ends_the_workers_of_a_killed_master(folder: Path, found: Callable[..., House]) -> None:
    house = found(copy_house(folder / "a clone"))
    house.release_ports()
    nginx.write_status(house)
    (program,) = [one for one in programs.application_programs(house) if one.name == "status-front"]
    pid_file = house.var / "nginx-status" / "nginx.pid"
    master = subprocess.Popen(program.command, cwd=house.root, process_group=0)
    wait_for(lambda: processes.group(pid_file, house.root) - {master.pid}, "nginx's workers")
    master.kill()
    master.wait()
    assert accepts(house.port("status"))
    assert Supervisor(house).stop()
    assert not accepts(house.port("status"))
