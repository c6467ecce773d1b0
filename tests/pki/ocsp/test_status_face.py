"""The status face's views: OCSP by POST and GET, published files, the page of links. Over the wire: `test_status_wire`."""

import base64
import datetime as dt
import os
import re
import urllib.parse
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp as x509_ocsp
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.http import http_date, parse_http_date
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pki.crl import building
from pki.models import OcspResponse
from pki.ocsp import presigning
from pki.revocation.revoking import plan_revocation
from siths_portal.lib import clock
from tests.pki.crl.crl_world import sharded

Status = x509_ocsp.OCSPResponseStatus
DER = serialization.Encoding.DER


@pytest.fixture(autouse=True)
def status_urls(settings):
    settings.ROOT_URLCONF = "siths_portal.wiring.urls_status"
    settings.MIDDLEWARE = [
        name for name in settings.MIDDLEWARE if not name.startswith(("authn.", "issuance.", "django.contrib."))
    ]


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=True)


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
    presigning.presign([row.id])
    der = request_for(row, algorithm)
    stored = bytes(OcspResponse.objects.get(certificate=row, cert_id_hash=algorithm.name).der)
    assert client.post("/ocsp", der, content_type="application/ocsp-request").content == stored
    assert get(client, urllib.parse.quote(base64.b64encode(der).decode(), safe="")).content == stored


KEPT_IN_A_SESSION = re.compile(
    r"\badvisory_(?:un)?lock|\btry_advisory_lock|\b(?:PREPARE|EXECUTE|DECLARE|LISTEN)\b|\bSET\s+(?!LOCAL)|\bTEMP", re.IGNORECASE
)


def test_nothing_is_kept_in_a_session_of_the_database(world, client):
    """A pooler shares the connections of this site between transactions (ADR 0352)."""
    row, asked = world.issue(), []
    presigning.presign([row.id])

    def record(execute, sql, *others):
        asked.append(sql)
        return execute(sql, *others)

    with connection.execute_wrapper(record):
        post(client, request_for(row))
        post(client, request_for(row, serial=99))
        for path in ("/", "/healthz/ready", "/crl/unknown.crl", "/aia/unknown.cer"):
            client.get(path)
    assert asked
    assert [sql for sql in asked if KEPT_IN_A_SESSION.search(sql.replace("pg_", ""))] == []
    assert KEPT_IN_A_SESSION.search("EXECUTE prepared_1")
    assert KEPT_IN_A_SESSION.search("SELECT pg_advisory_lock(1)".replace("pg_", ""))


def test_an_answer_takes_two_queries_at_most_and_opens_no_token(world, client):
    row = world.issue()
    presigning.presign([row.id])
    with CaptureQueriesContext(
        connection,
    ) as queries:
        post(client, request_for(row))
    assert len(queries) <= 2
    with CaptureQueriesContext(connection) as queries:
        post(client, request_for(row, serial=99))
    assert len(queries) <= 2


@pytest.mark.parametrize("variant", ["plain", "quoted", "unpadded", "double slash", "blanks", "line breaks"])
def test_get_takes_what_clients_send(world, client, variant):
    row = world.issue()
    presigning.presign([row.id])
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
    presigning.presign([row.id])
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
    presigning.presign([row.id])
    revoked = client.get(
        f"/ocsp/{tail}", headers={"If-None-Match": response["ETag"], "If-Modified-Since": response["Last-Modified"]}
    )
    assert revoked.status_code == 200
    assert revoked["ETag"] != response["ETag"]


def test_near_its_end_an_answer_is_cached_no_longer_than_it_holds(world, client):
    row = world.issue()
    presigning.presign([row.id])
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
    presigning.presign([row.id])
    response = post(client, request_for(row, nonce=b"n" * length))
    assert response.response_status == expected
    if expected == Status.SUCCESSFUL:
        assert len(response.extensions) == 0


