"""Receipts, seen from outside: what stands in them and what does not, whose words, and that they verify."""

import datetime as dt
import hashlib
import json
import re
import socket
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from django.db import IntegrityError, transaction

from issuance.activation.models import EidAppTransaction, PreparedReceipt
from issuance.activation.queries import receipt_view
from issuance.activation.services import activation, receipt_content, receipts
from issuance.authz import Actor, Role
from issuance.carriers.models import Carrier, Receipt
from issuance.people.models.persons import Person, Post
from issuance.receipt_texts.services import set_receipt_text, use_receipt_text_from_above
from issuance.records.domain.ids import PersonId, PersonIdKind
from issuance.records.models.events import Document
from issuance.records.queries import history
from issuance.roles.services import role_assignment
from issuance.roles.services.actors import actor_of_person
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, Forbidden
from siths_portal.lib.pdf import pades, rendering
from tests.chance import without_chance
from tests.issuance import activated
from tests.issuance.activated import CODE, PUK, App, Made, activated_card, identify, reopened, sent_card
from tests.issuance.histories import entries_of
from tests.issuance.world import ADDRESS, SETUP

pytestmark = pytest.mark.usefixtures("demo_pki")
TAGS = "<script>alert(1)</script> <img src=file:///etc/passwd> <link rel=attachment href=file:/etc/passwd>"
HOSTILE = f"{{{{7*7}}}} {{% load x %}} {TAGS} &amp; <b>fet</b>"
# Terms that somebody has signed never change: a new wording is a new file with a new version.
TERMS = {
    "1": "c5997a2f1701a4ffc6997ae25a57c1711434521cc5022f06a58d62315d3b7434",
    "2": "cd234f9c50c02cbd9b118c3d713dfa1ab66d5a428f64ea57d13f0b60f7a00d0a",
}


@pytest.fixture(autouse=True)
def one_printed_receipt() -> None:
    """Here each is printed."""


def content_of(receipt: Receipt) -> bytes:
    return bytes(Document.objects.get(sha256=receipt.document_id).content)


def poppler(tool: str, content: bytes, tmp_path: Path, *options: str) -> str:
    path = tmp_path / "receipt.pdf"
    path.write_bytes(content)
    return subprocess.run([tool, *options, str(path)], capture_output=True, text=True, check=True).stdout


def addition(world: Any, text: str, organisation: Any = None) -> None:
    set_receipt_text(actor=SETUP, organisation_id=(organisation or world.region).id, regional_addition=text)


def printed(world: Any, made: Made) -> str:
    """The page of the receipt that waits for this card's holder."""
    identify(world, made)
    return receipt_content.html(PreparedReceipt.objects.get(transaction__carrier=made.carrier).content)


# --- what it says ---------------------------------------------------------------------------------------------------------


def test_it_verifies_for_pyhanko_and_for_poppler(world: Any, tmp_path: Path) -> None:
    activated_card(world)
    content = content_of(Receipt.objects.get())
    chain = pki.chain("person-id-3")
    pades.validate(content, root=chain[-1], chain=chain)
    shown = poppler("pdfsig", content, tmp_path, "-nocert")
    assert "Signature Validation: Signature is Valid." in shown
    assert "Total document signed" in shown
    assert "Signer Certificate Common Name: Prov Provsson" in shown


