"""Cards from an earlier portal by file: what the preview tells of each row, and what is recorded, whole or not at all."""

import datetime as dt
import io
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from authn.models import Session
from issuance import tasks
from issuance.authz import Actor, Role
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.imports.domain import CARDS, CARRIER_TABLES
from issuance.imports.models import CarrierImport
from issuance.imports.services import CARRIER_IMPORTER, CarrierPlan
from issuance.imports.services.carrier_rows import PlannedCarrierRow
from issuance.offices.models import Office
from issuance.offices.services import create_office
from issuance.people.models.persons import Post
from issuance.people.queries.scope_check import scope_faults
from issuance.records.models.events import Event
from issuance.register_care.models import WorkItem
from issuance.register_care.services import nightly
from issuance.revocation.services import revocation
from pki import service as pki
from pki.models import Certificate, CertificateBlob, CertificateStatus
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden, Invalid
from siths_portal.lib.files import csv_files
from siths_portal.lib.imports.importer import Stale
from siths_portal.lib.imports.planning import RowOutcome
from tests.database_roles import acting_as
from tests.issuance.migrated import CA
from tests.issuance.organisations.test_pages import client_of
from tests.issuance.person_page.test_pages import text_of
from tests.issuance.revocation.test_pages import revoke
from tests.issuance.world import SETUP

pytestmark = pytest.mark.usefixtures("authorities")

Cells = dict[str, str]
DAY = dt.timedelta(days=1)
CN = "DEMO SITHS e-id Bulk CA v1"
_KEY = ec.generate_private_key(ec.SECP256R1())


def admin(world: Any) -> Actor:
    return world.officer(role=Role.MASTER_DATA_ADMIN)


def days_ago(days: int) -> str:
    return (clock.today() - days * DAY).isoformat()


def serial_number() -> str:
    return f"9754{secrets.randbelow(10**15):015}"


def card(post: Post, **cells: str) -> Cells:
    """A row: a card in use of the post's holder, without certificates."""
    usual = {
        "card_serial": serial_number(), "article": "631", "valid_from": days_ago(200), "valid_to": days_ago(-900),
        "hsa_id": post.hsa_id,
    }  # fmt: skip
    return usual | cells


def certificates(*serials: str, revoked: bool = False, der: bytes | None = None) -> None:
    """Certificates that an import of their issuer brought."""
    begin = clock.now() - 200 * DAY
    for serial in serials:
        reason = {"revoked_at": begin + DAY, "reason": "superseded"} if revoked else {}
        row = pki.SerialOnly(serial=serial, not_before=begin, not_after=begin + 700 * DAY, **reason)  # type: ignore[arg-type]
        with transaction.atomic():
            (made,) = pki.plan_serial_only([row], ca=CA, actor_ref="system:import")
        if der is not None:
            CertificateBlob.objects.create(certificate_id=made, der=der)


def pair() -> tuple[str, str]:
    both = ("01" + secrets.token_hex(15), "01" + secrets.token_hex(15))
    certificates(*both)
    return both


def of_eid(auth: str, sign: str = "") -> Cells:
    return {"eid_issuer": CA, "eid_auth": auth, "eid_sign": sign}


def content(*rows: Cells) -> bytes:
    table = CARRIER_TABLES[CARDS]
    fields = [column.field for column in table.columns]
    assert not [name for row in rows for name in row if name not in fields]
    return csv_files.build(table.headings, [[row.get(name, "") for name in fields] for row in rows])


def kept(actor: Actor, *rows: Cells) -> tuple[CarrierImport, CarrierPlan]:
    row = CARRIER_IMPORTER.keep(actor=actor, content=content(*rows))
    return row, CARRIER_IMPORTER.planned(actor=actor, row=row)


def carried_out(actor: Actor, *rows: Cells, confirmed: bool = True) -> CarrierImport:
    row, plan = kept(actor, *rows)
    assert errors(plan.rows) == []
    return CARRIER_IMPORTER.carry_out(actor=actor, import_id=row.pk, sha256=plan.sha256, confirmed=confirmed)


def errors(rows: Sequence[PlannedCarrierRow]) -> list[tuple[int, str, str]]:
    return [(row.row.number, field, text) for row in rows for field, texts in row.errors.items() for text in texts]


