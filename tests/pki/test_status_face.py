"""The status face over HTTP: OCSP by POST and GET, published files, the page of links. OpenSSL and GnuTLS are the clients."""

import base64
import contextlib
import datetime as dt
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp as x509_ocsp
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.http import parse_http_date
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pki import crl, ocsp
from pki.models import OcspResponse
from pki.revoking import plan_revocation
from siths_portal.lib import clock

Status = x509_ocsp.OCSPResponseStatus
DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM


@pytest.fixture(autouse=True)
def status_urls(settings):
    settings.ROOT_URLCONF = "siths_portal.urls_status"


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=True)


def issuer_of(row) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(row.ca.certificate_der))


def request_for(row, algorithm=None, *, nonce=None, serial=None) -> bytes:
    algorithm = algorithm or hashes.SHA256()
    name, key = f"name_{algorithm.name}", f"key_{algorithm.name}"
    builder = x509_ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        bytes.fromhex(getattr(row.ca, name)), bytes.fromhex(getattr(row.ca, key)), serial or int(row.serial, 16), algorithm
    )
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(DER)


def post(client, body: bytes, **headers) -> x509_ocsp.OCSPResponse:
    response = client.post("/ocsp", body, content_type="application/ocsp-request", headers=headers)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/ocsp-response"
    return x509_ocsp.load_der_ocsp_response(response.content)


def get(client, tail: str):
    response = client.get(f"/ocsp/{tail}")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/ocsp-response"
    return response


def revoke(*rows, reason="superseded"):
    with transaction.atomic(durable=True):
        plan_revocation([row.id for row in rows], reason=reason, actor_ref="user:1", received_at=clock.now(), channel="portal")


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()], ids=lambda each: each.name)
def test_post_and_get_give_the_stored_bytes(world, client, algorithm):
    row = world.issue()
    ocsp.presign([row.id])
    der = request_for(row, algorithm)
    stored = bytes(OcspResponse.objects.get(certificate=row, cert_id_hash=algorithm.name).der)
    assert client.post("/ocsp", der, content_type="application/ocsp-request").content == stored
    assert get(client, urllib.parse.quote(base64.b64encode(der).decode(), safe="")).content == stored


def test_an_answer_takes_two_queries_at_most_and_opens_no_token(world, client):
    row = world.issue()
    ocsp.presign([row.id])
    with CaptureQueriesContext(
        connection,
    ) as queries:
        post(client, request_for(row))
    assert len(queries) <= 2
    with CaptureQueriesContext(connection) as queries:
        post(client, request_for(row, serial=99))
    assert len(queries) <= 2


def test_the_status_face_loads_no_token_library():
    program = (
        "import django, sys; django.setup(); import siths_portal.urls_status; "
        "sys.exit([name for name in sys.modules if name == 'pkcs11' or name.startswith('pki.hsm')].__repr__() if "
        "any(name == 'pkcs11' or name.startswith('pki.hsm') for name in sys.modules) else 0)"
    )
    environment = os.environ | {"SITHS_FACE": "status", "PKCS11_PIN_FILE": ""}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("variant", ["plain", "quoted", "unpadded", "double slash", "blanks", "line breaks"])
def test_get_takes_what_clients_send(world, client, variant):
    row = world.issue()
    ocsp.presign([row.id])
    # Serials differ, so search a request whose base64 holds both awkward characters.
    for extra in range(5000):
        der = request_for(row, nonce=extra.to_bytes(16))
        text = base64.b64encode(der).decode()
        if "+" in text and "/" in text and text.endswith("="):
            break
    tail = {
        "plain": text,
        "quoted": urllib.parse.quote(text, safe=""),
        "unpadded": text.rstrip("="),
        "double slash": "/" + text,
        "blanks": text.replace("+", "%20"),
        "line breaks": "%0A".join(text[start : start + 64] for start in range(0, len(text), 64)) + "%0D%0A",
    }[variant]
    response = x509_ocsp.load_der_ocsp_response(get(client, tail).content)
    assert response.response_status == Status.SUCCESSFUL
    assert response.serial_number == int(row.serial, 16)


