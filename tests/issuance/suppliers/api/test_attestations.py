"""Attestations of a card's keys: verified where the supplier's row demands them, or where they are sent and it has roots."""

import pytest

from tests.issuance.suppliers.api.cards import PaperCard, p256_keys
from tests.issuance.suppliers.api.test_certificates import request
from tests.issuance.suppliers.api.test_clients import code
from tests.issuance.suppliers.api.test_orders import accept
from tests.issuance.suppliers.api.world import World
from tests.issuance.suppliers.attesting import CardMaker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def maker() -> CardMaker:
    return CardMaker()


def registered(stage, maker: CardMaker | None, *, required: bool) -> None:
    """Supplier a, with the maker's root."""
    entry = stage.entry("a", "a")
    if maker:
        (stage.folder / "maker.pem").write_bytes(maker.ca.pem)
        entry["key_attestation"] = {"required": required, "roots": ["maker.pem"]}
    stage.register(entry)


def keys(card: PaperCard) -> list:
    return [key.public_key() for key in (*card.keys.values(), card.card_key)]


def fields(response) -> list[str]:
    return sorted(entry["name"] for entry in response.json()["invalid-parameters"])


def test_a_supplier_that_must_attest_its_cards_gets_certificates_only_for_attested_keys(stage, demo_pki, world: World, a, maker):
    stage.need_api(CERTIFICATE_WAIT_SECONDS="0")
    registered(stage, maker, required=True)
    order, card = world.order(1), PaperCard(keys=p256_keys())
    accept(a, order)
    missing = request(a, order, card.request())
    assert (missing.status_code, code(missing), fields(missing)) == (422, "attestation-missing", ["attestations"])
    foreign = request(a, order, card.request(attestations=[maker.attest(keys(card)), CardMaker().attest(keys(card))]))
    assert (code(foreign), fields(foreign)) == ("attestation-invalid", ["attestations.1"])
    partly = request(a, order, card.request(attestations=[maker.attest(keys(card)[:3])]))
    assert (code(partly), fields(partly)) == ("key-not-attested", ["card_key", "csrs.person-id-sign"])
    other = request(a, order, card.request(attestations=[maker.attest(keys(PaperCard(keys=p256_keys())))]))
    assert (code(other), len(fields(other))) == ("key-not-attested", 5)
    whole = [maker.attest(keys(card)[:2]), maker.attest(keys(card)[2:])]
    assert request(a, order, card.request(attestations=whole)).status_code == 202
    assert request(a, order, card.request()).status_code == 422, "a repeat needs them too"


def test_attestations_are_verified_where_they_are_sent_and_the_row_has_roots(stage, demo_pki, world: World, a, maker):
    stage.need_api(CERTIFICATE_WAIT_SECONDS="0")
    registered(stage, maker, required=False)
    order, card = world.order(1), PaperCard(keys=p256_keys())
    accept(a, order)
    assert code(request(a, order, card.request(attestations=["x"]))) == "attestation-invalid"
    assert request(a, order, card.request()).status_code == 202


def test_without_roots_attestations_are_not_looked_at(stage, demo_pki, world: World, a):
    stage.need_api(CERTIFICATE_WAIT_SECONDS="0")
    registered(stage, None, required=False)
    order, card = world.order(1), PaperCard(keys=p256_keys())
    accept(a, order)
    assert request(a, order, card.request(attestations=["x"])).status_code == 202


def test_a_serial_with_a_wrong_check_digit_is_refused(stage, demo_pki, world: World, a):
    order, card = world.order(1), PaperCard(keys=p256_keys())
    accept(a, order)
    wrong = f"{card.serial[:-1]}{(int(card.serial[-1]) + 1) % 10}"
    refused = request(a, order, card.request(card_serial=wrong))
    assert (refused.status_code, code(refused), fields(refused)) == (422, "card-serial", ["card_serial"])
