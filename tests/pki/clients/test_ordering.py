"""Ordering: proof of possession, one certificate a key of idempotency whatever happens, and what is not certified."""

import datetime as dt
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from authn.models import IdempotencyRecord
from pki.models import CaState, Certificate, CertificateAuthority, ClientOrder, Event
from siths_portal.lib import clock
from tests.issuance.suppliers.api.cards import forged_csr
from tests.pki.clients.service import SUBJECT, code, csr, names, new_key, order, signed_order, spki

pytestmark = pytest.mark.django_db(transaction=True)
DAY = dt.timedelta(days=1)


def test_a_request_becomes_a_certificate_of_the_function_ca(signer, a) -> None:
    key = new_key()
    answer = a.order("k", csr=csr(key), carrier_ref="server:1")
    assert answer.status_code == 201, answer.content
    body = answer.json()
    certificate = x509.load_pem_x509_certificate(body["certificate"].encode())
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=api.demo.example.com,O=Demoregionen,C=SE"
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternative.get_values_for_type(x509.DNSName) == ["api.demo.example.com", "api2.demo.example.com"]
    issuer, root = x509.load_pem_x509_certificates(body["chain"].encode())
    certificate.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(root)
    assert (body["issuer"], body["profile"], body["status"]) == ("function", "function", "issued")
    assert (body["subject_ref"], body["carrier_ref"], body["revocation"]) == ("function:1", "server:1", None)
    assert certificate.serial_number == int(body["serial"], 16)
    assert answer.headers["Location"] == f"/api/pki/v1/certificates/function/{body['serial']}"
    read = a("GET", answer.headers["Location"])
    assert (read.status_code, read.json()) == (200, body)
    row = Certificate.objects.get(client_ref="a")
    assert Event.objects.get(action="certificate.reserved", subject_ref=str(row.pk)).actor_ref == "client:a"


@pytest.mark.parametrize("kind", ["rsa-2048", "ec-p256", "ec-p384"])
def test_a_key_without_a_request_is_certified_when_it_signs_the_order(signer, a, kind: str) -> None:
    key = new_key(kind)
    answer = a("POST", "certificates", key="k!~1", body=signed_order(key, "k!~1"))
    assert answer.status_code == 201, answer.content
    assert x509.load_pem_x509_certificate(answer.json()["certificate"].encode()).public_key() == key.public_key()


KEY, OTHER = new_key(), new_key()
LAWFUL = signed_order(KEY, "k", subject=SUBJECT | {"organizationName": 'Västra Å ✓ "regionen"'})


WITHOUT_PROOF = [
    (LAWFUL | {"subject": SUBJECT | {"commonName": "other.example.com"}}, "key-proof-of-possession", "proof"),
    (LAWFUL | {"subject_ref": "function:2"}, "key-proof-of-possession", "proof"),
    (LAWFUL | {"not_after": "2026-12-31T00:00:00Z"}, "key-proof-of-possession", "proof"),
    (LAWFUL | {"public_key": spki(OTHER)}, "key-proof-of-possession", "proof"),
    (signed_order(KEY, "k2"), "key-proof-of-possession", "proof"),
    (LAWFUL | {"proof": "AAAA"}, "key-proof-of-possession", "proof"),
    (LAWFUL | {"proof": "not base64"}, "invalid", "proof"),
    ({name: value for name, value in LAWFUL.items() if name != "proof"}, "invalid", "proof"),
    (LAWFUL | {"csr": csr()}, "invalid", "csr"),
    (order(csr=None), "invalid", "csr"),
    (LAWFUL | {"public_key": "x"}, "invalid", "public_key"),
]


def test_without_a_proof_of_this_very_order_nothing_is_certified(api, a, subtests: pytest.Subtests) -> None:
    """One client sends all orders with one key of idempotency, since a refusal may not keep the key from the next order."""
    for number, (body, wrong, field) in enumerate(WITHOUT_PROOF):
        with subtests.test(number=number):
            answer = a("POST", "certificates", key="k", body=body)
            assert (answer.status_code, code(answer)) == (422, wrong)
            assert field in names(answer)
            assert not Certificate.objects.filter(client_ref="a").exists()
    lawful = a("POST", "certificates", key="k", body=LAWFUL)
    assert lawful.status_code == 202, lawful.content