class TestCarryingOut:
    """From the file to cards that the portal knows."""

    def test_cards_with_their_eids_and_certificates_and_the_same_file_again(self, world: Any) -> None:
        actor, post = admin(world), world.post(world.clinic)
        second = world.post(world.city, person_id=_number_of(world, post))
        hsa, other, own = pair(), pair(), pair()
        first = card(
            post, mifare_id="04:a1 b2-c3", organisation=world.region.hsa_id, activated=days_ago(190),
            person_issuer=CN.lower(), person_auth=own[0].upper(), person_sign=own[1], **of_eid(*hsa),
        )  # fmt: skip
        serial = first["card_serial"]
        rows = [first, first | {"hsa_id": second.hsa_id.lower(), "person_auth": "", "person_sign": ""} | of_eid(*other)]
        rows[0]["card_serial"] = f"{serial[:4]} {serial[4:]}"
        made = carried_out(actor, *rows, confirmed=False)
        assert made.made == {
            "carriers": 1, "eids": 2, "certificates": 6, "uncertified": 0, "same": 0, "wrong": 0, "completed": 0,
        }  # fmt: skip
        carrier = Carrier.objects.get(card_serial=serial)
        assert (carrier.state, carrier.origin, carrier.kind, carrier.mifare_id) == (
            "active",
            "migrated",
            "ordinary_card",
            "04A1B2C3",
        )
        assert (carrier.person_id, carrier.organisation_id, carrier.receipt_id) == (post.person_id, world.region.id, None)
        assert {(eid.hsa_id, eid.organisation_id, eid.state) for eid in Eid.objects.all()} == {
            (post.hsa_id, world.clinic.id, "active"), (second.hsa_id, world.city.id, "active"),
        }  # fmt: skip
        links = CarrierCertificate.objects.filter(carrier=carrier)
        assert sorted(links.values_list("profile", "eid__hsa_id")) == sorted(
            [("person-hsaid-auth", each.hsa_id) for each in (post, second)]
            + [("person-hsaid-sign", each.hsa_id) for each in (post, second)]
            + [("person-id-auth", None), ("person-id-sign", None)]
        )
        told = Event.objects.get(action="carrier_import.carried_out")
        assert (told.actor_ref, told.facts["carriers"], told.facts["eids"]) == (actor.ref, 1, 2)
        assert Event.objects.filter(action__in=["carrier.migrated", "eid.migrated"]).count() == 3
        assert verify_states().wrong == ()
        assert scope_faults().ok
        again, plan = kept(actor, *rows)
        assert {row.outcome for row in plan.rows} == {RowOutcome.SAME}
        with pytest.raises(Invalid, match="nothing-to-do"):
            CARRIER_IMPORTER.carry_out(actor=actor, import_id=again.pk, sha256=plan.sha256)
        revocation.revoke_carrier(
            actor=world.officer(), carrier_id=carrier.pk, reason="replaced", requester="holder", channel="visit"
        )
        ids = list(links.values_list("certificate_id", flat=True))
        assert set(Certificate.objects.filter(pk__in=ids).values_list("status", flat=True)) == {CertificateStatus.REVOKED}
        assert {row.outcome for row in kept(actor, *rows)[1].rows} == {RowOutcome.SAME}

    def test_cards_that_have_ended_and_holders_whose_assignment_has(self, world: Any) -> None:
        actor, post = admin(world), world.post()
        Post.objects.filter(pk=post.pk).update(ended_at=clock.now() - DAY)
        certificates("01AB", revoked=True)
        lost = card(post, status="spärrad", ended=days_ago(30), reason="Förlorat eller stulet", **of_eid("01ab"))
        old = card(post, status="Utgången", valid_from=days_ago(900), valid_to=days_ago(2))
        carried_out(actor, lost, old, confirmed=False)
        found = Carrier.objects.values_list("card_serial", "state", "revocation_reason", "eids__state", "eids__revocation_reason")
        assert set(found) == {
            (lost["card_serial"], "revoked", "lost_or_stolen", "revoked", "lost_or_stolen"),
            (old["card_serial"], "expired", "", "expired", ""),
        }
        assert Carrier.objects.get(card_serial=lost["card_serial"]).ended_at == clock.start_of_day(clock.today() - 30 * DAY)
        assert verify_states().wrong == ()

    def test_a_card_gets_the_office_that_the_file_names(self, world: Any) -> None:
        actor, post = admin(world), world.post()
        number = world.office.office_number
        row = card(post, office=f"{number[:5]} {number[5:]}")
        carried_out(actor, row, card(world.post()))
        carrier = Carrier.objects.get(card_serial=row["card_serial"])
        assert carrier.office == world.office
        reader = client_of(world.officer(role=Role.RESPONSIBLE_ISSUER))
        listing = reader.get(f"{reverse('organisation_holders', args=[world.region.pk])}?kontor={world.office.pk}")
        assert [(line.card_serial, line.office) for line in listing.context["list"].lines] == [
            (carrier.card_serial, world.office.name)
        ]
        Post.objects.filter(pk=post.pk).update(ended_at=clock.now())
        nightly.work_now()
        assert WorkItem.objects.get(carrier=carrier, kind="ended").office == world.office
        ((_number, field, _text),) = errors(kept(actor, row | {"office": other_office(world).office_number})[1].rows)
        assert field == "office", "a second file changes nothing"

    def test_a_card_without_certificates_is_confirmed_and_gets_them_later(self, world: Any) -> None:
        actor, row = admin(world), card(world.post())
        waiting, plan = kept(actor, row)
        assert plan.warned == 1
        with pytest.raises(Invalid, match="without-certificates"):
            CARRIER_IMPORTER.carry_out(actor=actor, import_id=waiting.pk, sha256=plan.sha256)
        assert not Carrier.objects.exists()
        done = {"actor": actor, "import_id": waiting.pk, "sha256": plan.sha256, "confirmed": True}
        first, second = [CARRIER_IMPORTER.carry_out(**done) for _ in range(2)]
        assert (second.pk, second.made, Carrier.objects.count()) == (first.pk, first.made, 1)
        row |= of_eid(*pair())
        assert carried_out(actor, row, confirmed=False).made["completed"] == 1
        assert CarrierCertificate.objects.filter(eid=Eid.objects.get()).count() == 2
        assert {each.outcome for each in kept(actor, row)[1].rows} == {RowOutcome.SAME}

    def test_what_changed_since_the_preview_records_nothing(self, world: Any) -> None:
        actor, row = admin(world), card(world.post(), **of_eid(*pair()))
        waiting, plan = kept(actor, row, card(world.post(), **of_eid(*pair())))
        carried_out(actor, row)
        with pytest.raises(Stale):
            CARRIER_IMPORTER.carry_out(actor=actor, import_id=waiting.pk, sha256=plan.sha256)
        assert Carrier.objects.count() == 1
        with clock.moved_to(clock.now() + 2 * DAY):
            tasks.forget_searches()
        assert not CarrierImport.objects.exists()


