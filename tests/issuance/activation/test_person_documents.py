"""Certificates and receipts as the pages show them, of cards that were made and activated by the services with real keys."""

import re
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.authz import Role, system
from issuance.carriers.models import CarrierCertificate
from issuance.people.models.persons import Person
from issuance.receipt_texts.services import set_receipt_text
from issuance.records.models.events import Event
from issuance.revocation.services import revocation
from siths_portal.lib import clock
from tests.conftest import nobody_works
from tests.issuance.activated import Made, activated_card, first_card, sent_card
from tests.issuance.person_page.test_pages import client_of, text_of

pytestmark = pytest.mark.usefixtures("demo_pki")
ADDITION = "Detta är <b>ett</b> regionalt {{ tillägg }}."


@pytest.fixture
def made(world: Any) -> Made:
    """A card in the holder's hands, with its receipt."""

    def make() -> Made:
        set_receipt_text(actor=system("setup"), organisation_id=world.region.id, regional_addition=ADDITION)
        return activated_card(world)

    return first_card(world, "active with an addition", make, quiet=nobody_works)


def link(made: Made, profile: str) -> CarrierCertificate:
    return CarrierCertificate.objects.get(carrier=made.carrier, profile=profile)


@pytest.mark.parametrize("active", [False, True], ids=["sent", "active"])
def test_pages_show_that_a_sent_card_is_on_hold(world: Any, active: bool) -> None:
    card = activated_card(world) if active else sent_card(world)
    client = client_of(world.officer())
    person = text_of(client.get(reverse("person", args=[card.carrier.person_id])))
    assert ("vilande tills innehavaren har valt legitimeringskod" in person) is not active
    page = text_of(client.get(reverse("certificate", args=[link(card, "person-id-auth").pk])))
    assert ("Vilande" in page) is not active
    assert ("tillfälligt spärrat" in page) is not active
    assert ("Giltigt" in page.partition("Innehavare")[0]) is active


class TestCertificate:
    """Every field in words, and the file."""

    @pytest.mark.parametrize("profile", ["person-hsaid-auth", "person-hsaid-sign", "person-id-auth", "person-id-sign"])
    def test_what_the_page_says_is_what_the_certificate_holds(self, world: Any, made: Made, profile: str) -> None:
        client, row = client_of(world.officer()), link(made, profile)
        certificate = x509.load_der_x509_certificate(made.certificates[profile])
        page = client.get(reverse("certificate", args=[row.pk]))
        text = text_of(page)
        policy = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value[0].policy_identifier
        number = certificate.serial_number
        octets = number.to_bytes((number.bit_length() + 7) // 8)
        for expected in (
            *(str(attribute.value) for name in (certificate.subject, certificate.issuer) for attribute in name),
            str(number), octets.hex(":").upper(), policy.dotted_string,
            certificate.fingerprint(hashes.SHA256()).hex(":").upper(), certificate.fingerprint(hashes.SHA1()).hex(":").upper(),
            f"{certificate.not_valid_after_utc.astimezone(clock.STOCKHOLM):%Y-%m-%d %H:%M:%S}", "/ocsp", "/crl/", "Giltigt",
            f"Kortets nummer {made.keys.serial}",
            "oavvislighet" if profile.endswith("sign") else "digital signatur",
        ):  # fmt: skip
            assert expected in text, expected
        assert ("prov@upn.example.org" in text) == (profile == "person-hsaid-auth")
        saved = client.get(reverse("certificate_pem", args=[row.pk]))
        assert x509.load_pem_x509_certificate(saved.content) == certificate
        assert saved["Content-Disposition"] == 'attachment; filename="certifikat.pem"'

    def test_a_revoked_one_says_when_and_why(self, world: Any, made: Made) -> None:
        revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.id, reason="lost_or_stolen")
        page = client_of(world.officer()).get(reverse("certificate", args=[link(made, "person-hsaid-auth").pk]))
        assert "Spärrat" in text_of(page)
        assert "(keyCompromise)" in text_of(page)

    def test_an_eids_certificate_is_seen_with_the_eid_and_not_with_the_card_alone(self, world: Any, made: Made) -> None:
        """The HSA-id pair belongs to the eID's organisation."""
        made.carrier.eids.update(organisation=world.city)
        client = client_of(world.officer())
        assert client.get(reverse("certificate", args=[link(made, "person-hsaid-auth").pk])).status_code == 404
        assert client.get(reverse("certificate", args=[link(made, "person-id-auth").pk])).status_code == 200
        assert client_of(world.officer(world.city)).get(
            reverse("certificate", args=[link(made, "person-hsaid-auth").pk])
        ).status_code == 200  # fmt: skip