def test_get_may_be_cached_a_minute(world, client):
    row = world.issue()
    ocsp.presign([row.id])
    stored = OcspResponse.objects.get(certificate=row, cert_id_hash="sha256")
    tail = urllib.parse.quote(base64.b64encode(request_for(row)).decode(), safe="")
    response = get(client, tail)
    assert parse_http_date(response["Last-Modified"]) == stored.this_update.timestamp()
    assert parse_http_date(response["Expires"]) == stored.next_update.timestamp()
    directives = response["Cache-Control"].split(", ")
    assert set(directives) == {"max-age=60", "public", "no-transform", "must-revalidate"}
    again = client.get(f"/ocsp/{tail}", headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.head(f"/ocsp/{tail}").status_code == 200
    revoke(row)
    ocsp.presign([row.id])
    revoked = client.get(
        f"/ocsp/{tail}", headers={"If-None-Match": response["ETag"], "If-Modified-Since": response["Last-Modified"]}
    )
    assert revoked.status_code == 200
    assert revoked["ETag"] != response["ETag"]


def test_near_its_end_an_answer_is_cached_no_longer_than_it_holds(world, client):
    row = world.issue()
    ocsp.presign([row.id])
    stored = OcspResponse.objects.get(certificate=row, cert_id_hash="sha256")
    with clock.moved_to(stored.next_update - dt.timedelta(seconds=7)):
        assert "max-age=7" in get(client, base64.b64encode(request_for(row)).decode())["Cache-Control"].split(", ")


def test_errors_are_unsigned_and_not_cached(world, client):
    row = world.issue()
    for tail, expected in (
        ("%%%", Status.MALFORMED_REQUEST),
        ("", Status.MALFORMED_REQUEST),
        (base64.b64encode(request_for(row)).decode(), Status.TRY_LATER),
        (base64.b64encode(request_for(row, serial=5)).decode(), Status.UNAUTHORIZED),
    ):
        response = get(client, tail)
        assert x509_ocsp.load_der_ocsp_response(response.content).response_status == expected
        assert not {"ETag", "Expires", "Last-Modified"} & set(response.headers)
        assert response.headers.get("Cache-Control") in (None, "no-store")


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, Status.MALFORMED_REQUEST),
        (1, Status.SUCCESSFUL),
        (16, Status.SUCCESSFUL),
        (32, Status.SUCCESSFUL),
        (128, Status.SUCCESSFUL),
        (129, Status.MALFORMED_REQUEST),
        (5000, Status.MALFORMED_REQUEST),
    ],
)
def test_a_nonce_is_ignored_within_rfc_9654_and_refused_outside(world, client, length, expected):
    row = world.issue()
    ocsp.presign([row.id])
    response = post(client, request_for(row, nonce=b"n" * length))
    assert response.response_status == expected
    if expected == Status.SUCCESSFUL:
        assert len(response.extensions) == 0


def test_several_certids_are_refused(world, client):
    from asn1crypto.ocsp import OCSPRequest

    rows = [world.issue(), world.issue()]
    ocsp.presign([row.id for row in rows])
    parsed = [OCSPRequest.load(request_for(row)) for row in rows]
    listed = parsed[0]["tbs_request"]["request_list"]
    listed.append(parsed[1]["tbs_request"]["request_list"][0])
    assert post(client, parsed[0].dump(force=True)).response_status == Status.MALFORMED_REQUEST
    for _ in range(40):
        listed.append(parsed[1]["tbs_request"]["request_list"][0])
    assert post(client, parsed[0].dump(force=True)).response_status == Status.MALFORMED_REQUEST