class TestRows:
    """What is wrong is told by row and column, and then nothing is recorded."""

    def test_each_cell(self, world: Any) -> None:
        post, other = world.post(), world.post()
        good = card(post)
        rows = [
            good, good, good | {"hsa_id": other.hsa_id, "mifare_id": "12"},
            card(post, card_serial="123"), card(post, article=""), card(post, article="999"),
            card(post, hsa_id="TST0000000000-1"),
            card(post, organisation="TST2321000131-9999"), card(post, mifare_id="12345678901"), card(post, status="Ny"),
            card(post, valid_from="i går"), card(post, valid_to=days_ago(300)), card(post, valid_to="2099-01-01"),
            card(post, valid_to="9999-12-31"), card(post, valid_to=days_ago(1)), card(post, status="Utgången"),
            card(post, ended=days_ago(1)), card(post, status="Spärrad"), card(post, status="Spärrad", ended=days_ago(-2)),
            card(post, status="Spärrad", ended=days_ago(2), reason="Slut"), card(post, eid_valid_from=days_ago(300)),
            card(post, eid_valid_to=days_ago(-1000)), card(post, activated=days_ago(-3)), card(post, eid_auth="01"),
            card(post, office="0000000000"), card(world.post(world.stranger), office=world.office.office_number),
        ]  # fmt: skip
        told = [(number, field) for number, field, _text in errors(kept(admin(world), *rows)[1].rows)]
        assert told == [
            (3, "hsa_id"), (4, "card_serial"), (4, "hsa_id"),
            (5, "card_serial"), (6, "article"), (7, "article"), (8, "hsa_id"),
            (9, "organisation"), (10, "mifare_id"), (11, "status"),
            (12, "valid_from"), (13, "valid_to"), (14, "valid_to"),
            (15, "valid_to"), (16, "status"), (17, "status"),
            (18, "ended"), (19, "ended"), (20, "ended"),
            (21, "reason"), (22, "eid_valid_from"),
            (23, "eid_valid_to"), (24, "activated"), (25, "eid_issuer"),
            (26, "office"), (27, "office"),
        ]  # fmt: skip
        assert not Carrier.objects.exists()

    def test_each_certificate(self, world: Any) -> None:
        actor, post = admin(world), world.post()
        taken, free = pair(), pair()
        carried_out(actor, card(post, **of_eid(*taken)))
        certificates("01AA", revoked=True)
        certificates("01BB", der=_certificate("TST2321000131-ANNAN"))
        certificates("01CC", der=_certificate(post.hsa_id))
        ours = world.order()
        Carrier.objects.filter(pk=ours.carrier_id).update(card_serial="9" * 19)
        rows = [
            card(post, **of_eid("01DD")), card(post, **(of_eid("01CC") | {"eid_issuer": "Okänd CA"})),
            card(post, **of_eid(taken[0])), card(post, **of_eid("01AA")), card(post, **of_eid("01BB")),
            card(post, **of_eid("01CC", "01CC")), card(post, **of_eid(free[0])), card(post, **of_eid(free[0])),
            card(post, status="Spärrad", ended=days_ago(3), **of_eid(free[1])), card(post, **of_eid("zz")),
            card(post, card_serial="9" * 19),
        ]  # fmt: skip
        found = errors(kept(actor, *rows)[1].rows)
        assert [(number, field) for number, field, _text in found] == [
            (2, "eid_auth"), (3, "eid_issuer"), (4, "eid_auth"), (5, "eid_auth"), (6, "eid_auth"), (7, "eid_sign"),
            (9, "eid_auth"), (10, "eid_auth"), (11, "eid_auth"), (12, "card_serial"),
        ]  # fmt: skip

    def test_another_value_of_a_known_card_is_told_and_not_written(self, world: Any) -> None:
        actor, post = admin(world), world.post()
        row = card(post, mifare_id="12AB")
        carried_out(actor, row)
        changed = [row | {"mifare_id": "12CD"}, card(world.post(), card_serial=row["card_serial"])]
        for each, field in zip(changed, ("mifare_id", "card_serial"), strict=True):
            ((_number, name, _text),) = errors(kept(actor, each)[1].rows)
            assert name == field

    def test_s11_who_may_and_whom_they_see_by_the_same_queries(self, world: Any) -> None:
        actor, row = admin(world), card(world.post())
        for role in (Role.RESPONSIBLE_ISSUER, Role.GLOBAL_READER):
            with pytest.raises(Forbidden):
                CARRIER_IMPORTER.keep(actor=world.officer(role=role), content=content(row))
        hidden, counts, told = world.post(protected=True), [], []
        for rows in ([card(hidden)], [card(hidden, hsa_id="TST2321000131-ZZZZZZZZ")]):
            with CaptureQueriesContext(connection) as queries:
                told.append(errors(kept(actor, *rows)[1].rows))
            counts.append(len(queries))
        assert told[0] == told[1] != []
        assert counts[0] == counts[1]
        counts = []
        for size in (2, 20):
            rows = [card(world.post(), **of_eid(*pair())) for _ in range(size)]
            with CaptureQueriesContext(connection) as queries:
                kept(actor, *rows)
            counts.append(len(queries))
        assert counts[0] == counts[1]


