"""One supervisor keeps the processes of one clone; stopping ends them, nothing else. Real PostgreSQL, Redis and supervisord."""

import configparser
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest

from siths_portal.dev import processes, programs, tokens
from siths_portal.dev.home import House
from siths_portal.dev.probes import UnixConnection, accepts, postgres_answers, redis_answers
from siths_portal.dev.progress import HouseError
from siths_portal.dev.supervision import Supervisor
from tests.house.conftest import ROOT, copy_house
from tests.waiting import wait_for

Founder = Callable[..., House]


def start(house: House) -> Supervisor:
    house.postgres.create()
    house.redis.folder.mkdir(parents=True, exist_ok=True)
    house.release_ports()
    supervisor = Supervisor(house)
    supervisor.start()
    supervisor.bring_up(programs.data_services(house))
    house.postgres.provision()
    return supervisor


def answers(house: House) -> bool:
    return postgres_answers(house.postgres) and redis_answers(house.redis.socket)


def is_silent(house: House) -> bool:
    return not postgres_answers(house.postgres) and not redis_answers(house.redis.socket)


@contextmanager
def foreign_listener(port: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: accepts(port), "the foreign process")
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_second_clone_runs_beside_the_first_also_where_only_root_may_enter(folder: Path, found: Founder) -> None:
    first = found(copy_house(folder / "first clone"))
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    second = found(copy_house(closed / "100% clone"))
    assert first.port_base != second.port_base
    one, two = start(first), start(second)
    first.postgres.psql("CREATE TABLE mine (x int)", database="siths")
    assert answers(first)
    assert answers(second)
    assert second.postgres.psql("SELECT to_regclass('mine') IS NULL", database="siths") == "t"
    assert first.postgres.psql("SHOW fsync") == "on"
    assert one.stop()
    assert is_silent(first)
    assert answers(second)
    assert two.stop()
    assert is_silent(second)
    assert not second.runtime.exists()


def test_stop_leaves_a_foreign_process_on_our_ports_alone_and_may_be_repeated(folder: Path, found: Founder) -> None:
    house = found(copy_house(folder / "clone"))
    start(house)
    with foreign_listener(house.port("portal")) as foreign:
        outside_make = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "XDG_"))}
        stopped = [
            subprocess.run(["make", "stop"], cwd=house.root, env=outside_make, capture_output=True, text=True, check=True)
            for _ in range(2)
        ]
        assert [run.stdout.strip() for run in stopped] == ["Stopped.", "Nothing was running."]
        assert is_silent(house)
        assert foreign.poll() is None
        assert accepts(house.port("portal"))


def test_starting_on_a_port_that_a_foreign_process_has_says_which(folder: Path, found: Founder) -> None:
    house = found(copy_house(folder / "clone"))
    house.release_ports()
    with foreign_listener(house.port("status")) as foreign:
        with pytest.raises(HouseError, match=f"Port {house.port('status')} is taken"):
            Supervisor(house).start()
        assert foreign.poll() is None


def test_stop_finds_what_a_killed_supervisor_left(folder: Path, found: Founder) -> None:
    house = found(copy_house(folder / "clone"))
    supervisor = start(house)
    pid = supervisor.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: supervisor.pid() is None, "the supervisor's end")
    assert answers(house)
    assert supervisor.stop()
    assert is_silent(house)


def test_a_start_after_a_killed_supervisor_keeps_the_data(folder: Path, found: Founder) -> None:
    house = found(copy_house(folder / "clone"))
    supervisor = start(house)
    house.postgres.psql("CREATE TABLE kept AS SELECT 7 AS x", database="siths")
    pid = supervisor.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: supervisor.pid() is None, "the supervisor's end")
    start(house)
    assert house.postgres.psql("SELECT x FROM kept", database="siths") == "7"


def test_a_second_start_keeps_what_runs_and_restarts_what_changed(folder: Path, found: Founder) -> None:
    house = found(copy_house(folder / "clone"))
    supervisor = start(house)
    before = house.postgres.psql("SELECT pg_postmaster_start_time()")
    time.sleep(0.01)  # the clock of file times must have moved on
    (house.root / "siths_portal" / "changed.py").write_text("x = 1\n")
    note = supervisor.start()
    assert note is not None
    assert note.endswith("changed")
    supervisor.bring_up(programs.data_services(house))
    assert house.postgres.psql("SELECT pg_postmaster_start_time()") == before


