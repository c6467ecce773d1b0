"""The OCSP responder for tests: its WSGI callable in this process, or the command as a process of its own, beside a publisher."""

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.x509 import ocsp as x509_ocsp

from pki.ocsp.publishing import Publisher
from pki.ocspd.app import Responder, SigningRequest
from pki.ocspd.serving import Request, finished, respond
from tests.ports import free_port
from tests.waiting import wait_for

Status = x509_ocsp.OCSPResponseStatus
CertStatus = x509_ocsp.OCSPCertStatus


@dataclass
class Answer:
    """What came back."""

    status: str
    headers: dict
    body: bytes

    @property
    def ocsp(self) -> x509_ocsp.OCSPResponse:
        assert self.status == "200 OK"
        assert self.headers["Content-Type"] == "application/ocsp-response"
        assert self.headers["Content-Length"] == str(len(self.body))
        return x509_ocsp.load_der_ocsp_response(self.body)


def call(responder, method="POST", path="/ocsp", body=b"", if_none_match=None) -> Answer:
    """One request, without a signer."""
    request = Request(method, path.encode(), body, if_none_match)
    said = respond(responder, request)
    if isinstance(said, SigningRequest):
        said = finished(request, responder.settle(said, None))
    head, _, content = said.payload.partition(b"\r\n\r\n")
    listed = [line.split(": ", 1) for line in head.decode().split("\r\n")] if head else []
    assert len(dict(listed)) == len(listed)
    return Answer(f"{said.status} {said.status.phrase}", dict(listed), content)


class Served:
    """A store, its publisher in this process, and a responder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.publisher = Publisher(folder)
        self.publisher.look()
        self.responder = Responder(folder)

    def post(self, body: bytes) -> x509_ocsp.OCSPResponse:
        return call(self.responder, body=body).ocsp

    def told(self, body: bytes) -> str:
        """The certificate's status, or the error, by its name."""
        response = self.post(body)
        if response.response_status != Status.SUCCESSFUL:
            return response.response_status.name
        return response.certificate_status.name

    def close(self) -> None:
        self.publisher.writer.close()


def _running(process, log):
    assert process.poll() is None, log.read_text()


@contextlib.contextmanager
def ocspd(folder, log, *, workers=2):
    """`manage.py pki_ocspd` on a store; gives its address and its process."""
    port = free_port()
    environment = os.environ | {"PKI_OCSP_STORE_DIR": str(folder)}
    command = [sys.executable, "manage.py", "pki_ocspd", "--bind", f"127.0.0.1:{port}", "--workers", str(workers)]
    url = f"http://127.0.0.1:{port}"
    with log.open("ab") as output:
        # A session of its own: what outlives the server must not outlive the test.
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
        try:
            # Each worker has a socket of its own, which is there before it is: one that answers says nothing of the others.
            wait_for(lambda: alive(url) and len(children(process)) == workers, alive=lambda: _running(process, log))
            yield url, process
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def publisher(folder, log, **variables):
    """`manage.py pki_ocsp_publish` as a process."""
    environment = os.environ | {"PKI_OCSP_STORE_DIR": str(folder), "PKCS11_PIN_FILE": ""} | variables
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "pki_ocsp_publish"], env=environment, stdout=output, stderr=output
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()


def children(process) -> list[int]:
    """The responder's workers."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def alive(url) -> bool:
    try:
        urllib.request.urlopen(f"{url}/healthz/live", timeout=30).close()
    except OSError:
        return False
    return True


def ask(url, body) -> x509_ocsp.OCSPResponse:
    """Over HTTP, by POST."""
    asked = urllib.request.Request(f"{url}/ocsp", body, {"Content-Type": "application/ocsp-request"})
    with urllib.request.urlopen(asked, timeout=30) as response:
        assert response.status == 200
        return x509_ocsp.load_der_ocsp_response(response.read())


def in_the_end[T](asked: Callable[[], T], enough: Callable[[T], bool]) -> T:
    """What is said once it is enough. A signer is given up after a second, which may be too short for a busy machine."""
    said: list[T] = []

    def again() -> bool:
        said[:] = [asked()]
        return enough(said[0])

    wait_for(again)
    return said[0]


def told(url, body) -> str:
    """The certificate's status, or the error, by its name."""
    response = ask(url, body)
    return response.certificate_status.name if response.response_status == Status.SUCCESSFUL else response.response_status.name
