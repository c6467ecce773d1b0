"""Every operation of the APIs and every address of the other faces, asked by machines of each kind and by people of each role.

A person's session opens no API, a client's certificate no page; another supplier's order is an unknown one (S08, S09, S29).
"""

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.test import override_settings

from authn.models import ClientCertificate, ServiceClient
from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder
from issuance.orders.services.letters import Letter, order_letter
from issuance.people.models.photos import Photo
from issuance.suppliers.api.v1 import description
from issuance.suppliers.services import card_certificates, supplier_intake
from pki.domain.client_names import ANY_NAME
from pki.domain.names import OIDS
from siths_portal.lib import clock
from tests.access.asking import Browser, content, statements
from tests.access.faces import face, settings_of
from tests.access.walker import Answer, addresses, steady
from tests.access.world import CALLERS, SUPPLIER, AccessWorld, Who, undone
from tests.issuance import authorities
from tests.openapi_files import description_in
from tests.tls import Identity, SmallCa

HEADER = "X-Client-Certificate"
MACHINES = {SUPPLIER: "supplier", "other": "supplier", "service": "service", "stranger": ""}
CUSTOMISATION = "7837803902"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture(scope="module")
def machines(access: AccessWorld) -> dict[str, Identity]:
    """A certificate for each; the stranger's is registered for nobody."""
    ca = SmallCa()
    identities = {name: ca.issue(name) for name in MACHINES}
    for name, kind in MACHINES.items():
        if kind:
            subject = {attribute: [ANY_NAME] for attribute in OIDS} if kind == "service" else {}
            client = ServiceClient.objects.create(client_ref=name, kind=kind, name=name, certificate_subject=subject)
            thumbprint = identities[name].certificate.fingerprint(_SHA256).hex()
            ClientCertificate.objects.create(client=client, thumbprint=thumbprint)
    return identities


_SHA256 = x509.base.hashes.SHA256()

# --- the supplier API -----------------------------------------------------------------------------------------------------

Made = Callable[[AccessWorld], str]


def queued(access: AccessWorld) -> str:
    """An order of the supplier's that it has not accepted."""
    return str(access.things["inside"].queued)


def accepted(access: AccessWorld) -> str:
    """An order of the supplier's, with a photo."""
    pk = access.things["inside"].queued
    supplier_intake.accept(client_ref=SUPPLIER, order_id=pk)
    CardOrder.objects.filter(pk=pk).update(photo=Photo.objects.first())
    return str(pk)


def certified(access: AccessWorld) -> str:
    """An order of the supplier's whose card has its certificates."""
    return str(CardOrder.objects.get(items__carrier=access.things["inside"].sent).pk)


def in_production(access: AccessWorld) -> str:
    """An order of the supplier's whose card is bound and not sent."""
    order = accepted(access)
    made = authorities.card(991)
    card_certificates.request_certificates(
        client_ref=SUPPLIER, order_id=uuid.UUID(order), card_serial=made.serial, card_key_spki=made.key, csrs=made.csrs
    )
    return order


def letter(access: AccessWorld) -> str:
    """A PUK letter of the supplier's, accepted."""
    ServiceClient.objects.filter(client_ref=SUPPLIER).update(letter_certificate="0" * 64)
    card = Carrier.objects.get(pk=access.things["inside"].active)
    office = CardOrder.objects.get(items__carrier=card).office_id
    clerk = Who(Role.ID_ADMINISTRATOR)
    order = order_letter(actor=access.actors[clerk], letter=Letter(card.pk, office), idempotency_key="letter")
    supplier_intake.accept(client_ref=SUPPLIER, order_id=order.pk)
    return str(order.pk)


def customisation(_access: AccessWorld) -> str:
    """The supplier's customisation."""
    return CUSTOMISATION