def test_the_same_key_of_idempotency_makes_one_certificate(signer, a) -> None:
    body = order()
    first = a("POST", "certificates", key="k", body=body)
    again = a("POST", "certificates", key="k", body=body)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    other = a("POST", "certificates", key="k", body=order())
    assert (other.status_code, code(other)) == (422, "idempotency-key-reused")
    missing = a("POST", "certificates", body=body)
    assert (missing.status_code, code(missing)) == (400, "idempotency-key-missing")
    assert Certificate.objects.filter(client_ref="a").count() == 1


def test_a_certificate_is_not_kept_with_the_answer_and_a_repeat_tells_what_holds_now(signer, a) -> None:
    body = order()
    a("POST", "certificates", key="k", body=body)
    assert IdempotencyRecord.objects.get().body == ""
    row = Certificate.objects.select_related("ca").get(client_ref="a")
    assert a.revoke(row, reason="keyCompromise").status_code == 200
    again = a("POST", "certificates", key="k", body=body)
    assert (again.status_code, code(again)) == (409, "certificate-revoked")


def test_eight_requests_at_once_with_one_key_make_one_certificate(signer, a) -> None:
    from django.db import connection

    body, answers, start = order(), [], threading.Barrier(8)

    def work() -> None:
        start.wait()
        answers.append(a("POST", "certificates", key="k", body=body))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = {answer.content for answer in answers if answer.status_code == 201}
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(made) == 1
    assert {(answer.status_code, code(answer)) for answer in refused} <= {(409, "request-in-progress")}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert Certificate.objects.filter(client_ref="a").count() == 1
    assert a("POST", "certificates", key="k", body=body).content in made


@pytest.mark.parametrize("kept", [0, 1])
def test_an_order_whose_answer_was_lost_is_found_again(api, a, kept: int) -> None:
    """As after a death between the commit and the answer, when nothing but the order itself is left (rules/pki 3.4)."""
    body = order()
    first = a("POST", "certificates", key="k", body=body)
    assert first.status_code == 202
    IdempotencyRecord.objects.update(status=None, body="") if kept else IdempotencyRecord.objects.all().delete()
    again = a("POST", "certificates", key="k", body=body)
    assert (again.status_code, again.content) == (202, first.content)
    assert Certificate.objects.filter(client_ref="a").count() == ClientOrder.objects.count() == 1
    IdempotencyRecord.objects.all().delete()
    other = a("POST", "certificates", key="k", body=order())
    assert (other.status_code, code(other)) == (422, "idempotency-key-reused")


def test_two_attempts_that_meet_in_the_database_make_one_certificate(api, a, monkeypatch) -> None:
    """The unique key decides, should the lock of the key have been lost meanwhile."""
    from pki.clients import operations

    body = order()
    first = a("POST", "certificates", key="k", body=body)
    found, looks = operations._ordered, iter([None])
    monkeypatch.setattr(operations, "_ordered", lambda *given: next(looks, "asked") and found(*given))
    IdempotencyRecord.objects.all().delete()
    again = a("POST", "certificates", key="k", body=body)
    assert (again.status_code, again.content) == (202, first.content)
    assert Certificate.objects.filter(client_ref="a").count() == 1
    assert Event.objects.filter(action="certificate.reserved", actor_ref="client:a").count() == 1


def test_the_answer_is_202_while_nobody_signs_and_the_certificate_comes_later(api, a) -> None:
    body = order()
    answer = a("POST", "certificates", key="k", body=body)
    row = Certificate.objects.select_related("ca").get(client_ref="a")
    assert (answer.status_code, answer.json()) == (202, {"status": "pending", "issuer": "function", "serial": row.serial})
    location = answer.headers["Location"]
    waiting = a("GET", location)
    assert (waiting.status_code, waiting.json()) == (202, answer.json())
    assert (answer.headers["Retry-After"], waiting.headers["Retry-After"]) == ("1", "1")
    api.pki.settle()
    assert (a("GET", location).status_code, a("GET", location).json()["status"]) == (200, "issued")
    assert a("POST", "certificates", key="k", body=body).status_code == 202, "the same key has the same answer"


