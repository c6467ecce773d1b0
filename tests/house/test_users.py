"""System users of `make run`'s processes: what each may read, and which database role it may connect as. Real PostgreSQL."""

import dataclasses
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from siths_portal.dev import programs, tokens, users
from siths_portal.dev.home import House
from siths_portal.dev.private_services import DATABASE, ROLES, postgres_bin
from siths_portal.dev.steps import manage
from siths_portal.dev.supervision import Supervisor
from siths_portal.lib.processes.table import PIN_SHARES
from tests.house.conftest import copy_house

Founder = Callable[..., House]
ROOT_ONLY = "only root can start processes as other users"


def is_allowed(user: str, *command: str | Path) -> bool:
    """Whether the command ends well as the system user."""
    command = ("runuser", "-u", user, "--", *command)
    return subprocess.run(command, cwd="/", env={"PATH": os.environ["PATH"]}, capture_output=True, check=False).returncode == 0


def test_each_process_reads_its_own_secrets_and_connects_as_its_own_role(folder: Path, found: Founder) -> None:
    if os.geteuid() != 0:
        assert users._why_shared(folder) == ROOT_ONLY
        return
    assert users.make() == ""
    house = dataclasses.replace(found(copy_house(folder / "clone")), separated=True)
    house.release_ports()
    tokens.write_settings(house)
    tokens.initialise_tokens(house)
    for name in PIN_SHARES:
        tokens.write_private(house.var / "secrets" / name, "a share")
    house.postgres.create()
    supervisor = Supervisor(house)
    supervisor.start()
    supervisor.bring_up(programs.data_services(house))
    house.postgres.provision()
    socket_folder = str(house.postgres.socket_dir)
    for user in users.USERS:
        psql = [str(postgres_bin() / "psql"), "-h", socket_folder, "-d", DATABASE, "-c", "SELECT 1", "-U"]
        connected = {role for role in ("postgres", *ROLES) if is_allowed(user, *psql, role)}
        assert connected == {role for name, role in users.DATABASE_ROLES if name == user}, user
        own = {users.PKI: set(PIN_SHARES), users.PORTAL: {"oidc_client_key"}}.get(user, set()) | {users.SECRET_KEYS.get(user, "")}
        secrets = {path.name for path in (house.var / "secrets").iterdir() if is_allowed(user, "cat", path)}
        assert secrets == own - {""}, user
        assert is_allowed(user, "ls", house.var / "tokens") is (user == users.PKI)
        assert is_allowed(user, "test", "-w", house.var / "status") is (users.WORKERS in users.USERS[user]), user
        assert is_allowed(user, "ls", house.var / "push") is (user == users.SUPPLIERS)
        assert is_allowed(user, "ls", house.var / "simulators" / "idp") is (user == users.SIMULATORS)
        assert is_allowed(user, "redis-cli", "-s", house.redis.socket, "ping") is (users.QUEUE in users.USERS[user]), user
    assert {name for name, state in supervisor.states().items() if state == "RUNNING"} == {"postgres", "redis"}


def test_no_program_of_a_separated_house_runs_as_root(folder: Path, found: Founder) -> None:
    house = dataclasses.replace(found(copy_house(folder / "clone")), separated=True)
    sections = programs.configuration(house, programs.all_programs(house)).split("[program:")[1:]
    names = {section.partition("]")[0]: section for section in sections}
    assert {name for name, section in names.items() if "\nuser=" not in section} == set()
    assert not any("\nuser=root" in section for section in sections)
    exposed = {name for name, section in names.items() if f"\nuser={users.PKI}\n" in section}
    assert exposed == {"pki-worker"}


def test_a_command_hands_over_what_it_made_and_follows_no_link(folder: Path, found: Founder) -> None:
    if os.geteuid() != 0:
        return
    assert users.make() == ""
    house = dataclasses.replace(found(copy_house(folder / "clone")), separated=True)
    tokens.write_settings(house)
    (house.root / "manage.py").write_text("from pathlib import Path; Path('var/tokens/new').write_text('key')\n")
    (house.var / "tokens" / "link").symlink_to(house.var / "secrets" / "so_pin")
    os.link(house.var / "secrets" / "so_pin", house.var / "tokens" / "name")
    manage("A key", "make").work(house)
    assert is_allowed(users.PKI, "cat", house.var / "tokens" / "new")
    assert not is_allowed(users.PKI, "cat", house.var / "secrets" / "so_pin")
    assert not is_allowed(users.PKI, "cat", house.var / "tokens" / "name")


def test_a_start_that_shares_a_user_says_why(
    folder: Path, found: Founder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    house = found(copy_house(closed / "clone"))
    assert users.separate(house) is house
    told = capsys.readouterr().out
    why = f"user {users.API} cannot read {house.root}" if os.geteuid() == 0 else ROOT_ONLY
    assert told == f"All processes run as one user, so roles are separated in the database only: {why}.\n"
    with monkeypatch.context() as context:
        context.setattr(os, "geteuid", lambda: 1000)
        assert users.separate(house) is house
    assert f"only: {ROOT_ONLY}." in capsys.readouterr().out
