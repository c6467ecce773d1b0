"""Compiles `locale/*/LC_MESSAGES/django.po` to the `django.mo` beside it: `python -m siths_portal.dev.catalogue`.

Both files are committed, so that no process and no image needs gettext's tools. A test compares them.
"""

import ast
import re
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

LOCALE = Path(__file__).resolve().parent.parent.parent / "locale"
_LINE = re.compile(r'(msgid_plural|msgid|msgstr)(?:\[(\d)\])? (".*")')
_MAGIC = 0x950412DE  # of a .mo file in this machine's byte order (GNU gettext manual, section 10.3)


def entries(text: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yields each message of a .po file: its text, with its plural if it has one, and its translations in order.

    Raises ValueError for a line that is neither a comment nor a part of a message.
    """
    ids: list[str] = []
    found: list[str] = []
    last = ids
    for number, line in enumerate([*text.splitlines(), 'msgid ""'], 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith('"'):
            last[-1] += ast.literal_eval(line)
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number} is no part of a message")
        if match[1] == "msgid" and ids:
            yield tuple(ids), tuple(found)
            ids, found = [], []
        last = found if match[1] == "msgstr" else ids
        last.append(ast.literal_eval(match[3]))


def compiled(text: str) -> bytes:
    """Returns the content of the .mo file of a .po file. Leaves out messages without a translation."""
    messages = sorted(("\0".join(ids).encode(), "\0".join(found).encode()) for ids, found in entries(text) if all(found))
    head, count = 28, len(messages)
    offset = head + 16 * count
    tables: list[bytes] = []
    bodies = b""
    for side in (0, 1):
        for message in messages:
            tables.append(struct.pack("<II", len(message[side]), offset + len(bodies)))
            bodies += message[side] + b"\0"
    return struct.pack("<7I", _MAGIC, 0, count, head, head + 8 * count, 0, 0) + b"".join(tables) + bodies


def main() -> None:
    """Compiles every catalogue and says how many messages it has."""
    for source in sorted(LOCALE.glob("*/LC_MESSAGES/django.po")):
        text = source.read_text()
        source.with_suffix(".mo").write_bytes(compiled(text))
        sys.stdout.write(f"{source.relative_to(LOCALE)}: {sum(1 for _message in entries(text)) - 1} messages\n")


if __name__ == "__main__":
    main()
