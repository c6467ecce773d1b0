"""F10.2, F10.3 and F10.6 against the OCSP responder's processes, as OpenSSL, GnuTLS and plain clients see them."""

import base64
import datetime as dt
import http.client
import re
import subprocess
import time
import urllib.parse
from types import SimpleNamespace

import pytest
from asn1crypto import ocsp as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp as x509_ocsp

from pki.crl import building
from pki.domain import serials
from pki.models import Certificate, RevocationReason
from pki.ocsp import presigning
from pki.ocsp import unknown as ocsp_unknown
from pki.ocsp.publishing import Publisher
from siths_portal.lib import clock
from tests.pki.ocsp.status_world import HOLDER_KEY
from tests.pki.ocsp.test_ocsp_live import echo, nonce_of, signing
from tests.pki.ocsp.test_status_face import request_for, revoke
from tests.pki.ocsp.test_status_wire import Wire, openssl
from tests.pki.ocspd.ocspd_stage import Status, ask, ocspd, told
from tests.waiting import wait_for

SHA256, SHA384 = bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040202")


@pytest.fixture
def running(world, tmp_path):
    """Two workers of the responder; a publisher and a signer in this process. The first CA echoes nonces."""
    store = tmp_path / "ocsp"
    with Publisher(store) as made, signing(store):
        echo(world.first)
        made.look()
        with ocspd(store, tmp_path / "log") as (url, _):
            yield url, made


