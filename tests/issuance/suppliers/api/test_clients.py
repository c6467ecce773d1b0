"""Who gets in: mutual TLS through nginx, the register of clients, forged headers (S27-S29)."""

from urllib.parse import quote

import pytest
import requests

from siths_portal.dev.nginx import CERTIFICATE_HEADER
from siths_portal.dev.probes import UnixConnection
from siths_portal.lib.rest import problem
from tests.tls import DAY, SmallCa

pytestmark = pytest.mark.django_db(transaction=True)
ORDERS = "orders?status=queued"


def code(response: requests.Response) -> str:
    assert response.headers["Content-Type"] == problem.MEDIA_TYPE
    body = response.json()
    assert body["status"] == response.status_code
    assert body["type"] == f"urn:siths-portal:problem:{body['code']}"
    assert body["detail"]
    return body["code"]


def test_a_registered_supplier_gets_in(a) -> None:
    response = a("GET", ORDERS)
    assert response.status_code == 200
    assert response.json() == {"orders": [], "next_cursor": None}
    assert response.headers["Cache-Control"] == "no-store"


def test_no_certificate_or_one_of_a_foreign_authority_is_refused_by_the_front(stage) -> None:
    for name in (None, "foreign"):
        response = stage.client(name)("GET", ORDERS)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"]
        assert code(response) == "client-certificate-required"


def test_an_unregistered_certificate_is_401(stage) -> None:
    response = stage.client("stranger")("GET", ORDERS)
    assert response.status_code == 401
    assert code(response) == "authentication-failed"
    assert response.headers["WWW-Authenticate"]


def test_a_service_that_is_no_supplier_is_403(stage) -> None:
    response = stage.client("s")("GET", ORDERS)
    assert response.status_code == 403
    assert code(response) == "permission-denied"


@pytest.mark.parametrize("name", [CERTIFICATE_HEADER, CERTIFICATE_HEADER.lower(), CERTIFICATE_HEADER.replace("-", "_")])
def test_a_forged_certificate_header_is_stripped(stage, name: str) -> None:
    forged = quote(stage.identities["a"].pem.decode())
    for client in ("stranger", None):
        response = stage.client(client)("GET", ORDERS, headers={name: forged})
        assert response.status_code == 401


def test_a_revoked_or_dropped_certificate_is_refused_in_the_next_request(stage, a) -> None:
    assert a("GET", ORDERS).status_code == 200
    entry = stage.entry("a", "a")
    entry["certificates"][0]["revoked"] = True
    stage.register(entry)
    assert a("GET", ORDERS).status_code == 401
    stage.register(stage.entry("a", "a"))
    assert a("GET", ORDERS).status_code == 200
    stage.register(stage.entry("b", "b"))
    assert a("GET", ORDERS).status_code == 401


def test_an_expired_certificate_is_refused(stage) -> None:
    from siths_portal.lib import clock

    stage.give("old", stage.clients_ca.issue("old", not_after=clock.now() - DAY / 2))
    stage.register(stage.entry("a", "a", "old"))
    response = stage.client("old")("GET", ORDERS)
    assert response.status_code == 401  # the front looks at the time first
    assert code(response) == "client-certificate-required"


def ask_socket(stage, headers: dict[str, str]) -> tuple[int, bytes]:
    connection = UnixConnection(str(stage.house.api_socket), timeout=60)
    connection.request("GET", f"/api/supplier/v1/{ORDERS}", headers=headers)
    response = connection.getresponse()
    return response.status, response.read()


@pytest.mark.parametrize("value", ["", "x", "%00", "-----BEGIN CERTIFICATE-----", "a" * 30_000])
def test_nonsense_in_the_header_is_401(stage, value: str) -> None:
    assert ask_socket(stage, {CERTIFICATE_HEADER: value})[0] in (401, 431)


def test_a_face_without_the_setting_hears_no_certificate(stage, client, settings) -> None:
    settings.ROOT_URLCONF = "siths_portal.wiring.urls_api"
    settings.MTLS_CERTIFICATE_HEADER = ""
    header = {CERTIFICATE_HEADER: quote(stage.identities["a"].pem.decode())}
    assert client.get(f"/api/supplier/v1/{ORDERS}", headers=header).status_code == 401
    settings.MTLS_CERTIFICATE_HEADER = CERTIFICATE_HEADER
    assert client.get(f"/api/supplier/v1/{ORDERS}", headers=header).status_code == 200


def test_a_certificate_of_the_same_name_from_another_authority_is_401(stage) -> None:
    stage.give("twin", stage.clients_ca.issue("a"))
    assert stage.client("twin")("GET", ORDERS).status_code == 401
    forged = SmallCa("DEMO client CA").issue("a")
    status, _ = ask_socket(stage, {CERTIFICATE_HEADER: quote(forged.pem.decode())})
    assert status == 401


def test_the_log_names_no_client_and_no_certificate(stage, a) -> None:
    a("GET", ORDERS)
    stage.client("stranger")("GET", ORDERS)
    log = stage.log("api")
    assert '"reason": "unknown"' in log
    assert "BEGIN" not in log
    assert "Leverant" not in log
