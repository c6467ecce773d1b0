"""B1.22 to B1.33, each proven from outside: on what the responder and the reference view say, read by other parsers than ours."""

import base64
import datetime as dt
import subprocess

import pytest
from asn1crypto import ocsp as asn1
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.test import Client
from django.utils.http import parse_http_date

from pki.crl import building
from pki.crl import files as crl_files
from pki.domain import responder_lifetime
from pki.models import Certificate, CertificateBlob, OcspResponse, OcspSigner
from pki.ocsp import live as ocsp_live
from pki.ocsp import presigning
from pki.ocsp import unknown as ocsp_unknown
from siths_portal.lib import clock
from tests.pki.ocsp.test_ocsp_live import question, signed
from tests.pki.ocsp.test_status_face import request_for, revoke
from tests.pki.ocspd.ocspd_stage import Answer, Served, Status, call, ocspd, publisher, told
from tests.waiting import wait_for

ALGORITHMS = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}
both = pytest.mark.parametrize("algorithm", ALGORITHMS)


@pytest.fixture(autouse=True)
def status_urls(settings):
    settings.ROOT_URLCONF = "siths_portal.wiring.urls_status"
    settings.MIDDLEWARE = []


@pytest.fixture
def served(world, tmp_path):
    made = Served(tmp_path / "ocsp")
    yield made
    made.close()


@pytest.fixture(params=["ocspd", "view"])
def asker(request, served):
    """Asks one of the two that answer; they must not differ. `ask(der)` by POST, `get(tail)`."""
    return Asker(request.param, served)


class Asker:
    def __init__(self, name, served) -> None:
        self.name, self.served = name, served

    def post(self, der) -> Answer:
        self.served.publisher.look()
        if self.name == "ocspd":
            return call(self.served.responder, body=der)
        response = Client().post("/ocsp", der, content_type="application/ocsp-request")
        headers = {"Content-Length": str(len(response.content))} | dict(response.headers)
        return Answer(f"{response.status_code} {response.reason_phrase}", headers, response.content)

    def get(self, tail) -> Answer:
        self.served.publisher.look()
        if self.name == "ocspd":
            return call(self.served.responder, "GET", f"/ocsp/{tail}")
        response = Client().get(f"/ocsp/{tail}")
        headers = {"Content-Length": str(len(response.content))} | dict(response.headers)
        return Answer(f"{response.status_code} {response.reason_phrase}", headers, response.content)


def single(answer: Answer):
    """The one SingleResponse, by asn1crypto."""
    parsed = asn1.OCSPResponse.load(answer.body, strict=True)
    assert parsed["response_status"].native == "successful"
    (found,) = parsed.response_data["responses"]
    return found


