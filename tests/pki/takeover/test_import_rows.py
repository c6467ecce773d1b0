"""What an import tells of rows that it does not take, of lists that differ and of paper; kills; comparison; F10.8."""

import base64
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from cryptography import x509
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from pki.authorities import ca_states
from pki.models import (
    CaComparison,
    CaImport,
    Certificate,
    CertificateAuthority,
    CertificateBlob,
    Event,
    ImportFinding,
    Revocation,
    draw_status_versions,
)
from pki.revocation.revoking import plan_revocation
from pki.takeover import old_crls
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from tests import superuser
from tests.forking import forked
from tests.pki.takeover import takeover_world as world
from tests.pki.takeover.takeover_world import OldCa, used_ca
from tests.waiting import sessions_waiting, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_tokens")]


@pytest.fixture
def old(tmp_path) -> OldCa:
    """Four certificates, the second revoked; the key in the token."""
    made = used_ca(tmp_path / "old", 4, {1: "superseded"})
    made.move_key()
    return made


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Makes a folder of `world.many`; certificates of the same number are made once."""
    made = {}

    def copy(folder, count):
        if count not in made:
            made[count] = tmp_path_factory.mktemp("many")
            world.many(made[count], count)
        shutil.copytree(made[count], folder)

    return copy


def folder_of(tmp_path, old, rows, *, crl=True, extra="", name="in"):
    folder = world.manifest(tmp_path / name, old, "jsonl", extra=extra)
    world.as_jsonl(folder, rows)
    if crl:
        world.add_crl(folder, old.crl())
    return folder


def imported(folder) -> None:
    """Imports, also with findings, which give status 1."""
    world.approve(folder)
    try:
        world.run(folder)
    except CommandError as error:
        assert "avvikelser" in str(error)  # noqa: PT017  (either way is right here)


def found() -> list[tuple[str, str]]:
    return list(ImportFinding.objects.order_by("id").values_list("place", "kind"))


def der_of(row) -> bytes:
    return base64.b64decode(row["der"])


NO_VERSION = bytes.fromhex("a003020102"), bytes.fromhex("a003020109")
TWICE = bytes.fromhex("0603551d13"), bytes.fromhex("0603551d23")
"""What to write for what: a version of certificates that there is not, and a second key identifier for basicConstraints."""


def test_each_bad_row_is_told_by_its_place_and_the_others_are_taken(old, tmp_path):
    stranger = OldCa(tmp_path / "stranger", name="STRANGER CA")
    stranger.issue(1)
    imitator = OldCa(tmp_path / "imitator")
    imitator.issue(1)
    good = world.told(old)
    spoilt = bytearray(der_of(good[3]))
    spoilt[-1] ^= 1
    rows = [
        good[0],
        {"der": "!"},
        {"der": base64.b64encode(b"0\x03\x02\x01").decode()},
        world.told(stranger)[0],
        world.told(imitator)[0] | {"serial": ""},
        good[3] | {"der": base64.b64encode(bytes(spoilt)).decode()},
        good[2] | {"serial": good[0]["serial"]},
        {"serial": "7F01"},
        good[2] | {"status": "revoked", "revoked_at": "2124-01-01T00:00:00+00:00", "reason": "superseded"},
        good[2] | {"status": "revoked", "revoked_at": "2024-01-01T00:00:00+00:00", "reason": "aACompromise"},
        good[2] | {"status": "revoked", "revoked_at": "2024-01-01T00:00:00", "reason": "superseded"},
        good[2] | {"status": "revoked"},
        good[2] | {"owner": "Anna"},
        *(good[2] | {"der": base64.b64encode(der_of(good[2]).replace(*each, 1)).decode()} for each in (NO_VERSION, TWICE)),
        good[1],
    ]
    folder = folder_of(tmp_path, old, rows)
    with (folder / "certificates.jsonl").open("a") as file:
        file.write("not json\n[1]\n")
    imported(folder)
    assert found() == [
        (f"certificates.jsonl:{line}", kind)
        for line, kind in [
            (2, "unreadable"),
            (3, "unreadable"),
            (4, "issuer"),
            (5, "issuer-key"),
            (6, "signature"),
            (7, "serial"),
            (8, "times"),
            (9, "times"),
            (10, "reason"),
            (11, "unreadable"),
            (12, "unreadable"),
            (13, "unreadable"),
            (14, "unreadable"),
            (15, "unreadable"),
            (17, "unreadable"),
            (18, "unreadable"),
        ]
    ] + [("crl", "not-listed")]  # the one of line 10, which is revoked all the same
    taken = Certificate.objects.filter(ca__slug="function").exclude(subject_ref__gt="").values_list("serial", flat=True)
    assert set(taken) == {good[0]["serial"], good[1]["serial"], good[2]["serial"]}
    row = Certificate.objects.get(serial=good[2]["serial"])
    assert (row.status, row.reason) == ("revoked", "unspecified")


def test_text_that_no_column_holds_is_told_and_stops_nothing(old, tmp_path):
    good = world.told(old)
    rows = [
        good[0] | {"subject_ref": "a\0b"},
        good[0] | {"carrier_ref": "\ud800"},
        good[0] | {"unit_ref": "x" * 81},
        good[0] | {"a\0\ud800": "b"},
        good[0] | {"serial": "\0\n\ud800", "status": "issued"},
        good[0] | {"not_after": "9999-12-31T23:59:59-14:00"},
        good[0] | {"serial": "F" * 5000},
        good[0] | {"serial": ["01"]},
        {},
        good[1],
    ]
    folder = folder_of(tmp_path, old, rows)
    with (folder / "certificates.jsonl").open("ab") as file:
        file.write(b"\xff\xfe\n" + b"[" * 100_000 + b"\n" + b'"' + b"x" * 3_000_000 + b'"\n')
        file.write(json.dumps(good[2]).encode() + b"\n")
    world.run_dry(folder)
    imported(folder)
    kinds = ["unreadable"] * 4 + ["serial", "unreadable", "serial", "unreadable", "serial"]
    assert found() == [
        *((f"certificates.jsonl:{line}", kind) for line, kind in enumerate(kinds, 1)),
        *((f"certificates.jsonl:{line}", "unreadable") for line in (11, 12, 13)),
    ]
    taken = set(Certificate.objects.filter(ca__slug="function", subject_ref="").values_list("serial", flat=True))
    assert taken == {good[1]["serial"], good[2]["serial"]}


def test_a_serial_only_row_gets_its_certificate_later(old, tmp_path):
    good = world.told(old)
    bare = {name: value for name, value in good[1].items() if name != "der"}
    times = {"not_before": "2026-01-01T00:00:00+00:00", "not_after": "2028-01-01T00:00:00+00:00"}
    imported(folder_of(tmp_path, old, [good[0], bare | times]))
    row = Certificate.objects.get(serial=good[1]["serial"])
    assert (row.status, row.tbs_sha256, row.reason) == ("revoked", "", "superseded")
    imported(folder_of(tmp_path, old, good, name="again"))
    row.refresh_from_db()
    assert (row.status, bytes(row.blob.der)) == ("revoked", der_of(good[1]))
    assert CaImport.objects.order_by("-started_at").first().counts["completed"] == 1


def test_the_same_serial_with_other_facts_is_told_and_revocation_stays(old, tmp_path):
    good = world.told(old)
    imported(folder_of(tmp_path, old, good))
    early = {"status": "revoked", "revoked_at": "2024-05-05T05:05:05+00:00", "reason": "superseded"}
    later = [good[1] | early, {"serial": good[1]["serial"], "der": good[1]["der"], "status": "issued"}, good[0], good[0] | early]
    imported(folder_of(tmp_path, old, later, crl=False, name="again"))
    assert found() == [
        ("certificates.jsonl:2", "twice"),
        ("certificates.jsonl:4", "twice"),
        ("certificates.jsonl:1", "other-revocation"),
    ]
    assert Certificate.objects.get(serial=good[1]["serial"]).revoked_at.isoformat() == good[1]["revoked_at"]
    assert Certificate.objects.get(serial=good[0]["serial"]).status == "issued"
    back = [{"serial": good[1]["serial"], "der": good[1]["der"], "status": "issued"}]
    imported(folder_of(tmp_path, old, back, crl=False, name="back"))
    assert found()[-1] == ("certificates.jsonl:1", "revoked-here")
    assert Certificate.objects.get(serial=good[1]["serial"]).status == "revoked"


def test_a_list_that_knows_more_than_the_data_is_believed_and_told(old, tmp_path):
    before = world.told(old)
    old.issue(1)
    old.revoke(2, "keyCompromise")
    old.revoke(4, "superseded")
    folder = folder_of(tmp_path, old, before)
    imported(folder)
    new = {number: world.text(each.serial_number) for number, each in enumerate(world.certificates(old))}
    assert sorted(ImportFinding.objects.values_list("kind", "serial")) == [
        ("listed-not-revoked", new[2]),
        ("listed-unknown", new[4]),
    ]
    rows = {row.serial: row for row in Certificate.objects.filter(ca__slug="function")}
    assert (rows[new[2]].status, rows[new[2]].reason) == ("revoked", "keyCompromise")
    assert (rows[new[4]].status, rows[new[4]].tbs_sha256) == ("revoked", "")
    assert not CertificateBlob.objects.filter(certificate=rows[new[4]]).exists()
    assert rows[new[4]].revoked_at == old.index()[new[4]][0]


def test_certificates_are_locked_before_their_ca_as_others_do(old, tmp_path, monkeypatch):
    """Another act has certificates that the list and a paper come to last: it gets the CA's lock, and the import waits."""
    rows = world.told(old)
    imported(folder_of(tmp_path, old, rows))
    monkeypatch.setattr(old_crls, "_PIECE", 1)
    for number in (0, 2):
        old.revoke(number)
    folder = folder_of(tmp_path, old, rows[1:2], name="later")
    (folder / "revocations.csv").write_text(
        f"serial,received_at,reason,registered_by,kept_at\n{rows[3]['serial']},2026-01-02T08:00:00Z,superseded,x,y\n"
    )
    world.approve(folder)

    def act() -> None:
        try:
            world.run(folder)
        except CommandError:
            pass  # what differs is told
        finally:
            connection.close()

    importing = threading.Thread(target=act)
    with transaction.atomic():
        held = Certificate.objects.filter(serial__in=[rows[2]["serial"], rows[3]["serial"]]).order_by("id")
        assert len(list(held.select_for_update(no_key=True))) == 2
        importing.start()
        wait_for(lambda: sessions_waiting() == 1, "the import to wait for a certificate")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '5s'")
        draw_status_versions(held[0].ca_id)
    importing.join()
    assert CaImport.objects.filter(state="finished").count() == 2
    assert Certificate.objects.filter(serial__in=[row["serial"] for row in rows], status="revoked").count() == 4