def test_several_certids_are_refused(world, client):
    from asn1crypto.ocsp import OCSPRequest

    rows = [world.issue(), world.issue()]
    presigning.presign([row.id for row in rows])
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
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
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
    building.publish_ca_certificate(world.first)
    published = building.publish_crl(world.first.id)
    name = world.first.file_stem
    response = client.get(f"/crl/{name}.crl")
    content = response.getvalue()
    assert (response.status_code, response["Content-Type"]) == (200, "application/pkix-crl")
    assert int(response["Content-Length"]) == len(content) == published.size
    assert response["Cache-Control"] == "max-age=300, public, no-transform"
    assert response["Expires"]
    assert client.get(f"/crl/{name}.crl", headers={"If-None-Match": response["ETag"]}).status_code == 304
    building.publish_crl(world.first.id)
    assert client.get(f"/crl/{name}.crl", headers={"If-None-Match": response["ETag"]}).status_code == 200
    response = client.get(f"/aia/{name}.cer")
    assert (response.status_code, response["Content-Type"]) == (200, "application/pkix-cert")
    assert response.getvalue() == bytes(world.first.certificate_der)


def test_a_second_crl_within_the_same_second_is_not_taken_for_the_first(world, client):
    """Until the second is over no date is told that a client could ask by, and entity tags differ."""
    path, address = building.crl_path(world.first), f"/crl/{world.first.file_stem}.crl"
    building.publish_crl(world.first.id)
    moment = path.stat().st_mtime_ns // 10**9 * 10**9
    os.utime(path, ns=(moment, moment))
    with clock.moved_to(dt.datetime.fromtimestamp(moment / 10**9 + 0.5, dt.UTC)):
        first = client.get(address)
    assert "Last-Modified" not in first
    content = first.getvalue()
    building.publish_crl(world.first.id)
    os.utime(path, ns=(moment, moment))
    second = client.get(address, headers={"If-None-Match": first["ETag"]})
    assert second.status_code == 200
    assert second.getvalue() != content
    assert client.get(address, headers={"If-None-Match": second["ETag"]}).status_code == 304


def test_clients_may_ask_by_the_date_of_a_crl(world, client):
    path, address = building.crl_path(world.first), f"/crl/{world.first.file_stem}.crl"
    building.publish_crl(world.first.id)
    with clock.moved_to(clock.now() + dt.timedelta(seconds=3)):
        response = client.get(address)
        modified = int(path.stat().st_mtime)
        assert response["Last-Modified"] == http_date(modified)
        for asked, status in ((modified - 1, 200), (modified, 304), (modified + 1, 304)):
            again = client.get(address, headers={"If-Modified-Since": http_date(asked)})
            assert again.status_code == status
            assert again["ETag"] == response["ETag"]
            assert again.getvalue() == (response.getvalue() if status == 200 else b"")
        # An entity tag that does not match outweighs the date (RFC 9110 section 13.2.2).
        other = {"If-Modified-Since": http_date(modified), "If-None-Match": '"another"'}
        assert client.get(address, headers=other).status_code == 200


def test_head_tells_of_a_crl_without_its_content(world, client):
    row = building.publish_crl(world.first.id)
    response = client.head(f"/crl/{world.first.file_stem}.crl")
    assert (response.status_code, int(response["Content-Length"]), response.getvalue()) == (200, row.size, b"")
    assert response["Content-Type"] == "application/pkix-crl"


def test_a_large_crl_is_streamed(world, client):
    """The face reads pieces of the file as they are sent, and what it began to send it ends, though another is published."""
    path = building.crl_path(world.first)
    building.publish_crl(world.first.id)
    large = os.urandom(1 << 20) * 8
    path.write_bytes(large)
    response = client.get(f"/crl/{world.first.file_stem}.crl")
    assert response.streaming
    assert int(response["Content-Length"]) == len(large)
    pieces = iter(response.streaming_content)
    received = next(pieces)
    assert len(received) < len(large) / 8
    building.publish_crl(world.first.id)
    assert received + b"".join(pieces) == large


def test_the_list_of_a_shard_has_an_address_of_its_own(world, client):
    sharded(world.first, 2)
    building.publish_all(world.first)
    for shard in (None, 0, 1):
        path = building.crl_path(world.first, shard)
        response = client.get(f"/crl/{path.name}")
        assert (response.status_code, response["Content-Type"]) == (200, "application/pkix-crl")
        assert response.getvalue() == path.read_bytes()
    for name in ("2", "01", "-1", "", "1-1"):
        assert client.get(f"/crl/{world.first.file_stem}-{name}.crl").status_code == 404


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
    building.publish_crl(world.first.id)
    assert client.get(path).status_code == 404


def test_the_page_lists_every_ca_with_its_files(world, client):
    building.publish_crl(world.first.id)
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
    assert "Utfärdarna visas här när de har ett certifikat" in client.get("/").content.decode()
