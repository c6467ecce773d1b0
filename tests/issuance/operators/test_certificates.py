"""Operators look for certificates and at them: by every number, with every field, noted, and not at a protected person's."""

import datetime as dt
import hashlib
import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from issuance.carriers.models import CarrierCertificate
from issuance.housekeeping.services import clean_up
from issuance.operators.models import CertificateSearch
from issuance.operators.queries import pki_words
from issuance.records.models.events import Event
from pki import service as pki
from pki.crl import building
from pki.models import Certificate, CertificateBlob, RevocationChannel
from pki.operators import certificate_search as finding
from pki.operators.certificate_search import certificate_criteria, find_certificates
from pki.operators.certificates import certificate_record
from siths_portal.lib import clock
from tests.issuance.activated import sent_card
from tests.issuance.operators.operators import client_of, operator
from tests.issuance.person_page.test_pages import text_of, without_marks
from tests.pki.orders import HSA_SUBJECT, card, order, plan
from tests.pki_fixtures import tampering

SEARCH = "/pki/certifikat/"


@pytest.fixture
def issued(demo_pki: Any) -> dict[str, Certificate]:
    """A card's four certificates, of nobody whom the portal knows."""
    ids = plan(*card())
    demo_pki.settle()
    rows = Certificate.objects.filter(pk__in=ids).select_related("profile_version", "ca")
    return {row.profile_version.name: row for row in rows if row.profile_version}


def found_by(client: Any, **fields: str) -> Any:
    """The hits that a search leads to."""
    answer = client.post(SEARCH, fields)
    assert answer.status_code == 302, text_of(answer)
    assert not any(value and value in answer["Location"] for value in fields.values())
    return client.get(answer["Location"])


def ids_of(**wanted: Any) -> set[uuid.UUID]:
    page = find_certificates(certificate_criteria(**wanted))
    return {line.id for line in page.lines}