def test_its_fields_are_the_ones_demanded(world: Any) -> None:
    addition(world, "Kortet öppnar också dörrar.")
    made = activated_card(world)
    receipt, carrier = Receipt.objects.get(), made.fresh()
    content = receipt.content
    person = carrier.person
    number = person.identifiers.get()
    assert content["receipt"]["id"] == str(receipt.pk)
    assert content["holder"] == {
        "name": f"{person.given_name_in_use} {person.surname}", "given_name": person.given_name_in_use,
        "surname": person.surname, "person_id": {"kind": "personnummer", "value": number.value},
    }  # fmt: skip
    assert content["carrier"]["card_serial"] == carrier.card_serial
    assert content["carrier"]["article"]["code"] == "631"
    assert content["carrier"]["assurance_level"] == 3
    assert content["organisation"] == {"name": "Regionen", "hsa_id": "TST2321000131-1000"}
    assert content["issuing_area"] == "Regionen"
    assert content["office"]["name"] == "Kontor A"
    assert [eid["hsa_id"] for eid in content["eids"]] == [carrier.eids.get().hsa_id]
    assert {each["profile"]: each["sha256"] for each in content["certificates"]} == {
        profile: sha256_hex(der) for profile, der in made.certificates.items()
    }
    usage = {each["profile"]: each["key_usage"] for each in content["certificates"]}
    assert (usage["person-id-sign"], usage["person-id-auth"]) == (["nonRepudiation"], ["digitalSignature"])
    identification = EidAppTransaction.objects.get().identification
    assert content["identification"]["document"] == identification.identity_document == "driving_licence"
    assert content["identification"]["officer"]["name"] == "Handläggare Provsson"
    assert content["identification"]["officer"]["hsa_id"].startswith("TST2321000131-")
    assert content["identification"]["at"].endswith("Z")
    assert content["order"]["id"] == str(made.order.pk)
    assert content["order"]["sent_at"]
    assert content["signature"]["transaction"] == str(EidAppTransaction.objects.get().pk)
    assert content["signature"]["certificate_sha256"] == sha256_hex(made.certificates["person-id-sign"])
    assert content["regional_addition"]["text"] == "Kortet öppnar också dörrar."
    assert any("var för sig" in paragraph for paragraph in content["terms"]["summary"])
    assert any("lämnar tillbaka" in paragraph for paragraph in content["terms"]["summary"])


def test_the_row_holds_the_hashes_of_what_was_signed_and_accepted(world: Any, tmp_path: Path) -> None:
    made = activated_card(world)
    receipt = Receipt.objects.select_related("terms").get()
    assert (receipt.identity_document, receipt.officer_ref) == ("driving_licence", world.officer().ref)
    assert sha256_hex(content_of(receipt)) == receipt.document_id
    assert bytes(receipt.terms.content).decode() == receipts.current_terms().text
    assert receipt.terms_sha256 == receipts.current_terms().sha256 == receipt.content["terms"]["sha256"]
    assert canonical_json(receipt.content) == attached(content_of(receipt))
    assert receipt.content_sha256 == hashlib.sha256(attached(content_of(receipt))).hexdigest()
    transaction_row = EidAppTransaction.objects.get()
    assert (transaction_row.content_sha256, transaction_row.terms_sha256) == (receipt.content_sha256, receipt.terms_sha256)
    signing = made.carrier.certificates.get(profile="person-id-sign")
    assert receipt.signature_certificate_id == signing.certificate_id
    assert receipt.signed_at == made.fresh().activated_at


def attached(content: bytes) -> bytes:
    with pikepdf.open(BytesIO(content)) as document:
        assert list(document.attachments) == ["kvittens.json"]
        return document.attachments["kvittens.json"].get_file().read_bytes()


def test_what_must_not_stand_in_it(world: Any) -> None:
    activated_card(world)
    content = content_of(Receipt.objects.get())
    shown = without_chance(rendering.text(content) + attached(content).decode())
    for secret in (PUK, CODE, ADDRESS.postal_code, ADDRESS.lines[0], "0123456789"):
        assert secret not in shown
    with pikepdf.open(BytesIO(content)) as document:
        assert all(not page.images for page in document.pages)


def test_signer_time_and_order_can_be_read_on_it(world: Any) -> None:
    made = activated_card(world)
    receipt = Receipt.objects.get()
    shown = " ".join(rendering.text(content_of(receipt)).split())
    prepared = dt.datetime.fromisoformat(receipt.content["signature"]["prepared_at"]).astimezone(clock.STOCKHOLM)
    person = made.carrier.person
    assert f"Skrivs under av {person.given_name_in_use} {person.surname}, " in shown
    assert f"Tid {prepared:%Y-%m-%d %H:%M:%S}, då kvittensen togs fram för underskrift" in shown
    assert f"Beställnings-id {made.order.pk}" in shown  # whole and on one line


