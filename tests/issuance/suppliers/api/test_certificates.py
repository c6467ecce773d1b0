"""From a bound card to four certificates, and reports in any order, on a real hierarchy in the token and a real pki worker."""

from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from siths_portal.simulators.card import PROFILES
from tests.issuance.suppliers.api.cards import PaperCard, csr, csr_of_no_version, forged_csr, p256_keys, spki, weak_key
from tests.issuance.suppliers.api.stage import wait_for
from tests.issuance.suppliers.api.test_clients import code
from tests.issuance.suppliers.api.test_orders import accept
from tests.issuance.suppliers.api.world import World, today

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def card(paper_card) -> PaperCard:
    return paper_card()


@pytest.fixture
def order(world: World, a) -> str:
    made = world.order(1)
    assert accept(a, made).status_code == 200
    return made


def request(client, order: str, body: dict, key: str | None = None):
    return client("POST", f"orders/{order}/certificates", key=key or uuid4().hex, json=body)


def report(client, order: str, body: dict, key: str | None = None):
    return client("POST", f"orders/{order}/events", key=key or uuid4().hex, json=body)


def events(subject_type: str, action: str) -> int:
    from issuance.records.models.events import Event

    return Event.objects.filter(subject_type=subject_type, action=action).count()


def state(order: str) -> str:
    from issuance.orders.models.orders import CardOrder

    return CardOrder.objects.get(pk=order).state


def puk(client, order: str) -> tuple[str | None, str | None]:
    """What the order says of its PUK."""
    shown = client("GET", f"orders/{order}").json()
    return shown["puk"], shown["puk_refusal"]


def test_four_certificates_for_the_keys_of_the_card(worker, a, b, order: str, card: PaperCard) -> None:
    assert code(a("GET", f"orders/{order}/certificates")) == "certificates-not-requested"
    body = card.request()
    response = request(a, order, body, "k")
    assert response.status_code == 201, response.text
    delivery = response.json()
    assert response.headers["Location"] == f"/api/supplier/v1/orders/{order}/certificates"
    for profile in PROFILES:
        certificate = x509.load_pem_x509_certificate(delivery["certificates"][profile].encode())
        assert certificate.public_key() == card.keys[profile].public_key()
        chain = x509.load_pem_x509_certificates(delivery["chains"][profile].encode())
        certificate.verify_directly_issued_by(chain[0])
        chain[0].verify_directly_issued_by(chain[1])
        assert chain[1].subject == chain[1].issuer
    read = a("GET", f"orders/{order}/certificates")
    assert (read.status_code, read.json()) == (200, delivery)
    again = request(a, order, body, "k")
    assert (again.status_code, again.content) == (201, response.content)
    other_key = request(a, order, body)
    assert (other_key.status_code, other_key.json()) == (201, delivery)
    assert request(b, order, body).status_code == 404
    assert events("order", "order.production_started") == 1
    assert state(order) == "in_production"


def test_certificates_are_not_kept_with_the_answer_and_a_repeat_tells_what_holds_now(
    worker, world: World, a, order: str, paper_card
) -> None:
    from authn.models import IdempotencyRecord
    from issuance.orders.models.orders import CardOrder
    from issuance.revocation.services.revocation import revoke_carrier

    body = paper_card().request()
    assert request(a, order, body, "k").status_code == 201
    assert IdempotencyRecord.objects.get(key="k").body == ""
    carrier = CardOrder.objects.get(pk=order).carrier_id
    revoke_carrier(actor=world.clerk, carrier_id=carrier, reason="lost_or_stolen")
    repeated = request(a, order, body, "k")
    assert (repeated.status_code, code(repeated)) == (409, "certificates-revoked")


def test_the_answer_is_202_while_no_worker_signs_and_the_certificates_come_later(
    stage, demo_pki, start_worker, a, order, card: PaperCard
) -> None:
    stage.start_api(CERTIFICATE_WAIT_SECONDS="0.5")
    response = request(a, order, card.request(), "k")
    assert (response.status_code, response.json()) == (202, {"status": "pending"})
    location = response.headers["Location"].removeprefix("/api/supplier/v1/")
    assert a("GET", location).status_code == 202
    start_worker()
    wait_for("certificates", lambda: a("GET", location).status_code == 200)
    kept = request(a, order, card.request(), "k")
    assert kept.status_code == 202, "the same key has the same answer"
    assert request(a, order, card.request()).status_code == 201


def test_another_card_for_the_order_or_the_same_card_for_another_is_409(worker, world: World, a, order: str, paper_card) -> None:
    card, other_card, second = paper_card(), paper_card(), world.order(2)
    accept(a, second)
    assert request(a, order, card.request()).status_code == 201
    changed = request(a, order, other_card.request())
    assert (changed.status_code, code(changed)) == (409, "certificates-already-requested")
    taken = request(a, second, other_card.request(card_serial=card.serial))
    assert (taken.status_code, code(taken)) == (409, "card-already-bound")
    same_key = request(a, second, other_card.request(card_key=spki(card.card_key)))
    assert (same_key.status_code, code(same_key)) == (409, "card-already-bound")
    assert request(a, second, other_card.request()).status_code == 201


