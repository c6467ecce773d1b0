"""Signed heads outside the database: what is cut, changed or taken away on either side is found."""

import base64
import datetime as dt
import hashlib
import json
import shutil
import subprocess

import pytest
import structlog
from django.core.management import CommandError, call_command

from pki.models import Event, EventSeal, HsmKey, KeyPurpose
from siths_portal import tasks
from siths_portal.celery import SCHEDULE
from siths_portal.lib import clock
from siths_portal.lib.audit import heads as audit_heads
from siths_portal.wiring import heads
from tests.lib.audit.audit_world import attacker, first_chain, record, verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("audit_token")]
HOUR = dt.timedelta(hours=1, seconds=1)


@pytest.fixture
def file(settings):
    """Three statements an hour apart, the last an hour ago, each after five more sealed events; the file that holds them."""
    first_chain("chain with heads", three_statements)
    (path,) = settings.AUDIT_ANCHOR_DIR.glob("*.heads.jsonl")
    assert [statement.number for statement in audit_heads.statements()] == [1, 2, 3]
    return path


def three_statements():
    start = clock.now() - 3 * HOUR
    for hours in range(3):
        with clock.moved_to(start + hours * HOUR):
            record(5)
            tasks.seal()
            tasks.mac()
            tasks.head()
    tasks.seal()


def test_a_statement_is_verified_with_openssl_alone(file, tmp_path):
    """No database, no token, no code of ours but canonical JSON: the file, the key beside it, and openssl."""
    previous = "0" * 64
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        document = json.loads(line)
        stated = document["statement"]
        assert (stated["number"], stated["previous"]) == (number, previous)
        previous = hashlib.sha256(line).hexdigest()
        canonical = json.dumps(stated, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        (tmp_path / "signed").write_bytes(b"siths-portal audit head 1\x00" + canonical)
        (tmp_path / "signature").write_bytes(base64.b64decode(document["signature"]))
        (key,) = file.parent.glob(f"*.head-{document['key_id']}.pem")
        command = ["openssl", "dgst", "-sha256", "-verify", key, "-signature", tmp_path / "signature", tmp_path / "signed"]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "Verified OK\n"
        seal = EventSeal.objects.get(seq=stated["heads"]["pki"]["seq"])
        assert stated["heads"]["pki"]["digest"] == bytes(seal.digest).hex()
    assert file.stat().st_mode & 0o777 == 0o600


def test_verification_tells_of_them(file):
    text, code = verify()
    assert code == 0
    assert "huvuden: 3 signerade stämmer, nr 3 från " in text
    assert Event.objects.filter(action="audit.head_sealed").count() == 3


def test_one_an_hour(file):
    newest = audit_heads.last().at
    with clock.moved_to(newest + dt.timedelta(minutes=59)):
        tasks.head()
        assert audit_heads.last().number == 3
    with clock.moved_to(newest + HOUR):
        tasks.head()
        tasks.head()
        assert audit_heads.last().number == 4
    assert SCHEDULE["audit.head"] == ("audit.head", 60, "pki")


def test_each_head_goes_to_the_log_too(file):
    with structlog.testing.capture_logs() as logs, clock.moved_to(clock.now() + HOUR):
        tasks.head()
    (line,) = [each for each in logs if each["event"] == "audit.head"]
    newest = audit_heads.last()
    assert (line["number"], line["sha256"]) == (4, newest.sha256)
    assert line["heads"]["pki"]["digest"] == newest.heads["pki"].digest.hex()


def _lines(path, change):
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))


def _forge(lines):
    document = json.loads(lines[1])
    document["statement"]["heads"]["pki"]["seq"] += 1
    lines[1] = json.dumps(document).encode() + b"\n"