def test_every_word_of_the_terms_is_on_it(world: Any) -> None:
    activated_card(world)
    shown = re.sub(r"\s+", "", rendering.text(content_of(Receipt.objects.get())))
    terms = receipts.current_terms()
    for section in terms.sections:
        for words in (section.heading, *section.paragraphs):
            assert re.sub(r"\s+", "", words) in shown
    assert len(terms.sections) >= 6


def test_terms_that_were_signed_never_change() -> None:
    assert receipts.current_terms().version in TERMS
    for version, signed in TERMS.items():
        kept = Path(f"templates/activation/receipt/terms-{version}.sv.txt").read_bytes()
        assert (receipts.terms(version).sha256, receipts.terms(version).text.encode()) == (signed, kept)
    with pytest.raises(KeyError):
        receipts.terms("0")


# --- whose addition -------------------------------------------------------------------------------------------------------


def test_the_newest_addition_of_the_nearest_organisation_holds(world: Any) -> None:
    clinic = world.post(world.clinic)
    clerk = world.officer()
    assert receipt_content.regional_addition(world.clinic) is None
    addition(world, "Stadens", world.city)
    assert receipt_content.regional_addition(world.clinic) is None
    addition(world, "Regionens första")
    addition(world, "Regionens andra")
    assert receipt_content.regional_addition(world.clinic).regional_addition == "Regionens andra"
    assert "Regionens andra" in printed(world, sent_card(world, clinic, actor=clerk))
    addition(world, "Klinikens", world.clinic)
    addition(world, "Regionens tredje")
    assert receipt_content.regional_addition(world.clinic).regional_addition == "Klinikens"
    assert receipt_content.regional_addition(world.region).regional_addition == "Regionens tredje"
    use_receipt_text_from_above(actor=SETUP, organisation_id=world.clinic.id)
    assert receipt_content.regional_addition(world.clinic).regional_addition == "Regionens tredje"
    ward = world.organisation("Avdelningen", "TST2321000131-1007", "2321000131", area=world.area, parent=world.clinic)
    assert receipt_content.regional_addition(ward).regional_addition == "Regionens tredje"
    addition(world, "  ", world.clinic)
    made = sent_card(world, world.post(world.clinic))
    shown = printed(world, made)
    assert "Regionalt tillägg" not in shown
    assert "Regionens" not in shown.split("<main>")[1].replace("<td>Regionen</td>", "")


def test_the_addition_that_was_shown_stays_although_it_changes(world: Any) -> None:
    addition(world, "Före")
    made = sent_card(world)
    app = App(made)
    app.start(identify(world, made))
    addition(world, "Efter")
    app.set_code()
    app.complete()
    receipt = Receipt.objects.select_related("receipt_text").get()
    assert receipt.receipt_text.regional_addition == receipt.content["regional_addition"]["text"] == "Före"


# --- hostile texts (S39, S40) -----------------------------------------------------------------------------------------------


def test_a_hostile_addition_is_printed_literally(world: Any, tmp_path: Path) -> None:
    addition(world, HOSTILE)
    activated_card(world)
    content = content_of(Receipt.objects.get())
    shown = re.sub(r"\s+", "", rendering.text(content))
    for part in HOSTILE.split():
        assert part in shown
    assert "root:" not in shown
    assert json.loads(attached(content))["regional_addition"]["text"] == HOSTILE
    assert poppler("pdfdetach", content, tmp_path, "-list").startswith("1 embedded files")


def test_markup_in_names_is_escaped_on_the_page(world: Any) -> None:
    made = sent_card(world, world.post(given_name="<i>Prov</i>", surname="{{ x }}"))
    shown = printed(world, made)
    assert "&lt;i&gt;Prov&lt;/i&gt; {{ x }}" in shown
    assert "<i>" not in shown


