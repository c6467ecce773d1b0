"""The register of machine clients, from file to table, and whom a certificate proves."""

import base64
import datetime as dt
import json
from io import StringIO
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from authn.models import ClientCertificate, Event, ServiceClient
from authn.ports import CertificateStatusChecker
from authn.services import clients
from siths_portal.lib import clock, ports
from siths_portal.lib.errors import Conflict, Invalid
from tests.tls import DAY, SmallCa

pytestmark = pytest.mark.django_db(transaction=True)


class Revocations(set[bytes]):
    """An issuer that this installation asks."""

    def refusal(self, der: bytes) -> str:
        return "revoked" if der in self else ""


@pytest.fixture
def revocations(monkeypatch) -> Revocations:
    checker = Revocations()
    monkeypatch.setitem(ports._adapters, CertificateStatusChecker, checker)
    return checker


@pytest.fixture(scope="module")
def ca() -> SmallCa:
    return SmallCa()


def entry(ref: str = "supplier-a", *certificates: object, **changes: object) -> dict[str, object]:
    return {"client_ref": ref, "name": "Kortleverantör A", "kind": "supplier", "certificates": list(certificates)} | changes


def sync(folder: Path, *entries: object) -> clients.SyncResult:
    path = folder / "clients.json"
    path.write_text(json.dumps({"clients": entries}))
    return clients.sync_clients(path)


def test_certificate_from_file_proves_its_client(tmp_path: Path, ca: SmallCa, revocations: Revocations) -> None:
    known, stranger = ca.issue("a"), ca.issue("b")
    known.write(tmp_path, "a")
    path = tmp_path / "clients.yaml"
    path.write_text(
        "clients:\n  - client_ref: supplier-a\n    name: Kortleverantör A\n    kind: supplier\n"
        "    certificates:\n      - file: a.pem\n"
    )
    out = StringIO()
    call_command("authn_sync_clients", str(path), stdout=out)
    assert out.getvalue().count("\n") == 1
    assert "1 klienter, 1 certifikat: 1 nya" in out.getvalue()
    assert clients.client_of_certificate(known.der) == clients.ServiceClientView("supplier-a", "supplier", "Kortleverantör A")
    assert clients.client_of_certificate(stranger.der) is None
    event = Event.objects.get()
    assert (event.action, event.subject_ref, event.subject_seq) == ("client.registered", "supplier-a", 1)
    assert event.facts["certificates_added"] == [clients.thumbprint(known.der)]


def test_same_file_again_changes_nothing(tmp_path: Path, ca: SmallCa) -> None:
    value = {"thumbprint": clients.thumbprint(ca.issue("a").der)}
    sync(tmp_path, entry("supplier-a", value))
    again = sync(tmp_path, entry("supplier-a", value))
    assert (again.added, again.changed, again.deactivated) == (0, 0, 0)
    assert Event.objects.count() == 1


def test_revoked_dropped_expired_and_issuer_revoked_certificates_prove_nobody(
    tmp_path: Path, ca: SmallCa, revocations: Revocations
) -> None:
    one, two, three, old = ca.issue("1"), ca.issue("2"), ca.issue("3"), ca.issue("4", not_after=clock.now() - DAY / 2)
    prints = [clients.thumbprint(identity.der) for identity in (one, two, three, old)]
    sync(tmp_path, entry("supplier-a", *({"thumbprint": value} for value in prints)))
    assert [bool(clients.client_of_certificate(i.der)) for i in (one, two, three, old)] == [True, True, True, False]
    with clock.moved_to(clock.now() - 90 * DAY):
        assert clients.client_of_certificate(one.der) is None
    result = sync(tmp_path, entry("supplier-a", {"thumbprint": prints[0], "revoked": True}, {"thumbprint": prints[2]}))
    assert result.certificates_revoked == 3
    revocations.add(three.der)
    assert [clients.client_of_certificate(i.der) for i in (one, two, three)] == [None] * 3
    assert ClientCertificate.objects.count() == 4
    assert sorted(Event.objects.latest("id").facts["certificates_revoked"]) == sorted([prints[0], prints[1], prints[3]])