def test_data_that_knows_more_or_otherwise_than_the_list_is_told(old, tmp_path):
    rows = world.told(old)
    early = {"status": "revoked", "revoked_at": "2025-05-05T05:05:05+00:00", "reason": "superseded"}
    rows[0] |= early
    rows[1] |= {"reason": "keyCompromise"}
    imported(folder_of(tmp_path, old, rows))
    assert sorted(ImportFinding.objects.values_list("kind", "serial")) == [
        ("listed-differently", rows[1]["serial"]),
        ("not-listed", rows[0]["serial"]),
    ]


@pytest.mark.parametrize("spoil", ["other", "cut", "text", "version"])
def test_a_list_that_is_not_the_cas_is_not_believed(spoil, old, tmp_path):
    stranger = OldCa(tmp_path / "stranger")  # the same name, another key
    stranger.issue(1)
    stranger.revoke(0)
    contents = {"other": stranger.crl(), "cut": old.crl()[:-9], "text": b"hej"}
    contents["version"] = old.crl().replace(b"\x02\x01\x01", b"\x02\x01\x09", 1)
    folder = folder_of(tmp_path, old, world.told(old), crl=False)
    world.add_crl(folder, contents[spoil])
    imported(folder)
    assert found() == [("crls/old.crl", "list-unreadable")]
    assert CertificateAuthority.objects.get(slug="function").last_crl_number == 0