class TestReceipt:
    """Shown again from the card, as what was signed."""

    def test_the_page_shows_what_was_signed(self, world: Any, made: Made) -> None:
        person = Person.objects.get(pk=made.carrier.person_id)
        value = person.identifiers.get().value
        serial = made.keys.serial
        page = client_of(world.officer()).get(reverse("receipt", args=[made.carrier.id]))
        text = text_of(page)
        for expected in (
            f"{serial[:4]} {serial[4:8]} {serial[8:11]} {serial[11:15]} {serial[15:]}", f"{value[:8]}-{value[8:]}",
            f"{person.given_name_in_use} {person.surname}", "Regionen", "Kontor A", "Skriv ut",
            "Detta är &lt;b&gt;ett&lt;/b&gt; regionalt {{ tillägg }}.", made.fresh().receipt.document_id,  # type: ignore[union-attr]
        ):  # fmt: skip
            assert expected in text, expected
        assert reverse("receipt_pdf", args=[made.carrier.id]) in page.content.decode()

    def test_the_pdf_is_the_signed_document_and_is_shown_in_place(self, world: Any, made: Made) -> None:
        response = client_of(world.officer()).get(reverse("receipt_pdf", args=[made.carrier.id]))
        assert response.content == bytes(made.fresh().receipt.document.content)  # type: ignore[union-attr]
        assert response.content.startswith(b"%PDF-")
        assert b"/ByteRange" in response.content
        assert {name: response[name] for name in (
            "Content-Type", "Content-Disposition", "X-Content-Type-Options", "Cross-Origin-Resource-Policy", "Cache-Control",
        )} == {
            "Content-Type": "application/pdf", "Content-Disposition": 'inline; filename="kvittens.pdf"',
            "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
        }  # fmt: skip

    def test_each_showing_is_an_event_and_no_part_of_the_cards_history(self, world: Any, made: Made) -> None:
        actor = world.officer(role=Role.READER)
        client = client_of(actor)
        for name in ("receipt", "receipt_pdf", "receipt_pdf"):
            assert client.get(reverse(name, args=[made.carrier.id])).status_code == 200
        rows = Event.objects.filter(action="person.shown").order_by("id")
        assert [(row.actor_ref, row.subject_ref, row.facts) for row in rows] == [
            (actor.ref, str(made.carrier.person_id), {"shown": shown, "subject": str(made.carrier.id)})
            for shown in ("receipt", "receipt_pdf", "receipt_pdf")
        ]

    def test_who_may_see_it(self, world: Any, made: Made) -> None:
        for name in ("receipt", "receipt_pdf"):
            address = reverse(name, args=[made.carrier.id])
            statuses = [client_of(world.officer(role=role)).get(address).status_code for role in (
                Role.ID_ADMINISTRATOR, Role.READER, Role.RESERVE_CARD_ADMIN_LOA2, Role.GLOBAL_READER, Role.REVOKER,
                Role.GLOBAL_REVOKER,
            )]  # fmt: skip
            assert statuses == [200, 200, 200, 200, 403, 403]
            assert client_of(world.officer(world.city)).get(address).status_code == 404

    def test_it_is_offered_on_the_card_from_its_signing_on(self, world: Any, made: Made) -> None:
        client = client_of(world.officer())
        page = client.get(reverse("person", args=[made.carrier.person_id])).content.decode()
        assert reverse("receipt", args=[made.carrier.id]) in page
        waiting = sent_card(world)
        page = client.get(reverse("person", args=[waiting.carrier.person_id])).content.decode()
        assert reverse("receipt", args=[waiting.carrier.id]) not in page
        assert client.get(reverse("receipt", args=[waiting.carrier.id])).status_code == 404
        revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.id, reason="replaced")
        assert client.get(reverse("receipt", args=[made.carrier.id])).status_code == 200  # kept after the card's end

    def test_what_it_costs(self, world: Any, made: Made) -> None:
        client = client_of(world.officer())
        for name, most in (("receipt", 10), ("receipt_pdf", 6)):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(reverse(name, args=[made.carrier.id])).status_code == 200
            assert len(queries) <= most, [query["sql"][:80] for query in queries]


def test_the_whole_life_is_told_in_words(world: Any, made: Made) -> None:
    """Every event of ordering, making, activating and revoking a card has Swedish words: none shows its code."""
    revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.id, reason="replaced")
    client = client_of(world.officer())
    text = text_of(client.get(reverse("carrier_history", args=[made.carrier.id])))
    for expected in (
        "Kortet beställdes", "Kortleverantören tog emot beställningen", "Kortet tillverkades", "Kortet skickades",
        "Innehavaren identifierades vid besök", "Identifiering med: ", "Innehavaren valde legitimeringskod", "kortet aktiverades",
        "Kortet spärrades",
    ):  # fmt: skip
        assert text.count(expected) == 1, expected
    for told_already in ("SITHS eID beställdes", "lades i kö", "SITHS eID aktiverades", "slutfördes", "koden är vald"):
        assert told_already not in text
    assert not re.search(r"\b(carrier|eid|order|transaction|person|post|holder|user|client|system)[.:]\w+", text), text