def test_client_that_the_file_drops_is_deactivated_and_can_come_back(
    tmp_path: Path, ca: SmallCa, revocations: Revocations
) -> None:
    identity = ca.issue("a")
    named = entry("supplier-a", {"thumbprint": clients.thumbprint(identity.der)})
    sync(tmp_path, named)
    assert sync(tmp_path).deactivated == 1
    assert clients.client_of_certificate(identity.der) is None
    assert sync(tmp_path).deactivated == 0
    sync(tmp_path, named)
    assert clients.client_of_certificate(identity.der)
    actions = list(Event.objects.order_by("id").values_list("action", "subject_seq"))
    assert actions == [("client.registered", 1), ("client.deactivated", 2), ("client.changed", 3)]


def test_a_certificate_belongs_to_one_client_for_ever(tmp_path: Path, ca: SmallCa) -> None:
    value = {"thumbprint": clients.thumbprint(ca.issue("a").der)}
    sync(tmp_path, entry("supplier-a", value))
    with pytest.raises(Conflict, match="certificate-of-another-client"):
        sync(tmp_path, entry("supplier-a"), entry("supplier-b", value))
    assert ServiceClient.objects.count() == 1


def _with_subject(subject: object, *, kind: str = "service") -> str:
    return json.dumps({"clients": [entry("a", kind=kind, certificate_subject=subject)]})


def test_a_services_subject_is_registered_and_a_change_is_an_event(tmp_path: Path, ca: SmallCa, revocations: Revocations) -> None:
    identity = ca.issue("a")
    value = {"thumbprint": clients.thumbprint(identity.der)}
    subject = {"countryName": "SE", "serialNumber": ["SE2321000016-B", "SE2321000016-A"]}
    sync(tmp_path, entry("service-a", value, kind="service", certificate_subject=subject))
    client = clients.client_of_certificate(identity.der)
    assert client is not None
    assert client.certificate_subject == {"countryName": ["SE"], "serialNumber": ["SE2321000016-A", "SE2321000016-B"]}
    sync(tmp_path, entry("service-a", value, kind="service"))
    assert clients.client_of_certificate(identity.der).certificate_subject == {}
    assert Event.objects.latest("id").facts == {"certificate_subject": {}}


def _with_attestation(given: object, *, kind: str = "supplier") -> str:
    return json.dumps({"clients": [entry("a", kind=kind, key_attestation=given)]})


def test_the_roots_of_a_suppliers_attestations_are_read_from_their_files(tmp_path: Path, ca: SmallCa) -> None:
    (tmp_path / "root.pem").write_bytes(ca.pem)
    sync(tmp_path, entry("supplier-a", key_attestation={"required": True, "roots": ["root.pem"]}))
    assert clients.key_attestation("supplier-a") == clients.KeyAttestation(True, (ca.certificate,))
    assert clients.key_attestation("supplier-b") == clients.KeyAttestation(False, ())
    assert Event.objects.latest("id").facts["key_attestation"] == {"required": True, "roots": [ca.pem.decode()]}
    sync(tmp_path, entry("supplier-a"))
    assert clients.key_attestation("supplier-a") == clients.KeyAttestation(False, ())


