"""Addresses in certificates of a CA that was taken over: OCSP without a path, files without a folder (rules/pki 1.3, ADR 0217).

Over the wire with the front's own configuration: nginx, the responder and the status face, each as it runs in production.
"""

import base64
import contextlib
import http.client
import os
import subprocess
import urllib.parse

import pytest
from cryptography.x509 import ocsp as x509_ocsp
from django.test import Client

from pki.crl import building
from pki.ocsp import presigning
from pki.ocsp.publishing import Publisher
from siths_portal.dev import nginx
from siths_portal.dev.probes import accepts
from tests.pki.crl.crl_world import sharded
from tests.pki.ocsp.test_status_face import request_for, revoke
from tests.pki.ocsp.test_status_wire import Wire, openssl, status_face
from tests.pki.ocspd.ocspd_stage import ocspd
from tests.ports import free_port
from tests.waiting import wait_for

OLD_HOST = "crl1.old.test"
TYPE = {"Content-Type": "application/ocsp-request"}


@contextlib.contextmanager
def front(folder, responder, face):
    """nginx as it stands before these two; gives its port."""
    port = free_port()
    folder.mkdir()
    values = {"SITHS_OCSPD": responder, "SITHS_STATUS": face, "SITHS_STATUS_LISTEN": f"127.0.0.1:{port}"}
    parts = {"status": nginx.filled("status", values)}
    user = "root" if os.geteuid() == 0 else ""
    main = nginx.write_folder(folder, parts, temporary=folder, user=user, connections=64)
    process = subprocess.Popen(["/usr/sbin/nginx", "-e", "stderr", "-c", str(main)])
    try:
        wait_for(lambda: accepts(port), "nginx")
        yield port
    finally:
        process.terminate()
        process.wait(60)


def ask(port, method, path, body=None, host=OLD_HOST, **headers):
    """Status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers={"Host": host} | headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()


@pytest.fixture
def old_service(world, settings, tmp_path):
    """The front with all behind it. Gives its port, the publisher and the responder's process."""
    with (
        Publisher(tmp_path / "ocsp") as made,
        ocspd(tmp_path / "ocsp", tmp_path / "ocspd-log") as (responder, process),
        status_face(tmp_path, ALLOWED_HOSTS=f"127.0.0.1,{OLD_HOST}", PKI_STATUS_DIR=str(settings.PKI_STATUS_DIR)) as face,
        front(tmp_path / "front", responder.removeprefix("http://"), face.removeprefix("http://")) as port,
    ):
        made.look()
        yield port, made, process


def same_but_for_the_clock(one, other) -> bool:
    return all(one[1][name] == other[1][name] for name in ("Content-Type", "ETag", "Cache-Control", "Last-Modified"))


def test_openssl_asks_the_host_without_a_path(old_service, world, tmp_path):
    port, made, _process = old_service
    row = world.issue()
    wire = Wire("", world, tmp_path)
    wire.about(row)
    common = ("-issuer", wire.issuer, "-cert", wire.certificate, "-CAfile", wire.bundle)
    for expected in ("good", "revoked"):
        presigning.presign([row.id])
        made.look()
        for url in (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}/"):
            text = openssl("ocsp", *common, "-url", url)
            assert "Response verify OK" in text
            assert f"certificate.pem: {expected}" in text
        revoke(row)


def test_a_get_without_a_folder_is_answered_as_the_one_in_it(old_service, world):
    port, made, process = old_service
    row = world.issue()
    presigning.presign([row.id])
    made.look()
    text = base64.b64encode(request_for(row)).decode()
    tails = [text, urllib.parse.quote(text, safe=""), f"/{text}", text.rstrip("=")]
    for tail in tails:
        bare, known = ask(port, "GET", f"/{tail}"), ask(port, "GET", f"/ocsp/{tail}")
        assert (bare[0], bare[2]) == (200, known[2])
        assert x509_ocsp.load_der_ocsp_response(bare[2]).serial_number == int(row.serial, 16)
        assert same_but_for_the_clock(bare, known)
        assert ask(port, "GET", f"/{tail}", **{"If-None-Match": bare[1]["ETag"]})[0] == 304
    # The face answers the same ways while the responder is away.
    process.terminate()
    process.wait(60)
    for tail in tails:
        assert ask(port, "GET", f"/{tail}")[2] == bare[2]
    assert ask(port, "POST", "/", request_for(row), **TYPE)[2] == bare[2]


