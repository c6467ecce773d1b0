"""The whole house as `make run` builds it, on free ports, in a folder and a database of its own, for one module of tests.

Steps, programs and settings are those of `siths_portal.dev`; only the supervisor is missing, whose place the fixture takes. The
cluster begins as a copy of the run's migrated one (`tests/template.py`), and is durable.
"""

import contextlib
import getpass
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from siths_portal.demo import secret_scan
from siths_portal.dev import approvers, home, nginx, processes, programs, steps, tokens
from siths_portal.dev.home import House
from siths_portal.dev.launch import HOUSE, PROGRAM
from siths_portal.dev.private_services import DATABASE
from siths_portal.dev.progress import HouseError, wait_for
from siths_portal.lib.processes.table import PIN_SHARES
from tests import scratch, template
from tests.pki_fixtures import demo_file
from tests.ports import allow_house, guarded

ROOT = Path(__file__).resolve().parents[2]
# The holders' self service has no part in the line.
LEFT_OUT = {"minasidor"}
ANSWERS = """
import json, sys
from pki.models import Secret, SecretState
from pki.secrets.sealing import open_sealed
from siths_portal.demo import log_scan
answers = {
    "terms": log_scan.terms,
    "puks": lambda: (open_sealed(secret).decode() for secret in Secret.objects.filter(state=SecretState.SEALED)),
}
for question in sys.stdin:
    print(json.dumps(list(answers[question.strip()]())), flush=True)
"""


@dataclass(frozen=True)
class StageHouse(House):
    """A house whose code is this clone's and whose places are its own."""

    place: Path = Path()

    @property
    def var(self) -> Path:
        return self.place / "var"

    @property
    def python(self) -> Path:
        return Path(sys.executable)

    def settings(self) -> dict[str, str]:
        return super().settings() | {"SITHS_VAR_DIR": str(self.var)}

    def command_env(self) -> dict[str, str]:
        return super().command_env() | guarded()


