"""What the old service calls revoked or on hold is never good after an import: up to what our OCSP and our CRL say (ADR 0171)."""

import contextlib
import datetime as dt
import json

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import ocsp as x509_ocsp
from django.core.management import CommandError, call_command

from pki.approvals import dual_control
from pki.authorities import ca_states
from pki.crl import building
from pki.domain.ocsp_request import parse
from pki.models import ApprovalRequest, CaImport, Certificate, CertificateAuthority, ImportFinding, OcspSigner
from pki.ocsp import presigning, status
from pki.takeover import lifecycle
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from tests.pki.crl.crl_world import number, published
from tests.pki.takeover import takeover_world as world
from tests.pki.takeover.takeover_world import OldCa, used_ca
from tests.pki.takeover.test_import import FORMATS, filled

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_tokens")]
HOUR = dt.timedelta(hours=1)
NO_SUCH = x509.UnrecognizedExtension(x509.CRLEntryExtensionOID.CRL_REASON, b"\x0a\x01\x07")  # RFC 5280 has no reason 7


@pytest.fixture
def old(tmp_path) -> OldCa:
    """Five certificates, the second revoked for a reason on offer; the key in the token."""
    made = used_ca(tmp_path / "old", 5, {1: "superseded"})
    made.move_key()
    return made


def serials(old: OldCa) -> list[int]:
    return [each.serial_number for each in world.certificates(old)]


def list_of(old: OldCa, entries: dict[int, x509.ExtensionType], crl_number: int = 41, ago: dt.timedelta = HOUR) -> bytes:
    """A list of the old CA with these certificates, by their places, as OpenSSL does not make them."""
    key = load_pem_private_key(old.key.read_bytes(), None)
    issuer = x509.load_pem_x509_certificate(old.certificate.read_bytes())
    now = clock.now().replace(microsecond=0)
    made = x509.CertificateRevocationListBuilder(issuer.subject, now, now + dt.timedelta(days=2))
    made = made.add_extension(x509.CRLNumber(crl_number), critical=False)
    for place, why in entries.items():
        entry = x509.RevokedCertificateBuilder(serials(old)[place], now - ago)
        made = made.add_revoked_certificate(entry.add_extension(why, critical=False).build())
    return made.sign(key, hashes.SHA256()).public_bytes(world.Encoding.DER)


def folder_of(tmp_path, old: OldCa, form: str, content: bytes, *, hold: str = "refuse", name: str = "in"):
    """A folder with this list; what the data says of each is that it is issued, or nothing."""
    folder = world.manifest(tmp_path / name, old, form, extra=f"hold: {hold}\n")
    if form == "files":
        world.as_files(folder, old)
    else:
        rows = [{name: row[name] for name in ("serial", "der")} | {"status": "issued"} for row in world.told(old)]
        world.as_jsonl(folder, rows)
    world.add_crl(folder, content)
    return folder


def said(old: OldCa) -> dict[int, tuple[bool, bool]]:
    """Of each certificate, whether OCSP calls it revoked, and whether our list has it."""
    ca = CertificateAuthority.objects.get(slug="function")
    building.publish_crl(ca.id)
    presigning.presign_due()
    listed = {entry.serial_number for entry in published(ca)}
    issuer, found = x509.load_pem_x509_certificate(old.certificate.read_bytes()), {}
    for place, each in enumerate(world.certificates(old)):
        request = x509_ocsp.OCSPRequestBuilder().add_certificate(each, issuer, hashes.SHA256()).build()
        answer = status.answer(parse(request.public_bytes(world.Encoding.DER)))
        told = x509_ocsp.load_der_ocsp_response(answer.der).certificate_status
        assert told in (x509_ocsp.OCSPCertStatus.GOOD, x509_ocsp.OCSPCertStatus.REVOKED)
        found[place] = (told == x509_ocsp.OCSPCertStatus.REVOKED, each.serial_number in listed)
    return found


def of(*revoked: int) -> dict[int, tuple[bool, bool]]:
    return {place: (place in revoked, place in revoked) for place in range(5)}


def found() -> set[tuple[str, str]]:
    return set(ImportFinding.objects.values_list("kind", "detail"))


def run_with_findings(folder) -> None:
    with pytest.raises(CommandError, match="avvikelser"):
        world.run(folder)