class TestSearch:
    """Each number that names a certificate finds it, in each way that people and programs write it."""

    def test_by_serial_in_both_orders_and_every_spelling(self, issued: dict[str, Certificate]) -> None:
        row = issued["person-hsaid-auth"]
        octets = bytes.fromhex(row.serial)
        forms = certificate_record(row.id).serial
        spellings = {
            row.serial, row.serial.lower(), octets.hex(":"), octets.hex(" "), f"0x{row.serial}", f"00{row.serial}",
            octets.hex("-"), octets[::-1].hex(), octets[::-1].hex(":").upper(), octets[::-1].hex() + "00",
            str(int(row.serial, 16)), forms.mapping,
            f"  {row.serial}\n",
        }  # fmt: skip
        for text in spellings:
            assert ids_of(text=text) == {row.id}, text

    def test_by_hashes_references_ids_and_the_certificate_itself(self, issued: dict[str, Certificate]) -> None:
        row = issued["person-id-sign"]
        der = bytes(row.blob.der)
        fingerprint = hashlib.sha256(der)
        pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()
        for text in (fingerprint.hexdigest(), fingerprint.digest().hex(":").upper(), row.spki_sha256, str(row.id), pem):
            assert ids_of(text=text) == {row.id}, text
        assert ids_of(text=pem.replace("\n", " ")) == {row.id}  # as a field of one line has it
        everyone = {each.id for each in issued.values()}
        assert ids_of(text="carrier:1") == ids_of(text="person:1") == everyone

    def test_a_number_is_found_with_its_index(self, issued: dict[str, Certificate]) -> None:
        """With sequential reading made dear, as it is in a large table, no search reads the table through."""
        row = issued["person-id-sign"]
        texts = [
            row.serial,
            row.spki_sha256,
            hashlib.sha256(bytes(row.blob.der)).hexdigest(),
            "carrier:1",
            "person:1",
            str(row.id),
        ]
        for text in texts:
            wanted = certificate_criteria(text=text)
            with connection.cursor() as cursor:
                cursor.execute("SET enable_seqscan = off")
            with CaptureQueriesContext(connection) as queries:
                find_certificates(wanted)
            for query in queries:
                if 'FROM "pki_certificate"' in query["sql"] or "pki_certificateblob" in query["sql"]:
                    with connection.cursor() as cursor:
                        cursor.execute(f"EXPLAIN {query['sql']}")
                        said = "\n".join(line for (line,) in cursor.fetchall())
                    assert "Seq Scan on pki_certificate" not in said, (text, said)
        with connection.cursor() as cursor:
            cursor.execute("RESET enable_seqscan")

    def test_filters_bound_what_is_found(self, issued: dict[str, Certificate]) -> None:
        row = issued["person-hsaid-auth"]
        ca = (row.ca.slug, row.ca.generation)
        own = set(Certificate.objects.filter(ca=row.ca).values_list("id", flat=True))
        assert ids_of(ca=ca) == own
        assert ids_of(ca=ca, profile="person-hsaid-auth") == {row.id}
        assert ids_of(ca=ca, profile="person-hsaid-auth", status="revoked") == set()
        assert ids_of(ca=ca, profile="person-hsaid-auth", expires_from=row.not_after) == {row.id}
        assert ids_of(ca=ca, profile="person-hsaid-auth", expires_before=row.not_after) == set()
        assert ids_of(text="carrier:1", ca=ca, profile="person-hsaid-sign") == {issued["person-hsaid-sign"].id}
        assert ids_of(text=row.serial, ca=("function", 1)) == set()

    def test_a_ca_is_gone_through_page_by_page_and_nothing_twice(
        self, issued: dict[str, Certificate], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(4):
            plan(*card())
        ca = issued["person-hsaid-auth"].ca
        expected = list(Certificate.objects.filter(ca=ca).order_by("-serial").values_list("id", flat=True))
        for wanted, looked in (({}, 5), ({"status": "reserved"}, 3), ({"profile": "ocsp-signer"}, 3)):
            monkeypatch.setattr(finding, "LOOKED_THROUGH", looked)
            criteria = certificate_criteria(ca=(ca.slug, 1), **wanted)
            seen: list[uuid.UUID] = []
            after = None
            for _ in range(20):
                page = find_certificates(criteria, after=after, limit=2)
                seen += [line.id for line in page.lines]
                after = page.after
                if after is None:
                    break
            rows = Certificate.objects.filter(pk__in=expected)
            if wanted:
                wanted_rows = (
                    rows.filter(status="reserved") if "status" in wanted else rows.filter(profile_version__name="ocsp-signer")
                )
                assert seen == [pk for pk in expected if wanted_rows.filter(pk=pk).exists()]
            else:
                assert seen == expected

    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({}, "Skriv vad du söker, eller välj en utfärdare"),
            ({"text": "Åsa Östberg"}, "Skriv ett serienummer, ett fingeravtryck"),
            ({"text": "AB" * 21}, "Ett serienummer har högst 20 byte"),
            ({"text": "0"}, "Ett serienummer har högst 20 byte"),
            ({"text": "-----BEGIN CERTIFICATE-----\nÅ\n-----END CERTIFICATE-----"}, "Certifikatet går inte att läsa"),
            ({"text": "A" * 16_001}, "Texten är för lång"),
            ({"ca": "nobody:1"}, "Välj en utfärdare i listan."),
            ({"ca": "root:1", "profile": "nothing"}, "Välj en profil i listan."),
            ({"ca": "root:1", "status": "x"}, "Välj en status i listan."),
            ({"ca": "root:1", "expires_from": "i går"}, "Skriv dagen som ÅÅÅÅ-MM-DD."),
            (
                {"ca": "root:1", "expires_from": "2027-01-02", "expires_to": "2027-01-01"},
                "Den sista dagen ligger före den första.",
            ),
        ],
    )
    def test_what_cannot_be_searched_for_is_said_and_kept(
        self, world: Any, demo_pki: Any, fields: dict[str, str], message: str
    ) -> None:
        answer = client_of(operator(world)).post(SEARCH, fields)
        assert answer.status_code == 422
        assert text_of(answer).count(message) >= 2
        if len(fields.get("text", "")) in range(1, 50):
            assert fields["text"] in answer.content.decode()
        assert not CertificateSearch.objects.exists()

    def test_the_last_day_of_a_window_is_in_it(self, world: Any, issued: dict[str, Certificate]) -> None:
        row = issued["person-hsaid-auth"]
        end = dt.datetime(2027, 3, 5, 23, 59, 59, tzinfo=clock.STOCKHOLM)
        with tampering() as cursor:  # what was planned keeps its times
            cursor.execute("UPDATE pki_certificate SET not_after = %s WHERE id = %s", [end, str(row.pk)])
        client = client_of(operator(world))
        window = {"ca": "person-hsaid-3:1", "profile": "person-hsaid-auth"}
        day = "2027-03-05"
        hit = found_by(client, **window, expires_from=day, expires_to=day)
        assert row.serial in text_of(hit)
        assert f'value="{day}"' in hit.content.decode()  # filled in again, to be changed
        assert row.serial not in text_of(found_by(client, **window, expires_to="2027-03-04"))

    def test_hits_tell_of_no_holder_and_a_pasted_certificate_is_not_kept(
        self, world: Any, issued: dict[str, Certificate]
    ) -> None:
        der = bytes(issued["person-id-auth"].blob.der)
        pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()
        page = found_by(client_of(operator(world)), text=pem)
        assert issued["person-id-auth"].serial in text_of(page)
        assert "Östberg" not in text_of(page)
        kept = CertificateSearch.objects.get()
        assert kept.form["text"] == hashlib.sha256(der).hexdigest()
        facts = Event.objects.get(action="certificate_search.made").facts
        assert facts == {"fields": ["sha256"]}

    def test_the_handle_opens_for_its_owner_in_its_session_alone(self, world: Any, issued: dict[str, Certificate]) -> None:
        actor = operator(world)
        client = client_of(actor)
        address = client.post(SEARCH, {"text": "carrier:1"})["Location"]
        assert client.get(address).status_code == 200
        assert client_of(operator(world, "Nanna")).get(address).status_code == 404
        assert client_of(actor).get(address).status_code == 404  # after a new log-in

    def test_searches_are_forgotten(self, world: Any, issued: dict[str, Certificate]) -> None:
        client_of(operator(world)).post(SEARCH, {"text": "carrier:1"})
        with clock.moved_to(clock.now() + dt.timedelta(hours=settings.SEARCH_KEEP_HOURS, seconds=1)):
            clean_up.delete_old()
        assert not CertificateSearch.objects.exists()