@pytest.mark.parametrize("hold", ["refuse", "revoke"])
def test_a_certificate_on_hold_is_refused_or_revoked_for_good(hold, old, tmp_path):
    rows = world.told(old)
    old.revoke(3, "certificateHold")
    rows[3] |= {"status": "revoked", "revoked_at": old.index()[rows[3]["serial"]][0].isoformat(), "reason": "certificateHold"}
    folder = folder_of(tmp_path, old, rows, extra=f"hold: {hold}\n")
    if hold == "refuse":
        with pytest.raises(CommandError, match="tillfälligt spärrade"):
            imported(folder)
        assert not CaImport.objects.exists()
        assert not Certificate.objects.filter(serial=rows[3]["serial"]).exists()
    else:
        imported(folder)
        assert found() == []
        assert Certificate.objects.get(serial=rows[3]["serial"]).reason == "unspecified"


def test_paper_from_the_freeze_is_entered_with_when_it_came_in(old, tmp_path):
    rows = world.told(old)
    folder = folder_of(tmp_path, old, rows)
    received = (clock.now() - dt.timedelta(days=2)).replace(microsecond=0)
    (folder / "revocations.csv").write_text(
        "serial,received_at,reason,registered_by,kept_at,requester\n"
        f"{rows[0]['serial']},{received.isoformat()},keyCompromise,clerk:7,Pärm 3,holder:9\n"
        f"{rows[1]['serial']},{received.isoformat()},superseded,clerk:7,Pärm 3,holder:9\n"
        f"0123,{received.isoformat()},superseded,clerk:7,Pärm 3,\n"
        f"{rows[2]['serial']},2199-01-01T00:00:00+00:00,superseded,clerk:7,Pärm 3,\n"
        f"{rows[2]['serial']},{received.isoformat()},superseded,clerk:7,,\n"
        f"{rows[2]['serial']},{received.isoformat()},superseded,clerk:7,Pärm\0 3,\n"
    )
    imported(folder)
    row = Certificate.objects.get(serial=rows[0]["serial"])
    record = Revocation.objects.get(certificate=row)
    assert (row.status, row.reason, row.invalidity_date) == ("revoked", "keyCompromise", received)
    assert (record.received_at, record.channel, record.requester) == (received, "paper", "holder:9")
    assert record.source_record == {"registered_by": "clerk:7", "kept_at": "Pärm 3"}
    assert record.effective_at > received
    assert found() == [
        ("revocations.csv:4", "paper-unknown"),
        ("revocations.csv:5", "paper-invalid"),
        ("revocations.csv:6", "paper-invalid"),
        ("revocations.csv:7", "paper-invalid"),
    ]
    assert Certificate.objects.get(serial=rows[2]["serial"]).status == "issued"


