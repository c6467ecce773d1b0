"""`pki_import`: a CA of another installation, its certificates in five formats, its old list, its key (rules/pki 9)."""

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp as x509_ocsp
from django.core.management import CommandError, call_command

from pki.crl import building
from pki.domain.ocsp_request import parse
from pki.models import (
    ApprovalRequest,
    CaImport,
    Certificate,
    CertificateAuthority,
    CertificateBlob,
    Event,
    HsmKey,
    ImportFinding,
)
from pki.ocsp import presigning, status
from tests.pki.takeover import takeover_world as world
from tests.pki.takeover.takeover_world import OldCa, used_ca

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_tokens")]
FORMATS = ["files", "jsonl", "csv", "xipki", "ejbca"]


@pytest.fixture
def old(tmp_path) -> OldCa:
    """Six certificates, the second and the fifth revoked, and the key in the token."""
    made = used_ca(tmp_path / "old", 6, {1: "keyCompromise", 4: "superseded"})
    made.move_key()
    return made


def filled(tmp_path, old: OldCa, form: str = "jsonl", **options):
    """A folder in the format, with the old list."""
    extra = "xipki_name: oldca\n" if form == "xipki" else ""
    folder = world.manifest(tmp_path / f"in-{form}", old, form, extra=extra, **options)
    if form == "files":
        world.as_files(folder, old)
    elif form == "jsonl":
        world.as_jsonl(folder, world.told(old))
    elif form == "csv":
        rows = world.told(old)
        header = ["serial", "status", "der", "revoked_at", "reason"]
        lines = [",".join(header), *(",".join(row.get(name, "") for name in header) for row in rows)]
        (folder / "certificates.csv").write_text("\n".join(lines) + "\n")
    elif form == "xipki":
        world.as_xipki(folder, old)
    else:
        world.as_ejbca(folder, old)
    if form != "xipki":
        world.add_crl(folder, old.crl())
    return folder


def rows() -> dict[str, tuple]:
    found = Certificate.objects.filter(ca__slug="function").exclude(subject_ref__startswith="ca:")
    found = found.exclude(subject_ref__startswith="ocsp:")
    return {row.serial: (row.revoked_at, row.reason) for row in found}


def expected(old: OldCa) -> dict[str, tuple]:
    return {serial: (at, why) for serial, (at, why) in old.index().items()}


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_gives_the_certificates_statuses_times_and_reasons(form, old, tmp_path):
    folder = filled(tmp_path, old, form)
    world.approve(folder)
    world.run(folder)
    assert rows() == expected(old)
    blobs = CertificateBlob.objects.exclude(certificate__subject_ref__startswith="ocsp:")
    assert sorted(bytes(der) for der in blobs.values_list("der", flat=True)) == sorted(
        [old.der(), *(each.public_bytes(world.Encoding.DER) for each in world.certificates(old))]
    )
    ca = CertificateAuthority.objects.get(slug="function")
    assert (ca.state, bytes(ca.certificate_der), ca.key_id) == ("status_only", old.der(), world.KEY_ID)
    assert HsmKey.objects.get(key_id=world.KEY_ID).provenance == "imported"
    assert not ImportFinding.objects.exists()


def test_openssl_takes_our_list_and_answers_and_numbers_continue(old, tmp_path):
    folder = filled(tmp_path, old)
    world.approve(folder)
    world.run(folder)
    ca = CertificateAuthority.objects.get(slug="function")
    assert ca.last_crl_number == 41
    building.publish_crl(ca.id)
    ours = x509.load_der_x509_crl(building.crl_path(ca).read_bytes())
    before = x509.load_pem_x509_crl((old.folder / "old.crl").read_bytes())
    number = ours.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    assert number > before.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 41
    assert ours.last_update_utc >= before.last_update_utc
    said = {(entry.serial_number, entry.revocation_date_utc) for entry in ours}
    assert said == {(entry.serial_number, entry.revocation_date_utc) for entry in before}
    pem = tmp_path / "ours.pem"
    pem.write_bytes(ours.public_bytes(world.Encoding.PEM))
    verify = ("verify", "-crl_check", "-CAfile", old.certificate, "-CRLfile", pem)
    world.openssl(*verify, old.issued[0])
    with pytest.raises(AssertionError, match="certificate revoked"):
        world.openssl(*verify, old.issued[1])
    presigning.presign_due()
    subject = x509.load_pem_x509_certificate(old.issued[1].read_bytes())
    issuer = x509.load_pem_x509_certificate(old.certificate.read_bytes())
    request = x509_ocsp.OCSPRequestBuilder().add_certificate(subject, issuer, hashes.SHA256()).build()
    asked = parse(request.public_bytes(world.Encoding.DER))
    answer = x509_ocsp.load_der_ocsp_response(status.answer(asked).der)
    assert answer.certificate_status == x509_ocsp.OCSPCertStatus.REVOKED
    (responder,) = answer.certificates
    responder.verify_directly_issued_by(issuer)