REFUSED = [
    ("weak", "certificate-order", ["csrs.person-id-auth"]),
    ("no-possession", "csr-proof-of-possession", ["csrs.person-id-auth"]),
    ("no-version", "invalid", ["csrs.person-id-auth"]),
    ("p-384", "certificate-order", ["csrs.person-id-auth"]),
    ("mixed", "key-types-mixed", [f"csrs.{profile}" for profile in PROFILES]),
    ("repeated", "key-repeated", ["csrs.person-id-auth"]),
    ("elliptic", "card-key", ["card_key"]),
    ("card-key", "card-key", ["card_key"]),
    ("serial", "invalid", ["card_serial"]),
    ("missing", "invalid", ["csrs.person-id-auth"]),
    ("unknown", "invalid", ["csrs.mobile-auth"]),
]


def test_what_must_not_be_certified_is_refused_by_name_and_nothing_is_bound(
    worker, a, order: str, card: PaperCard, subtests: pytest.Subtests
) -> None:
    """One order and one card for all, since none of the requests may bind the card."""
    from issuance.carriers.models import Carrier
    from pki.models import Certificate

    good = card.request()
    profile = PROFILES[2]
    bad = {
        "weak": {"csrs": good["csrs"] | {profile: csr(weak_key())}},
        "no-possession": {"csrs": good["csrs"] | {profile: forged_csr(card.keys[profile], card.keys[PROFILES[0]])}},
        "no-version": {"csrs": good["csrs"] | {profile: csr_of_no_version(card.keys[profile])}},
        "p-384": {"csrs": good["csrs"] | {profile: csr(ec.generate_private_key(ec.SECP384R1()))}},
        "mixed": {"csrs": good["csrs"] | {profile: csr(ec.generate_private_key(ec.SECP256R1()))}},
        "repeated": {"csrs": good["csrs"] | {profile: csr(card.keys[PROFILES[0]])}},
        "elliptic": {"card_key": spki(card.keys[profile])},
        "card-key": {"card_key": spki(ec.generate_private_key(ec.SECP384R1()))},
        "serial": {"card_serial": "975226990000000001"},
        "unknown": {"csrs": good["csrs"] | {"mobile-auth": csr(card.keys[profile])}},
        "missing": {"csrs": {name: value for name, value in good["csrs"].items() if name != profile}},
    }
    before = Certificate.objects.count()
    assert len(REFUSED) == len(bad)
    for fault, refusal, names in REFUSED:
        with subtests.test(fault=fault):
            response = request(a, order, good | bad[fault])
            assert (response.status_code, code(response)) == (422, refusal)
            assert [each["name"] for each in response.json()["invalid-parameters"]] == names
            assert Carrier.objects.get().card_serial == ""
            assert Certificate.objects.count() == before
    assert request(a, order, good).status_code == 201


def test_a_card_with_p256_keys_is_certified(worker, a, order: str) -> None:
    card = PaperCard(keys=p256_keys())
    response = request(a, order, card.request())
    assert response.status_code == 201, response.text
    for profile, pem in response.json()["certificates"].items():
        assert x509.load_pem_x509_certificate(pem.encode()).public_key() == card.keys[profile].public_key()


def test_reports_in_disorder_and_twice_end_as_in_order(worker, a, order: str, card: PaperCard) -> None:
    from issuance.carriers.models import Carrier

    key = a("GET", "keys").json()["keys"][0]
    sent = {"type": "sent", "sent_on": today()}
    produced = card.produced(order, key)
    early = report(a, order, sent)
    assert (early.status_code, early.json()) == (202, {"outcome": "parked"})
    assert report(a, order, sent).json() == {"outcome": "repeated"}
    assert report(a, order, sent | {"registered_mail_id": "LA00R351935SE"}).status_code == 409
    assert report(a, order, produced).json() == {"outcome": "parked"}
    assert state(order) == "accepted"
    assert request(a, order, card.request()).status_code == 201
    wait_for("the PUK", lambda: puk(a, order) == ("sealed", None))
    assert report(a, order, produced).json() == {"outcome": "repeated"}
    assert state(order) == "sent"
    carrier = Carrier.objects.get()
    assert (carrier.state, carrier.mifare_id) == ("sent", "0123456789")
    assert report(a, order, card.produced(order, key)).json() == {"outcome": "repeated"}, "a JWE is another each time"
    for action in ("order.produced", "order.sent"):
        assert events("order", action) == 1
    assert events("carrier", "carrier.sent") == 1