def test_strangers_and_unknown_hashes_are_unauthorized(world, client):
    row = world.issue()
    stranger = (
        x509_ocsp.OCSPRequestBuilder()
        .add_certificate_by_hash(b"a" * 20, b"b" * 20, int(row.serial, 16), hashes.SHA1())
        .build()
        .public_bytes(DER)
    )
    assert post(client, stranger).response_status == Status.UNAUTHORIZED
    other_hash = (
        x509_ocsp.OCSPRequestBuilder()
        .add_certificate_by_hash(b"a" * 48, b"b" * 48, int(row.serial, 16), hashes.SHA384())
        .build()
        .public_bytes(DER)
    )
    assert post(client, other_hash).response_status == Status.UNAUTHORIZED


def test_a_large_body_is_refused_unread(world, client):
    assert post(client, b"0" * 11_000).response_status == Status.MALFORMED_REQUEST
    assert post(client, b"").response_status == Status.MALFORMED_REQUEST


def test_other_methods_are_not_allowed(world, client):
    assert client.put("/ocsp", b"").status_code == 405
    assert client.post("/crl/x.crl").status_code == 405


VALID = bytes.fromhex(
    "30423040303e303c303a300906052b0e03021a05000414616161616161616161616161616161616161616104146262626262626262626262626262"
    "626262626262020105"
)


@pytest.mark.django_db
@given(st.one_of(st.binary(max_size=300), st.tuples(st.integers(0, len(VALID) - 1), st.binary(min_size=1, max_size=4))))
@example(b"")
@example(b"\x30\x80\x00\x00")
@example(b"\x30\x84\xff\xff\xff\xff")
@example(VALID[:-1])
@example(VALID + b"\x00")
@hypothesis_settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
def test_garbage_never_gives_an_error_of_ours(client, garbage):
    if isinstance(garbage, tuple):
        place, change = garbage
        garbage = VALID[:place] + change + VALID[place + len(change) :]
    for response in (
        client.post("/ocsp", garbage, content_type="application/ocsp-request"),
        client.get("/ocsp/" + urllib.parse.quote(base64.b64encode(garbage).decode(), safe="")),
        client.get("/ocsp/" + urllib.parse.quote(garbage, safe="")),
    ):
        assert response.status_code == 200
        status = x509_ocsp.load_der_ocsp_response(response.content).response_status
        assert status in (Status.MALFORMED_REQUEST, Status.UNAUTHORIZED)


def test_published_files(world, client):
    crl.publish_ca_certificate(world.first)
    published = crl.publish_crl(world.first.id)
    name = world.first.file_stem
    response = client.get(f"/crl/{name}.crl")
    content = response.getvalue()
    assert (response.status_code, response["Content-Type"]) == (200, "application/pkix-crl")
    assert int(response["Content-Length"]) == len(content) == published.size
    assert "max-age=300" in response["Cache-Control"]
    assert response["Last-Modified"]
    assert response["Expires"]
    assert client.get(f"/crl/{name}.crl", headers={"If-None-Match": response["ETag"]}).status_code == 304
    assert client.get(f"/crl/{name}.crl", headers={"If-Modified-Since": response["Last-Modified"]}).status_code == 304
    crl.publish_crl(world.first.id)
    assert client.get(f"/crl/{name}.crl", headers={"If-None-Match": response["ETag"]}).status_code == 200
    response = client.get(f"/aia/{name}.cer")
    assert (response.status_code, response["Content-Type"]) == (200, "application/pkix-cert")
    assert response.getvalue() == bytes(world.first.certificate_der)


@pytest.mark.parametrize(
    "path",
    [
        "/crl/unknown.crl",
        "/crl/..%2f..%2fsecret.crl",
        "/crl/.crl",
        "/crl/A.crl",
        "/crl/a.cer",
        "/aia/a.crl",
        "/aia/%00.cer",
        "/no",
    ],
)
def test_other_files_are_not_found(world, client, path):
    crl.publish_crl(world.first.id)
    assert client.get(path).status_code == 404