def test_the_portals_process_may_do_all_of_it(world: Any) -> None:
    actor, row = admin(world), card(world.post(), **of_eid(*pair()))
    with acting_as("portal"):
        made = carried_out(actor, row)
    assert made.made["certificates"] == 2


def test_the_command_imports_files_in_order_and_stops_at_the_first_wrong_one(world: Any, tmp_path: Path) -> None:
    rows = [card(world.post(), **of_eid(*pair())), card(world.post(), card_serial="1"), card(world.post())]
    paths = [tmp_path / f"{number}.csv" for number in range(len(rows))]
    for path, row in zip(paths, rows, strict=True):
        path.write_bytes(content(row))
    said = io.StringIO()
    call_command("issuance_import_cards", paths[0], "--dry-run", stdout=said)
    assert "skulle läsa in 1 kort med 1 SITHS eID, 2 certifikat" in said.getvalue()
    assert not Carrier.objects.exists()
    with pytest.raises(CommandError, match="inget är inläst"):
        call_command("issuance_import_cards", *paths, stdout=said)
    assert "Kort 2: Kortserienummer: Skriv kortserienumret med 19 siffror." in said.getvalue()
    assert Carrier.objects.count() == 1
    with pytest.raises(CommandError, match="kör igen med --without-certificates"):
        call_command("issuance_import_cards", paths[2], stdout=said)
    call_command("issuance_import_cards", paths[2], paths[0], "--without-certificates", stdout=said)
    assert Carrier.objects.count() == 2
    assert set(Event.objects.filter(action="carrier.migrated").values_list("actor_ref", flat=True)) == {"system:migration"}