def test_a_card_that_failed_has_its_certificates_revoked(worker, a, order: str, card: PaperCard) -> None:
    assert request(a, order, card.request()).status_code == 201
    assert report(a, order, {"type": "failed", "reason": "chip-defect"}).json() == {"outcome": "applied"}
    gone = a("GET", f"orders/{order}/certificates")
    assert (gone.status_code, code(gone)) == (409, "certificates-revoked")
    key = a("GET", "keys").json()["keys"][0]
    assert report(a, order, card.produced(order, key)).json() == {"outcome": "noted"}
    assert state(order) == "failed"


def test_a_card_that_came_back_is_revoked_and_stays_so(worker, a, order: str, card: PaperCard) -> None:
    from issuance.carriers.models import Carrier

    key = a("GET", "keys").json()["keys"][0]
    assert report(a, order, {"type": "returned"}).json() == {"outcome": "parked"}
    assert request(a, order, card.request()).status_code == 201
    produced = report(a, order, card.produced(order, key))
    assert (produced.status_code, produced.json()) == (202, {"outcome": "applied"})
    wait_for("the PUK", lambda: puk(a, order) == ("sealed", None))
    assert report(a, order, {"type": "sent", "sent_on": today()}).json() == {"outcome": "applied"}
    assert Carrier.objects.get().state.lower() == "revoked"
    assert a("GET", f"orders/{order}/certificates").status_code == 409
    assert state(order) == "returned"


def test_registered_mail_needs_its_id(worker, world: World, a) -> None:
    order = world.order(3, article="631-REK")
    accept(a, order)
    missing = report(a, order, {"type": "sent", "sent_on": today()})
    assert missing.status_code == 422
    assert [entry["name"] for entry in missing.json()["invalid-parameters"]] == ["registered_mail_id"]
    assert "rekommenderade brevet (REK)" in missing.text
    sent = report(a, order, {"type": "sent", "sent_on": today(), "registered_mail_id": "LA00R351935SE"})
    assert sent.json() == {"outcome": "parked"}


def test_a_puk_for_another_order_or_card_is_not_kept(worker, world: World, a, order: str, card: PaperCard) -> None:
    key = a("GET", "keys").json()["keys"][0]
    assert request(a, order, card.request()).status_code == 201
    assert puk(a, order) == (None, None)
    swapped = card.produced(order, key, serial="9752000000000000000")
    assert report(a, order, swapped).status_code == 202
    wait_for("the refusal", lambda: puk(a, order) == ("refused", "header-mismatch"))
    sent = {"type": "sent", "sent_on": today()}
    waits = report(a, order, sent)
    assert (waits.status_code, waits.json()) == (202, {"outcome": "parked"})
    assert report(a, order, card.produced(order, key)).json() == {"outcome": "applied"}, "a refused PUK can be sent anew"
    wait_for("the PUK", lambda: puk(a, order) == ("sealed", None))
    assert report(a, order, sent).json() == {"outcome": "repeated"}
    assert state(order) == "sent"
    for text in ("not-a-jwe", "a.b.c.d.e"):
        bad = report(a, world_order(world, a), {"type": "produced", "mifare_id": "1", "puk_jwe": text})
        assert bad.status_code in (202, 422)


def world_order(world: World, a) -> str:
    made = world.order(7 + len(world.outside))
    accept(a, made)
    return made


def test_a_client_certificate_that_our_function_ca_revoked_is_refused_at_once(worker, stage, a) -> None:
    from urllib.parse import quote

    from django.db import transaction

    from pki import service as pki
    from siths_portal.dev.nginx import CERTIFICATE_HEADER
    from siths_portal.lib import clock
    from tests.issuance.suppliers.api.test_clients import ask_socket
    from tests.tls import DAY

    key = ec.generate_private_key(ec.SECP256R1())
    der = x509.load_pem_x509_csr(csr(key).encode())
    wanted = pki.CertificateOrder(
        ca="function", profile="function", subject={"countryName": "SE", "organizationName": "Kort AB", "commonName": "kort"},
        subject_alternative={"dNSName": "kort.example"}, csr_der=der.public_bytes(Encoding.DER), subject_ref="function:kort",
        carrier_ref="", card_number=None, not_after=clock.now() + 30 * DAY,
    )  # fmt: skip
    with transaction.atomic():
        ids = pki.plan_certificates([wanted], actor_ref="system:test", unit_ref="")
    (view,) = pki.wait_until_settled(ids, seconds=150)
    assert view.der
    path = stage.folder / "kort.pem"
    certificate = x509.load_der_x509_certificate(view.der)
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    stage.register(stage.entry("a", "a", "kort"))
    header = {CERTIFICATE_HEADER: quote(path.read_text())}
    assert ask_socket(stage, header)[0] == 200
    with transaction.atomic():
        pki.plan_revocation(ids, reason="keyCompromise", actor_ref="system:test", received_at=clock.now(), channel="system")
    assert ask_socket(stage, header)[0] == 401
    assert a("GET", "orders").status_code == 200
