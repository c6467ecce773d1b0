"""The operators' pages of CAs and keys over HTTP: what stands on them, what they cost, and that files are the certificates."""

import datetime as dt
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pki.models import CaState, CertificateAuthority, Crl, HsmKey, OcspSigner
from pki.operators import authorities
from pki.operators.authorities import authority_record
from pki.operators.keys import destroyed_keys
from siths_portal.lib import clock
from siths_portal.lib.lists import Order
from tests.issuance.operators.operators import client_of, operator
from tests.issuance.person_page.test_pages import text_of
from tests.pki.orders import card, plan

pytestmark = pytest.mark.usefixtures("demo_pki")
CA = ("person-hsaid-3", 1)


def test_the_list_shows_each_ca_with_its_state_list_and_responder(world: Any) -> None:
    text = text_of(client_of(operator(world)).get(reverse("pki_authorities")))
    for ca in CertificateAuthority.objects.all():
        assert ca.common_name in text
    for expected in ("Frånkopplad", "Utfärdar", "Bara status", "nr 1", "29 dagar kvar"):
        assert expected in text, expected
    assert "Försenad" not in text
    assert text.index("Root CA") < text.index("Function CA")


def test_what_is_late_or_ends_soon_is_marked(world: Any) -> None:
    ca = CertificateAuthority.objects.get(slug=CA[0])
    later = clock.now() + dt.timedelta(days=25)
    with clock.moved_to(later):
        text = text_of(client_of(operator(world)).get(reverse("pki_authorities")))
    assert text.count("Försenad") == CertificateAuthority.objects.exclude(state=CaState.OFFLINE).count()
    assert "4 dagar kvar" in text or "5 dagar kvar" in text
    assert ca.common_name in text


def test_one_ca_with_everything(world: Any) -> None:
    plan(*card())
    ca = CertificateAuthority.objects.get(slug=CA[0])
    newest = Crl.objects.filter(ca=ca).latest("number")
    signer = OcspSigner.objects.get(ca=ca)
    page = client_of(operator(world)).get(reverse("pki_authority", args=CA))
    text = text_of(page)
    for expected in (
        ca.common_name, "Utfärdar certifikat och publicerar spärrlistor", "Root CA", ca.key_id, newest.sha256, signer.key_id,
        f"/crl/{ca.file_stem}.crl", f"/aia/{ca.file_stem}.cer", ca.name_sha256, ca.key_sha1, ca.ski, ca.spki_sha256,
        "48 bitar tid och 72 bitar slump", "Utfärdas nu 2", ca.definition_sha256,
    ):  # fmt: skip
        assert expected in text, expected
    assert reverse("pki_authority", args=("root", 1)) in page.content.decode()
    root = text_of(client_of(operator(world)).get(reverse("pki_authority", args=("root", 1))))
    assert f"Har utfärdat {ca.common_name}" in root
    assert "sig själv (rot)" in root


def test_the_files_are_the_cas_certificate(world: Any) -> None:
    client, der = client_of(operator(world)), bytes(CertificateAuthority.objects.get(slug=CA[0]).certificate_der)
    saved = client.get(reverse("pki_authority_der", args=CA))
    assert (saved.content, saved["Content-Type"]) == (der, "application/pkix-cert")
    assert saved["Content-Disposition"] == 'attachment; filename="person-hsaid-3-1.cer"'
    pem = client.get(reverse("pki_authority_pem", args=CA)).content
    assert x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER) == der


def test_a_planned_ca_is_shown_and_has_no_file(world: Any) -> None:
    CertificateAuthority.objects.create(
        slug="person-hsaid-3", generation=2, common_name="DEMO SITHS e-id Person HSA-id 3 CA v2", definition_sha256="0" * 64,
        file_stem="v2", crl_period=dt.timedelta(hours=1), crl_validity=dt.timedelta(hours=48), created_at=clock.now(),
    )  # fmt: skip
    client = client_of(operator(world))
    text = text_of(client.get(reverse("pki_authority", args=("person-hsaid-3", 2))))
    assert "Planerad" in text
    assert "ingen har publicerats" in text
    assert "Generation 1: DEMO SITHS e-id Person HSA-id 3 CA v1" in text
    assert client.get(reverse("pki_authority_pem", args=("person-hsaid-3", 2))).status_code == 404
    assert client.get(reverse("pki_authority", args=("person-hsaid-3", 3))).status_code == 404


def test_many_certificates_are_estimated_and_few_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    plan(*card())
    exact = {each.status: each for each in authority_record(*CA).counts}
    assert (exact["reserved"].number, exact["reserved"].estimated) == (2, False)
    monkeypatch.setattr(authorities, "COUNTED", 1)
    with CaptureQueriesContext(connection) as queries:
        counts = authority_record(*CA).counts
    assert all(each.estimated for each in counts)
    assert len([query for query in queries if query["sql"].startswith("EXPLAIN")]) == len(counts)
    assert not [query for query in queries if "COUNT(*)" in query["sql"]]


def test_the_keys_with_their_use_and_those_that_were_destroyed(world: Any) -> None:
    ca, signer = CertificateAuthority.objects.get(slug=CA[0]), OcspSigner.objects.get(ca__slug=CA[0])
    HsmKey.objects.filter(pk=signer.key_id).update(retired_at=clock.now())
    unchecked = HsmKey.objects.filter(retired_at=None).first()
    HsmKey.objects.filter(pk=unchecked.pk).update(finding="")
    text = text_of(client_of(operator(world)).get(reverse("pki_keys")))
    in_use, destroyed = text.split("Förstörda")
    for key in HsmKey.objects.filter(retired_at=None):
        assert key.label in in_use
        assert key.key_id in in_use
    assert ca.common_name in in_use
    for expected in ("Utfärdares nyckel", "Försegling av koder", "SENSITIVE", "Inte kontrollerad än"):
        assert expected in in_use, expected
    assert signer.key_id in destroyed
    assert signer.key_id not in in_use


def test_destroyed_keys_go_on_page_by_page(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from issuance.operators.web.lists import DestroyedKeyList

    monkeypatch.setattr(DestroyedKeyList, "page_size", 3)
    ids = set(HsmKey.objects.filter(purpose="ocsp").values_list("key_id", flat=True))
    HsmKey.objects.filter(key_id__in=ids).update(retired_at=clock.now())
    client, seen, address = client_of(operator(world)), [], reverse("pki_keys")
    first = client.get(address)
    while address:
        answer = client.get(address)
        seen += [each["key"].key_id for each in answer.context["destroyed"]]
        address = answer.context["next_url"]
    assert len(seen) == len(ids)
    assert set(seen) == ids
    assert {key.key_id for key in destroyed_keys().every(Order(""), ("created_at",))} == ids
    second = client.get(first.context["next_url"])
    assert "I bruk" not in text_of(second)
    assert "Från början" in text_of(second)


@pytest.mark.parametrize(
    ("name", "arguments", "most"), [("pki_authorities", (), 13), ("pki_authority", CA, 14), ("pki_keys", (), 10)]
)
def test_a_page_costs_the_same_however_much_there_is(world: Any, name: str, arguments: tuple[Any, ...], most: int) -> None:
    client, address = client_of(operator(world)), reverse(name, args=arguments)
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    for _ in range(3):
        plan(*card())
    with CaptureQueriesContext(connection) as many:
        client.get(address)
    assert len(few) == len(many) <= most
