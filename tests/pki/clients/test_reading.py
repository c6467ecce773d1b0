"""Reading one certificate, and the face's common rules: forms, versions, limits, strict JSON, budgets."""

import base64
import datetime as dt
import itertools
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki.models import Certificate, CertificateAuthority
from siths_portal.lib import clock
from tests.chance import without_chance
from tests.pki.clients.service import code, issued, order

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = dt.timedelta(minutes=1)
DER, PEM = "application/pkix-cert", "application/pem-certificate-chain"


def test_the_whole_certificate_in_json(api, a) -> None:
    row = issued(api.pki)
    body = a.read(row).json()
    der = base64.b64decode(body["der"])
    assert der == bytes(row.blob.der)
    certificate = x509.load_der_x509_certificate(der)
    assert x509.load_pem_x509_certificate(body["certificate"].encode()) == certificate
    octets = certificate.serial_number.to_bytes(certificate.serial_number.bit_length() // 8 + 1)
    assert (bytes.fromhex(body["serial"]), bytes.fromhex(body["serial_reversed"])) == (octets, octets[::-1])
    assert body["public_key_sha256"] == row.spki_sha256
    assert (body["status"], body["held"]) == ("issued", False)
    issuer, root = x509.load_pem_x509_certificates(body["chain"].encode())
    certificate.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(root)


def test_a_serial_whose_first_bit_is_set_keeps_its_sign_octet(api, a) -> None:
    """Such ones come from elsewhere: our own never begin so."""
    from pki.clients.api.v1.serializers import CertificateSummary

    row = issued(api.pki)
    row.serial = "8001"
    assert CertificateSummary(row).data["serial_reversed"] == "018000"


def test_the_certificate_in_der_and_in_pem_with_the_issuing_ca(api, a) -> None:
    row = issued(api.pki)
    der, pem = a.read(row, Accept=DER), a.read(row, Accept=PEM)
    assert (der.status_code, der.headers["Content-Type"], der.content) == (200, DER, bytes(row.blob.der))
    assert (pem.status_code, pem.headers["Content-Type"]) == (200, PEM)
    leaf, issuer = x509.load_pem_x509_certificates(pem.content)
    assert leaf.public_bytes(Encoding.DER) == der.content
    assert issuer.public_bytes(Encoding.DER) == bytes(CertificateAuthority.objects.current("function").certificate_der)
    assert der.headers["X-Content-Type-Options"] == "nosniff"
    assert "Accept" in der.headers["Vary"]


def test_its_issuers_are_those_of_its_own_generation(api, a) -> None:
    row = issued(api.pki)
    first = a.read(row).json()["chain"]
    old = CertificateAuthority.objects.current("function")
    newer = CertificateAuthority.objects.get(pk=old.pk)
    newer.pk, newer.generation, newer.file_stem, newer.certificate_der = None, 2, "newer", b"\x30\x00"
    newer.save(force_insert=True)
    assert a.read(row).json()["chain"] == first


@pytest.mark.parametrize("form", [None, DER, PEM])
def test_what_has_not_changed_is_not_sent_again(api, a, form) -> None:
    row = issued(api.pki)
    accept = {"Accept": form} if form else {}
    tag = a.read(row, **accept).headers["ETag"]
    assert a.read(row, If_None_Match=tag, **accept).status_code == 304
    a.revoke(row)
    assert a.read(row, If_None_Match=tag, **accept).status_code == (200 if form is None else 304)


def test_what_was_never_issued_is_409_in_the_forms_of_certificates(api, a) -> None:
    answer = a.order()
    Certificate.objects.filter(client_ref="a").update(status="failed")
    for form in (DER, PEM):
        refused = a("GET", answer.headers["Location"], Accept=form)
        assert (refused.status_code, code(refused)) == (409, "certificate-never-issued")


def test_serials_that_are_none_or_nobodys_are_404(api, a, subtests: pytest.Subtests) -> None:
    """One client reads all of them, since a read changes nothing."""
    for serial in ("00", "0", "FF" * 20, "01", "zz", "01" * 21):
        with subtests.test(serial=serial):
            answer = a("GET", f"certificates/function/{serial}")
            assert (answer.status_code, bool(code(answer))) == (404, True)


def test_a_serial_may_be_written_in_lower_case(api, a) -> None:
    row = issued(api.pki)
    assert a("GET", f"certificates/function/{row.serial.lower()}").json() == a.read(row).json()


def test_other_forms_and_methods_are_refused(api, a) -> None:
    row = issued(api.pki)
    assert code(a.read(row, Accept="text/html")) == "not-acceptable"
    assert code(a("GET", "certificates", Accept=DER)) == "not-acceptable"
    assert code(a("GET", "certificates")) == "method-not-allowed"
    assert code(a("DELETE", f"certificates/function/{row.serial}")) == "method-not-allowed"
    wrong = a("POST", "revocations", key="k", body=b"<x/>", Content_Type="application/xml")
    assert (wrong.status_code, code(wrong)) == (415, "unsupported-media-type")
    assert a.read(row).headers["Cache-Control"] == "no-store"


POSTS = ("certificates", "certificates/search", "revocations")
NOT_STRICT = (
    b"{", b"\xff", b'{"issuer": NaN}', b'{"issuer":"a","issuer":"b"}', b'{"issuer":"\\ud800"}', b"[" * 60_000, b"", b"[]",
)  # fmt: skip


def test_json_is_read_strictly(api, a, subtests: pytest.Subtests) -> None:
    """One client sends all bodies, each with a key of idempotency of its own, since none of them is acted on."""
    for path, (number, body) in itertools.product(POSTS, enumerate(NOT_STRICT)):
        with subtests.test(path=path, number=number):
            answer = a("POST", path, key=f"k{number}{path}", body=body)
            assert answer.status_code in (400, 422)
            assert code(answer)


def test_a_body_that_is_too_large_is_refused(api, a, subtests: pytest.Subtests) -> None:
    """One client sends all bodies, since none of them is acted on."""
    for path in POSTS:
        with subtests.test(path=path):
            answer = a("POST", path, key="k", body=b" " * 65_537)
            assert (answer.status_code, code(answer)) == (413, "too-large")
            assert a("POST", path, key=f"k{path}", body=b" " * 65_536).status_code in (400, 422)


@pytest.mark.parametrize("status", [401, 403, 405, 413, 415, 429])
def test_a_refusal_reads_the_body_so_that_the_front_can_pass_it_on(api, settings, status: int) -> None:
    """nginx makes a 502 of a connection that closes while it is still sending."""
    from authn.models import ServiceClient

    client = api.service(f"r{status}", kind="supplier" if status == 403 else "service")
    if status == 401:
        ServiceClient.objects.update(active=False)
    if status == 429:
        settings.PKI_API_REVOCATIONS_PER_MINUTE = 0
    size = 60_000 if status in (405, 415) else 1_000_000
    type_ = {"Content_Type": "text/plain"} if status == 415 else {}
    answer = client("PUT" if status == 405 else "POST", "revocations", key="k", body=b" " * size, **type_)
    assert answer.status_code == status
    assert answer.wsgi_request.environ["wsgi.input"].read() == b""


LIMITS = {
    "PKI_API_ORDERS_PER_MINUTE": lambda service, row: service.order(issuer="nothing"),
    "PKI_API_REVOCATIONS_PER_MINUTE": lambda service, row: service.revoke(row, reason="x"),
    "PKI_API_READS_PER_MINUTE": lambda service, row: service.read(row),
    "PKI_API_SEARCHES_PER_MINUTE": lambda service, row: service.search(subject_ref="s"),
}


@pytest.mark.parametrize("setting", LIMITS)
def test_each_client_has_a_budget_of_each_operation(api, settings, setting: str) -> None:
    name = setting.lower().replace("_", "-")
    first, second = api.service(f"{name}-1", function="revoke read"), api.service(f"{name}-2", function="revoke read")
    row = issued(api.pki)
    setattr(settings, setting, 3)
    with clock.moved_to(clock.now() + 7 * MINUTE):
        answers = [LIMITS[setting](first, row) for _ in range(5)]
        assert [answer.status_code == 429 for answer in answers] == [False, False, False, True, True]
        assert code(answers[-1]) == "throttled"
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0", "r=0"]
        assert answers[0].headers["RateLimit-Policy"] == '"minute";q=3;w=60'
        assert LIMITS[setting](second, row).status_code != 429, "another client's is its own"
        others = [call(first, row).status_code for other, call in LIMITS.items() if other != setting]
        assert 429 not in others, "another operation's too"
    with clock.moved_to(clock.now() + 9 * MINUTE):
        assert LIMITS[setting](first, row).status_code != 429


def test_the_description_is_served_as_committed(api, a) -> None:
    answer = a("GET", "openapi.yaml")
    committed = Path(__file__).resolve().parents[3] / "pki" / "clients" / "api" / "v1" / "openapi.yaml"
    assert (answer.status_code, answer.content) == (200, committed.read_bytes())


def test_an_unforeseen_error_is_a_problem_without_its_text(api, a, monkeypatch, capsys) -> None:
    from pki.clients import operations

    def fail(**_: object) -> None:
        raise RuntimeError("18900101-9802")

    monkeypatch.setattr(operations, "order_certificate", fail)
    answer = a("POST", "certificates", key="k", body=order())
    assert (answer.status_code, code(answer)) == (500, "internal-error")
    assert "9802" not in without_chance(answer.content.decode() + "".join(capsys.readouterr()))
