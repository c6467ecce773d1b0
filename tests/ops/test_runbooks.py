"""The runbooks of docs/operations.md: each command exists with its options, and those that only read work as they stand."""

import io
import shlex
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands, load_command_class

CHAPTERS = {
    "Install", "Start order", "Reboot", "Upgrade", "Roll back", "Rotate a key or certificate", "Restore", "Month end",
    "An incident",
}  # fmt: skip
READING = ("audit_verify", "issuance_check_scope", "migrate --check", "pki_reconcile", "showmigrations")
"""What changes nothing and needs neither token nor a whole installation."""


def chapters() -> dict[str, str]:
    """The runbooks by their headings."""
    text = (Path(settings.BASE_DIR) / "docs" / "operations.md").read_text()
    section = text.partition("\n## Runbooks\n")[2].partition("\n## ")[0]
    parts = (each.partition("\n") for each in section.split("\n### ")[1:])
    return {heading: body for heading, _, body in parts}


def commands() -> list[str]:
    """The lines of all blocks, each once, without the program's name."""
    lines = [line.strip() for body in chapters().values() for line in body.splitlines() if line.startswith("    ")]
    assert all(line.startswith("manage.py ") for line in lines), lines
    return sorted({line.removeprefix("manage.py ") for line in lines})


def test_there_is_a_runbook_for_each_work() -> None:
    assert set(chapters()) == CHAPTERS
    assert set(READING) <= set(commands())


@pytest.mark.parametrize("line", commands())
def test_a_command_exists_with_its_options(line: str) -> None:
    name, *words = shlex.split(line)
    actions = load_command_class(get_commands()[name], name).create_parser("manage.py", name)._actions
    known = {option: action for action in actions for option in action.option_strings}
    assert {word for word in words if word.startswith("--")} <= set(known)
    taken = {words[place + 1] for place, word in enumerate(words) if word in known and known[word].nargs is None}
    given = [word for word in words if not word.startswith("--") and word not in taken]
    assert len(given) <= sum(not action.option_strings for action in actions)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("line", READING)
def test_a_command_that_only_reads_works_as_it_stands(line: str) -> None:
    name, *words = shlex.split(line)
    call_command(name, *words, stdout=io.StringIO(), stderr=io.StringIO())