PUBLIC_KEYS = [f"whpk_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2, 3)]
PUSH = {"url": "https://kort.example/siths/", "keys": PUBLIC_KEYS[:2]}


def test_a_supplier_that_is_pushed_to_is_registered_with_address_and_keys(
    tmp_path: Path, ca: SmallCa, revocations: Revocations, settings
) -> None:
    settings.SUPPLIER_PUSH_HOSTS = ["kort.example"]
    identity = ca.issue("a")
    identity.write(tmp_path, "a")
    sync(tmp_path, entry("supplier-a", {"file": "a.pem"}, push=PUSH), entry("supplier-b", name="B"))
    endpoint = clients.push_endpoints()
    assert endpoint == {"supplier-a": clients.PushEndpoint("supplier-a", "https://kort.example/siths", tuple(PUBLIC_KEYS[:2]))}
    assert clients.client_of_certificate(identity.der).is_pushed_to
    listed = {each.client_ref: each for each in clients.registered_suppliers()}
    assert listed["supplier-a"].certificate_ends == (identity.certificate.not_valid_after_utc,)
    assert (listed["supplier-a"].is_pushed_to, listed["supplier-b"].is_pushed_to) == (True, False)
    sync(tmp_path, entry("supplier-a", {"file": "a.pem"}))
    assert clients.push_endpoints() == {}
    assert Event.objects.filter(subject_ref="supplier-a").latest("id").facts == {"push": {}}


def test_the_recipient_of_a_suppliers_puk_letters_is_read_from_its_file(tmp_path: Path, ca: SmallCa) -> None:
    identity = ca.issue("supplier-a")
    identity.write(tmp_path, "letters")
    sync(tmp_path, entry("supplier-a", letter_certificate="letters.pem"), entry("supplier-b", name="B"))
    assert clients.letter_certificate("supplier-a") == clients.thumbprint(identity.der)
    assert clients.letter_certificate("supplier-b") == clients.letter_certificate("unknown") == ""
    assert Event.objects.get(subject_ref="supplier-a").facts["letter_certificate"] == clients.thumbprint(identity.der)
    assert clients.client_of_certificate(identity.der) is None  # it opens letters and no API
    sync(tmp_path, entry("supplier-b", name="B"))
    assert clients.letter_certificate("supplier-a") == ""  # a client that is not active any more


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ("missing.pem", "supplier", "filen saknas"),
        (["letters.pem"], "supplier", "ska vara en fil"),
        ("rsa.pem", "supplier", "P-256"),
        ("letters.pem", "service", "hör till kind supplier"),
    ],
)
def test_a_wrong_recipient_of_letters_is_refused(tmp_path: Path, ca: SmallCa, given: object, kind: str, message: str) -> None:
    ca.issue("a").write(tmp_path, "letters")
    (tmp_path / "rsa.pem").write_bytes(_self_signed(rsa.generate_private_key(65537, 2048)))
    with pytest.raises(Invalid) as refused:
        sync(tmp_path, entry("a", kind=kind, letter_certificate=given))
    assert message in refused.value.message
    assert not ServiceClient.objects.exists()