def test_the_page_lists_every_ca_with_its_files(world, client):
    crl.publish_crl(world.first.id)
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/")
    assert len(queries) == 2
    page = response.content.decode()
    for ca in (world.root, world.first, world.second):
        assert ca.common_name in page
        assert f'href="/aia/{ca.file_stem}.cer"' in page
    assert f'href="/crl/{world.first.file_stem}.crl"' in page
    assert f'href="/crl/{world.second.file_stem}.crl"' not in page
    assert "style=" not in page
    assert "<script" not in page
    assert response["Content-Security-Policy"]


def test_an_empty_house_has_a_page_too(transactional_db, client):
    assert "Ingen utfärdare finns ännu" in client.get("/").content.decode()


# --- over the wire ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def status_face(folder, **variables):
    """The status face as its own process, as in production, without a PIN; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"SITHS_FACE": "status", "PKCS11_PIN_FILE": "", "SECURE_SSL_REDIRECT": "1"} | variables
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "siths_portal.wsgi:application"], env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        try:
            while not _alive(url):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _alive(url) -> bool:
    try:
        urllib.request.urlopen(f"{url}/healthz/live", timeout=5).close()
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
    crl.publish_crl(world.first.id)
    away = f"postgres://siths_app@/siths?host={tmp_path}"
    with status_face(tmp_path, DATABASE_URL=away, PKI_STATUS_DIR=str(settings.PKI_STATUS_DIR)) as url:
        asked = urllib.request.Request(f"{url}/ocsp", request_for(row), {"Content-Type": "application/ocsp-request"})
        with urllib.request.urlopen(asked, timeout=30) as response:
            assert x509_ocsp.load_der_ocsp_response(response.read()).response_status == Status.TRY_LATER
        with urllib.request.urlopen(f"{url}/crl/{world.first.file_stem}.crl", timeout=30) as response:
            assert response.read() == crl.crl_path(world.first).read_bytes()


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
        ocsp.presign([row.id])
        text = wire.ask(row, digest, nonce)
        assert "Response verify OK" in text
        assert "certificate.pem: good" in text
        revoke(row, reason="keyCompromise")
        ocsp.presign([row.id])
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
    ocsp.presign([row.id])
    wire.about(row)
    command = ["ocsptool", f"--ask={wire.url}/ocsp", "--load-cert", wire.certificate, "--load-issuer", wire.issuer]
    command += ["--load-trust", wire.bundle]
    for expected in ("Certificate Status: good", "Certificate Status: revoked"):
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
        assert expected in done.stdout, done.stdout + done.stderr
        assert "Verifying OCSP Response: Success" in done.stdout, done.stdout + done.stderr
        revoke(row)
        ocsp.presign([row.id])


def test_get_over_the_wire_keeps_slashes_and_plus_signs(wire):
    url, row = wire.url, wire.world.issue()
    ocsp.presign([row.id])
    checked = set()
    for extra in range(5000):
        text = base64.b64encode(request_for(row, nonce=extra.to_bytes(16))).decode()
        wanted = {mark for mark in ("+", "/", "//") if mark in text} - checked
        if not wanted:
            continue
        for tail in (text, urllib.parse.quote(text, safe=""), "/" + text):
            with urllib.request.urlopen(f"{url}/ocsp/{tail}", timeout=10) as response:
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
    crl.publish_crl(world.root.id)
    crl.publish_crl(world.first.id)
    lists = folder / "crls.pem"
    lists.write_bytes(b"")
    for ca in (world.root, world.first):
        with urllib.request.urlopen(f"{url}/crl/{ca.file_stem}.crl", timeout=10) as response:
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
    with urllib.request.urlopen(f"{url}/", timeout=10) as response:
        assert response.status == 200
        assert response.url == f"{url}/"
        assert "Strict-Transport-Security" not in response.headers
    with urllib.request.urlopen(f"{url}/static/css/base.css", timeout=10) as response:
        assert response.headers["Content-Type"].startswith("text/css")
