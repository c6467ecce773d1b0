"""What an import tells of addresses in certificates that nothing here answers at (rules/pki 1.3, ADR 0217)."""

import datetime as dt

import pytest
from django.core.management import CommandError

from pki.models import CaImport, CertificateAuthority, ImportFinding
from pki.takeover import checking, lifecycle
from pki.takeover.foreign_crls import publish
from siths_portal.lib import clock
from tests.pki.takeover import takeover_world as world
from tests.pki.takeover.takeover_world import OldCa, openssl

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_tokens")]
STEM = "oldsithstypecav1"
SERVED = (
    f"crlDistributionPoints = URI:http://crl1.old.test/{STEM}.crl\n"
    f"authorityInfoAccess = OCSP;URI:http://ocsp1.old.test, caIssuers;URI:http://aia.old.test/{STEM}.cer\n"
)
ELSEWHERE = (
    "crlDistributionPoints = URI:http://crl1.old.test/lists/one.crl, URI:ldap://old.test/cn=one\n"
    f"authorityInfoAccess = OCSP;URI:http://ocsp1.old.test/status, caIssuers;URI:http://aia.old.test/{STEM}.crt\n"
)
TOLD = [
    "crl http://crl1.old.test/lists/one.crl",
    "crl ldap://old.test/cn=one",
    "ocsp http://ocsp1.old.test/status",
    f"caIssuers http://aia.old.test/{STEM}.crt",
]


def named(old: OldCa, section: str, lines: str) -> None:
    """Its certificates name these addresses from now on; its own too, for the section `ca_ext`."""
    text = old.config.read_text()
    old.config.write_text(text.replace(f"[{section}]\n", f"[{section}]\n{lines}"))
    if section == "ca_ext":
        subject = ("-x509", "-days", 4000, "-subj", f"/C=SE/O=Old AB/CN={old.name}", "-extensions", "ca_ext")
        openssl("req", "-new", "-config", old.config, "-key", old.key, *subject, "-out", old.certificate)


def old_ca(tmp_path, lines: str, section: str = "leaf", name: str = "old", **options) -> OldCa:
    old = OldCa(tmp_path / name, **options)
    named(old, section, lines)
    return old


def folder_of(tmp_path, old: OldCa, *, count: int = 3, **options):
    if count:
        old.issue(count)
    if options.get("key", True):
        old.move_key()
    folder = world.manifest(tmp_path / f"in-{old.folder.name}", old, "jsonl", **options)
    world.as_jsonl(folder, world.told(old))
    return folder


def found() -> list[tuple[str, str, str]]:
    return list(ImportFinding.objects.filter(kind="address").order_by("id").values_list("place", "serial", "detail"))


def test_addresses_that_are_served_here_are_no_findings(tmp_path):
    folder = folder_of(tmp_path, old_ca(tmp_path, SERVED))
    world.approve(folder)
    world.run(folder)
    assert CaImport.objects.get().report["findings"] == {}


def test_an_address_that_nothing_answers_at_is_told_once_with_the_first_that_names_it(tmp_path):
    old = old_ca(tmp_path, ELSEWHERE)
    folder = folder_of(tmp_path, old)
    world.approve(folder)
    with pytest.raises(CommandError, match="avvikelser"):
        world.run(folder, report=tmp_path / "report")
    serial = world.text(world.certificates(old)[0].serial_number)
    assert found() == [("certificates.jsonl:1", serial, each) for each in TOLD]
    assert CaImport.objects.get().report["findings"] == {"address": 4}
    text = next((tmp_path / "report").glob("*.txt")).read_text()
    assert "avvikelse: 4 adressen i certifikaten leder inte till något som publiceras här" in text
    assert TOLD[0] in text


def test_a_run_that_was_cut_off_does_not_tell_them_again(tmp_path, monkeypatch):
    folder = folder_of(tmp_path, old_ca(tmp_path, ELSEWHERE))
    world.approve(folder)
    monkeypatch.setattr(checking, "PIECE", 1)
    monkeypatch.setattr(lifecycle, "BATCH", 1)

    def cut(_ledger, _position) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lifecycle.carry_out(lifecycle.asked(folder), actor_ref="x", workers=1, say=cut)
    assert CaImport.objects.get().position == 1
    with pytest.raises(CommandError, match="avvikelser"):
        world.run(folder)
    assert [detail for _, _, detail in found()] == TOLD
    assert CaImport.objects.get().report["findings"] == {"address": 4}


def test_certificates_that_have_ended_need_no_addresses(tmp_path):
    folder = folder_of(tmp_path, old_ca(tmp_path, ELSEWHERE))
    with clock.moved_to(clock.now() + dt.timedelta(days=900)):
        world.run(folder, dry_run=True)


def test_of_a_ca_without_a_key_here_lists_and_answers_are_told(tmp_path):
    folder = folder_of(tmp_path, old_ca(tmp_path, SERVED), key=False)
    world.approve(folder)
    with pytest.raises(CommandError, match="avvikelser"):
        world.run(folder)
    assert [detail for _, _, detail in found()] == [f"crl http://crl1.old.test/{STEM}.crl", "ocsp http://ocsp1.old.test"]


def test_of_one_whose_list_comes_with_it_only_answers_are_told(tmp_path):
    old = old_ca(tmp_path, SERVED)
    folder = folder_of(tmp_path, old, key=False)
    world.add_crl(folder, old.crl())
    world.approve(folder)
    with pytest.raises(CommandError, match="avvikelser"):
        world.run(folder)
    assert [detail for _, _, detail in found()] == ["ocsp http://ocsp1.old.test"]


def test_the_cas_own_certificate_names_its_parents_addresses(tmp_path):
    root = OldCa(tmp_path / "root", name="OLD SITHS Root CA v1")
    above = folder_of(tmp_path, root, count=0, key=False, slug="root")
    world.approve(above)
    world.run(above)
    lines = "crlDistributionPoints = URI:http://crl1.old.test/oldsithsrootcav1.crl\n"
    lines += "authorityInfoAccess = caIssuers;URI:http://aia.old.test/oldsithsrootcav1.cer\n"
    old = old_ca(tmp_path, lines, "ca_ext")
    old.certified_by(root)
    folder = folder_of(tmp_path, old)
    with (folder / "import.yaml").open("a") as file:
        file.write("  parent: root\n")
    world.approve(folder)
    with pytest.raises(CommandError, match="avvikelser"):
        world.run(folder)
    assert found() == [("ca", "1267", "crl http://crl1.old.test/oldsithsrootcav1.crl")]
    # Once the parent's list is out, its address leads to it.
    publish(CertificateAuthority.objects.get(slug="root"), root.crl(), actor_ref="x")
    world.run(folder, dry_run=True)