def verified(answer: Answer, world, folder) -> str:
    """What OpenSSL says of the response's signature and signer."""
    (folder / "answer").write_bytes(answer.body)
    bundle = b"".join(
        x509.load_der_x509_certificate(bytes(ca.certificate_der)).public_bytes(presigning.Encoding.PEM)
        for ca in (world.root, world.first, world.second)
    )
    (folder / "bundle").write_bytes(bundle)
    command = ["openssl", "ocsp", "-respin", folder / "answer", "-CAfile", folder / "bundle", "-no_nonce"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


@both
def test_b1_22_the_answer_is_for_the_exact_certid_by_the_hash_that_was_asked(world, asker, algorithm, tmp_path):
    row = world.issue()
    presigning.presign([row.id])
    answer = asker.post(request_for(row, ALGORITHMS[algorithm]))
    cert_id = single(answer)["cert_id"]
    assert cert_id["hash_algorithm"]["algorithm"].native == algorithm
    assert cert_id["issuer_name_hash"].native.hex() == getattr(row.ca, f"name_{algorithm}")
    assert cert_id["issuer_key_hash"].native.hex() == getattr(row.ca, f"key_{algorithm}")
    assert cert_id["serial_number"].native == int(row.serial, 16)
    assert "Response verify OK" in verified(answer, world, tmp_path)


def test_b1_23_the_signer_is_a_short_lived_delegate_of_that_very_ca(small_pki):
    signers = list(OcspSigner.objects.select_related("ca"))
    assert signers
    for signer in signers:
        certificate = x509.load_der_x509_certificate(bytes(signer.certificate_der))
        certificate.verify_directly_issued_by(x509.load_der_x509_certificate(bytes(signer.ca.certificate_der)))
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        assert list(purposes.value) == [ExtendedKeyUsageOID.OCSP_SIGNING]
        assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
        assert not certificate.extensions.get_extension_for_class(x509.OCSPNoCheck).critical
        tbs = asn1_x509.Certificate.load(bytes(signer.certificate_der), strict=True)["tbs_certificate"]
        (nocheck,) = [each for each in tbs["extensions"] if each["extn_id"].native == "ocsp_no_check"]
        assert nocheck["extn_value"].contents == b"\x05\x00"
        assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= responder_lifetime.LIFETIME


def test_b1_23_answers_name_their_signer_and_carry_it(world, asker):
    row = world.issue()
    presigning.presign([row.id])
    basic = asn1.OCSPResponse.load(asker.post(request_for(row)).body, strict=True).basic_ocsp_response
    signer = bytes(OcspSigner.objects.get(ca=world.first).certificate_der)
    (carried,) = basic["certs"]
    assert carried.dump() == signer
    key = asn1_x509.Certificate.load(signer)["tbs_certificate"]["subject_public_key_info"].sha1
    assert basic["tbs_response_data"]["responder_id"].native == key


@both
def test_b1_24_good_is_for_the_issued_alone(world, asker, algorithm):
    states = {state: world.issue(status=state) for state in ("issued", "reserved", "failed")}
    revoked = world.issue()
    revoke(revoked)
    presigning.presign_due()
    hashed = ALGORITHMS[algorithm]
    assert single(asker.post(request_for(states["issued"], hashed)))["cert_status"].name == "good"
    assert single(asker.post(request_for(revoked, hashed)))["cert_status"].name == "revoked"
    for der in (
        request_for(states["reserved"], hashed),
        request_for(states["failed"], hashed),
        request_for(revoked, hashed, serial=4711),
        request_for(revoked, hashed, serial=1),
    ):
        assert asker.post(der).ocsp.response_status == Status.UNAUTHORIZED


def test_b1_24_a_never_issued_serial_gets_a_signed_unknown_when_one_is_made(world, served, tmp_path):
    row = world.issue()
    asked = request_for(row, serial=4711)
    call(served.responder, body=asked)
    served.responder._refresh_requests._write()
    served.publisher.grant()
    assert ocsp_unknown.sign() == 1
    served.publisher.look()
    answer = call(served.responder, body=asked)
    assert single(answer)["cert_status"].name == "unknown"
    assert "Response verify OK" in verified(answer, world, tmp_path)


def test_b1_25_times_are_in_order_and_end_before_the_signer(world, asker):
    row = world.issue()
    presigning.presign([row.id])
    answer = asker.post(request_for(row))
    data = asn1.OCSPResponse.load(answer.body, strict=True).response_data
    found = single(answer)
    assert found["this_update"].native <= data["produced_at"].native <= clock.now()
    assert found["next_update"].native > clock.now()
    assert found["next_update"].native <= OcspSigner.objects.get(ca=world.first).not_after


def test_b1_25_no_answer_outlives_its_signer(world, asker):
    OcspSigner.objects.all().delete()
    signer = world.signer(world.first, world.keys.first_signer, valid=dt.timedelta(hours=5))
    row = world.issue()
    presigning.presign([row.id])
    assert single(asker.post(request_for(row)))["next_update"].native == signer.not_after


def test_b1_26_errors_are_unsigned_with_status_200_and_for_no_cache(world, asker):
    fresh = world.issue()
    cases = {
        b"garbage": Status.MALFORMED_REQUEST,
        request_for(fresh): Status.TRY_LATER,
        request_for(fresh, serial=5): Status.UNAUTHORIZED,
    }
    for der, expected in cases.items():
        for answer in (asker.post(der), asker.get(base64.b64encode(der).decode())):
            assert answer.status == "200 OK"
            assert asn1.OCSPResponse.load(answer.body, strict=True)["response_bytes"].native is None
            assert answer.ocsp.response_status == expected
            assert not {"ETag", "Expires", "Last-Modified", "Cache-Control"} & set(answer.headers)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 32, 33, 127, 128, 129, 200, 5000])