OUTSIDE = {
    "the last line is gone": (lambda path: _lines(path, lambda lines: lines.pop()), "huvud nr 3 till 3 saknas i filen"),
    "two lines are gone": (lambda path: _lines(path, lambda lines: lines.__delitem__(slice(1, 3))), "huvud nr 2 till 3 saknas"),
    "the file is gone": (lambda path: path.unlink(), "huvud nr 1 till 3 saknas i filen"),
    "the file is empty": (lambda path: path.write_bytes(b""), "huvud nr 1 till 3 saknas i filen"),
    "the last line is torn": (lambda path: path.write_bytes(path.read_bytes()[:-9]), "huvud nr 3 till 3 saknas i filen"),
    "the first line is gone": (lambda path: _lines(path, lambda lines: lines.pop(0)), "huvud nr 2: filens början saknas"),
    "a line is gone": (lambda path: _lines(path, lambda lines: lines.pop(1)), "huvud nr 3: följer inte på nr 1"),
    "a line is forged": (lambda path: _lines(path, _forge), "huvud nr 2: signaturen stämmer inte"),
    "a line stands twice": (
        lambda path: _lines(path, lambda lines: lines.insert(1, lines[1])),
        "huvud nr 2: följer inte på nr 2",
    ),
    "lines have changed places": (lambda path: _lines(path, lambda lines: lines.reverse()), "huvud nr 3: filens början saknas"),
    "a line is garbage": (
        lambda path: _lines(path, lambda lines: lines.__setitem__(1, b"x\n")),
        "huvud nr 3: följer inte på nr 1",
    ),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_what_is_done_to_the_file_is_found_and_not_healed(file, case):
    act, words = OUTSIDE[case]
    act(file)
    text, code = verify()
    assert (code, words in text) == (1, True), text
    with clock.moved_to(clock.now() + HOUR):
        tasks.head()
        text, code = verify()
    assert (code, "huvuden: FEL" in text) == (1, True), text


def _rewritten(who):
    who.edit(8)
    who.recompute(8)


def _without_keys(path, settings):
    """What is left to verify by where there is no PIN, and somebody has rewritten the anchors too."""
    settings.PKCS11_PIN_FILE = ""
    for anchor in path.parent.glob("*.pki*.json"):
        anchor.unlink()


def test_a_rewritten_chain_is_found_without_the_token(file, settings):
    """The heads bound the place: what was changed lies after the last head that agrees."""
    with attacker() as who:
        _rewritten(who)
    _without_keys(file, settings)
    text, code = verify()
    first, second, _ = (statement.heads["pki"].seq for statement in audit_heads.statements())
    assert code == 1
    assert (
        f"pki: FEL vid sigill {second}: sigillet är inte det som huvud nr 2 styrkte; det första ändrade följer efter {first}"
        in text
    )


def test_a_chain_that_was_cut_is_found_by_the_heads(file, settings):
    with attacker() as who:
        who.cut(6)
    _without_keys(file, settings)
    last = audit_heads.last()
    text, code = verify("--app", "pki")
    assert (code, f"pki: FEL vid sigill 7: sigill saknas fram till nummer {last.heads['pki'].seq}, som huvud nr 3" in text) == (
        1,
        True,
    )


def test_both_cut_to_the_same_point_are_not_told_apart(file):
    """The limit of this (ADR 0142): who cuts database, anchors and file alike is seen in the log that was shipped alone."""
    keep, *_ = audit_heads.statements()
    seq = keep.heads["pki"].seq
    with attacker() as who:
        who.cut(seq)
    for anchor in file.parent.glob("*.pki*.json"):
        anchor.unlink()
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    text, code = verify("--app", "pki")
    assert code == 0, text


def test_a_torn_line_is_passed_over(file):
    """Power went while a statement was written: it is not on the disk whole, and the event of it was never written."""
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"statement": {"num')
    assert verify()[1] == 0
    with clock.moved_to(clock.now() + HOUR):
        tasks.head()
    assert file.read_bytes().startswith(whole)
    assert [statement.number for statement in audit_heads.statements()] == [1, 2, 3, 4]
    assert verify()[1] == 0


def test_a_crash_between_file_and_event_is_no_fault(file, monkeypatch):
    monkeypatch.setattr(heads.Event, "record", classmethod(lambda cls, **facts: 1 / 0))
    with clock.moved_to(clock.now() + HOUR), pytest.raises(ZeroDivisionError):
        tasks.head()
    monkeypatch.undo()
    assert verify()[1] == 0
    with clock.moved_to(clock.now() + 3 * HOUR):
        tasks.head()
    assert audit_heads.last().number == 5
    assert verify()[1] == 0


def test_a_key_that_is_not_ours_signs_nothing(file):
    HsmKey.objects.filter(purpose=KeyPurpose.AUDIT_HEAD).delete()
    text, code = verify()
    assert (code, "huvud nr 1: signaturnyckeln är okänd" in text) == (1, True)


def test_keys_change_with_the_year(file):
    before = _key_ids()  # two of them in a year's first hours
    with clock.moved_to(clock.now() + dt.timedelta(days=366)):
        tasks.head()
        assert len(_key_ids() - before) == 1
        assert verify()[1] == 0
    assert len(list(file.parent.glob("*.head-*.pem"))) == len(_key_ids())


def _key_ids():
    return {statement.key_id for statement in audit_heads.statements()}


def test_an_operator_begins_a_new_file_knowingly(file, tmp_path):
    with pytest.raises(CommandError, match="Flytta först undan"):
        call_command("audit_head", "--new-file", "--reason", "årsskifte")
    with pytest.raises(CommandError, match="--reason") as error:
        call_command("audit_head", "--new-file")
    assert error.value.returncode == 2
    shutil.move(file, tmp_path / "kept.jsonl")
    call_command("audit_head", "--new-file", "--reason", "årsskifte")
    assert [statement.number for statement in audit_heads.statements()] == [4]
    assert verify()[1] == 0
    event = Event.objects.get(action="audit.head_file_begun")
    assert (event.facts, event.actor_ref.startswith("operator:")) == ({"number": 4, "reason": "årsskifte"}, True)
    kept = audit_heads.parse((tmp_path / "kept.jsonl").read_bytes().splitlines()[-1])
    assert audit_heads.last().previous == kept.sha256


def test_the_command_signs_now(file):
    call_command("audit_head")
    assert audit_heads.last().number == 4
    assert verify()[1] == 0


def test_without_a_token_the_command_says_so(file, settings):
    HsmKey.objects.filter(purpose=KeyPurpose.AUDIT_HEAD).update(token_label="nowhere")
    with pytest.raises(CommandError, match="inte signerat"):
        call_command("audit_head")
    assert audit_heads.last().number == 3
