"""`pki_export`, and the round trip: what is written out and read into an empty database is the same (rules/pki 9.7)."""

import json

import pytest
from cryptography import x509
from django.core.management import CommandError, call_command
from django.db import transaction

from pki.crl import building
from pki.models import Certificate, CertificateAuthority, CertificateBlob, Event
from pki.revocation.revoking import plan_revocation
from pki.takeover import manifest
from siths_portal.lib import clock
from tests import superuser
from tests.faults.full_disk import full_disk
from tests.pki.takeover import takeover_world as world
from tests.pki.takeover.takeover_world import used_ca

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_tokens")]
KEPT = (
    "serial", "status", "tbs_sha256", "spki_sha256", "not_before", "not_after", "issued_at", "revoked_at", "reason",
    "invalidity_date", "subject_ref", "carrier_ref", "unit_ref",
)  # fmt: skip


@pytest.fixture
def ca(tmp_path) -> CertificateAuthority:
    """A CA in use: taken over, and then revoked in for several reasons, one with an invalidity date, one without its DER."""
    old = used_ca(tmp_path / "old", 4, {})
    old.move_key()
    folder = world.manifest(tmp_path / "in", old, "jsonl")
    times = {"not_before": "2026-01-01T00:00:00+00:00", "not_after": "2028-01-01T00:00:00+00:00"}
    bare = {"serial": "7F01", "status": "revoked", "revoked_at": "2026-02-02T02:02:02+00:00", "reason": "superseded"} | times
    named = [row | {"subject_ref": f"person:{number}", "carrier_ref": "card:å\\"} for number, row in enumerate(world.told(old))]
    world.as_jsonl(folder, [*named, bare])
    world.approve(folder)
    world.run(folder)
    made = CertificateAuthority.objects.get(slug="function")
    for number, (reason, since) in enumerate([("keyCompromise", clock.now()), ("privilegeWithdrawn", None)]):
        with transaction.atomic():
            ids = [Certificate.objects.get(subject_ref=f"person:{number}").id]
            options = {"actor_ref": "x", "received_at": clock.now(), "channel": "portal", "invalidity_date": since}
            plan_revocation(ids, reason=reason, **options)
    building.publish_crl(made.id)
    return made


def state() -> tuple[list, list]:
    # Compared but for the responder's own certificate, which the second database makes anew beside the first's.
    rows = Certificate.objects.filter(ca__slug="function")
    blobs = CertificateBlob.objects.filter(certificate__ca__slug="function").values_list("certificate__serial", "der")
    return (
        sorted(rows.values_list(*KEPT), key=str),
        sorted((serial, bytes(der)) for serial, der in blobs),
    )


def export(folder) -> None:
    """Writes the CA `function` into `folder`."""
    folder.mkdir(exist_ok=True)
    call_command("pki_export", str(folder), ca="function")


def emptied() -> None:
    """The database as it is before anything has happened."""
    from django.apps import apps

    with superuser.cursor() as cursor:
        tables = ", ".join(f'"{model._meta.db_table}"' for model in apps.get_app_config("pki").get_models())
        cursor.execute(f"TRUNCATE {tables} CASCADE")


def test_a_round_trip_gives_the_same_certificates_statuses_times_and_reasons(ca, tmp_path):
    before, number = state(), ca.last_crl_number or CertificateAuthority.objects.get().last_crl_number
    listed = {
        (entry.serial_number, entry.revocation_date_utc) for entry in x509.load_der_x509_crl(building.crl_path(ca).read_bytes())
    }
    export(tmp_path / "out")
    emptied()
    assert not Certificate.objects.exists()
    world.approve(tmp_path / "out")
    world.run(tmp_path / "out")
    after = state()
    assert set(before[0]) <= set(after[0])
    assert set(before[1]) <= set(after[1])
    extra = set(after[0]) - set(before[0])
    assert all(row[KEPT.index("subject_ref")].startswith("ocsp:") for row in extra)
    again = CertificateAuthority.objects.get(slug="function")
    assert (again.state, again.last_crl_number >= number) == ("status_only", True)
    assert building.publish_crl(again.id).number > number
    ours = x509.load_der_x509_crl(building.crl_path(again).read_bytes())
    assert {(entry.serial_number, entry.revocation_date_utc) for entry in ours} == listed
    call_command("pki_import", str(tmp_path / "out"), compare=True)


def test_a_ca_whose_certificates_name_lists_of_shards_goes_on_publishing_them(tmp_path):
    old = used_ca(tmp_path / "old", 4, {1: "superseded"})
    old.move_key()
    folder = world.manifest(tmp_path / "in", old, "jsonl")
    with (folder / "import.yaml").open("a") as file:
        file.write("  crl_shards: 4\n")
    world.as_jsonl(folder, world.told(old))
    world.approve(folder)
    world.run(folder)
    building.publish_all(CertificateAuthority.objects.get(slug="function"))
    export(tmp_path / "out")
    emptied()
    world.approve(tmp_path / "out")
    world.run(tmp_path / "out")
    again = CertificateAuthority.objects.get(slug="function")
    building.publish_all(again)
    assert sorted(again.crls.values_list("shard", flat=True), key=str) == [0, 1, 2, 3, None]
    (revoked,) = Certificate.objects.filter(ca=again, status="revoked")
    shard = int(revoked.serial, 16) % 4
    (entry,) = x509.load_der_x509_crl(building.crl_path(again, shard).read_bytes())
    assert entry.serial_number == int(revoked.serial, 16)
    call_command("pki_import", str(tmp_path / "out"), compare=True)


def test_counts_and_hashes_are_told_and_stand_in_the_chain(ca, tmp_path, capsys):
    capsys.readouterr()
    export(tmp_path / "out")
    told = json.loads(capsys.readouterr().out)
    assert (told["counts"]["revoked"], told["counts"]["serial_only"]) == (3, 1)
    lines = (tmp_path / "out" / "certificates.jsonl").read_text().splitlines()
    assert len(lines) == told["counts"]["issued"] + told["counts"]["revoked"]
    assert Event.objects.get(action="authority.exported").facts == told
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["ca.cer", "certificates.jsonl", "crls", "import.yaml"]
    assert b"PRIVATE" not in b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())


def test_a_folder_with_files_and_a_ca_that_is_issuing_are_refused(ca, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(CommandError, match="inte tom"):
        export(tmp_path / "full")
    now = clock.now()
    Certificate.objects.create(ca=ca, serial="7E", not_before=now, not_after=now, created_at=now)
    with pytest.raises(CommandError, match="håller på att utfärdas"):
        export(tmp_path / "out")
    with pytest.raises(CommandError, match="ingen utfärdare"):
        call_command("pki_export", str(tmp_path / "out"), ca="nobody")


def test_a_full_disk_exports_nothing(ca, tmp_path, tally):
    """F08: without its manifest, which is written last, the import refuses the folder; no event tells of an export."""
    with full_disk(4096), pytest.raises(OSError, match="too large"):
        export(tmp_path / "cut")
    assert not (tmp_path / "cut" / manifest.NAME).exists()
    assert not Event.objects.filter(action="authority.exported").exists()
    export(tmp_path / "whole")
    written = [json.loads(line)["serial"] for line in (tmp_path / "whole" / "certificates.jsonl").read_text().splitlines()]
    tally.run(Certificate.objects.filter(ca=ca).values_list("serial", flat=True), written, "exported certificates")