def test_a_number_higher_than_the_clock_is_continued(old, tmp_path):
    (old.folder / "crlnumber").write_text("7FFFFFFFFFFF00\n")
    folder = filled(tmp_path, old)
    world.approve(folder)
    world.run(folder)
    ca = CertificateAuthority.objects.get(slug="function")
    assert building.publish_crl(ca.id).number == 0x7FFFFFFFFFFF01


def test_without_another_persons_approval_nothing_is_imported(old, tmp_path):
    folder = filled(tmp_path, old)
    with pytest.raises(CommandError, match="inte godkänd"):
        world.run(folder)
    call_command("pki_import", str(folder), request=True, workers=1)
    document = ApprovalRequest.objects.get().document  # what those who decide see
    assert [document[name] for name in ("slug", "rows", "new", "new_revoked", "findings")] == ["function", 6, 6, 2, 0]
    with pytest.raises(CommandError, match="inte godkänd"):
        world.run(folder)
    with pytest.raises(CommandError, match="redan begärd"):
        call_command("pki_import", str(folder), request=True)
    assert not CertificateAuthority.objects.exists()
    assert not HsmKey.objects.exists()


def test_an_approval_is_of_these_bytes(old, tmp_path):
    folder = filled(tmp_path, old)
    world.approve(folder)
    world.as_jsonl(folder, world.told(old)[1:])
    with pytest.raises(CommandError, match="inte godkänd"):
        world.run(folder)
    assert not CertificateAuthority.objects.exists()


def test_a_dry_run_tells_all_and_changes_nothing(old, tmp_path, capsys):
    folder = filled(tmp_path, old)
    before = Event.objects.count()
    world.run(folder, dry_run=True, json=True, report=tmp_path / "report")
    told = json.loads(capsys.readouterr().out)
    assert (told["counts"]["new"], told["counts"]["new_revoked"]) == (6, 2)
    assert told["rows"] == {"issued": 5, "revoked": 2}  # the CA's own certificate is one
    assert not CertificateAuthority.objects.exists()
    assert not HsmKey.objects.exists()
    assert not Certificate.objects.exists()
    assert Event.objects.count() == before
    world.approve(folder)
    world.run(folder, json=True, report=tmp_path / "report")
    real = json.loads(capsys.readouterr().out.splitlines()[-1])
    for name in ("counts", "rows", "findings", "inputs", "inputs_sha256", "lists"):
        assert real[name] == told[name]
    names = sorted(path.suffix for path in (tmp_path / "report").iterdir())
    assert names == [".json", ".json", ".pem", ".sig", ".txt", ".txt"]  # what would be is not signed


def test_the_reports_hash_stands_in_the_audit_chain_and_inputs_are_hashed(old, tmp_path):
    folder = filled(tmp_path, old)
    world.approve(folder)
    world.run(folder, report=tmp_path / "report")
    (written,) = (tmp_path / "report").glob("*.json")
    event = Event.objects.get(action="import.finished")
    assert event.facts["report_sha256"] == world_sha256(written.read_bytes())
    report = json.loads(written.read_text())
    files = {each["name"]: each["sha256"] for each in report["inputs"]}
    assert files["certificates.jsonl"] == world_sha256((folder / "certificates.jsonl").read_bytes())
    assert set(files) == {"import.yaml", "ca.cer", "certificates.jsonl", "crls/old.crl"}
    text = next((tmp_path / "report").glob("*.txt")).read_text()
    assert "6 nya certifikat" in text
    assert "inga avvikelser" in text


def world_sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def test_the_same_again_changes_nothing(old, tmp_path, capsys):
    folder = filled(tmp_path, old)
    world.approve(folder)
    world.run(folder)
    before = list(Certificate.objects.order_by("id").values())
    events = Event.objects.count()
    world.run(folder)
    assert "redan importerat; inget är ändrat" in capsys.readouterr().out
    assert list(Certificate.objects.order_by("id").values()) == before
    assert (Event.objects.count(), CaImport.objects.count()) == (events, 1)