def approve_anyhow(folder) -> None:
    """An approval that was asked for by another way than the command, which would have refused."""
    row = dual_control.request(
        action="import", summary="x", document=lifecycle.asked(folder).document, requester_ref="operator:somebody"
    )
    for who in ("user:1", "user:2"):
        dual_control.decide(request_id=row.id, approver_ref=who, decision="approved", document_sha256=row.document_sha256)


def dated(old: OldCa, content: bytes, moment: dt.datetime) -> bytes:
    """The list with this date in its entries."""
    made = asn1_crl.CertificateList.load(content)
    for entry in made["tbs_cert_list"]["revoked_certificates"]:
        entry["revocation_date"] = asn1_x509.Time(name="general_time", value=moment)
    key = load_pem_private_key(old.key.read_bytes(), None)
    made["signature"] = key.sign(made["tbs_cert_list"].dump(force=True), ec.ECDSA(hashes.SHA256()))
    return made.dump(force=True)


def test_a_date_of_revocation_that_no_list_can_have_keeps_none_from_being_made(old, tmp_path):
    """As programs write that tell of no date: the certificates are revoked, by the first date that there is."""
    reason = x509.CRLReason(x509.ReasonFlags.superseded)
    early = dt.datetime(1899, 12, 30, tzinfo=dt.UTC)
    folder = folder_of(tmp_path, old, "jsonl", dated(old, list_of(old, {3: reason}), early))
    rows = [{"der": row["der"], "status": "issued"} for row in world.told(old)]
    rows[2] |= {"status": "revoked", "revoked_at": "0001-01-01T00:00:00+00:00", "reason": "keyCompromise"}
    world.as_jsonl(folder, rows)
    world.approve(folder)
    run_with_findings(folder)
    assert {("times", "0001-01-01 00:00:00+00:00"), ("times", early.isoformat())} <= found()
    assert said(old) == of(2, 3)
    dates = Certificate.objects.filter(status="revoked").values_list("revoked_at", flat=True)
    assert set(dates) == {dt.datetime(1950, 1, 1, tzinfo=dt.UTC)}
    with contextlib.suppress(CommandError):  # the same is told again
        world.run(folder)
    assert set(dates.all()) == {dt.datetime(1950, 1, 1, tzinfo=dt.UTC)}


@pytest.mark.parametrize("form", ["files", "jsonl"])
def test_a_listed_certificate_is_revoked_whatever_reason_the_list_has(form, old, tmp_path):
    reasons = {
        0: x509.CRLReason(x509.ReasonFlags.aa_compromise),
        2: x509.CRLReason(x509.ReasonFlags.ca_compromise),
        3: NO_SUCH,
        1: x509.CRLReason(x509.ReasonFlags.superseded),
    }
    folder = folder_of(tmp_path, old, form, list_of(old, reasons))
    world.approve(folder)
    run_with_findings(folder)
    assert said(old) == of(0, 1, 2, 3)
    told = {("reason", "aACompromise"), ("reason", "cACompromise"), ("reason", "")}
    assert found() == told | ({("listed-not-revoked", "")} if form == "jsonl" else set())
    rows = dict(Certificate.objects.filter(subject_ref="", status="revoked").values_list("serial", "reason"))
    assert sorted(rows.values()) == ["superseded", "unspecified", "unspecified", "unspecified"]
    for entry in published(CertificateAuthority.objects.get(slug="function")):
        before = x509.load_der_x509_crl((folder / "crls" / "old.crl").read_bytes())
        same = before.get_revoked_certificate_by_serial_number(entry.serial_number)
        assert entry.revocation_date_utc == same.revocation_date_utc


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_loses_a_row_that_is_revoked_for_a_reason_not_on_offer(form, old, tmp_path):
    old.revoke(3, "CACompromise")
    folder = filled(tmp_path, old, form)
    if form != "files":
        for path in (folder / "crls").glob("*.crl"):
            path.unlink()  # the row alone tells of it
    world.approve(folder)
    run_with_findings(folder)
    assert said(old) == of(1, 3)
    assert {kind for kind, _detail in found()} == {"reason"}
    assert set(ImportFinding.objects.values_list("serial", flat=True)) == {world.text(serials(old)[3])}
    assert Certificate.objects.get(serial=world.text(serials(old)[3])).reason == "unspecified"