def logotype(_access: AccessWorld) -> str:
    """The supplier's customisation, which has a logotype."""
    png = base64.b64decode(description.DESCRIPTION.examples["put_customisation"].request["logotype"])
    supplier_intake.put_logotype(
        client_ref=SUPPLIER, customisation_id=CUSTOMISATION, png=png, sha256=hashlib.sha256(png).hexdigest(), check=lambda _: None
    )
    return CUSTOMISATION


def card() -> dict[str, Any]:
    """A whole body of `request_certificates`."""
    made = authorities.card(990)
    key = serialization.load_der_public_key(made.key)
    spki = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    csrs = {
        name: x509.load_der_x509_csr(der).public_bytes(serialization.Encoding.PEM).decode() for name, der in made.csrs.items()
    }
    return {"card_serial": made.serial, "card_key": spki, "csrs": csrs}


@dataclass(frozen=True)
class Operation:
    """A call by its operationId; `mine` makes what it names, which is the supplier's own."""

    id: str
    mine: Made | None = None
    ok: int = 200
    body: Callable[[], dict[str, Any]] = dict
    case: str = ""
    shared: bool = False
    item: str = ""
    unknown: str = field(default_factory=lambda: str(uuid.UUID(int=2**127)))

    def __str__(self) -> str:
        return f"{self.id}{f' ({self.case})' if self.case else ''}"


def entries(made: Callable[[], dict[str, Any]] | None = None) -> Callable[[], dict[str, Any]]:
    """A batch whose only entry names no order of anybody's, so that every supplier gets the same."""
    return lambda: {"entries": [{"order": str(uuid.UUID(int=2**127))} | ({"body": made()} if made else {})]}


OPERATIONS = [
    Operation("accept_orders", shared=True, body=entries()),
    Operation("request_batch_certificates", shared=True, body=entries(card)),
    Operation("report_events", shared=True, body=entries(lambda: {"type": "failed", "reason": "spoilt"})),
    Operation("list_orders", shared=True),
    Operation("read_order", accepted),
    Operation("accept_order", accepted),
    Operation("accept_order", queued, case="queued"),
    Operation("read_certificates", certified),
    Operation("request_certificates", accepted, ok=202, body=card),
    Operation("report_event", accepted, body=lambda: {"type": "failed", "reason": "spoilt"}),
    Operation("read_photo", accepted),
    Operation("read_puk", letter, ok=202),
    Operation("list_items", accepted),
    Operation("read_item_certificates", certified, item="1"),
    Operation("request_item_certificates", accepted, ok=202, body=card, item="1"),
    Operation("report_item_event", accepted, body=lambda: {"type": "failed", "reason": "spoilt"}, item="1"),
    Operation("remake_item", in_production, ok=202, body=lambda: {"item": 1, "reason": "misprint", "fault": "supplier"}),
    Operation("list_changes", shared=True),
    Operation("read_keys", shared=True),
    Operation("read_me", shared=True),
    Operation("list_articles", shared=True),
    Operation("list_customisations", shared=True),
    Operation("read_logotype", logotype, unknown="9999999999"),
    Operation("read_customisation", customisation, unknown="9999999999"),
    Operation("put_customisation", customisation, ok=422, unknown="9999999999"),
]


def described(room: str) -> dict[str, tuple[str, str]]:
    """The operations of the committed description of `app/api/room`: method and path by operationId."""
    description = description_in(settings.BASE_DIR / room / "v1" / "openapi.yaml")
    return {
        operation["operationId"]: (method.upper(), path)
        for path, item in description["paths"].items()
        for method, operation in item.items()
    }


SUPPLIER_API, EIDAPP_API = described("issuance/suppliers/api"), described("issuance/activation/api")


@pytest.fixture
def api() -> Iterator[None]:
    """This process is the api face behind its TLS front."""
    with face("api", MTLS_CERTIFICATE_HEADER=HEADER, CERTIFICATE_WAIT_SECONDS=0):
        yield


