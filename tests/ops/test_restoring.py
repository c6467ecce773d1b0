"""A backup of this process's cluster becomes another cluster, which has what was issued after the backup (F15)."""

import contextlib
import io
import shlex
import shutil
from pathlib import Path

import psycopg2
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from pyrage import x25519

from pki.issuing import signing
from pki.models import Certificate, CertificateBlob
from pki.ocsp import presigning
from siths_portal.dev.private_services import BACKUP_ROLE
from siths_portal.lib.files import journal
from siths_portal.ops.cluster import Cluster
from tests import scratch
from tests.faults.full_disk import full_disk
from tests.pki.ocsp.test_status_face import revoke
from tests.pki.orders import order, plan


@pytest.fixture
def folder():
    """A folder that the user of PostgreSQL may enter."""
    made = scratch.new_folder("siths-test-restore-", 0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def house(folder, settings, monkeypatch):
    """Settings for backups, also for the processes that a restore starts."""
    settings.JOURNAL_DIR = folder / "journal"
    monkeypatch.setenv("JOURNAL_DIR", str(folder / "journal"))
    host = connection.settings_dict["OPTIONS"]["host"]
    settings.DATABASE_BACKUP_URL = f"postgres://{BACKUP_ROLE}@/postgres?host={host}"
    for name in ("backup", "audit", "tokens"):
        (folder / name).mkdir()
    (folder / "tokens" / "token.object").write_bytes(b"a key")
    settings.AUDIT_ANCHOR_DIR, settings.BACKUP_FOLDERS = folder / "audit", [str(folder / "tokens")]
    settings.BACKUP_DIR = str(folder / "backup")
    settings.BACKUP_RECIPIENT_FILES = []
    for name in ("first", "second"):
        key = x25519.Identity.generate()
        (folder / f"{name}.key").write_text(f"{key}\n")
        (folder / f"{name}.recipients").write_text(f"{key.to_public()}\n")
        settings.BACKUP_RECIPIENT_FILES.append(str(folder / f"{name}.recipients"))
    return folder


def run(command: str, *arguments: str) -> list[str]:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue().splitlines()


def runbook() -> list[list[str]]:
    """The commands of the section Backup and restore of docs/operations.md, in their order."""
    text = (Path(settings.BASE_DIR) / "docs" / "operations.md").read_text()
    section = text.partition("## Backup and restore\n")[2].partition("\n## ")[0]
    lines = [line.strip().removeprefix("manage.py ") for line in section.splitlines() if line.startswith("    ")]
    assert len(lines) == 4
    return [shlex.split(line, comments=True) for line in lines]


def backups(house: Path) -> list[Path]:
    return sorted((house / "backup").iterdir())


@contextlib.contextmanager
def asked(cluster: Cluster):
    with cluster.started() as socket:
        opened = psycopg2.connect(dbname=connection.settings_dict["NAME"], user="postgres", host=str(socket))
        try:
            yield opened.cursor()
        finally:
            opened.close()


def test_what_was_issued_after_the_backup_is_in_the_restored_database(demo_pki, house):
    (old,) = plan(order("function"))
    signing.sign_reserved([old])
    for line in runbook()[:2]:
        run(*line)
    (backup,) = backups(house)
    assert b"token.object" not in (backup / "folders.tar.age").read_bytes()

    new = plan(order("function"), order("function"))
    signing.sign_reserved(new)
    for id_ in (old, new[0]):
        revoke(Certificate.objects.get(id=id_), reason="keyCompromise")
    presigning.presign([old, *new])
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        (read_by_others,) = cursor.fetchone()
    rows = set(Certificate.objects.filter(id__in=[old, *new]).values_list("id", "serial", "status", "revoked_at"))
    ders = {bytes(der) for der in CertificateBlob.objects.filter(certificate__in=[old, *new]).values_list("der", flat=True)}

    places = {"$BACKUP": backup, "/srv/restored": house / "restored", "$KEY1": house / "first.key", "$KEY2": house / "second.key"}
    for line in runbook()[2:]:
        run(*(str(places.get(word, word)) for word in line))
    keys = [argument for name in ("first", "second") for argument in ("--identity", str(house / f"{name}.key"))]
    assert (house / "restored" / "tokens" / "token.object").read_bytes() == b"a key"
    with asked(Cluster(house / "restored" / "database")) as cursor:
        ids = [str(id_) for id_ in (old, *new)]
        cursor.execute("SELECT id, serial, status, revoked_at FROM pki_certificate WHERE id = ANY(%s::uuid[])", [ids])
        assert {(str(row[0]), *row[1:]) for row in cursor.fetchall()} == {(str(row[0]), *row[1:]) for row in rows}
        cursor.execute("SELECT der FROM pki_certificateblob WHERE certificate_id = ANY(%s::uuid[])", [ids])
        assert {bytes(der) for (der,) in cursor.fetchall()} == ders
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        assert cursor.fetchone()[0] > read_by_others + 1_000_000, "a feed's reader would skip what comes next"

    with pytest.raises(CommandError) as alone:
        run("ops_restore", str(backup), "--to", str(house / "alone"), *keys[:2])
    assert alone.value.returncode == 1
    with pytest.raises(CommandError) as twice:
        run("ops_restore", str(backup), "--to", str(house / "restored"), *keys)
    assert "inte tom" in str(twice.value)


def test_a_backup_that_cannot_be_whole_leaves_nothing(house, settings, db):
    settings.DATABASE_BACKUP_URL = "postgres://nobody@/postgres?host=/nonexistent"
    with pytest.raises(CommandError) as failed:
        run("ops_backup")
    assert (failed.value.returncode, backups(house)) == (1, [])
    settings.BACKUP_FOLDERS = [str(house / "nothing")]
    with pytest.raises(CommandError) as wrong:
        run("ops_backup")
    assert (wrong.value.returncode, backups(house)) == (2, [])


def test_a_full_disk_leaves_no_backup(house, db, tally):
    """F08: what does not fit is no backup, and the next one is whole."""
    with full_disk(), pytest.raises(CommandError) as failed:
        run("ops_backup")
    assert (failed.value.returncode, backups(house)) == (1, [])
    run("ops_backup")
    (backup,) = backups(house)
    written = ["audit.tar.age", "database.tar.age", "folders.tar.age", "manifest.json"]
    tally.run(written, [path.name for path in backup.iterdir()], "files of the backup")


def test_a_dry_run_makes_nothing(house, db):
    assert "skulle göra" in run("ops_backup", "--dry-run")[0]
    assert backups(house) == []


def test_old_backups_go_with_the_journal_that_only_they_needed(house, db, monkeypatch):
    from siths_portal.ops import backups as making

    monkeypatch.setattr(making, "_base_backup", lambda: contextlib.nullcontext(io.BytesIO(b"database")))
    run("ops_backup")
    (first,) = backups(house)
    journal.append("pki", [{"kind": "first"}])
    (segment,) = journal.segments("pki")
    stated = (first / "manifest.json").read_text()
    journal._journals.clear()  # its process ended
    older = first.rename(first.with_name("2020-01-01T000000Z"))
    (older / "manifest.json").write_text(stated)
    run("ops_backup", "--keep", "2")
    assert len(backups(house)) == 2
    removed = run("ops_backup", "--keep", "1")
    assert len(backups(house)) == 1
    assert "borttagen: 2020-01-01T000000Z" in removed
    assert f"borttagen: pki/{segment.name}" in removed


def test_the_drill_says_what_a_clone_without_settings_lacks(settings) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="starta den med DEBUG=1") as refused:
        call_command("ops_restore_drill", skip_checks=False)
    assert refused.value.returncode == 2