def test_b1_27_a_nonce_is_left_out_within_rfc_9654_and_refused_outside(world, asker, length):
    row = world.issue()
    presigning.presign([row.id])
    answer = asker.post(request_for(row, nonce=b"n" * length))
    if 1 <= length <= 128:
        assert answer.ocsp.response_status == Status.SUCCESSFUL
        assert not asn1.OCSPResponse.load(answer.body).response_data["response_extensions"].native
    else:
        assert answer.ocsp.response_status == Status.MALFORMED_REQUEST


def test_b1_28_get_takes_what_clients_send(world, asker):
    row = world.issue()
    presigning.presign([row.id])
    for extra in range(5000):
        der = request_for(row, nonce=extra.to_bytes(16))
        text = base64.b64encode(der).decode()
        if "+" in text and "/" in text and text.endswith("="):
            break
    for tail in (text, "/" + text, text.rstrip("="), text.replace("+", " ")):
        assert single(asker.get(tail))["cert_id"]["serial_number"].native == int(row.serial, 16)
    assert asker.get(text).body == asker.post(der).body


def test_b1_29_get_carries_the_headers_of_rfc_9919(world, asker):
    row = world.issue()
    presigning.presign([row.id])
    answer = asker.get(base64.b64encode(request_for(row)).decode())
    found = single(answer)
    assert parse_http_date(answer.headers["Last-Modified"]) == found["this_update"].native.timestamp()
    assert parse_http_date(answer.headers["Expires"]) == found["next_update"].native.timestamp()
    assert answer.headers["ETag"]
    assert answer.headers["Cache-Control"].split(", ") == ["max-age=60", "public", "no-transform", "must-revalidate"]
    assert answer.headers["Content-Length"] == str(len(answer.body))


@pytest.mark.parametrize("count", [2, 20, 21, 1000])
def test_b1_30_several_certids_are_refused(world, asker, count):
    row = world.issue()
    presigning.presign([row.id])
    parsed = asn1.OCSPRequest.load(request_for(row))
    listed = parsed["tbs_request"]["request_list"]
    for _ in range(count - 1):
        listed.append(listed[0])
    assert asker.post(parsed.dump(force=True)).ocsp.response_status == Status.MALFORMED_REQUEST


def test_b1_30_a_request_is_at_most_10_kb(world, asker):
    assert asker.post(b"0" * 11_000).ocsp.response_status == Status.MALFORMED_REQUEST


@both
def test_b1_31_each_hash_of_certid_sha256_among_them_has_an_answer_of_its_own(world, asker, algorithm):
    """RFC 9919 recommends SHA-256 CertIDs. Both answers are made together and differ in nothing but what they were asked by."""
    row = world.issue()
    presigning.presign([row.id])
    stored = {each.cert_id_hash: bytes(each.der) for each in OcspResponse.objects.filter(certificate=row)}
    assert set(stored) == set(ALGORITHMS)
    other = OcspResponse.objects.filter(certificate=row).exclude(cert_id_hash=algorithm)
    other.update(next_update=clock.now() + dt.timedelta(hours=23))
    answer = asker.post(request_for(row, ALGORITHMS[algorithm]))
    assert answer.body == stored[algorithm]
    assert single(answer)["cert_id"]["hash_algorithm"]["algorithm"].native == algorithm
    signed = asn1.OCSPResponse.load(answer.body, strict=True).basic_ocsp_response
    assert signed["signature_algorithm"].hash_algo == "sha256"


def test_b1_32_no_archive_cutoff_since_no_status_is_kept_past_the_certificates_end(world, asker):
    row = world.issue(not_after=clock.now() + dt.timedelta(hours=30))
    presigning.presign([row.id])
    assert not single(asker.post(request_for(row)))["single_extensions"].native
    with clock.moved_to(clock.now() + dt.timedelta(hours=31)):
        presigning.presign_due()
    assert not OcspResponse.objects.filter(certificate=row).exists()