def call(
    method: str, path: str, *, certificate: Identity | None = None, cookie: str = "", body: Any = None, **headers: str
) -> Answer:
    client = Browser({settings_of("portal")["SESSION_COOKIE_NAME"]: cookie} if cookie else {})
    if certificate:
        headers[HEADER] = quote(certificate.pem)
    if body is not None:
        headers["Content-Type"] = "application/json"
    sent = {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
    with statements() as asked:
        response = client.generic(method, path, headers=headers, **sent)  # type: ignore[arg-type]
        text = content(response)
    kept = tuple(
        sorted(
            (name, value)
            for name, value in response.headers.items()
            if name not in ("X-Request-Id", "Content-Length", "RateLimit")
        )
    )
    named = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b\d{10}\b", path)
    return Answer(response.status_code, "", steady(text, named), kept, tuple(asked))


def perform(operation: Operation, access: AccessWorld, *, unknown: bool = False, **caller: Any) -> Answer:
    (answer,) = perform_as([caller], operation, access, unknown=unknown)
    return answer


def perform_as(
    callers: Iterable[dict[str, Any]], operation: Operation, access: AccessWorld, *, unknown: bool = False
) -> list[Answer]:
    """What each caller gets of what the operation names, which is made once; each finds it as the first did."""
    method, path = SUPPLIER_API[operation.id]
    with undone(), clock.moved_to(access.moment):
        target = operation.unknown if unknown else operation.mine(access) if operation.mine else ""
        address = re.sub(r"\{\w+\}", target, path.replace("{item}", operation.item))
        body = operation.body() if method in ("POST", "PUT") else None
        headers = {"Idempotency-Key": "x", "If-Match": "*"}
        return [each_undone(method, address, body=body, **caller, **headers) for caller in callers]


def each_undone(*arguments: Any, **options: Any) -> Answer:
    """Calls, and undoes what the call did."""
    with undone():
        return call(*arguments, **options)


def test_every_operation_of_the_supplier_api_has_a_row() -> None:
    assert {operation.id for operation in OPERATIONS} == set(SUPPLIER_API)


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
class TestSupplierApi:
    def test_the_supplier_whose_it_is(self, access: Any, machines: Any, api: None, operation: Operation) -> None:
        assert perform(operation, access, certificate=machines[SUPPLIER]).status == operation.ok

    def test_another_supplier(self, access: Any, machines: Any, api: None, operation: Operation) -> None:
        answer = perform(operation, access, certificate=machines["other"])
        if operation.shared:
            assert answer.status == operation.ok
            return
        unknown = perform(operation, access, certificate=machines["other"], unknown=True)
        assert answer.status == unknown.status == 404
        assert (answer.body, answer.headers, answer.queries) == (unknown.body, unknown.headers, unknown.queries)

    def test_another_kind_of_client_and_a_stranger(self, access: Any, machines: Any, api: None, operation: Operation) -> None:
        callers = [{"certificate": machines["service"]}, {"certificate": machines["stranger"]}, {}]
        assert [answer.status for answer in perform_as(callers, operation, access)] == [403, 401, 401]

    def test_people_of_every_role(self, access: Any, machines: Any, api: None, operation: Operation) -> None:
        answers = set(perform_as(({"cookie": access.sessions[who]} for who in CALLERS), operation, access))
        assert {answer.status for answer in answers} == {401}
        assert not [sql for answer in answers for sql in answer.queries if "authn_session" in sql]

    def test_a_certificate_counts_behind_the_front_alone(self, access: Any, machines: Any, operation: Operation) -> None:
        """Without the setting, which the process on the unix socket has, the header is nothing."""
        with face("api", MTLS_CERTIFICATE_HEADER=""):
            assert perform(operation, access, certificate=machines[SUPPLIER]).status == 401


@pytest.mark.parametrize("path", sorted({path for _, path in SUPPLIER_API.values()}))
def test_a_method_that_is_no_operation_does_not_exist(access: Any, machines: Any, api: None, path: str) -> None:
    address = path.replace("{order_id}", str(uuid.UUID(int=1))).replace("{customisation_id}", CUSTOMISATION)
    address = address.replace("{item}", "1")
    for method in METHODS:
        if (method, path) not in SUPPLIER_API.values():
            with undone():
                assert call(method, address, certificate=machines[SUPPLIER], body={}).status == 405, f"{method} {path}"


def test_a_certificate_opens_no_page(access: Any, machines: Any) -> None:
    with override_settings(MTLS_CERTIFICATE_HEADER=HEADER), undone():
        assert call("GET", "/sok/", certificate=machines[SUPPLIER]).status == 302


# --- the eID app's API: the card is the proof, and no session ----------------------------------------------------------------


def proof() -> dict[str, Any]:
    """A body of `start_transaction` of the right form that proves nothing."""
    pem = SmallCa().issue("x").pem.decode()
    profiles = ("person-hsaid-auth", "person-hsaid-sign", "person-id-auth", "person-id-sign")
    return {
        "card_serial": "9" * 19, "certificates": dict.fromkeys(profiles, pem), "origin": "http://testserver",
        "ephemeral_key": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
        "signature": base64.b64encode(b"x" * 70).decode(),
    }  # fmt: skip


EIDAPP_BODIES: dict[str, Callable[[], dict[str, Any]]] = {
    "start_transaction": proof,
    "request_certificates": lambda: {"csrs": card()["csrs"], "signature": base64.b64encode(b"x" * 70).decode()},
    "report_code_set": dict,
    "report_card": lambda: {"report": "code-blocked"},
    "complete_transaction": lambda: {"signature": base64.b64encode(b"x" * 256).decode()},
    "cancel_transaction": dict,
}


def test_every_operation_of_the_eid_app_has_a_body() -> None:
    assert set(EIDAPP_BODIES) == set(EIDAPP_API)


@pytest.mark.parametrize("operation", sorted(EIDAPP_API))
def test_a_session_is_nothing_to_the_eid_app(access: Any, operation: str) -> None:
    """Nobody gets further with a session than without, and the session is not even looked up."""
    method, path = EIDAPP_API[operation]
    body = EIDAPP_BODIES[operation]()
    answers = set()
    with override_settings(EID_APP_CALLS_PER_MINUTE=10_000):
        for cookie in ("", *(access.sessions[who] for who in CALLERS)):
            for token in ({}, {"Authorization": "Bearer act.AAAAAAAAAAAAAAAAAAAAAA"}):
                with undone():
                    answer = call(method, path, cookie=cookie, body=body, **token)
                assert answer.status in (401, 422), operation
                assert not [sql for sql in answer.queries if "authn_session" in sql]
                answers.add((bool(token), answer.status, answer.body))
        assert len(answers) <= 2, "with a token or without, the same to everybody"
        for other in METHODS:
            if other != method:
                with undone():
                    assert call(other, path).status == 405, f"{other} {path}"


DEVICE_API = described("issuance/mobile/api")
DEVICE_BODIES: dict[str, Callable[[], dict[str, Any]]] = {
    "start_enrolment": lambda: {
        "device": "x", "device_key": card()["card_key"], "attestation": "a.b.c", "origin": "http://testserver",
        "signature": "eHh4",
    },
    "request_device_certificates": lambda: {
        "csrs": dict(zip(("mobile-auth", "mobile-sign"), card()["csrs"].values(), strict=False)), "attestation": "a.b.c",
        "signature": "eHh4",
    },
    "report_device_code_set": dict,
    "complete_enrolment": lambda: {"signature": "eHh4"},
    "cancel_enrolment": dict,
}  # fmt: skip


@pytest.mark.parametrize("operation", sorted(DEVICE_API))
def test_nobody_gets_further_with_a_session_at_the_device_api(access: Any, operation: str) -> None:
    """The start code, then the step token, is the only credential, and the session is not even looked up."""
    assert set(DEVICE_BODIES) == set(DEVICE_API)
    method, path = DEVICE_API[operation]
    body, answers = DEVICE_BODIES[operation](), set()
    with face("minasidor", ALLOWED_HOSTS=["testserver"], EID_APP_CALLS_PER_MINUTE=10_000):
        for cookie in ("", *(access.sessions[who] for who in CALLERS)):
            with undone():
                answer = call(method, path, cookie=cookie, body=body, Authorization="Bearer mob.AAAAAAAAAAAAAAAAAAAAAA")
            assert answer.status == 401, operation
            assert not [sql for sql in answer.queries if "authn_session" in sql]
            answers.add(answer.body)
        assert len(answers) == 1, "the same to everybody"


def test_the_descriptions_are_open(access: Any, api: None) -> None:
    with undone():
        assert call("GET", "/api/supplier/v1/openapi.yaml").status == 200
        assert call("POST", "/api/supplier/v1/openapi.yaml").status == 405
        assert call("GET", "/api/pki/v1/openapi.yaml").status == 200
        assert call("POST", "/api/pki/v1/openapi.yaml").status == 405
    with override_settings(**settings_of("portal")), undone():
        assert call("GET", "/api/eidapp/v1/openapi.yaml").status == 200
        assert call("POST", "/api/eidapp/v1/openapi.yaml").status == 405


# --- the other faces without log-in: open to everybody, and to nobody for more -------------------------------------------------

OPEN: dict[str, dict[str, tuple[str, int]]] = {
    "status": {
        "healthz/live": ("/healthz/live", 200),
        "healthz/ready": ("/healthz/ready", 200),
        "status-index": ("/", 200),
        "ocsp": ("/ocsp", 200),
        "ocsp-get": ("/ocsp/MEow", 200),
        "crl": ("/crl/unknown.crl", 404),
        "ca-certificate": ("/aia/unknown.cer", 404),
        "ocsp-bare-get": ("/MEow", 200),  # the addresses of CAs that were taken over (ADR 0217)
        "crl-bare": ("/unknown.crl", 404),
        "ca-certificate-bare": ("/unknown.cer", 404),
    },
    "api": {
        "healthz/live": ("/healthz/live", 200),
        "healthz/ready": ("/healthz/ready", 200),
        "": ("/nothing", 404),
        "api-descriptions": ("/api/docs/", 200),
        "api-description": ("/api/docs/supplier/", 200),
    },
}


def test_every_address_of_the_other_faces_is_named() -> None:
    for name, named in OPEN.items():
        found = set(addresses(settings_of(name)["ROOT_URLCONF"]))
        if name == "api":
            assert {key for key in found if key.startswith("supplier-")} == {
                "supplier-orders", "supplier-order", "supplier-accept", "supplier-certificates", "supplier-events",
                "supplier-items", "supplier-item-certificates", "supplier-item-events", "supplier-remake", "supplier-photo",
                "supplier-puk", "supplier-changes", "supplier-keys", "supplier-customisation", "supplier-openapi",
                "supplier-me", "supplier-articles", "supplier-customisations", "supplier-logotype",
                "supplier-batch-accept", "supplier-batch-certificates", "supplier-batch-events",
            }  # fmt: skip
            assert {key for key in found if key.startswith("pki-")} == {
                "pki-certificates", "pki-search", "pki-certificate", "pki-revocations", "pki-openapi",
            }  # fmt: skip
            found = {key for key in found if not key.startswith(("supplier-", "pki-"))}
        assert found == set(named), name


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, named in OPEN.items() for key in named])
def test_a_session_changes_nothing_there(access: Any, name: str, key: str) -> None:
    path, status = OPEN[name][key]
    callers: tuple[Who | None, ...] = (None, *CALLERS)
    with face(name):
        answers = set()
        for who in callers:
            with undone():
                answer = call("GET", path, cookie=access.sessions[who] if who else "")
            assert answer.status == status
            assert not [sql for sql in answer.queries if "authn_session" in sql]
            answers.add(re.sub(r"[0-9a-f]{32}", "…", answer.body))
        assert len(answers) == 1