def test_no_address_is_called_for_a_receipt(world: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x"
        addition(world, f'<img src="{address}"><link rel=stylesheet href="{address}"><style>@import "{address}"</style>')
        identify(world, sent_card(world))
        with pytest.raises(BlockingIOError):
            server.accept()


# --- form -----------------------------------------------------------------------------------------------------------------


def test_it_is_tagged_titled_and_archived_without_a_name_in_its_title(world: Any, tmp_path: Path) -> None:
    activated_card(world)
    content = content_of(Receipt.objects.get())
    info = poppler("pdfinfo", content, tmp_path)
    assert re.search(r"Title: +Kvittens för SITHS eID på kort\n", info)
    assert re.search(r"Tagged: +yes", info)
    assert "Prov" not in info
    structure = poppler("pdfinfo", content, tmp_path, "-struct")
    assert len(re.findall(r"^\s*H1", structure, re.M)) == 1
    assert len(re.findall(r"^\s*Caption", structure, re.M)) == len(re.findall(r"^\s*Table", structure, re.M)) == 7
    with pikepdf.open(BytesIO(content)) as document:
        assert document.Root.Lang == "sv"
        with document.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "A")
        assert document.check_pdf_syntax() == []
    rows = poppler("pdffonts", content, tmp_path).splitlines()[2:]
    assert rows
    assert all(row.split()[-5] == "yes" for row in rows)


def test_two_pages_do_and_a_long_addition_takes_as_many_as_it_needs(world: Any) -> None:
    short = sent_card(world)
    identify(world, short)
    assert pages(PreparedReceipt.objects.get()) == 2
    addition(world, "Ett ganska långt stycke om hur kortet används i våra lokaler.\n\n" * 60)
    long = sent_card(world)
    identify(world, long)
    assert pages(PreparedReceipt.objects.get(transaction__carrier=long.carrier)) >= 3


def pages(prepared: PreparedReceipt) -> int:
    with pikepdf.open(BytesIO(bytes(prepared.pdf))) as document:
        return len(document.pages)


# --- guards ---------------------------------------------------------------------------------------------------------------