def test_what_is_noted_of_certificates_and_by_whom_has_words() -> None:
    """Every action on certificates and every rule of the system that `pki` writes into events."""
    source = "\n".join(path.read_text() for path in Path(pki.__file__).parent.rglob("*.py"))
    actions = re.findall(r'action="(certificate\.\w+)"', source)
    rules = re.findall(r'"(system:[a-z-]+)"', source)
    assert len(set(rules)) > 10
    assert set(rules) <= set(pki_words.SYSTEM)
    assert set(actions) <= set(pki_words.EVENT)
    assert "certificate.lint_finding" in actions


class TestCertificate:
    """The page of one certificate."""

    def test_every_field_is_there(self, world: Any, issued: dict[str, Certificate]) -> None:
        row = issued["person-hsaid-auth"]
        text = text_of(client_of(operator(world)).get(reverse("pki_certificate", args=[row.id])))
        record = certificate_record(row.id)
        assert record.decoded
        for section in record.decoded.sections:
            for line in section.lines:
                assert " ".join(line.value.split()) in text.replace("&quot;", '"').replace("&lt;", "<").replace("&gt;", ">"), line
        fingerprint = hashlib.sha256(bytes(row.blob.der)).hexdigest()
        assert row.profile_version
        for expected in (
            "Giltigt", "stämmer med utfärdarens nyckel", row.profile_version.sha256, row.spki_sha256, row.tbs_sha256, "carrier:1",
            "Serienumret reserverades", "Certifikatet signerades och sparades", "OCSP-svar, SHA1", "OCSP-svar, SHA256",
            "aktuellt", "finns inte i någon lista",
            bytes.fromhex(fingerprint).hex(":").upper(), "kritiskt", *HSA_SUBJECT.values(),
        ):  # fmt: skip
            assert expected in text, expected

    def test_both_byte_orders_of_the_serial_and_what_active_directory_wants(
        self, world: Any, issued: dict[str, Certificate]
    ) -> None:
        row = issued["person-hsaid-auth"]
        page = client_of(operator(world)).get(reverse("pki_certificate", args=[row.id])).content.decode().replace("<wbr>", "")
        backwards = bytes.fromhex(row.serial)[::-1].hex().upper()
        issuer = "C=SE,O=Demo e-legitimationer AB,CN=DEMO SITHS e-id Person HSA-id 3 CA v1"
        assert f"X509:&lt;I&gt;{issuer}&lt;SR&gt;{backwards}" in page
        assert bytes.fromhex(row.serial).hex(":").upper() in page
        assert str(int(row.serial, 16)) in page

    def test_a_revoked_one_says_why_and_where_it_shows(self, world: Any, issued: dict[str, Certificate], demo_pki: Any) -> None:
        row, actor = issued["person-hsaid-auth"], operator(world)
        since = clock.now() - dt.timedelta(days=3)
        with transaction.atomic():
            pki.plan_revocation(
                [row.id], reason="keyCompromise", actor_ref=actor.ref, received_at=clock.now(), invalidity_date=since,
                channel=RevocationChannel.PHONE, justification="Nyckeln låg på en webbplats",
            )  # fmt: skip
        client, address = client_of(actor), reverse("pki_certificate", args=[row.id])
        text = text_of(client.get(address))
        for expected in (
            "Spärrat", "Nyckeln kan vara röjd (keyCompromise)", "Nyckeln låg på en webbplats", "Ester Förvaltarsson",
            "nästa, planerad", "Kanal Per telefon",
        ):  # fmt: skip
            assert expected in text, expected
        assert " phone " not in text
        demo_pki.settle()
        published = building.publish_crl(row.ca_id)
        assert published
        assert f"nummer {published.number}, sedan" in text_of(client.get(address))

    def test_one_that_is_not_signed_yet_shows_what_is_planned(self, world: Any, demo_pki: Any) -> None:
        (pk,) = plan(order("function"))
        client = client_of(operator(world))
        text = text_of(client.get(reverse("pki_certificate", args=[pk])))
        for expected in (
            "Utfärdas",
            "Certifikatet är inte signerat",
            "api.demo.example.com",
            "Det finns inget signerat certifikat.",
        ):
            assert expected in text, expected
        assert client.get(reverse("pki_certificate_pem", args=[pk])).status_code == 404
        assert client.get(reverse("pki_certificate_der", args=[pk])).status_code == 404

    def test_one_of_which_only_the_serial_is_kept(self, world: Any, demo_pki: Any) -> None:
        now = clock.now()
        rows = [pki.SerialOnly("0177ABCDEF00112233445566778899", now, now + dt.timedelta(days=10))]
        (pk,) = pki.plan_serial_only(rows, ca="demo-bulk", actor_ref="system:test")
        text = text_of(client_of(operator(world)).get(reverse("pki_certificate", args=[pk])))
        assert "Portalen har bara serienummer, giltighet och status." in text
        assert "01:77:AB:CD:EF:00:11:22:33:44:55:66:77:88:99" in text
        assert "998877665544332211" in text

    def test_bytes_that_are_no_certificate_are_shown_as_they_are(self, world: Any, demo_pki: Any) -> None:
        (pk,) = plan(order("function"))
        CertificateBlob.objects.create(certificate_id=pk, der=b"\x30\x03abc")
        page = client_of(operator(world)).get(reverse("pki_certificate", args=[pk]))
        assert page.status_code == 200
        assert "Går inte att läsa som certifikat" in text_of(page)
        assert "stämmer inte med utfärdarens nyckel" in text_of(page)

    def test_the_files_are_the_certificate(self, world: Any, issued: dict[str, Certificate]) -> None:
        row, client = issued["person-hsaid-auth"], client_of(operator(world))
        der = bytes(row.blob.der)
        saved = client.get(reverse("pki_certificate_der", args=[row.id]))
        assert (saved.content, saved["Content-Type"]) == (der, "application/pkix-cert")
        pem = client.get(reverse("pki_certificate_pem", args=[row.id]))
        assert x509.load_pem_x509_certificate(pem.content).public_bytes(Encoding.DER) == der
        for answer in (saved, pem):
            assert answer["Content-Disposition"].startswith('attachment; filename="certifikat.')
            assert "no-store" in answer["Cache-Control"]

    @pytest.mark.parametrize("name", ["pki_certificate", "pki_certificate_pem", "pki_certificate_der"])
    def test_each_showing_is_an_event_before_it_is_shown(self, world: Any, issued: dict[str, Certificate], name: str) -> None:
        row, actor = issued["person-hsaid-auth"], operator(world)
        assert client_of(actor).get(reverse(name, args=[row.id])).status_code == 200
        event = Event.objects.get(action="certificate.shown")
        assert (event.actor_ref, event.subject_type, event.subject_ref) == (actor.ref, "disclosure", str(row.id))

    def test_the_page_costs_the_same_however_much_happened(self, world: Any, issued: dict[str, Certificate]) -> None:
        client, address = client_of(operator(world)), reverse("pki_certificate", args=[issued["person-hsaid-auth"].id])
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        assert len(queries) <= 16