def gnutls(*arguments) -> str:
    """What ocsptool says, whether or not it is content."""
    command = [*map(str, ("ocsptool", *arguments))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def openssl_sees(text: str) -> tuple[str, str]:
    """Status and reason, of an answer that OpenSSL has verified."""
    assert "Response verify OK" in text, text
    status = re.search(r": (good|revoked|unknown)$", text, re.M)
    reason = re.search(r"Reason: (\w+)", text)
    assert status, text
    return status[1], reason[1] if reason else ""


def gnutls_sees(text: str) -> str:
    """Status of an answer that GnuTLS has verified. It shows no reasons."""
    assert "Verifying OCSP Response: Success" in text, text
    status = re.search(r"Certificate Status: (\w+)", text)
    assert status, text
    return status[1]


def got(url, der, folder):
    """The answer to the request by GET, in a file."""
    tail = urllib.parse.quote(base64.b64encode(der).decode(), safe="")
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
    connection.request("GET", f"/ocsp/{tail}")
    path = folder / "answer"
    path.write_bytes(connection.getresponse().read())
    return path


def views(url, wire, row, folder) -> tuple[set[tuple[str, str]], set[str]]:
    """What OpenSSL sees of a certificate, status and reason, and GnuTLS: by either hash and method, with and without a nonce."""
    openssl_saw, gnutls_saw = set(), set()
    for digest, algorithm in (("-sha1", hashes.SHA1()), ("-sha256", hashes.SHA256())):
        for nonce in ("-nonce", "-no_nonce"):
            openssl_saw.add(openssl_sees(wire.ask(row, digest, nonce)))
        answer = got(url, request_for(row, algorithm), folder)
        about = (digest, "-issuer", wire.issuer, "-cert", wire.certificate, "-CAfile", wire.bundle)
        openssl_saw.add(openssl_sees(openssl("ocsp", "-respin", answer, "-no_nonce", *about)))
        checked = ("--load-issuer", wire.issuer, "--load-trust", wire.bundle)
        text = gnutls("--response-info", "--load-response", answer)
        gnutls_saw.add(gnutls_sees(text + gnutls("--verify-response", "--load-response", answer, *checked)))
    common = (f"--ask={url}/ocsp", "--load-cert", wire.certificate, "--load-issuer", wire.issuer, "--load-trust", wire.bundle)
    gnutls_saw.add(gnutls_sees(gnutls(*common)))
    return openssl_saw, gnutls_saw


def test_f10_2_openssl_and_gnutls_see_good_alike(running, world, tmp_path):
    url, made = running
    rows = [world.issue(), world.issue(world.second)]
    presigning.presign([row.id for row in rows])
    presigning.presign_all(world.root)
    authority = row_of(world, world.first)
    made.look()
    wire = Wire(url, world, tmp_path)
    for row in [*rows, authority]:
        assert views(url, wire, row, tmp_path) == ({("good", "")}, {"good"})


def row_of(world, ca) -> Certificate:
    """The row of a CA's certificate among the root's."""
    number = x509.load_der_x509_certificate(bytes(ca.certificate_der)).serial_number
    return Certificate.objects.get(ca=world.root, serial=serials.text(number))


def test_f10_2_openssl_and_gnutls_see_a_revocation_and_its_reason_alike(running, world, tmp_path):
    """Of a holder's certificate, and of a CA's where the reason is for CAs alone: the root answers for that."""
    url, made = running
    of = {
        reason: row_of(world, world.second) if reason == "cACompromise" else world.issue() for reason in RevocationReason.values
    }
    for reason, row in of.items():
        revoke(row, reason=reason)
    presigning.presign([row.id for row in of.values()])
    presigning.presign_all(world.root)
    made.look()
    wire = Wire(url, world, tmp_path)
    for reason, row in of.items():
        named = "" if reason == "unspecified" else reason
        assert views(url, wire, row, tmp_path) == ({("revoked", named)}, {"revoked"}), reason


def never_issued(world) -> SimpleNamespace:
    """A certificate that the CA's key signed and that no table knows of."""
    start = clock.now().replace(microsecond=0)
    builder = world.builder(world.first, "Test", HOLDER_KEY.public_key(), start, start + dt.timedelta(days=7))
    made = builder.sign(world.token.private_key(world.first.key_id), hashes.SHA256())
    blob = SimpleNamespace(der=made.public_bytes(presigning.Encoding.DER))
    return SimpleNamespace(ca=world.first, serial=serials.text(made.serial_number), blob=blob)


def test_f10_2_openssl_and_gnutls_see_a_signed_unknown_alike(running, world, tmp_path):
    url, made = running
    row = never_issued(world)
    wire = Wire(url, world, tmp_path)
    wire.about(row)

    def unknown():
        said = told(url, request_for(row))
        made.grant()
        ocsp_unknown.sign()
        made.look()
        return said == "UNKNOWN"

    wait_for(unknown)
    assert views(url, wire, row, tmp_path) == ({("unknown", "")}, {"unknown"})


def test_f10_2_nonces_come_back_where_the_ca_echoes_and_are_left_out_elsewhere(running, world, tmp_path):
    """OpenSSL is content without, and says so; GnuTLS wants the nonce that it sent."""
    url, made = running
    echoing, other = world.issue(), world.issue(world.second)
    presigning.presign([echoing.id, other.id])
    made.look()
    wire = Wire(url, world, tmp_path)
    wait_for(lambda: nonce_of(ask(url, request_for(echoing, nonce=b"n" * 32))) is not None)

    def echoed(row, digest) -> bool:
        text = wire.ask(row, digest, "-nonce")
        assert openssl_sees(text) == ("good", "")
        return "no nonce in response" not in text

    def content() -> bool:
        """GnuTLS, about the certificate that OpenSSL asked about last."""
        common = ("--load-cert", wire.certificate, "--load-issuer", wire.issuer, "--load-trust", wire.bundle)
        text = gnutls(f"--ask={url}/ocsp", "--nonce", *common)
        verified = "Verifying OCSP Response: Success" in text
        assert ("could not read response's nonce" in text) != verified, text
        return verified

    for digest in ("-sha1", "-sha256"):
        # The responder waits a second for the signer, then answers from the store: on a machine that stands still it does.
        wait_for(lambda digest=digest: echoed(echoing, digest))
    wait_for(content)
    for digest in ("-sha1", "-sha256"):
        assert not echoed(other, digest)
    assert not content()


# --- point 3 ----------------------------------------------------------------------------------------------------------------


def doubled(der) -> bytes:
    """The request with its CertID twice."""
    parsed = asn1.OCSPRequest.load(der)
    listed = parsed["tbs_request"]["request_list"]
    listed.append(listed[0])
    return parsed.dump(force=True)


NEVER = "UNKNOWN"
"""Of a serial that was never issued; where more is asked than may be signed in a second, `unauthorized`."""
CASES = {
    "issued": ("GOOD", lambda made: request_for(made.row)),
    "a serial that was never issued": (NEVER, lambda made: request_for(made.row, serial=0x4712)),
    "another issuer": ("UNAUTHORIZED", lambda made: request_for(made.row).replace(made.name, b"\x00" * 32)),
    "another issuer's key": ("UNAUTHORIZED", lambda made: request_for(made.row).replace(made.key, b"\x00" * 32)),
    "a subordinate CA's serial": ("GOOD", lambda made: request_for(made.authority)),
    "a subordinate CA's serial at the wrong CA": (
        NEVER, lambda made: request_for(made.row, serial=int(made.authority.serial, 16))
    ),
    "an expired certificate": ("UNAUTHORIZED", lambda made: request_for(made.expired)),
    "two CertIDs": ("MALFORMED_REQUEST", lambda made: doubled(request_for(made.row))),
    "a nonce of no octets": ("MALFORMED_REQUEST", lambda made: request_for(made.row, nonce=b"")),
    "a nonce of 129": ("MALFORMED_REQUEST", lambda made: request_for(made.row, nonce=b"n" * 129)),
    "a nonce of 128": ("GOOD", lambda made: request_for(made.row, nonce=b"n" * 128)),
    "garbage": ("MALFORMED_REQUEST", lambda _: b"garbage"),
    "nothing": ("MALFORMED_REQUEST", lambda _: b""),
    "11 kB": ("MALFORMED_REQUEST", lambda _: b"0" * 11_000),
    "SHA-384": ("UNAUTHORIZED", lambda made: request_for(made.row).replace(SHA256, SHA384)),
}  # fmt: skip


class Made:
    """What the cases speak of."""

    def __init__(self, world) -> None:
        self.row = world.issue()
        self.expired = world.issue(not_after=clock.now() - dt.timedelta(hours=1))
        self.authority = row_of(world, world.first)
        self.name, self.key = bytes.fromhex(world.first.name_sha256), bytes.fromhex(world.first.key_sha256)


def test_f10_3_each_strange_request_gets_its_answer(running, world, tmp_path):
    """By POST and by GET in every spelling, on connections that stay open, again and again."""
    url, published = running
    made = Made(world)
    presigning.presign([made.row.id])
    presigning.presign_all(world.root)
    published.look()
    connections = [http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30) for _ in range(6)]
    for _ in range(2):
        for name, (expected, request) in CASES.items():
            der = request(made)
            for connection in connections:
                connection.request("POST", "/ocsp", der, {"Content-Type": "application/ocsp-request"})
                assert said(connection) in allowed(expected), name
                text = base64.b64encode(der).decode()
                quoted = urllib.parse.quote(text, safe="")
                for tail in (quoted, text, f"/{text}", text.rstrip("="), text.replace("+", "%20")) if len(text) < 5000 else ():
                    connection.request("GET", f"/ocsp/{tail}")
                    assert said(connection) in allowed(expected), (name, tail)
    for connection in connections:
        connection.close()


