"""The TLS front lets in only whom the client CA vouches for, and is the only one who can say who that is. Real nginx."""

import http.client
import json
import os
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote

import pytest

from siths_portal.dev import nginx, processes, programs
from siths_portal.dev.home import House
from siths_portal.dev.probes import accepts
from siths_portal.dev.supervision import Supervisor
from tests.house.conftest import copy_house
from tests.waiting import wait_for


class Echo(BaseHTTPRequestHandler):
    """Answers with the request's headers."""

    def do_POST(self) -> None:
        body = json.dumps(self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        return


class UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def server_bind(self) -> None:
        super().server_bind()
        Path(str(self.server_address)).chmod(0o666)  # as granian's: the folder says who may connect


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def authority(folder: Path, name: str) -> None:
    key = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(folder, *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN=DEMO {name}")


def certificate(folder: Path, name: str, issuer: str) -> None:
    request = (
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        f"{name}.key",
        "-out",
        f"{name}.csr",
    )
    openssl(folder, *request, "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost")
    sign = ("x509", "-req", "-days", "2", "-copy_extensions", "copy", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key")
    openssl(folder, *sign, "-in", f"{name}.csr", "-out", f"{name}.pem")


@pytest.fixture
def front(folder: Path, found: Callable[..., House]) -> Iterator[House]:
    """nginx of a house, in front of a process that tells what it was told."""
    house = found(copy_house(folder / "a clone"))
    house.release_ports()
    tls = house.var / "tls"
    tls.mkdir()
    for name in ("clients-ca", "stranger-ca"):
        authority(tls, name)
    for name, issuer in (("server", "clients-ca"), ("client", "clients-ca"), ("stranger", "stranger-ca")):
        certificate(tls, name, issuer)
    configuration = nginx.write(house)
    with UnixServer(str(house.api_socket), Echo) as api:
        threading.Thread(target=api.serve_forever, daemon=True).start()
        process = subprocess.Popen(["/usr/sbin/nginx", "-e", "stderr", "-c", str(configuration)])
        # It listens before it says who it is.
        wait_for(lambda: accepts(house.port("api")) and written_pid(house.var / "nginx" / "nginx.pid"), "nginx")
        yield house
        process.terminate()
        process.wait()
        api.shutdown()


def written_pid(pid_file: Path) -> int | None:
    """The process id in `pid_file`; None while it is absent or not written yet."""
    try:
        return int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return None


def ask(house: House, client: str, headers: list[tuple[str, str]]) -> tuple[int, list[tuple[str, str]]]:
    answer, body = request(house, client, headers)
    return answer.status, json.loads(body) if answer.status == 200 else []


def refusal(answer: http.client.HTTPResponse, body: bytes) -> str:
    """The code of a problem (RFC 9457), whose members must agree with the answer."""
    problem = json.loads(body)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert problem["status"] == answer.status
    assert problem["type"] == f"urn:siths-portal:problem:{problem['code']}"
    assert problem["detail"]
    return str(problem["code"])


def request(
    house: House, client: str, headers: list[tuple[str, str]], content: bytes = b"{}"
) -> tuple[http.client.HTTPResponse, bytes]:
    tls = house.var / "tls"
    context = ssl.create_default_context(cafile=str(tls / "clients-ca.pem"))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if client:
        context.load_cert_chain(tls / f"{client}.pem", tls / f"{client}.key")
    connection = http.client.HTTPSConnection("localhost", house.port("api"), context=context, timeout=60)
    connection.putrequest("POST", "/api/supplier/v1/orders")
    for name, value in headers:
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(content)))
    connection.endheaders(content)
    answer = connection.getresponse()
    return answer, answer.read()


@pytest.mark.parametrize("client", ["", "stranger"])
def test_nobody_comes_in_without_a_certificate_of_the_client_authority(front: House, client: str) -> None:
    answer, body = request(front, client, [])
    assert (answer.status, refusal(answer, body)) == (401, "client-certificate-required")
    assert answer.headers["WWW-Authenticate"]


def test_the_front_refuses_in_the_language_that_the_client_accepts(front: House) -> None:
    for accepted, language, begins in (("en-GB,sv;q=0.5", "en", "The connection has no"), ("sv", "sv", "Anslut med")):
        answer, body = request(front, "", [("Accept-Language", accepted)])
        assert answer.headers["Content-Language"] == language
        assert json.loads(body)["detail"].startswith(begins)
    answer, body = request(front, "client", [("Accept-Language", "en")], b"x" * (2 * 1024 * 1024 + 1))
    assert json.loads(body)["detail"].startswith("The request is too large.")


def test_what_the_front_refuses_itself_is_a_problem_with_its_own_code(front: House) -> None:
    answer, body = request(front, "client", [], b"x" * (2 * 1024 * 1024 + 1))
    assert (answer.status, refusal(answer, body)) == (413, "too-large")
    answer, body = request(front, "client", [("X-Long", "x" * 20_000)])
    assert (answer.status, refusal(answer, body)) == (400, "parse-error")
    plain = http.client.HTTPConnection("localhost", front.port("api"), timeout=60)
    plain.request("GET", "/")
    answer = plain.getresponse()
    assert (answer.status, refusal(answer, answer.read())) == (400, "tls-required")


def test_an_api_that_is_away_is_a_problem_that_says_when_to_try_again(front: House) -> None:
    front.api_socket.rename(front.api_socket.with_name("away"))
    answer, body = request(front, "client", [])
    assert (answer.status, refusal(answer, body)) == (502, "unavailable")
    assert answer.headers["Retry-After"] == "5"


def test_the_api_hears_the_certificate_of_the_connection_and_no_header_that_a_caller_forged(front: House) -> None:
    forged = [
        ("X-SSL-Client-Cert", "forged"),
        ("x-ssl-client-cert", "forged"),
        ("X_SSL_Client_Cert", "forged"),
        ("X-SSL-Client-Verify", "forged"),
        ("X-Forwarded-For", "forged"),
        ("X-Forwarded-Host", "forged"),
        ("X-Forwarded-Proto", "forged"),
        ("Forwarded", "for=forged"),
        ("X-Real-IP", "forged"),
        ("X-Request-Id", "forged"),
    ]
    status, heard = ask(front, "client", [*forged, ("Idempotency-Key", "k-1"), ("Content-Type", "application/json")])
    assert status == 200
    assert [value for _, value in heard if "forged" in value] == []
    named = [(name.lower(), value) for name, value in heard]
    (passed,) = [value for name, value in named if name.replace("_", "-") == "x-ssl-client-cert"]
    assert unquote(passed) == (front.var / "tls" / "client.pem").read_text()
    assert ("idempotency-key", "k-1") in named
    assert ("content-type", "application/json") in named
    assert ("content-length", "2") in named
    assert ("x-forwarded-proto", "https") in named


def test_workers_of_a_killed_master_are_ended_by_the_next_start_and_by_stop(front: House) -> None:
    pid_file = front.var / "nginx" / "nginx.pid"
    assert processes.group(pid_file, front.root) == set()  # the fixture's own nginx works elsewhere and leads no group
    (program,) = [one for one in programs.outer_programs(front) if one.name == "nginx"]
    stopped = written_pid(pid_file)
    assert stopped
    assert ask(front, "client", [])[0] == 200  # a master without workers might not hear that it is to end
    os.kill(stopped, signal.SIGQUIT)
    # It lets go of its port before it removes its file, which by then could be the next one's.
    wait_for(lambda: not processes.running(stopped), "nginx's end")
    assert not accepts(front.port("api"))
    launch = [sys.executable, "-m", "siths_portal.dev.launch", "--pid-file", str(pid_file), *program.command]
    environment = os.environ | {"SITHS_HOUSE": front.id, "SITHS_PROGRAM": "nginx"}
    for _ in range(2):
        master = subprocess.Popen(launch, cwd=front.root, env=environment, process_group=0)
        # The file is absent while the next start clears up after the killed master.
        wait_for(lambda pid=master.pid: written_pid(pid_file) == pid and accepts(front.port("api")), "nginx")
        # It listens before it has workers.
        wait_for(lambda pid=master.pid: processes.group(pid_file, front.root) - {pid}, "nginx's workers")
        master.kill()
        master.wait()
        assert accepts(front.port("api"))
    assert Supervisor(front).stop()
    assert not accepts(front.port("api"))


def test_tls_older_than_1_2_is_refused(front: House) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", front.port("api")), timeout=60) as raw,
        pytest.raises(ssl.SSLError, match="protocol version"),
    ):
        context.wrap_socket(raw)