def test_a_file_that_does_not_verify_is_not_stored(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = sent_card(world)
    app = App(made)
    app.start(identify(world, made))
    app.set_code()
    real = pades.embed

    def spoilt(*arguments: Any) -> bytes:
        content = bytearray(real(*arguments))
        content[200] ^= 1
        return bytes(content)

    with monkeypatch.context() as spoiling:
        spoiling.setattr(pades, "embed", spoilt)
        with pytest.raises(Conflict, match="receipt-not-valid") as told:
            app.complete()
    assert told.value.message.endswith("börja om.")
    assert not Receipt.objects.exists()
    assert made.fresh().state == "activated_unsigned"
    row = EidAppTransaction.objects.get()
    assert row.state == "failed"
    again = App(made)
    again.start(reopened(world, activation.Opened(row, "")))
    again.complete()
    assert made.fresh().state == "active"


def test_the_database_keeps_an_active_card_with_its_own_receipt(world: Any) -> None:
    first, second = activated_card(world), sent_card(world)
    for change in ({"state": "active"}, {"receipt": first.fresh().receipt}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Carrier.objects.filter(pk=second.carrier.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        Carrier.objects.filter(pk=first.carrier.pk).update(receipt=None)


def test_pages_show_it_before_and_after(world: Any) -> None:
    addition(world, "Tillägget")
    made = sent_card(world)
    opened, app = identify(world, made), App(made)
    before = receipts.preview(activated.transaction(opened))
    assert before is not None
    assert (before.holder_name, before.regional_addition) == ("Prov Provsson", "Tillägget")
    assert re.fullmatch(r"\d{4} \d{4} \d{3} \d{4} \d{4}", before.card_serial)
    assert re.fullmatch(r"\d{8}-\d{4}", before.person_id)
    app.start(opened)
    app.set_code()
    app.complete()
    assert receipts.preview(activated.transaction(opened)) == before
    other = identify(world, sent_card(world))
    activation.cancel(actor=world.officer(), transaction_id=other.transaction.pk)
    assert receipts.preview(activated.transaction(other)) is None


# --- the clerk on it -------------------------------------------------------------------------------------------------------


def officer_on(made: Made) -> dict[str, str]:
    return dict(PreparedReceipt.objects.get(transaction__carrier=made.carrier).content["identification"]["officer"])


def second_post(world: Any, organisation: Any, clerk: Actor) -> Post:
    key = world.key_of(Person.objects.get(pk=clerk.person_id))
    return world.post(organisation, person_id=PersonId(PersonIdKind(key.kind), key.value), given_name="Handläggare")


def test_of_several_posts_the_nearest_above_the_card_stands_on_it(world: Any) -> None:
    clerk = world.officer()
    near, aside = second_post(world, world.clinic, clerk), second_post(world, world.city, clerk)
    made = sent_card(world, world.post(world.clinic))
    identify(world, made, actor=clerk)
    assert officer_on(made)["hsa_id"] == near.hsa_id
    Post.objects.filter(pk=near.pk).update(valid_to=clock.today() - dt.timedelta(days=1))
    identify(world, made, actor=clerk, document="passport")
    own = Post.objects.get(person_id=clerk.person_id, organisation=world.region)
    assert officer_on(made)["hsa_id"] == own.hsa_id
    logged_in = replace(clerk, hsa_id=aside.hsa_id.lower())
    identify(world, made, actor=logged_in, document="sis_id")
    assert officer_on(made)["hsa_id"] == aside.hsa_id


def protect(clerk: Actor) -> None:
    Person.objects.filter(pk=clerk.person_id).update(is_protected=True, protected_person_indicator=True)


def test_a_protected_clerk_stands_on_it_by_hsa_id_alone(world: Any, tmp_path: Path) -> None:
    clerk = world.officer(role=Role.DEPUTY_ISSUER)
    made = sent_card(world)
    protect(clerk)
    Person.objects.filter(pk=clerk.person_id).update(surname="Hemligsson")
    made.carrier = activate(world, made, clerk)
    hsa_id = Post.objects.get(person_id=clerk.person_id).hsa_id
    receipt = Receipt.objects.get()
    assert receipt.content["identification"]["officer"] == {"name": "", "hsa_id": hsa_id}
    poppler("pdftotext", content_of(receipt), tmp_path)
    text = (tmp_path / "receipt.txt").read_text()
    assert hsa_id in text
    assert "Hemligsson" not in text + attached(content_of(receipt)).decode()
    for reader, named in ((world.officer(), False), (world.officer(protected=True), True)):
        shown = receipt_view.receipt_view(actor=reader, carrier_id=made.carrier.pk).officer
        assert shown == ("Handläggare Hemligsson" if named else "Rollinnehavare med skyddade personuppgifter")
        assert receipt_view.receipt_document(actor=reader, carrier_id=made.carrier.pk).content


def activate(world: Any, made: Made, clerk: Actor) -> Carrier:
    app = App(made)
    app.start(identify(world, made, actor=clerk))
    app.set_code()
    return app.complete()


def test_a_clerk_who_became_protected_is_named_to_those_alone_who_may_see_him(world: Any) -> None:
    clerk = world.officer(role=Role.DEPUTY_ISSUER)
    made = sent_card(world)
    Person.objects.filter(pk=clerk.person_id).update(surname="Hemligsson")
    activate(world, made, clerk)
    name = Receipt.objects.get().content["identification"]["officer"]["name"]
    assert name == receipt_view.receipt_view(actor=world.officer(), carrier_id=made.carrier.pk).officer
    protect(clerk)
    elsewhere = world.officer()
    role_assignment.assign_role(
        actor=SETUP, person_id=elsewhere.person_id, role=Role.READER, organisation_id=world.city.id, protected_persons=True
    )
    for reader in (world.officer(), actor_of_person(elsewhere.person_id)):
        assert receipt_view.receipt_view(actor=reader, carrier_id=made.carrier.pk).officer != name
        entries = entries_of(history.carrier_history(actor=reader, carrier_id=made.carrier.pk))
        assert name not in {entry.who for entry in entries}
        with pytest.raises(Forbidden, match="receipt-names-protected"):
            receipt_view.receipt_document(actor=reader, carrier_id=made.carrier.pk)
    with_add_on = world.officer(protected=True)
    assert receipt_view.receipt_view(actor=with_add_on, carrier_id=made.carrier.pk).officer == name
    assert name in {entry.who for entry in entries_of(history.carrier_history(actor=with_add_on, carrier_id=made.carrier.pk))}
    assert receipt_view.receipt_document(actor=with_add_on, carrier_id=made.carrier.pk).content