class TestPeople:
    """Certificates on the cards of people whom the portal knows."""

    def test_the_showing_is_noted_on_the_person(self, world: Any, demo_pki: Any) -> None:
        carrier, actor = sent_card(world).carrier, operator(world)
        pk = carrier.certificates.first().certificate_id
        page = client_of(actor).get(reverse("pki_certificate", args=[pk]))
        assert reverse("person", args=[carrier.person_id]) in page.content.decode()
        event = Event.objects.get(action="person.shown")
        assert (event.actor_ref, event.subject_ref) == (actor.ref, str(carrier.person_id))
        assert event.facts == {"shown": "certificate", "subject": str(pk)}
        assert "<title>Certifikat – SITHS eID Portal</title>" in page.content.decode()

    def test_those_of_protected_people_are_unknown_without_the_add_on(self, world: Any, demo_pki: Any) -> None:
        post = world.post(protected=True)
        order = world.order(post, actor=world.officer(protected=True))
        pk = plan(*card())[0]
        CarrierCertificate.objects.create(certificate_id=pk, carrier=order.carrier, profile="person-id-auth")
        serial = Certificate.objects.get(pk=pk).serial
        client = client_of(operator(world))
        for name in ("pki_certificate", "pki_certificate_pem", "pki_certificate_der"):
            answers = set()
            for hidden in (pk, uuid.uuid4()):
                with CaptureQueriesContext(connection) as queries:
                    answer = client.get(reverse(name, args=[hidden]))
                answers.add((answer.status_code, without_marks(answer), len(queries)))
            assert len(answers) == 1
            assert answers.pop()[0] == 404
        for fields in ({"text": serial}, {"ca": "person-hsaid-3:1"}, {"ca": "person-hsaid-3:1", "status": "reserved"}):
            assert str(pk) not in found_by(client, **fields).content.decode()
        keeper = client_of(operator(world, "Sigrid", protected=True))
        assert keeper.get(reverse("pki_certificate", args=[pk])).status_code == 200
        assert str(pk) in found_by(keeper, text=serial).content.decode()