def test_a_later_folder_revokes_what_the_old_service_revoked_meanwhile(old, tmp_path):
    folder = filled(tmp_path, old)
    world.approve(folder)
    world.run(folder)
    old.issue(1)
    old.revoke(2, "cessationOfOperation")
    later = world.manifest(tmp_path / "later", old, "jsonl")
    world.as_jsonl(later, world.told(old))
    world.add_crl(later, old.crl("later.crl"))
    world.approve(later)
    world.run(later)
    assert rows() == expected(old)
    counts = CaImport.objects.order_by("-started_at").first().counts
    assert (counts["new"], counts["revoked"], counts["unchanged"]) == (1, 1, 5)
    assert CertificateAuthority.objects.get(slug="function").last_crl_number == 42


def test_a_ca_without_its_key_here_is_external(old, tmp_path):
    folder = filled(tmp_path, old, key=False)
    world.approve(folder)
    world.run(folder)
    ca = CertificateAuthority.objects.get(slug="function")
    assert (ca.state, ca.key_id) == ("external", "")
    assert rows() == expected(old)


def test_another_key_is_refused_before_anything_is_written(old, tmp_path):
    other = OldCa(tmp_path / "other", name="OTHER CA")
    folder = world.manifest(tmp_path / "in", other, "jsonl")
    world.as_jsonl(folder, [])
    for options in ({"dry_run": True}, {"request": True}):
        with pytest.raises(CommandError, match="inte utfärdarens"):
            call_command("pki_import", str(folder), **options)
    assert not CertificateAuthority.objects.exists()
    assert not ApprovalRequest.objects.exists()


def test_a_ca_whose_issuer_is_not_here_or_another_is_refused(old, tmp_path):
    folder = filled(tmp_path, old)
    text = (folder / "import.yaml").read_text()
    (folder / "import.yaml").write_text(text.replace("  slug: function\n", "  slug: function\n  parent: nobody\n"))
    with pytest.raises(CommandError, match="nobody finns inte"):
        world.run(folder, dry_run=True)


def test_a_chain_is_imported_from_the_top_and_the_cas_certificate_stands_among_its_parents(old, tmp_path):
    root, stranger = OldCa(tmp_path / "root", name="OLD Root CA"), OldCa(tmp_path / "stranger", name="OLD Root CA")
    above = world.manifest(tmp_path / "above", root, "jsonl", key=False, slug="old-root")
    world.as_jsonl(above, [])
    world.approve(above)
    world.run(above)
    old.certified_by(stranger)

    def folder():
        made = filled(tmp_path, old)
        text = (made / "import.yaml").read_text()
        (made / "import.yaml").write_text(text.replace("  slug: function\n", "  slug: function\n  parent: old-root\n"))
        return made

    with pytest.raises(CommandError, match="inte signerat"):
        world.run(folder(), dry_run=True)
    old.certified_by(root)
    given = folder()
    world.approve(given)
    world.run(given)
    ca = CertificateAuthority.objects.select_related("parent").get(slug="function")
    assert (ca.parent.slug, ca.parent.state, ca.state) == ("old-root", "external", "status_only")
    row = Certificate.objects.get(subject_ref="ca:function:1")
    assert (row.ca_id, bytes(row.blob.der)) == (ca.parent_id, old.der())
    assert rows() == expected(old)


def test_it_issues_only_when_another_person_has_approved_that_too(old, tmp_path):
    from pki.approvals import dual_control
    from pki.authorities import ca_states
    from siths_portal.lib.errors import Conflict

    folder = filled(tmp_path, old)
    world.approve(folder)
    world.run(folder)
    asked = ca_states.plan_state_change(
        slug="function", generation=1, target="active", justification="Övertagen", requester_ref="user:1"
    )
    with pytest.raises(Conflict):
        ca_states.carry_out_state_change(request_id=asked.id, actor_ref="user:1")
    dual_control.decide(request_id=asked.id, approver_ref="user:2", decision="approved", document_sha256=asked.document_sha256)
    assert ca_states.carry_out_state_change(request_id=asked.id, actor_ref="user:1").state == "active"
    with pytest.raises(CommandError, match="tar inte emot"):
        world.run(filled(tmp_path, old, "csv"), dry_run=True)