def test_the_pages_from_the_template_to_the_card_that_a_clerk_finds(world: Any) -> None:
    client, post, start = client_of(admin(world)), world.post(), "/administrera/aldre-kort/"
    assert f'href="{start}"' in client.get("/administrera/").content.decode()
    assert "Kortserienummer" in client.get(f"{start}mall.csv").content.decode("utf-8-sig")
    assert client.get(f"{start}mall.xlsx").status_code == 200
    rows = [card(post, **of_eid(*pair())), card(world.post())]
    answer = client.post(start, {"file": SimpleUploadedFile("kort.csv", content(*rows))})
    page = client.get(answer["Location"])
    text = text_of(page)
    for said in (
        "Inget är inläst än.",
        "Ordinarie kort, aktiv, till",
        "1 rad är ett kort i bruk utan certifikat.",
        "Utan certifikat (1)",
    ):
        assert said in text, said
    plan = {"plan": page.context["plan"].sha256}
    assert client.post(answer["Location"], plan).status_code == 422
    began = Session.objects.values_list("authenticated_at", flat=True).get()
    Session.objects.update(authenticated_at=began - dt.timedelta(seconds=settings.ROLES_LOGIN_MAX_AGE + 5))
    stale = client.post(answer["Location"], plan | {"katalog": "1"})
    assert (stale.status_code, Carrier.objects.exists()) == (302, False)
    assert "next=" in stale["Location"], "a recent log-in is needed"
    Session.objects.update(authenticated_at=began)
    assert client.post(answer["Location"], plan | {"katalog": "1"}).status_code == 302
    assert "Kort 2" in text_of(client.get(answer["Location"]))
    assert "Allt i filen lästes in" in text_of(client.post(answer["Location"], plan | {"katalog": "1"})), "a second click"
    assert Event.objects.filter(action="carrier_import.carried_out").count() == 1
    clerk = client_of(world.officer())
    found = clerk.post("/sok/", {"text": rows[0]["card_serial"]})
    shown = text_of(clerk.get(found["Location"]))
    assert "Kort i bruk" in shown
    assert "Spärra kort" in shown
    for row, lacks in ((rows[0], False), (rows[1], True)):
        carrier = Carrier.objects.get(card_serial=row["card_serial"])
        form = text_of(clerk.get(reverse("carrier_revoke", args=[carrier.pk])))
        everything = text_of(clerk.get(reverse("person_revoke", args=[carrier.person_id])))
        result = text_of(clerk.get(revoke(clerk, carrier)["Location"]))
        for told in (form, everything, result):
            assert ("Begär spärr också hos den som gav ut dem." in told) is lacks
        assert ("Inloggning och underskrift med kortet slutar fungera" in form) is not lacks
        assert ("går inte att använda längre" in result) is not lacks


def test_s39_cells_are_shown_as_they_were_written(world: Any) -> None:
    hostile = "{{ 7*7 }}<script>alert(1)</script>"
    client, start = client_of(admin(world)), reverse("carrier_import")
    rows = [card(world.post(), **{field: hostile}) for field in ("article", "hsa_id", "organisation", "status", "reason")]
    answer = client.post(start, {"file": SimpleUploadedFile("kort.csv", content(*rows, card(world.post(), card_serial=hostile)))})
    page = client.get(answer["Location"]).content.decode()
    assert page.count("{{ 7*7 }}&lt;script&gt;") >= 1
    assert "<script>alert" not in page


def other_office(world: Any) -> Office:
    return create_office(actor=SETUP, area_id=world.area.id, name="Kontor D", invoice_comment="D")


def _number_of(world: Any, post: Post) -> Any:
    from issuance.records.domain.ids import PersonId, PersonIdKind

    row = post.person.identifiers.get()
    return PersonId(PersonIdKind(row.kind), row.value)


def _certificate(identity: str) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.SERIAL_NUMBER, identity)])
    built = x509.CertificateBuilder(name, name, _KEY.public_key(), 7, clock.now(), clock.now() + DAY)
    return built.sign(_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