@dataclass
class Stage:
    """The running house. `running` holds its processes by name."""

    house: StageHouse
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    stop_signals: dict[str, signal.Signals] = field(default_factory=dict)
    ever_forbidden: set[str] = field(default_factory=set)
    _asking: Any = None
    _naming: "subprocess.Popen[str] | None" = None

    @property
    def portal(self) -> str:
        return f"http://localhost:{self.house.port('portal')}"

    @property
    def idp(self) -> str:
        return f"http://localhost:{self.house.port('idp')}"

    @property
    def eid_app(self) -> str:
        return f"http://127.0.0.1:{self.house.port('eid-app')}"

    @property
    def cards(self) -> Path:
        return self.house.var / "simulators" / "cards"

    def log(self, name: str) -> Path:
        return self.house.var / "log" / f"{name}.log"

    def manage(self, *arguments: str, seconds: float = 600) -> str:
        """What a management command says, run as an operator runs it. Fails the test if the command fails."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.house.command_env(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments[0]}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
        return done.stdout

    def ask(self, sql: str) -> str:
        """The database's answer to a question for numbers and texts, columns parted by `|`, as its superuser.

        Over one connection, since waits ask often and a psql for each would cost more than the answer.
        """
        with self._connection().cursor() as cursor:
            cursor.execute(sql)
            return "\n".join("|".join(map(str, row)) for row in cursor.fetchall())

    def _connection(self) -> Any:
        if self._asking is None:
            self._asking = psycopg2.connect(dbname=DATABASE, user="postgres", host=str(self.house.postgres.socket_dir))
            self._asking.autocommit = True
        return self._asking

    def forbidden(self) -> list[str]:
        """Everything that may stand in no address, title or log, as it is now. `ever_forbidden` keeps what it ever was."""
        terms = self._answer("terms")
        self.ever_forbidden.update(terms)
        return terms

    def in_clear(self, *codes: str) -> list[str]:
        """The tables and logs that contain one of `codes`, the PUK of a card, or a PIN of the token or a share of it in clear."""
        puks = self._answer("puks")
        assert puks, "no card has a PUK: the search would prove nothing"
        pins = [(self.house.var / "secrets" / name).read_text().strip() for name in ("pin", "so_pin", *PIN_SHARES)]
        logs, secrets = sorted((self.house.var / "log").rglob("*.log*")), (*codes, *puks, *pins)
        with self._connection().cursor() as cursor:
            return secret_scan.in_tables(secret_scan.tables(cursor), secrets) + secret_scan.in_files(logs, secrets)

    def _answer(self, question: str) -> list[str]:
        """The answer of a command that answers each question anew, as the operators' shell would."""
        if self._naming is None:
            self._naming = subprocess.Popen(
                [sys.executable, "manage.py", "shell", "-v", "0", "-c", ANSWERS],
                cwd=ROOT, env=self.house.command_env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        assert self._naming.stdin
        assert self._naming.stdout
        self._naming.stdin.write(f"{question}\n")
        self._naming.stdin.flush()
        return list(json.loads(self._naming.stdout.readline()))

    def start(self, *wanted: programs.Program) -> None:
        """Starts programs and waits until each can be used."""
        for program in wanted:
            self.launch(program)
        for program in wanted:
            self.wait_for(program)

    def wait_for(self, program: programs.Program) -> None:
        """Waits until a program that was launched can be used."""
        if program.ready:
            wait_for(program.ready, program.name, seconds=300, alive=lambda: self._alive(program.name))

    def restart(self, name: str) -> None:
        """Ends a program and starts it anew."""
        self._end(name)
        self.start(*(program for program in programs.all_programs(self.house) if program.name == name))

    def launch(self, program: programs.Program) -> None:
        """Starts a program."""
        env = self.house.command_env() | program.env | {HOUSE: self.house.id, PROGRAM: program.name}
        # A killed test run takes its processes with it.
        become = ["setpriv", "--pdeathsig", program.stop_signal]
        if program.user not in ("", getpass.getuser()):
            become += ["--reuid", program.user, "--regid", program.user, "--init-groups"]
        self.stop_signals[program.name] = signal.Signals[f"SIG{program.stop_signal}"]
        with self.log(program.name).open("ab") as output:
            self.running[program.name] = subprocess.Popen(
                [*become, *program.command],
                cwd=program.directory or ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    def _alive(self, name: str) -> None:
        code = self.running[name].poll()
        assert code is None, f"{name} ended with {code}: {self.log(name).read_text()[-2000:]}"

    def _end(self, name: str) -> None:
        child = self.running.pop(name)
        child.send_signal(self.stop_signals[name])
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def close(self) -> None:
        """Ends everything, the last started first."""
        if self._asking is not None:
            self._asking.close()
        if self._naming is not None:
            self._naming.communicate(timeout=120)
        for name in reversed(list(self.running)):
            self._end(name)


def _house(place: Path, kind: type[StageHouse]) -> StageHouse:
    """A house on the first free range of ports from a random start, so that two test runs seldom look at the same."""
    first = random.SystemRandom().randrange(100, 210) * 100
    for base in range(first, home.LAST_BASE, home.BASE_STEP):
        if held := home._hold_all(base):
            break
    else:
        raise RuntimeError("no free range of ports")
    runtime = place / "run"
    runtime.mkdir()
    home.make_socket_folder(runtime / "api")
    house = kind(ROOT, secrets.token_hex(4), base, runtime, place / "pg", held, place=place)
    allow_house(house)
    return house


def _fill(made: Stage, *, ceremony: bool) -> None:
    """Everything that comes before the faces and workers. Without a ceremony nothing can be issued."""
    house = made.house
    (house.var / "log").mkdir(parents=True)
    tokens.write_settings(house)
    template.copy_to(Path(os.environ["SITHS_TEST_TEMPLATE"]), house.postgres)
    house.redis.folder.mkdir()
    made.start(*programs.data_services(house))
    template.become_plain(house.postgres)
    house.postgres.provision()
    for arguments in (["collectstatic", "--no-input", "-v", "0"], ["migrate", "--no-input", "-v", "0"]):
        steps.manage(arguments[0], *arguments).work(house)
    if ceremony:
        _ceremony(house)
    for command in ("demo_load", "billing_demo_prices"):
        steps.manage(command, command).work(house)


def _ceremony(house: StageHouse) -> None:
    """Makes the tokens and the CAs."""
    file = house.place / "ceremony.yaml"
    tokens.initialise_tokens(house)
    steps.split_pin(house)
    file.write_bytes(demo_file())
    approvers.approve(file, house.var / "ceremony")
    steps.manage("pki_ceremony", "pki_ceremony", str(file)).work(house)


def _serve(made: Stage) -> None:
    """Starts everything that the line needs, with last month's cards and cards in every state."""
    house = made.house
    nginx.write_status(house)
    made.start(*(p for p in programs.application_programs(house) if p.name not in LEFT_OUT))
    steps.manage("TLS", "demo_tls").work(house)
    nginx.write(house)
    nginx.write_login(house)
    made.start(*programs.outer_programs(house))
    for command in ("demo_history", "demo_states"):
        steps.manage(command, command).work(house)


def stage() -> contextlib.AbstractContextManager[Stage]:
    """The house with demo data and last month's cards, serving. Afterwards none of its processes is left."""
    return _running(_serve, ceremony=True)


def started(
    wanted: Callable[[House], Iterable[programs.Program]], *, ceremony: bool = False, kind: type[StageHouse] = StageHouse
) -> contextlib.AbstractContextManager[Stage]:
    """The house with demo people and only the `wanted` programs beside the data services, without a CA unless `ceremony`."""
    return _running(lambda made: made.start(*wanted(made.house)), ceremony=ceremony, kind=kind)


@contextlib.contextmanager
def _running(serve: Callable[[Stage], None], *, ceremony: bool, kind: type[StageHouse] = StageHouse) -> Iterator[Stage]:
    place = scratch.new_folder("siths-e2e-", 0o711)  # PostgreSQL's user walks through
    house = _house(place, kind)
    made = Stage(house)
    try:
        _fill(made, ceremony=ceremony)
        house.release_ports()
        nginx.write_people(house)
        serve(made)
        yield made
    finally:
        made.close()
        house.release_ports()
        with contextlib.suppress(HouseError):  # a helper ends when it sees that its process has ended
            wait_for(lambda: not processes.marked(**{HOUSE: house.id}), "the last helper's end", seconds=150)
        left = processes.marked(**{HOUSE: house.id})
        processes.end(left, seconds=5)
        shutil.rmtree(place, ignore_errors=True)
    assert not left, "a process outlived its stage"
