"""How commands take a secret from people: at the terminal without showing it, or from a file descriptor, never as an argument."""

import contextlib
import getpass
import os
import sys

from django.core.management.base import CommandError, CommandParser

_LONGEST = 4096


def add(parser: CommandParser) -> None:
    """Declares where the secrets come from."""
    parser.add_argument(
        "--descriptor",
        type=int,
        metavar="NUMMER",
        help="läs från filbeskrivaren, en hemlighet på varje rad, i stället för vid terminalen",
    )


def secrets(descriptor: int | None, *prompts: str) -> list[str]:
    """Returns one secret for each prompt. Exits with 2 if there is no terminal, or the descriptor does not have them."""
    if descriptor is None:
        if not sys.stdin.isatty():  # without a terminal getpass would show what is typed
            raise CommandError("kör kommandot vid en terminal, eller ange --descriptor", returncode=2)
        return [getpass.getpass(f"{prompt}: ").strip() for prompt in prompts]
    lines: list[str] = []
    with contextlib.suppress(OSError, ValueError), os.fdopen(os.dup(descriptor)) as given:
        lines = [line.strip() for line in given.read(_LONGEST).splitlines()]
    if len(lines) != len(prompts):
        raise CommandError(f"filbeskrivare {descriptor} ska ha {len(prompts)} rader", returncode=2)
    return lines