def test_a_certificate_that_could_not_be_made_says_so(api, a) -> None:
    body = order()
    answer = a("POST", "certificates", key="k", body=body)
    Certificate.objects.filter(client_ref="a").update(status="failed")
    read = a("GET", answer.headers["Location"]).json()
    assert (read["status"], read["certificate"], read["der"], read["chain"]) == ("failed", None, None, None)
    IdempotencyRecord.objects.all().delete()
    again = a("POST", "certificates", key="k", body=body)
    assert (again.status_code, code(again)) == (409, "certificate-failed")


NOT_CERTIFIED = [
    ({"subject": SUBJECT | {"commonName": "x" * 65}}, "commonName"),
    ({"subject": SUBJECT | {"surname": "Ek"}}, "surname"),
    ({"subject": SUBJECT | {"nickname": "x"}}, "subject.nickname"),
    ({"subject": {"countryName": "SE"}}, "commonName"),
    ({"subject": "CN=x"}, "subject"),
    ({"subject_alternative": {}}, "subject_alternative"),
    ({"subject_alternative": {"dNSName": ["a,b"]}}, "subject_alternative.dNSName.0"),
    ({"subject_alternative": {"dNSName": "a"}}, "subject_alternative.dNSName"),
    ({"subject_alternative": {"dNSName": ["-x"]}}, "dNSName"),
    ({"card_number": "9752269999000000017"}, "card_number"),
    ({"card_number": 9752269999000000017}, "card_number"),
    ({"not_after": "2999-01-01T00:00:00Z"}, "not_after"),
    ({"not_after": "2020-01-01T00:00:00Z"}, "not_after"),
    ({"not_after": "2027-01-01T00:00:00"}, "not_after"),
    ({"not_after": "2027-01-01"}, "not_after"),
    ({"not_after": "0001-01-01T00:00:00+14:00"}, "not_after"),
    ({"csr": csr(ec.generate_private_key(ec.SECP521R1()))}, "csr"),
    ({"csr": csr()[:-100]}, "csr"),
    ({"csr": forged_csr(new_key(), new_key())}, "csr"),
    ({"subject_ref": None}, "subject_ref"),
    ({"subject_ref": "ocsp:1"}, "subject_ref"),
    ({"subject_ref": "ca:function:1"}, "subject_ref"),
    ({"subject_ref": "a\n"}, "subject_ref"),
    ({"serial": "01"}, "serial"),
    ({"issuer": "Function"}, "issuer"),
]


def test_what_is_not_certified_is_422_and_names_the_field(api, a, subtests: pytest.Subtests) -> None:
    """One client sends all orders, since none of them may leave anything."""
    for number, (changes, field) in enumerate(NOT_CERTIFIED):
        with subtests.test(number=number):
            answer = a.order(**changes)
            assert answer.status_code == 422, answer.content
            assert field in names(answer)
            assert not Certificate.objects.filter(client_ref="a").exists()


def test_a_key_of_another_subject_or_that_was_compromised_is_409(signer, a) -> None:
    key = new_key()
    assert a.order(csr=csr(key)).status_code == 201
    other = a.order(csr=csr(key), subject_ref="function:2")
    assert (other.status_code, code(other)) == (409, "key-in-use")
    assert a.order(csr=csr(key)).status_code == 201, "its subject may have it certified again"
    for row in Certificate.objects.filter(client_ref="a").select_related("ca"):
        assert a.revoke(row, reason="keyCompromise").status_code == 200
    compromised = a.order(csr=csr(key))
    assert (compromised.status_code, code(compromised)) == (409, "key-compromised")


def test_a_ca_that_does_not_issue_is_409(api, a) -> None:
    CertificateAuthority.objects.filter(slug="function").update(state=CaState.RETIRED)
    answer = a.order()
    assert (answer.status_code, code(answer)) == (409, "ca-not-active")


def test_the_end_is_as_asked_or_the_latest_there_is(api, a) -> None:
    wanted = (clock.now() + 30 * DAY).replace(microsecond=0)
    assert a.order(not_after=wanted.isoformat()).status_code == 202
    assert Certificate.objects.filter(client_ref="a").latest("created_at").not_after == wanted
    assert a.order().status_code == 202
    latest = Certificate.objects.filter(client_ref="a").latest("created_at").not_after
    assert dt.timedelta(0) <= clock.now() + 398 * DAY - latest < dt.timedelta(minutes=10)