def _self_signed(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    certificate = builder.not_valid_before(clock.now() - DAY).not_valid_after(clock.now() + DAY).sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def test_the_end_of_a_certificate_is_known_once_the_file_has_it(tmp_path: Path, ca: SmallCa) -> None:
    identity = ca.issue("a")
    sync(tmp_path, entry("supplier-a", {"thumbprint": clients.thumbprint(identity.der)}))
    assert clients.registered_suppliers()[0].certificate_ends == (None,)
    identity.write(tmp_path, "a")
    sync(tmp_path, entry("supplier-a", {"file": "a.pem"}))
    assert clients.registered_suppliers()[0].certificate_ends == (identity.certificate.not_valid_after_utc,)


@pytest.mark.parametrize(
    ("push", "words"),
    [
        (PUSH | {"url": "http://kort.example/siths"}, "SUPPLIER_PUSH_HOSTS"),
        (PUSH | {"url": "https://kort.example:8443/siths"}, "SUPPLIER_PUSH_HOSTS"),
        (PUSH | {"url": "https://other.example"}, "SUPPLIER_PUSH_HOSTS"),
        (PUSH | {"url": "https://a@kort.example"}, "SUPPLIER_PUSH_HOSTS"),
        (PUSH | {"url": "https://kort.example/?a"}, "SUPPLIER_PUSH_HOSTS"),
        (PUSH | {"url": "https://[kort.example"}, "SUPPLIER_PUSH_HOSTS"),
        (PUSH | {"url": 1}, "SUPPLIER_PUSH_HOSTS"),
        (PUSH | {"keys": []}, "whpk_"),
        (PUSH | {"keys": PUBLIC_KEYS}, "whpk_"),
        (PUSH | {"keys": ["whpk_AAAA"]}, "whpk_"),
        ({"url": PUSH["url"]}, "url och keys"),
        ([], "url och keys"),
    ],
)
def test_push_to_an_address_or_with_keys_that_are_not_good_is_refused(tmp_path: Path, settings, push: object, words: str) -> None:
    settings.SUPPLIER_PUSH_HOSTS = ["kort.example"]
    with pytest.raises(Invalid) as refused:
        sync(tmp_path, entry("supplier-a", push=push))
    assert words in refused.value.message
    assert not ServiceClient.objects.exists()


def test_only_suppliers_are_pushed_to(tmp_path: Path, settings) -> None:
    settings.SUPPLIER_PUSH_HOSTS = ["kort.example"]
    with pytest.raises(Invalid):
        sync(tmp_path, entry("service-a", kind="service", push=PUSH))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "varken YAML eller JSON"),
        ("[]", "lista clients"),
        ('{"clients": [{}]}', "klient 1 ska ha fälten"),
        ('{"clients": [{"client_ref": "A B", "name": "x", "kind": "supplier", "certificates": []}]}', "client_ref"),
        ('{"clients": [{"client_ref": "a", "name": "", "kind": "supplier", "certificates": []}]}', "name"),
        ('{"clients": [{"client_ref": "a", "name": "x", "kind": "robot", "certificates": []}]}', "kind"),
        ('{"clients": [{"client_ref": "a", "name": "x", "kind": "supplier", "certificates": [{"file": "no.pem"}]}]}', "PEM"),
        (_with_subject({"organizationName": "x"}, kind="supplier"), "hör till kind service"),
        (_with_subject({"commonName": "x"}), "kan ha countryName"),
        (_with_subject([]), "kan ha countryName"),
        (_with_attestation({"required": True, "roots": ["no.pem"]}), "PEM"),
        (_with_attestation({"required": True, "roots": []}), "minst en fil"),
        (_with_attestation({"required": "yes", "roots": ["no.pem"]}), "required"),
        (_with_attestation([]), "required"),
        (_with_subject({"serialNumber": []}), "serialNumber ska vara"),
        (_with_subject({"serialNumber": [1]}), "serialNumber ska vara"),
        ('{"clients": [{"client_ref": "a", "name": "x", "kind": "supplier", "certificates": [{"thumbprint": "ab"}]}]}', "64"),
        (
            '{"clients": [{"client_ref": "a", "name": "x", "kind": "supplier", "certificates": []},'
            ' {"client_ref": "a", "name": "y", "kind": "supplier", "certificates": []}]}',
            "två gånger",
        ),
    ],
)
def test_a_broken_file_is_refused_in_one_line_and_changes_nothing(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "clients.yaml"
    path.write_text(content)
    with pytest.raises(CommandError, match=words) as refusal:
        call_command("authn_sync_clients", str(path))
    assert refusal.value.returncode == 1
    assert "\n" not in str(refusal.value)
    assert not ServiceClient.objects.exists()


def test_a_missing_file_is_refused(tmp_path: Path, settings) -> None:
    with pytest.raises(Invalid):
        clients.sync_clients(tmp_path / "none.yaml")
    settings.SUPPLIERS_FILE = ""
    with pytest.raises(CommandError) as refusal:
        call_command("authn_sync_clients")
    assert refusal.value.returncode == 2


def test_events_cannot_be_changed_by_the_application(tmp_path: Path) -> None:
    sync(tmp_path, entry("supplier-a"))
    for statement in ("UPDATE authn_event SET action='x'", "DELETE FROM authn_event", "TRUNCATE authn_eventseal"):
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute(statement)
    assert Event.objects.get().at > clock.now() - dt.timedelta(minutes=5)