ALL_CUTS = ("pki.import.after-batch", "pki.import.before-commit", "pki.import.before-lists")
LONG = bool(os.environ.get("SITHS_LONG"))
SOME = 6_000 if LONG else 5_100
"""Certificates: more than are taken in one transaction (5,000)."""
CUTS = ALL_CUTS if LONG else ALL_CUTS[:1]
"""Where a run is cut: in the midst of its rows in the short form, at each named point in `make soak`."""


def stored(ca) -> list[int]:
    """The numbers of the certificates of `world.many` whose bytes are stored. The CA's own certificate has the serial 1."""
    serials = CertificateBlob.objects.filter(certificate__ca=ca).values_list("certificate__serial", flat=True)
    return [int(serial, 16) - (1 << 119) for serial in serials if int(serial, 16) > 1]


class TestKill:
    """A run that loses power at a named point is finished by repeating it, as if nothing had happened."""

    @pytest.mark.soak
    @pytest.mark.parametrize("point", CUTS)
    def test_repeating_finishes(self, point, tmp_path, many, tally):
        folder, armed = tmp_path / "in", tmp_path / "armed"
        many(folder, SOME)
        armed.mkdir()
        world.approve(folder)
        command = [sys.executable, "manage.py", "pki_import", str(folder), "--workers", "2", "--json"]
        environment = os.environ | {"SITHS_FAULT_DIR": str(armed)}
        (armed / point).touch()
        died = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, check=False, timeout=120)
        assert died.returncode == -9, died.stderr
        cut = CaImport.objects.get()
        assert (
            cut.position
            == {"pki.import.before-commit": 0, "pki.import.after-batch": 5000, "pki.import.before-lists": SOME}[point]
        )
        ca = CertificateAuthority.objects.get(slug="old-many")
        assert (ca.state, Certificate.objects.filter(ca=ca).count()) == ("planned", cut.position + 1)
        with pytest.raises(Conflict, match="ca-import-unfinished"):
            ca_states.check(ca, "active")
        done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        counts = json.loads(done.stdout)["counts"]
        assert (counts["rows"], counts["new"], counts["new_revoked"]) == (SOME, SOME, SOME // 10)
        ca.refresh_from_db()
        assert ca.state == "external"
        assert Certificate.objects.filter(ca=ca).count() == CertificateBlob.objects.filter(certificate__ca=ca).count() == SOME + 1
        versions = Certificate.objects.filter(ca=ca, status="revoked").values_list("status_version", flat=True)
        assert sorted(versions) == list(range(1, SOME // 10 + 1))
        assert Event.objects.filter(action="import.finished").count() == 1
        tally.run(range(SOME), stored(ca), "imported certificates")

    def test_what_follows_the_last_commit_is_made_up_for(self, tmp_path, many, tally):
        folder, armed = tmp_path / "in", tmp_path / "armed"
        many(folder, 20)
        armed.mkdir()
        world.approve(folder)
        (armed / "pki.import.before-responder").touch()
        assert forked(lambda: world.run(folder), armed) == -signal.SIGKILL
        assert CaImport.objects.get().report is not None
        world.run(folder)
        ca = CertificateAuthority.objects.get(slug="old-many")
        tally.run(range(20), stored(ca), "imported certificates")
        assert Event.objects.filter(action="import.finished").count() == 1


def test_comparison_names_what_differs_and_nothing_else(old, tmp_path, capsys):
    folder = folder_of(tmp_path, old, world.told(old))
    imported(folder)
    call_command("pki_import", str(folder), compare=True)
    assert "gamla listan säger detsamma" in capsys.readouterr().out
    serials = [world.text(each.serial_number) for each in world.certificates(old)]
    with transaction.atomic():
        id_ = Certificate.objects.get(serial=serials[0]).id
        plan_revocation([id_], reason="superseded", actor_ref="x", received_at=clock.now(), channel="portal")
    call_command("pki_import", str(folder), compare=True)  # a revocation since the old list is none of its faults
    assert "1 spärrade här efter" in capsys.readouterr().out
    old.revoke(2, "keyCompromise")
    old.issue(1)
    old.revoke(4)
    world.add_crl(folder, old.crl("later.crl"), "later.crl")
    before = list(Certificate.objects.order_by("id").values())
    with pytest.raises(CommandError, match="listorna skiljer sig"):
        call_command("pki_import", str(folder), compare=True, json=True)
    told = json.loads(capsys.readouterr().out)
    kinds = {serial: kind for kind, serial in told["serials"]}
    assert kinds[serials[2]] == "only-old"
    assert kinds[world.text(world.certificates(old)[4].serial_number)] == "only-old-unknown"
    assert list(Certificate.objects.order_by("id").values()) == before
    # What was found each time stands, with an event, and cannot be changed.
    first, second, third = CaComparison.objects.order_by("id")
    assert (first.differences, first.later, second.differences, second.later) == ({}, 0, {}, 1)
    assert (third.differences, dict(map(reversed, third.serials))) == (told["differences"], kinds)
    assert [each["number"] for each in third.lists] == ["42"]
    events = Event.objects.filter(action="import.compared", facts__import=str(CaImport.objects.get().id)).order_by("id")
    assert [each.facts["comparison"] for each in events] == [str(each.id) for each in (first, second, third)]
    assert events[2].facts["differences"] == told["differences"]
    with pytest.raises(DatabaseError, match=r"append-only|permission denied"), transaction.atomic():
        CaComparison.objects.update(differences={})


@pytest.mark.soak
@pytest.mark.timeout(7200 if LONG else 300)
def test_f10_8_many_certificates_and_their_list_are_imported_and_compared(tmp_path, capsys, many):
    """6,000 in the short form, the reviewer's 100,000 in `make soak`; another number by IMPORT_CERTIFICATES."""
    folder, count = tmp_path / "in", int(os.environ.get("IMPORT_CERTIFICATES", "100000" if LONG else SOME))
    many(folder, count)
    world.approve(folder)
    world.run(folder, workers=2)
    rows = dict(Certificate.objects.filter(ca__slug="old-many").values_list("serial", "status"))
    blobs = dict(CertificateBlob.objects.filter(certificate__ca__slug="old-many").values_list("certificate__serial", "der"))
    for line in (folder / "certificates.jsonl").read_text().splitlines():
        row = json.loads(line)
        serial = world.text(x509.load_der_x509_certificate(der_of(row)).serial_number)
        assert (rows[serial], bytes(blobs[serial])) == (row["status"], der_of(row))
    assert len(rows) == count + 1
    assert not ImportFinding.objects.exists()
    assert CertificateAuthority.objects.get(slug="old-many").last_crl_number == 7
    call_command("pki_import", str(folder), compare=True)
    assert "gamla listan säger detsamma" in capsys.readouterr().out
    with superuser.cursor() as cursor:
        cursor.execute("UPDATE pki_certificate SET reason = 'keyCompromise' WHERE serial = %s", [world.text((1 << 119) + 10)])
        cursor.execute("UPDATE pki_certificate SET status = 'issued', revoked_at = NULL, reason = '' WHERE serial = %s",
                       [world.text((1 << 119) + 20)])  # fmt: skip
    with pytest.raises(CommandError, match="skiljer sig i 2 fall"):
        call_command("pki_import", str(folder), compare=True, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["differences"] == {"only-old": 1, "different": 1}


def test_what_was_imported_and_found_cannot_be_removed(old, tmp_path):
    imported(folder_of(tmp_path, old, [*world.told(old), {"der": "!"}]))
    for model in (CaImport, ImportFinding):
        with pytest.raises(DatabaseError), transaction.atomic():
            model.objects.all()._raw_delete(model.objects.db)
        assert model.objects.exists()
