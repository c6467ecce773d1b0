"""A real worker that waits for two custodians: what it answers and does before, and after. Real SoftHSM, sockets and commands."""

import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from pki.custodians import asking, desk, held
from pki.custodians.entering import Entry
from pki.domain.pin_shares import split
from pki.health import checks, reports, starting
from pki.management.commands import pki_split_pin
from pki.models import Event
from tests.issuance.suppliers.api.stage import process
from tests.pki.workers import forget_messages
from tests.pki_fixtures import TEST_PIN
from tests.ports import free_port
from tests.waiting import wait_for

ONE, OTHER = split(TEST_PIN)
WORKER = [
    sys.executable, "-m", "celery", "-A", "siths_portal.celery", "worker", "-Q", "pki", "-P", "threads", "-c", "1",
    "--without-gossip", "--without-mingle", "--loglevel", "INFO",
]  # fmt: skip


def command(*arguments: str, text: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """A command as a custodian runs it, with its secret at file descriptor 0."""
    run = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        run, cwd=settings.BASE_DIR, env=os.environ | env, input=text, capture_output=True, text=True, check=False
    )


def status_of(port: int, what: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/{what}", timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_worker_takes_no_work_before_two_shares_and_needs_both_again_after_a_restart(world, tmp_path):
    port, path, log = free_port(), str(tmp_path / "share.sock"), tmp_path / "log"
    variables = {
        "PKI_START_BY_TWO": "1", "PKCS11_PIN_FILE": "", "PKI_SHARE_SOCKET": path, "WORKER_HEALTH_BIND": f"127.0.0.1:{port}",
    }  # fmt: skip
    forget_messages()  # of other tests, whose work would keep the worker from ending
    enter = ("pki_enter_share", "--socket", path, "--descriptor", "0")
    with process(WORKER, log, **variables) as child:
        wait_for(lambda: reports.latest_report() is not None and Path(path).exists(), "the worker that waits")
        (finding,) = reports.latest_report().findings
        assert (finding.subject, finding.text) == (checks.CUSTODIANS, "väntar på nyckelhållare: 0 av 2 delar")
        assert (status_of(port, "live"), status_of(port, "ready")) == (200, 503)
        assert " ready." not in log.read_text()
        wrong = command(*enter, text="x")
        assert (wrong.returncode, "ingen del" in wrong.stderr) == (1, True)
        first = command(*enter, text=ONE)
        assert (first.returncode, first.stdout.strip()) == (0, "väntar på nyckelhållare: 1 av 2 delar")
        assert " ready." not in log.read_text()
        assert command(*enter, text=OTHER).returncode == 0
        wait_for(lambda: " ready." in log.read_text(), "the worker")
        assert asking.status(path).complete
        shown = Path(f"/proc/{child.pid}/cmdline").read_text()
        assert [secret for secret in (TEST_PIN, ONE, OTHER) if secret in shown] == []
        assert Path(f"/proc/{child.pid}/environ").stat().st_uid == 0  # its user cannot read its environment and memory
        limits = Path(f"/proc/{child.pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.M)
    for secret in (TEST_PIN, ONE, OTHER):
        assert secret not in log.read_text()
    assert Event.objects.filter(action="custodian.start_completed").count() == 1
    with process(WORKER, log, **variables):
        wait_for(lambda: _is_served(path), "the worker that waits again")
        assert asking.status(path).text == "väntar på nyckelhållare: 0 av 2 delar"


def _is_served(path: str) -> bool:
    try:
        return not asking.status(path).complete
    except asking.NobodyAnswers:
        return False


def test_development_starts_from_files_and_says_so(world, tmp_path):
    log, files = tmp_path / "log", [tmp_path / name for name in pki_split_pin.FILES]
    call_command("pki_split_pin", pin_file=Path(os.environ["PKCS11_PIN_FILE"]), folder=tmp_path)
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    before = [file.read_text() for file in files]
    call_command("pki_split_pin", pin_file=Path(os.environ["PKCS11_PIN_FILE"]), folder=tmp_path)
    assert [file.read_text() for file in files] == before
    variables = {"PKI_START_BY_TWO": "1", "PKCS11_PIN_FILE": "", "PKI_SHARE_FILES": ",".join(map(str, files))}
    with process(WORKER, log, **variables):
        wait_for(lambda: " ready." in log.read_text(), "the worker")
    assert "nobody entered a share" in log.read_text()


@pytest.mark.parametrize("what", ["another splitting", "no file", "no socket"])
def test_a_worker_that_cannot_get_its_shares_ends_and_takes_no_work(world, tmp_path, what):
    log, files = tmp_path / "log", [tmp_path / name for name in pki_split_pin.FILES]
    if what == "another splitting":
        files[0].write_text(ONE)
        files[1].write_text(split(TEST_PIN)[1])
    given = {"PKI_SHARE_FILES": ",".join(map(str, files))}
    if what == "no socket":
        given = {"PKI_SHARE_SOCKET": "/nonexistent/share.sock"}
    with process(WORKER, log, PKI_START_BY_TWO="1", PKCS11_PIN_FILE="", **given) as child:
        assert child.wait(120) == 1
    assert "custodians.not_started" in log.read_text()
    assert " ready." not in log.read_text()


@pytest.fixture
def waiting(tmp_path, settings):
    """A desk in this process, and its path."""
    settings.PKI_START_BY_TWO, settings.PKI_SHARE_SOCKET = True, str(tmp_path / "share.sock")
    entry = Entry(verify=starting.token_takes_pin, two_users=False)
    opened = []

    def open_for(*custodians: str) -> str:
        opened.append(desk.Desk(settings.PKI_SHARE_SOCKET, entry, custodians))
        return settings.PKI_SHARE_SOCKET

    yield open_for
    for each in opened:
        each.close()
    held.forget()


@pytest.mark.django_db(transaction=True)
class TestDesk:
    def test_only_custodians_enter_shares_and_everybody_there_sees_the_status(self, waiting):
        path = waiting("anna", "bertil")
        reply = asking.enter(path, ONE)
        assert (reply.taken, "inte nyckelhållare" in reply.text) == (False, True)
        assert asking.status(path).text == "väntar på nyckelhållare: 0 av 2 delar"

    @pytest.mark.parametrize("question", [b"", b"x\n", b"[]\n", b"{}\n", b'{"act": "open"}\n', b"x" * 5000])
    def test_a_question_that_cannot_be_read_is_answered_and_harms_nobody(self, waiting, question):
        path = waiting()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(path)
            line.sendall(question)
            line.shutdown(socket.SHUT_WR)
            assert "går inte att läsa".encode() in line.recv(4096)
        assert asking.enter(path, ONE).taken

    def test_pki_check_says_what_is_waited_for(self, waiting, settings):
        waiting()
        (seen,) = checks.custodians()
        assert (seen.ok, seen.text) == (False, "väntar på nyckelhållare: 0 av 2 delar")
        assert "pki_with_shares" in checks.token().text
        settings.PKI_SHARE_SOCKET = "/nonexistent/share.sock"
        (seen,) = checks.custodians()
        assert (seen.ok, "ingen process tar emot delar" in seen.text) == (False, True)

    def test_a_share_is_no_argument_and_needs_a_terminal_or_a_descriptor(self, waiting):
        path = waiting()
        assert command("pki_enter_share", "--socket", path, ONE).returncode == 2
        done = command("pki_enter_share", "--socket", path)
        assert (done.returncode, "terminal" in done.stderr) == (2, True)


@pytest.mark.django_db(transaction=True)
def test_an_operators_command_runs_with_both_shares_entered_for_it(demo_pki):
    by_two = {"PKI_START_BY_TWO": "1", "PKCS11_PIN_FILE": ""}
    alone = command("pki_check", **by_two)
    assert "provas inte utan nyckelhållare" in alone.stdout
    both = command("pki_with_shares", "--descriptor", "0", "pki_check", text=f"{ONE}\n{OTHER}\n", **by_two)
    assert "provnyckeln signerar och signaturen stämmer" in both.stdout
    twice = command("pki_with_shares", "--descriptor", "0", "pki_check", text=f"{ONE}\n{ONE}\n", **by_two)
    assert (twice.returncode, twice.stdout, "redan angiven" in twice.stderr) == (1, "", True)