@pytest.mark.parametrize("form", ["files", "jsonl"])
def test_an_import_with_certificates_on_hold_is_not_asked_for_until_that_is_decided(form, old, tmp_path):
    hold = x509.CRLReason(x509.ReasonFlags.certificate_hold)
    content = list_of(old, {1: x509.CRLReason(x509.ReasonFlags.superseded), 4: hold})
    folder = folder_of(tmp_path, old, form, content)
    world.run_dry(folder)
    with pytest.raises(CommandError, match="tillfälligt spärrade"):
        call_command("pki_import", str(folder), request=True, workers=1)
    assert not ApprovalRequest.objects.exists()
    assert not CertificateAuthority.objects.exists()
    manifest = folder / "import.yaml"
    manifest.write_text(manifest.read_text().replace("hold: refuse", "hold: revoke"))
    world.approve(folder)
    assert ApprovalRequest.objects.get().document["hold"] == "revoke"
    if form == "jsonl":
        run_with_findings(folder)  # its rows say that both are issued
    else:
        world.run(folder)
    assert said(old) == of(1, 4)


def test_a_row_on_hold_is_not_lost_either(old, tmp_path, capsys):
    row = world.told(old)[4]
    held = row | {"status": "revoked", "revoked_at": "2026-01-01T00:00:00+00:00", "reason": "certificateHold"}
    folder = world.manifest(tmp_path / "in", old, "jsonl")
    world.as_jsonl(folder, [*world.told(old)[:4], held])
    with pytest.raises(CommandError, match="avvikelser"):
        world.run(folder, dry_run=True, json=True)
    (told,) = json.loads(capsys.readouterr().out)["examples"]
    assert (told["place"], told["kind"], told["serial"]) == ("certificates.jsonl:5", "on-hold", row["serial"])
    with pytest.raises(CommandError, match="tillfälligt spärrade"):
        call_command("pki_import", str(folder), request=True, workers=1)
    world.manifest(tmp_path / "in", old, "jsonl", extra="hold: revoke\n")
    world.approve(folder)
    world.run(folder)
    assert said(old) == of(1, 4)


@pytest.mark.parametrize("by", ["list", "row"])
def test_nor_does_one_finish_that_was_approved_all_the_same(by, old, tmp_path):
    content = list_of(old, {4: x509.CRLReason(x509.ReasonFlags.certificate_hold)} if by == "list" else {})
    folder = folder_of(tmp_path, old, "files" if by == "list" else "jsonl", content)
    if by == "row":
        at = {"status": "revoked", "revoked_at": "2026-01-01T00:00:00+00:00", "reason": "certificateHold"}
        world.as_jsonl(folder, [each | (at if place == 4 else {}) for place, each in enumerate(world.told(old))])
    approve_anyhow(folder)
    for _again in range(2):
        with pytest.raises(CommandError, match="tillfälligt spärrade"):
            world.run(folder)
        ca = CertificateAuthority.objects.get(slug="function")
        assert (ca.state, CaImport.objects.get().state) == ("planned", "certificates")
    with pytest.raises(Conflict, match="ca-import-unfinished"):
        ca_states.check(ca, "active")
    assert not OcspSigner.objects.exists()
    assert not building.crl_path(ca).exists()


@pytest.mark.parametrize("crl_number", [1 << 159, 1 << 63, (1 << 63) - 1])
def test_a_list_whose_number_is_too_high_to_go_on_with_is_believed_all_the_same(crl_number, old, tmp_path):
    content = list_of(old, {2: x509.CRLReason(x509.ReasonFlags.superseded)}, crl_number)
    folder = folder_of(tmp_path, old, "files", content)
    world.approve(folder)
    run_with_findings(folder)
    assert found() == {("list-number", str(crl_number))}
    assert said(old) == of(2)
    assert number(published(CertificateAuthority.objects.get(slug="function"))) < 1 << 63
    call_command("pki_import", str(folder), compare=True)  # a number is no difference in status


def test_an_entry_with_a_date_that_is_still_to_come_is_revoked_from_now(old, tmp_path):
    content = list_of(old, {2: x509.CRLReason(x509.ReasonFlags.superseded)}, ago=-24 * HOUR)
    folder = folder_of(tmp_path, old, "files", content)
    before = clock.now()
    world.approve(folder)
    run_with_findings(folder)
    assert said(old) == of(2)
    assert {kind for kind, _detail in found()} == {"times"}
    assert before <= Certificate.objects.get(serial=world.text(serials(old)[2])).revoked_at <= clock.now()
