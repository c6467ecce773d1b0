"""The PKI API over the real wire: granian on a socket, nginx with mutual TLS, a pki worker that signs; and who is refused."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from siths_portal.lib import clock
from tests.faults.tally import Tally
from tests.issuance.suppliers.api.stage import wait_for
from tests.pki.clients.service import code, csr, new_key, order, signed_order
from tests.tls import DAY

pytestmark = pytest.mark.django_db(transaction=True)
SEARCH = {"json": {"subject_ref": "function:1"}}


@pytest.fixture
def api_environment(request) -> dict[str, str]:
    """No waiting for certificates where the face dies and nobody signs; for one that is signed, what a busy machine takes."""
    return {"CERTIFICATE_WAIT_SECONDS": "0" if "point" in request.fixturenames else "30"}


def test_a_certificate_is_ordered_read_and_revoked(stage, worker) -> None:
    from pki import service as pki
    from pki.models import Certificate

    a, key = stage.client("a", "pki"), new_key()
    made = a("POST", "certificates", key="k", json=order(csr=csr(key)))
    assert made.status_code == 201, made.text
    body = made.json()
    leaf = x509.load_pem_x509_certificate(body["certificate"].encode())
    leaf.verify_directly_issued_by(x509.load_pem_x509_certificates(body["chain"].encode())[0])
    assert leaf.public_key() == key.public_key()
    path = made.headers["Location"].removeprefix("/api/pki/v1/")
    assert a("GET", path).json() == body
    der = a("GET", path, headers={"Accept": "application/pkix-cert"})
    assert x509.load_der_x509_certificate(der.content) == leaf
    assert [each["serial"] for each in a("POST", "certificates/search", **SEARCH).json()["certificates"]] == [body["serial"]]
    assert stage.client("b", "pki")("GET", path).status_code == 404
    (row,) = Certificate.objects.filter(client_ref="a").values_list("pk", flat=True)
    revocation = {"issuer": "function", "serial": body["serial"], "reason": "keyCompromise"}
    revoked = a("POST", "revocations", key="r", json=revocation)
    assert revoked.status_code == 200, revoked.text
    assert a("GET", path).json()["status"] == "revoked"
    wait_for("the revoked answer", lambda: all(each.ocsp_since for each in pki.publication([row])), seconds=150)


def test_a_key_that_signs_its_order_is_certified(stage, worker) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    made = stage.client("a", "pki")("POST", "certificates", key="k2", json=signed_order(key, "k2"))
    assert made.status_code == 201, made.text
    assert x509.load_pem_x509_certificate(made.json()["certificate"].encode()).public_key() == key.public_key()


def test_a_service_gets_certificates_for_its_own_names_and_revokes_its_own_alone(stage, worker) -> None:
    """A service with the rights to order and to revoke, over the network."""
    from authn.models import ServiceClient
    from pki.clients.permissions import grant_client
    from pki.models import Certificate

    names, rights = ["b.demo.example.com"], ["issue", "revoke", "read"]
    grant_client(client_ref="b", ca="function", profile="function", rights=rights, names=names, actor_ref="system:test")
    registered = {"countryName": ["SE"], "organizationName": ["Demoregionen"]}
    ServiceClient.objects.filter(client_ref="b").update(certificate_subject=registered)
    b, subject = stage.client("b", "pki"), {"countryName": "SE", "organizationName": "Demoregionen", "commonName": names[0]}
    for wrong in ("localhost", "api.demo.example.com"):
        refused = b("POST", "certificates", key=wrong, json=order(subject=subject, subject_alternative={"dNSName": [wrong]}))
        assert (refused.status_code, code(refused)) == (403, "client-may-not-use-name")
    assert not Certificate.objects.filter(client_ref="b").exists()
    made = stage.client("a", "pki")("POST", "certificates", key="a", json=order()).json()
    of_another = {"issuer": "function", "serial": made["serial"], "reason": "keyCompromise"}
    refused = b("POST", "revocations", key="r", json=of_another)
    assert (refused.status_code, code(refused)) == (403, "client-may-not-revoke")
    own = b("POST", "certificates", key="own", json=order(subject=subject, subject_alternative={"dNSName": names})).json()
    assert b("POST", "revocations", key="s", json=of_another | {"serial": own["serial"]}).status_code == 200
    assert stage.client("a", "pki")("GET", f"certificates/function/{made['serial']}").json()["status"] == "issued"


@pytest.mark.soak
@pytest.mark.parametrize("point", ["api.after-receipt", "pki.plan.before-commit", "pki.client.after-commit", "api.after-commit"])
def test_a_face_that_is_killed_while_it_orders_is_followed_by_one_certificate(
    stage, api_environment, point: str, tally: Tally
) -> None:
    from pki.models import Certificate, ClientOrder

    (stage.faults / point).touch()
    a, body = stage.client("a", "pki"), order()
    killed = a("POST", "certificates", key="k", json=body)
    assert (killed.status_code, code(killed)) == (502, "unavailable")
    assert not list(stage.faults.iterdir()), "the point was met"
    stage.start_api(**api_environment)
    again = a("POST", "certificates", key="k", json=body)
    assert again.status_code == 202, again.text
    assert Certificate.objects.filter(client_ref="a").count() == ClientOrder.objects.count() == 1
    found = Certificate.objects.filter(client_ref="a").values_list("client_ref", flat=True)
    tally.run(["a"], found, "certificates")


def test_certificates_that_prove_nobody_are_refused(stage) -> None:
    for name in (None, "foreign"):
        answer = stage.client(name, "pki")("POST", "certificates/search", **SEARCH)
        assert (answer.status_code, code(answer)) == (401, "client-certificate-required"), "by the front"
    unknown = stage.client("stranger", "pki")("POST", "certificates/search", **SEARCH)
    assert (unknown.status_code, code(unknown)) == (401, "authentication-failed")
    stage.give("old", stage.clients_ca.issue("old", not_after=clock.now() - DAY / 2))
    stage.register(stage.entry("a", "a", "old", kind="service"))
    old = stage.client("old", "pki")("POST", "certificates/search", **SEARCH)
    assert (old.status_code, code(old)) == (401, "client-certificate-required"), "the front looks at the time first"
    entry = stage.entry("a", "a", kind="service")
    assert stage.client("a", "pki")("POST", "certificates/search", **SEARCH).status_code == 200
    entry["certificates"][0]["revoked"] = True
    stage.register(entry)
    assert stage.client("a", "pki")("POST", "certificates/search", **SEARCH).status_code == 401, "at once"


def test_a_certificate_that_the_function_ca_revoked_opens_nothing(stage, worker) -> None:
    """A service may live on a certificate of ours, and end its own."""
    from urllib.parse import quote

    from pki.clients.permissions import grant_client
    from siths_portal.dev.nginx import CERTIFICATE_HEADER
    from siths_portal.dev.probes import UnixConnection

    made = stage.client("a", "pki")("POST", "certificates", key="k3", json=order()).json()
    (stage.folder / "own.pem").write_text(made["certificate"])
    stage.register(stage.entry("a", "a", kind="service"), stage.entry("own", "own", kind="service"))
    grant_client(client_ref="own", ca="function", profile="function", rights=["read"], actor_ref="system:test")

    def status() -> int:
        connection = UnixConnection(str(stage.house.api_socket))
        path = f"/api/pki/v1/certificates/function/{made['serial']}"
        connection.request("GET", path, headers={CERTIFICATE_HEADER: quote(made["certificate"])})
        return connection.getresponse().status

    assert status() == 200
    revocation = {"issuer": "function", "serial": made["serial"], "reason": "cessationOfOperation"}
    assert stage.client("a", "pki")("POST", "revocations", key="r3", json=revocation).status_code == 200
    assert status() == 401


def test_a_supplier_is_no_service(stage) -> None:
    stage.register(stage.entry("b", "b"))
    answer = stage.client("b", "pki")("POST", "certificates/search", **SEARCH)
    assert (answer.status_code, code(answer)) == (403, "permission-denied")


def test_a_body_that_is_too_large_is_a_problem_by_the_face_or_the_front(stage) -> None:
    for size in (65_537, 1_900_000, 3_000_000):
        answer = stage.client("a", "pki")("POST", "revocations", key="k", data=b" " * size)
        assert (answer.status_code, code(answer)) == (413, "too-large")
