"""Ports, folders and PostgreSQL's home are chosen once and suit where the clone lies."""

import grp
import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from siths_portal.dev import home, steps
from siths_portal.dev.home import House, open_house
from siths_portal.dev.progress import HouseError

Founder = Callable[..., House]


def listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen()
    return listener


def test_the_first_base_is_taken_when_its_ports_are_free(folder: Path, base: int, found: Founder) -> None:
    assert found(folder).port_base == base


@pytest.mark.parametrize("offset", [0, 13, 443])
def test_another_base_is_chosen_when_a_port_is_taken(folder: Path, base: int, found: Founder, offset: int) -> None:
    with listen(base + offset):
        assert found(folder).port_base == base + home.BASE_STEP


def test_two_first_starts_at_the_same_time_choose_different_bases(folder: Path, base: int, found: Founder) -> None:
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    assert (found(folder / "a").port_base, found(folder / "b").port_base) == (base, base + home.BASE_STEP)


def test_the_base_stays_even_when_its_ports_are_taken_later(folder: Path, base: int, found: Founder) -> None:
    found(folder).release_ports()
    with listen(base):
        assert open_house(folder, environ={}).port_base == base


def test_port_base_of_the_environment_is_taken_at_the_first_start_and_only_then(folder: Path, base: int, found: Founder) -> None:
    other = base + home.BASE_STEP
    assert found(folder, PORT_BASE=str(other)).port_base == other
    with pytest.raises(HouseError, match=f"start at {other}") as refusal:
        open_house(folder, environ={"PORT_BASE": str(base)})
    assert refusal.value.code == 2


def test_a_wanted_base_that_is_taken_is_refused_by_port_and_leaves_no_house(folder: Path, base: int) -> None:
    with listen(base + 2), pytest.raises(HouseError, match=str(base + 2)):
        open_house(folder, environ={"PORT_BASE": str(base)})
    assert not (folder / "var" / "house.json").exists()


@pytest.mark.parametrize("text", ["80", "hello", "-1", "70000"])
def test_a_port_base_that_is_no_port_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(HouseError, match="PORT_BASE must be"):
        open_house(folder, environ={"PORT_BASE": text})


def test_the_shell_says_which_environment_it_is(folder: Path, found: Founder, monkeypatch: pytest.MonkeyPatch) -> None:
    house = found(folder)
    with monkeypatch.context() as environment:
        environment.setenv("ENVIRONMENT_NAME", "QA")
        environment.delenv("TEST_PERSONS_FILE", raising=False)
        environment.setenv("OIDC_NAME", "not taken")
        assert house.settings()["ENVIRONMENT_NAME"] == "QA"
        assert not {"TEST_PERSONS_FILE", "OIDC_NAME"} & set(house.settings())


def test_a_number_of_portal_processes_that_is_none_is_refused(
    folder: Path, found: Founder, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = found(folder)
    with monkeypatch.context() as environment:
        environment.setenv("PORTAL_WORKERS", "3")
        assert house.settings()["PORTAL_WORKERS"] == "3"
        for wanted in ("0", "-1", "två"):
            environment.setenv("PORTAL_WORKERS", wanted)
            with pytest.raises(HouseError, match=f"PORTAL_WORKERS must be a number from 1, not {wanted}"):
                house.settings()


def test_the_supplier_under_test_may_be_pushed_to_where_its_file_says(folder: Path, found: Founder) -> None:
    house = found(folder)
    plain = house.settings()["SUPPLIER_PUSH_HOSTS"]
    asked = house.var / "sandbox" / "push.json"
    asked.parent.mkdir()
    (folder / "uv.lock").touch()
    _note, pulls = steps._filled(house)
    asked.write_text('{"url": "https://localhost:9443/siths", "keys": []}')
    assert house.settings()["SUPPLIER_PUSH_HOSTS"] == f"{plain},localhost:9443"
    assert steps._filled(house)[1] != pulls, "the clients are registered anew"
    for wrong in ("", "[]", "{}", '{"url": 7}', '{"url": "http://localhost:9443"}'):
        asked.write_text(wrong)
        with pytest.raises(HouseError, match=r"push\.json"):
            house.settings()
    asked.unlink()
    assert house.settings()["SUPPLIER_PUSH_HOSTS"] == plain


def test_a_copied_folder_is_refused_and_a_moved_one_goes_on(folder: Path, found: Founder) -> None:
    (folder / "first").mkdir()
    first = found(folder / "first")
    first.release_ports()
    shutil.copytree(folder / "first", folder / "second")
    with pytest.raises(HouseError, match="copy of"):
        open_house(folder / "second", environ={})
    shutil.rmtree(folder / "first")
    assert open_house(folder / "second", environ={}).id == first.id


def test_sockets_have_paths_that_fit(folder: Path, found: Founder) -> None:
    deep = folder / ("long-name-" * 12) / "clone"
    deep.mkdir(parents=True)
    house = found(deep)
    assert len(str(house.postgres.socket_dir / ".s.PGSQL.5432")) < 108
    assert len(str(house.redis.socket)) < 108
    assert len(str(house.api_socket)) < 108


def test_only_the_starting_user_and_nginx_enter_the_folder_of_the_sockets(folder: Path, found: Founder) -> None:
    status = found(folder).api_socket.parent.stat()
    assert (status.st_mode & 0o067, status.st_uid) == (0, os.geteuid())
    if os.geteuid() == 0:
        assert grp.getgrgid(status.st_gid).gr_name == home.PROXY_USER


def test_postgres_lives_in_the_clone_where_its_user_may_enter(folder: Path, found: Founder) -> None:
    assert found(folder).postgres_home == folder / "var" / "postgres"


def test_postgres_gets_another_home_where_only_root_may_enter(folder: Path, found: Founder) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    clone = closed / "clone"
    clone.mkdir()
    house = found(clone)
    inside = clone / "var" / "postgres"  # a user who is not root runs PostgreSQL as itself and enters its own folder
    assert house.postgres_home == (Path("/var/lib/siths-portal") / house.id / "postgres" if os.geteuid() == 0 else inside)
    assert json.loads((clone / "var" / "house.json").read_text())["postgres_home"] == str(house.postgres_home)
