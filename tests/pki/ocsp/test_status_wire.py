"""The status face as a process of its own, asked over HTTP by OpenSSL, GnuTLS and plain clients."""

import base64
import contextlib
import os
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ocsp as x509_ocsp

from pki.crl import building
from pki.ocsp import presigning
from tests.pki.ocsp.test_status_face import Status, request_for, revoke
from tests.ports import free_port
from tests.waiting import wait_for

PEM = serialization.Encoding.PEM


@contextlib.contextmanager
def status_face(folder, **variables):
    """The status face as its own process, as in production, without a PIN; gives its address."""
    port = free_port()
    environment = os.environ | {"SITHS_FACE": "status", "PKCS11_PIN_FILE": "", "SECURE_SSL_REDIRECT": "1"} | variables
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "siths_portal.wsgi:application"], env=environment, stdout=log, stderr=log)
        try:
            wait_for(lambda: _alive(url), alive=lambda: _runs(process, folder / "log"))
            yield url
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()


def _runs(process, log) -> None:
    assert process.poll() is None, log.read_text()


def _alive(url) -> bool:
    try:
        urllib.request.urlopen(f"{url}/healthz/live", timeout=30).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def face(django_db_setup, tmp_path_factory):
    folder = tmp_path_factory.mktemp("status-face")
    with status_face(folder, PKI_STATUS_DIR=str(folder / "status")) as url:
        yield url, folder / "status"


def test_without_its_database_the_face_says_try_later_and_still_serves_files(world, settings, tmp_path):
    row = world.issue()
    building.publish_crl(world.first.id)
    away = f"postgres://siths_app@/siths?host={tmp_path}"
    with status_face(tmp_path, DATABASE_URL=away, PKI_STATUS_DIR=str(settings.PKI_STATUS_DIR)) as url:
        asked = urllib.request.Request(f"{url}/ocsp", request_for(row), {"Content-Type": "application/ocsp-request"})
        with urllib.request.urlopen(asked, timeout=30) as response:
            assert x509_ocsp.load_der_ocsp_response(response.read()).response_status == Status.TRY_LATER
        with urllib.request.urlopen(f"{url}/crl/{world.first.file_stem}.crl", timeout=30) as response:
            assert response.read() == building.crl_path(world.first).read_bytes()


class Wire:
    """The face's address, this test's PKI, and OpenSSL as the relying party."""

    def __init__(self, url, world, folder) -> None:
        self.url, self.world, self.folder = url, world, folder
        self.bundle, self.issuer, self.certificate = folder / "chain.pem", folder / "issuer.pem", folder / "certificate.pem"
        authorities = (world.root, world.first, world.second)
        self.bundle.write_bytes(b"".join(pem(ca.certificate_der) for ca in authorities))

    def about(self, row) -> None:
        self.issuer.write_bytes(pem(row.ca.certificate_der))
        self.certificate.write_bytes(pem(row.blob.der))

    def ask(self, row, *options) -> str:
        self.about(row)
        common = ("-CAfile", self.bundle, "-url", f"{self.url}/ocsp")
        return openssl("ocsp", *options, "-issuer", self.issuer, "-cert", self.certificate, *common)


@pytest.fixture
def wire(face, world, settings, tmp_path) -> Wire:
    url, settings.PKI_STATUS_DIR = face
    return Wire(url, world, tmp_path)


def pem(der) -> bytes:
    return x509.load_der_x509_certificate(bytes(der)).public_bytes(PEM)


def openssl(*arguments) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


@pytest.mark.parametrize("digest", ["-sha1", "-sha256"])
@pytest.mark.parametrize("nonce", ["-nonce", "-no_nonce"])
def test_openssl_sees_good_then_revoked(wire, digest, nonce):
    for ca in (wire.world.first, wire.world.second):
        row = wire.world.issue(ca)
        presigning.presign([row.id])
        text = wire.ask(row, digest, nonce)
        assert "Response verify OK" in text
        assert "certificate.pem: good" in text
        revoke(row, reason="keyCompromise")
        presigning.presign([row.id])
        text = wire.ask(row, digest, nonce)
        assert "Response verify OK" in text
        assert "certificate.pem: revoked" in text
        assert "Reason: keyCompromise" in text