def test_what_starting_processes_compile_is_no_change_of_the_code(folder: Path) -> None:
    root = copy_house(folder / "clone")
    before = programs.code_fingerprint(root)
    (root / "siths_portal" / "__pycache__").mkdir()
    (root / "siths_portal" / "__pycache__" / "wsgi.cpython-313.pyc.139872").touch()  # a name that is gone in a moment
    assert programs.code_fingerprint(root) == before


def environment_of(house: House) -> dict[str, dict[str, str]]:
    text = programs.configuration(house, programs.all_programs(house))
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    found = {}
    for section in parser.sections():
        if section.startswith("program:"):
            pairs = parser[section]["environment"].split('",')
            found[section[8:]] = {name: value.strip('"') for name, value in (pair.split("=", 1) for pair in pairs)}
    return found


def test_no_process_is_given_the_pin_and_the_pki_worker_alone_its_shares(folder: Path, found: Founder) -> None:
    house = found(copy_house(folder / "clone"))
    environments = environment_of(house)
    code = {program.name for program in programs.all_programs(house) if program.code}
    assert {name for name in code if environments[name]["PKCS11_PIN_FILE"]} == set()
    assert {name for name in code if environments[name].get("PKI_SHARE_FILES")} == {"pki-worker"}
    assert {name for name in code if environments[name].get("SUPPLIER_PUSH_FOLDER")} == {"suppliers-worker"}
    assert {name for name in code if environments[name]["DATABASE_OWNER_URL"]} == set()
    assert {name for name in code if environments[name].get("MTLS_CERTIFICATE_HEADER")} == {"api", "login"}


def is_live(path: Path) -> bool:
    connection = UnixConnection(str(path))
    try:
        connection.request("GET", "/healthz/live")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def test_the_api_comes_back_on_its_socket_after_its_main_process_was_killed(folder: Path, found: Founder) -> None:
    house = found(copy_house(folder / "clone"))
    house.release_ports()
    (api,) = [program for program in programs.application_programs(house) if program.name == "api"]
    environment = os.environ | {"SITHS_FACE": "portal", "SITHS_HOUSE": house.id, "SITHS_PROGRAM": "api"}
    command = [sys.executable, "-m", "siths_portal.dev.launch", "--socket", str(house.api_socket), *api.command]
    workers: set[int] = set()
    for _ in range(2):
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        # Until the next start has ended them, those whom the killed process left answer.
        wait_for(lambda left=workers: not any(map(processes.running, left)) and is_live(house.api_socket), "the API")
        workers = processes.marked(SITHS_HOUSE=house.id, SITHS_PROGRAM="api") - {process.pid}
        assert workers
        process.kill()
        process.wait()
        assert any(processes.running(pid) for pid in workers)
    assert Supervisor(house).stop()
    assert processes.marked(SITHS_HOUSE=house.id) == set()


def test_secrets_are_for_the_starting_user_alone_and_stay_the_same(folder: Path, found: Founder) -> None:
    house = found(copy_house(folder / "clone"))
    tokens.write_settings(house)
    files = [house.var / "portal.env", house.var / "softhsm2.conf", *(house.var / "secrets").iterdir()]
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
    assert {path.name for path in (house.var / "secrets").iterdir()} == {"pin", "so_pin", "secret_key", "oidc_client_key"}
    before = {path: path.read_text() for path in files}
    tokens.write_settings(house)
    assert {path: path.read_text() for path in files} == before


def test_tokens_are_made_once_and_open_with_the_pin(folder: Path, found: Founder) -> None:
    house = found(copy_house(folder / "clone"))
    tokens.write_settings(house)
    assert tokens.initialise_tokens(house) == "2 made"
    assert tokens.initialise_tokens(house) is None
    for label in tokens.LABELS:
        login = ["pkcs11-tool", "--module", tokens.MODULE, "--token-label", label, "--login", "--pin", "env:PIN", "-O"]
        pin = (house.var / "secrets" / "pin").read_text()
        subprocess.run(login, env=house.command_env() | {"PIN": pin}, check=True, capture_output=True)
