"""A real worker that waits for two custodians: what it answers and does before, and after. Real SoftHSM, sockets and commands."""

import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path

import pytest
from celery import signals
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from structlog.testing import capture_logs

from pki.custodians import asking, desk, held
from pki.custodians.entering import Entry
from pki.domain.pin_shares import split
from pki.health import checks, reports, starting
from pki.management.commands import pki_split_pin
from pki.models import Event
from siths_portal.celery import app
from tests.forking import forked
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
NO_READER = """
import ctypes, os
from pki.custodians import held
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as a process is that its user started
def is_read():
    own = os.getpid()
    if (reader := os.fork()) == 0:
        try:
            os._exit(0 if open(f"/proc/{own}/environ", "rb").read() else 1)
        except OSError:
            os._exit(1)
    return os.waitpid(reader, 0)[1] == 0
before = is_read()
held.shield()
print(before, is_read())
"""


def command(*arguments: str, text: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """A command with its secret at file descriptor 0."""
    return _run(*arguments, text=text, env=os.environ | env)


def as_custodian(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """A command of somebody who has no settings of the portal: no database, no key."""
    return _run(*arguments, text=text, env={"PATH": os.environ["PATH"], "SITHS_VAR_DIR": "/nonexistent"})


def _run(*arguments: str, text: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "manage.py", *arguments]
    return subprocess.run(run, cwd=settings.BASE_DIR, env=env, input=text, capture_output=True, text=True, check=False)


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
        wrong = as_custodian(*enter, text="x")
        assert (wrong.returncode, "ingen del" in wrong.stderr) == (1, True)
        first = as_custodian(*enter, text=ONE)
        assert (first.returncode, first.stdout.strip()) == (0, "väntar på nyckelhållare: 1 av 2 delar")
        assert " ready." not in log.read_text()
        assert as_custodian(*enter, text=OTHER).returncode == 0
        wait_for(lambda: " ready." in log.read_text(), "the worker")
        assert asking.status(path).complete
        shown = Path(f"/proc/{child.pid}/cmdline").read_text()
        assert [secret for secret in (TEST_PIN, ONE, OTHER) if secret in shown] == []
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


def test_no_other_process_of_its_user_reads_one_that_took_shares():
    done = subprocess.run([sys.executable, "-c", NO_READER], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_shares_are_written_to_files_in_development_only(tmp_path, settings):
    settings.DEBUG = False
    (tmp_path / "pin").write_text(TEST_PIN)
    for options in ({"folder": tmp_path}, {"pin_file": tmp_path / "pin"}):
        with pytest.raises(CommandError, match="utanför utveckling"):
            call_command("pki_split_pin", **options)
    assert [file.name for file in tmp_path.iterdir()] == ["pin"]


@pytest.mark.django_db(transaction=True)
class TestFiles:
    """Development's start, in this process."""

    @pytest.fixture(autouse=True)
    def _by_files(self, settings, tmp_path, demo_pki):
        settings.DEBUG = settings.PKI_START_BY_TWO = True
        settings.PKI_SHARE_FILES = [str(tmp_path / name) for name in pki_split_pin.FILES]
        yield
        held.forget()

    def test_both_shares_come_from_files_and_the_log_says_so(self, settings, tmp_path):
        split_again = partial(call_command, "pki_split_pin", pin_file=Path(settings.PKCS11_PIN_FILE), folder=tmp_path)
        split_again()
        files = [tmp_path / name for name in pki_split_pin.FILES]
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        before = [file.read_text() for file in files]
        split_again()
        assert [file.read_text() for file in files] == before
        with capture_logs() as log:
            starting.wait_for_custodians()
        assert "nobody entered a share" in str(log)
        assert held.pin() == TEST_PIN

    @pytest.mark.filterwarnings("ignore:DjangoFixup")  # of Celery, which is sent no worker here
    @pytest.mark.parametrize("texts", [(ONE, split(TEST_PIN)[1]), (ONE, ONE), (ONE,), ()])
    def test_a_worker_that_cannot_get_its_shares_ends_before_it_takes_work(self, tmp_path, monkeypatch, texts):
        monkeypatch.setattr(app.amqp.queues, "_consume_from", {"pki": None})
        for name, text in zip(pki_split_pin.FILES, texts, strict=False):
            (tmp_path / name).write_text(text)
        with capture_logs() as log, pytest.raises(SystemExit) as ended:
            signals.worker_init.send(None)  # Celery logs other errors of its receivers, and goes on
        assert ended.value.code == 1
        assert "custodians.not_started" in str(log)
        assert not held.is_complete()


def test_a_socket_that_cannot_be_made_is_an_error():
    with pytest.raises(FileNotFoundError):
        desk.Desk("/nonexistent/share.sock", Entry(verify=lambda: True, two_users=False), ())


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


ANSWERS = ("refused", "taken", "complete")


def entered_by(user: str, path: Path, share: str) -> str:
    """How the desk answers a process of this user and root's group."""

    def enter() -> None:
        os.setgroups([])
        os.setgid(0)
        os.setuid(pwd.getpwnam(user).pw_uid)
        reply = asking.enter(str(path), share)
        os._exit(reply.taken + reply.complete)

    return ANSWERS[forked(enter) or 0]


@pytest.mark.django_db(transaction=True)
class TestDesk:
    def test_only_custodians_enter_shares_and_everybody_there_sees_the_status(self, waiting):
        path = waiting("anna", "bertil")
        reply = asking.enter(path, ONE)
        assert (reply.taken, "inte nyckelhållare" in reply.text) == (False, True)
        assert asking.status(path).text == "väntar på nyckelhållare: 0 av 2 delar"

    def test_the_kernel_names_each_custodian_and_one_user_enters_one_half(self):
        """Real users of the machine, if this one may become them. They are in the socket's group, as custodians are."""
        if os.geteuid() != 0:
            return
        folder = Path(tempfile.mkdtemp(prefix="siths-custodians-", dir="/tmp"))
        folder.chmod(0o710)
        served = desk.Desk(str(folder / "share.sock"), Entry(verify=lambda: True, two_users=True), ("daemon", "bin"))
        try:
            tries = (("nobody", ONE), ("daemon", ONE), ("daemon", OTHER), ("bin", ONE), ("bin", OTHER))
            answers = [entered_by(user, folder / "share.sock", share) for user, share in tries]
        finally:
            served.close()
            held.forget()
            shutil.rmtree(folder)
        assert answers == ["refused", "taken", "refused", "refused", "complete"]
        done = Event.objects.filter(action="custodian.share_entered").order_by("id")
        assert [event.actor_ref for event in done] == ["operator:daemon", "operator:bin"]

    @pytest.mark.parametrize("question", [b"", b"x\n", b"[]\n", b"{}\n", b'{"act": "open"}\n', b"x" * 5000])
    def test_a_question_that_cannot_be_read_is_answered_and_harms_nobody(self, waiting, question):
        path = waiting()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(path)
            line.sendall(question)
            line.shutdown(socket.SHUT_WR)
            assert "går inte att läsa".encode() in line.recv(4096)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
            silent.connect(path)
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
        for arguments, match in (((ONE,), "unrecognized"), ((), "terminal"), (("--descriptor", "999"), "1 rader")):
            with pytest.raises(CommandError, match=match):
                call_command("pki_enter_share", "--socket", path, *arguments)


@pytest.mark.django_db(transaction=True)
def test_an_operators_command_runs_with_both_shares_entered_for_it(demo_pki):
    by_two = {"PKI_START_BY_TWO": "1", "PKCS11_PIN_FILE": ""}
    both = command("pki_with_shares", "--descriptor", "0", "pki_check", text=f"{ONE}\n{OTHER}\n", **by_two)
    assert "provnyckeln signerar och signaturen stämmer" in both.stdout
    twice = command("pki_with_shares", "--descriptor", "0", "pki_check", text=f"{ONE}\n{ONE}\n", **by_two)
    assert (twice.returncode, twice.stdout, "redan angiven" in twice.stderr) == (1, "", True)