def test_openssl_does_not_call_a_serial_good_that_was_never_issued(wire):
    row = wire.world.issue()
    wire.about(row)
    text = openssl("ocsp", "-issuer", wire.issuer, "-serial", "0x4711", "-CAfile", wire.bundle, "-url", f"{wire.url}/ocsp")
    assert "Responder Error: unauthorized" in text
    assert "good" not in text


def test_gnutls_agrees(wire):
    row = wire.world.issue()
    presigning.presign([row.id])
    wire.about(row)
    command = ["ocsptool", f"--ask={wire.url}/ocsp", "--load-cert", wire.certificate, "--load-issuer", wire.issuer]
    command += ["--load-trust", wire.bundle]
    for expected in ("Certificate Status: good", "Certificate Status: revoked"):
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
        assert expected in done.stdout, done.stdout + done.stderr
        assert "Verifying OCSP Response: Success" in done.stdout, done.stdout + done.stderr
        revoke(row)
        presigning.presign([row.id])


def test_get_over_the_wire_keeps_slashes_and_plus_signs(wire):
    url, row = wire.url, wire.world.issue()
    presigning.presign([row.id])
    checked = set()
    for extra in range(5000):
        text = base64.b64encode(request_for(row, nonce=extra.to_bytes(16))).decode()
        wanted = {mark for mark in ("+", "/", "//") if mark in text} - checked
        if not wanted:
            continue
        for tail in (text, urllib.parse.quote(text, safe=""), "/" + text):
            with urllib.request.urlopen(f"{url}/ocsp/{tail}", timeout=30) as response:
                assert response.headers["Content-Type"] == "application/ocsp-response"
                answered = x509_ocsp.load_der_ocsp_response(response.read())
            assert answered.serial_number == int(row.serial, 16)
        checked |= wanted
        if checked == {"+", "/", "//"}:
            break
    assert {"+", "/"} <= checked


def test_openssl_reads_the_crl_and_refuses_the_revoked(wire):
    url, world, bundle, folder = wire.url, wire.world, wire.bundle, wire.folder
    good, bad = world.issue(), world.issue()
    revoke(bad)
    building.publish_crl(world.root.id)
    building.publish_crl(world.first.id)
    lists = folder / "crls.pem"
    lists.write_bytes(b"")
    for ca in (world.root, world.first):
        with urllib.request.urlopen(f"{url}/crl/{ca.file_stem}.crl", timeout=30) as response:
            assert response.headers["Content-Type"] == "application/pkix-crl"
            (folder / "one.crl").write_bytes(response.read())
        assert "verify OK" in openssl("crl", "-inform", "DER", "-in", folder / "one.crl", "-CAfile", bundle, "-noout")
        openssl("crl", "-inform", "DER", "-in", folder / "one.crl", "-out", folder / "one.pem")
        lists.write_bytes(lists.read_bytes() + (folder / "one.pem").read_bytes())
    for row, expected in ((good, "certificate.pem: OK"), (bad, "error 23 at 0 depth lookup: certificate revoked")):
        wire.about(row)
        text = openssl("verify", "-x509_strict", "-crl_check_all", "-CAfile", bundle, "-CRLfile", lists, wire.certificate)
        assert expected in text


def test_plain_http_is_not_sent_on_to_https(face):
    url, _folder = face
    with urllib.request.urlopen(f"{url}/", timeout=30) as response:
        assert response.status == 200
        assert response.url == f"{url}/"
        assert "Strict-Transport-Security" not in response.headers
    with urllib.request.urlopen(f"{url}/static/css/base.css", timeout=30) as response:
        assert response.headers["Content-Type"].startswith("text/css")