def test_the_limits_are_those_of_the_address_with_a_path(old_service):
    port, _made, _process = old_service
    for size in (0, 11_000):
        bare, known = (ask(port, "POST", path, b"0" * size, **TYPE) for path in ("/", "/ocsp"))
        assert (bare[0], bare[2]) == (known[0], known[2]) == (200, b"\x30\x03\x0a\x01\x01")
    assert ask(port, "POST", "/", b"0" * 70_000, **TYPE)[0] == ask(port, "POST", "/ocsp", b"0" * 70_000, **TYPE)[0] == 413
    assert ask(port, "PUT", "/", b"")[0] == 405
    assert ask(port, "POST", "/other", b"0", **TYPE)[0] == 404


def test_lists_and_certificates_lie_at_the_root_under_the_old_name(old_service, world):
    port, _made, _process = old_service
    building.publish_crl(world.first.id)
    name = world.first.file_stem
    for path in (building.crl_path(world.first), building.publish_ca_certificate(world.first)):
        os.utime(path, (1_700_000_000, 1_700_000_000))  # long enough ago for a Last-Modified
    for bare, known in ((f"/{name}.crl", f"/crl/{name}.crl"), (f"/{name}.cer", f"/aia/{name}.cer")):
        one, other = ask(port, "GET", bare), ask(port, "GET", known)
        assert (one[0], one[2]) == (200, other[2])
        assert one[2]
        assert same_but_for_the_clock(one, other)
        assert ask(port, "GET", bare, **{"If-None-Match": one[1]["ETag"]})[0] == 304
    # The face knows the names that its settings give, and no others.
    assert ask(port, "GET", f"/{name}.crl", host="other.test")[0] == 400


@pytest.fixture
def client(settings) -> Client:
    settings.ROOT_URLCONF = "siths_portal.wiring.urls_status"
    settings.MIDDLEWARE = [
        name for name in settings.MIDDLEWARE if not name.startswith(("authn.", "issuance.", "django.contrib."))
    ]
    return Client(enforce_csrf_checks=True)


def test_the_face_alone_answers_at_them_and_the_page_of_links_stays(world, client):
    row = world.issue()
    presigning.presign([row.id])
    der = request_for(row)
    known = client.post("/ocsp", der, content_type="application/ocsp-request").content
    assert client.post("/", der, content_type="application/ocsp-request").content == known
    text = base64.b64encode(der).decode()
    assert client.get(f"/{text}").content == client.get(f"/ocsp/{text}").content == known
    assert world.first.common_name in client.get("/").content.decode()
    assert client.put("/", b"").status_code == 405
    assert client.get("/MAo=").content == b"\x30\x03\x0a\x01\x01"


def test_the_list_of_a_shard_lies_there_too(world, client):
    sharded(world.first, 2)
    building.publish_all(world.first)
    for shard in (None, 0, 1):
        path = building.crl_path(world.first, shard)
        assert client.get(f"/{path.name}").getvalue() == path.read_bytes()


@pytest.mark.parametrize(
    "path", ["/unknown.crl", "/unknown.cer", "/..%2fsecret.crl", "/A.crl", "/.crl", "/%00.cer", "/x.der", "/Nxx", "/mFQw", "/M"]
)
def test_nothing_else_is_found_at_the_root(world, client, path):
    building.publish_crl(world.first.id)
    assert client.get(path).status_code == 404