@both
def test_s38_revoked_is_revoked_to_the_end_and_nothing_after_it(world, asker, algorithm):
    """No status is kept past the end (B1.32): the last answer holds until its nextUpdate, then `unauthorized`, never `good` or
    `unknown`. One that is revoked after its end, which a CRL lists once (B1.18), is not `good` from then on.
    """
    begin, hour = clock.now(), dt.timedelta(hours=1)
    early, late = (world.issue(not_after=begin + 30 * hour) for _ in range(2))
    revoke(early)
    seen = []
    for hours in (0, 13, 26, 29, 31, 32, 40, 60):
        with clock.moved_to(begin + hours * hour):
            if hours == 32:
                revoke(late)
                building.publish_crl(world.first.id)
                listed = x509.load_der_x509_crl(building.crl_path(world.first).read_bytes())
                assert listed.get_revoked_certificate_by_serial_number(int(late.serial, 16)) is not None
            presigning.presign_due()
            said = []
            for row in (early, late):
                answer = asker.post(request_for(row, ALGORITHMS[algorithm])).ocsp
                successful = answer.response_status == Status.SUCCESSFUL
                said.append(answer.certificate_status.name if successful else answer.response_status.name)
                assert not successful or clock.now() < answer.next_update_utc
            asker.served.responder._refresh_requests._write()
            asker.served.publisher.grant()
            assert ocsp_unknown.sign() == 0
            asked = [question(row, hash_name=algorithm) for row in (early, late)]
            live = [signed(packet) for packet in ocsp_live.Signer(per_second=9).answer(asked).values()]
            assert [each.certificate_status.name for each in live if each] == (["REVOKED", "GOOD"] if hours < 30 else [])
            seen.append(said)
    assert seen[:4] == [["REVOKED", "GOOD"]] * 4
    assert all(said[0] in ("REVOKED", "UNAUTHORIZED") for said in seen[4:])
    assert all(said[1] == "UNAUTHORIZED" for said in seen[5:])
    assert seen[-1] == ["UNAUTHORIZED"] * 2


def test_b1_33_never_good_once_a_crl_lists_it(world, asker):
    """Also when the answer is not signed yet, and when an older answer is all that there is."""
    rows = [world.issue() for _ in range(3)]
    presigning.presign([row.id for row in rows])
    for row in rows:
        assert single(asker.post(request_for(row)))["cert_status"].name == "good"
    revoke(*rows[:2])
    building.publish_crl(world.first.id)
    listed = x509.load_der_x509_crl(building.crl_path(world.first).read_bytes())
    presigning.presign([rows[0].id])
    for row in Certificate.objects.filter(id__in=[row.id for row in rows]).select_related("ca"):
        on_list = listed.get_revoked_certificate_by_serial_number(int(row.serial, 16)) is not None
        response = asker.post(request_for(row)).ocsp
        good = response.response_status == Status.SUCCESSFUL and response.certificate_status.name == "GOOD"
        assert good != on_list
    assert CertificateBlob.objects.filter(certificate__in=rows).count() == 3


def test_b1_33_without_a_publisher_the_responder_knows_before_the_list_is_out(world, settings, tmp_path, monkeypatch):
    """Both are processes. The publisher is dead, and who makes the list brings the responder's files up (ADR 0164)."""
    store = settings.PKI_OCSP_STORE_DIR = tmp_path / "ocsp"
    rows, before = [world.issue() for _ in range(3)], []
    presigning.presign([row.id for row in rows])
    with publisher(store, tmp_path / "publisher.log") as keeper, ocspd(store, tmp_path / "log") as (url, _):

        def said():
            """By connections that meet each process of the responder."""
            return [{told(url, request_for(row)) for _ in range(8)} for row in rows]

        wait_for(lambda: said() == [{"GOOD"}] * 3)
        keeper.kill()
        keeper.wait()
        revoke(*rows[:2])
        presigning.presign([rows[0].id])
        assert said() == [{"GOOD"}] * 3  # nobody tells it
        publish = crl_files.publish

        def ask_first(built, path):
            before.append((path.exists(), said()))
            publish(built, path)

        monkeypatch.setattr(crl_files, "publish", ask_first)
        building.publish_crl(world.first.id)
        assert before == [(False, [{"REVOKED"}, {"TRY_LATER"}, {"GOOD"}])]
        listed = x509.load_der_x509_crl(building.crl_path(world.first).read_bytes())
        assert {entry.serial_number for entry in listed} == {int(row.serial, 16) for row in rows[:2]}
