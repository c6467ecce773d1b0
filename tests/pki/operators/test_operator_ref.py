"""Who runs a command is told by the system, not by himself."""

import os
import pwd

import pytest

from pki.management import arguments


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What the kernel says of who logged in."""
    path = tmp_path / "loginuid"
    monkeypatch.setattr(arguments, "_LOGGED_IN", path)
    return path


def own_name() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize("variable", ["LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"])
def test_nobody_takes_anothers_name_by_the_environment(variable, told, monkeypatch):
    monkeypatch.setenv(variable, "somebody-else")
    assert arguments.operator_ref() == f"operator:{own_name()}"


def test_who_logged_in_is_named_also_when_he_became_another(told):
    other = next(each for each in pwd.getpwall() if each.pw_uid != os.getuid())
    told.write_text(str(other.pw_uid))
    assert arguments.operator_ref() == f"operator:{pwd.getpwuid(other.pw_uid).pw_name}"


def test_a_process_that_no_log_in_began_is_its_users(told):
    told.write_text(str((1 << 32) - 1))
    assert arguments.operator_ref() == f"operator:{own_name()}"


def test_a_user_without_a_name_is_told_by_number(told):
    known = {each.pw_uid for each in pwd.getpwall()}
    free = next(number for number in range(50_000, 60_000) if number not in known)
    told.write_text(str(free))
    assert arguments.operator_ref() == f"operator:uid-{free}"