def allowed(expected: str) -> set[str]:
    return {NEVER, "UNAUTHORIZED"} if expected == NEVER else {expected}


def said(connection) -> str:
    """The certificate's status, or the error, by its name; nothing but 200 comes."""
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200
    answer = x509_ocsp.load_der_ocsp_response(body)
    if answer.response_status != Status.SUCCESSFUL:
        assert "Cache-Control" not in response.headers
        return answer.response_status.name
    return answer.certificate_status.name


def test_f10_3_openssl_reads_the_errors(running, world, tmp_path):
    url, published = running
    made = Made(world)
    presigning.presign([made.row.id])
    presigning.presign_all(world.root)
    published.look()
    errors = {"UNAUTHORIZED": "unauthorized (6)", "MALFORMED_REQUEST": "malformedrequest (1)"}
    wire = Wire(url, world, tmp_path)
    wire.about(made.row)
    read = 0
    for name, (expected, request) in CASES.items():
        der = request(made)
        (tmp_path / "request").write_bytes(der)
        try:
            asn1.OCSPRequest.load(der, strict=True).native  # noqa: B018  (OpenSSL sends no more than what it can read)
        except ValueError:
            continue
        text = openssl(
            "ocsp",
            "-reqin",
            tmp_path / "request",
            "-url",
            f"{url}/ocsp",
            "-CAfile",
            wire.bundle,
            "-no_nonce",
        )
        if expected in errors:
            assert f"Responder Error: {errors[expected]}" in text, name
            read += 1
        elif expected != NEVER or f"Responder Error: {errors['UNAUTHORIZED']}" not in text:
            assert "Response verify OK" in text, name
    assert read >= 4
    both = openssl(
        "ocsp", "-issuer", wire.issuer, "-serial", "0x1", "-serial", "0x2", "-url", f"{url}/ocsp", "-CAfile", wire.bundle
    )  # fmt: skip
    assert "Responder Error: malformedrequest (1)" in both


# --- point 6 ----------------------------------------------------------------------------------------------------------------


def test_f10_6_a_revocation_shows_in_every_process_within_five_seconds_and_the_next_list_is_numbered_higher(running, world):
    """On connections that were open before, to both processes; the publisher looks as often as it does by itself."""
    url, made = running
    rows = [world.issue() for _ in range(3)]
    presigning.presign([row.id for row in rows])
    made.look()
    building.publish_crl(world.first.id)
    before = x509.load_der_x509_crl(building.crl_path(world.first).read_bytes())
    connections = [http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30) for _ in range(16)]

    def statuses(row):
        made.look()
        found = set()
        for connection in connections:
            connection.request("POST", "/ocsp", request_for(row))
            found.add(said(connection))
        return found

    def seconds(row) -> float:
        assert statuses(row) == {"GOOD"}
        revoke(row)
        committed = time.monotonic()
        wait_for(lambda: "GOOD" not in statuses(row))
        wait_for(lambda: statuses(row) == {"REVOKED"})
        return time.monotonic() - committed

    # Whatever else the machine does may hold one up, but not each of three.
    assert any(seconds(row) < 5 for row in rows)
    building.publish_crl(world.first.id)
    after = x509.load_der_x509_crl(building.crl_path(world.first).read_bytes())
    numbers = [each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for each in (before, after)]
    assert numbers[1] > numbers[0]
    assert after.get_revoked_certificate_by_serial_number(int(rows[0].serial, 16)) is not None
    for connection in connections:
        connection.close()
