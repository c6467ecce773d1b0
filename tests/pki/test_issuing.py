"""Planning, signing and settling, on a real token and database."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import transaction

from pki import issuing, service
from pki.models import Certificate, CertificateStatus, Event
from siths_portal.lib import clock

pytestmark = pytest.mark.django_db(transaction=True)


def request(key=None) -> bytes:
    key = key or rsa.generate_private_key(65537, 2048)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def person_order(profile="person-hsaid-auth", **changes) -> service.CertificateOrder:
    values = {
        "ca": "person-hsaid-3",
        "profile": profile,
        "subject": {
            "countryName": "SE", "organizationName": "Demoregionen", "commonName": "Åsa Östberg", "surname": "Östberg",
            "givenName": "Åsa", "serialNumber": "SE2321000016-1003", "title": "Läkare",
        },
        "subject_alternative": {"rfc822Name": "asa.ostberg@demo.example"},
        "csr_der": request(),
        "subject_ref": "person:1",
        "carrier_ref": "carrier:1",
        "card_number": "9752269999000000017",
        "not_after": clock.now() + dt.timedelta(days=700),
    }  # fmt: skip
    return service.CertificateOrder(**values | changes)


def plan(*orders) -> list:
    with transaction.atomic():
        return service.plan_certificates(orders, actor_ref="client:test", unit_ref="organisation:1")


def test_a_planned_certificate_is_issued(world):
    key = rsa.generate_private_key(65537, 2048)
    (id_,) = plan(person_order(csr_der=request(key)))
    assert service.certificates([id_])[0].status == CertificateStatus.RESERVED
    assert issuing.sign_reserved([id_]) == 1
    (view,) = service.wait_until_settled([id_], seconds=1)
    certificate = x509.load_der_x509_certificate(view.der)
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(service.chain("person-hsaid-3")[0]))
    assert certificate.public_key() == key.public_key()
    assert f"{certificate.serial_number:030X}" == view.serial
    row = Certificate.objects.get(id=id_)
    assert bytes(row.tbs_der) == certificate.tbs_certificate_bytes
    assert (row.status, row.ocsp_responses.count()) == ("issued", 2)
    assert [e.action for e in Event.objects.filter(subject_ref=str(id_)).order_by("id")] == [
        "certificate.reserved",
        "certificate.issued",
    ]
