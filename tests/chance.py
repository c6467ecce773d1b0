"""Texts without what chance puts into them, for tests that look in them for a few digits that must not stand there.

Six given digits stand in one of sixty texts with 300,000 random hexadecimal digits, as a run of the tests writes them; four stand
in one of a thousand log lines, in the case id or the microseconds. What is stored as bytes is looked at as bytes.
"""

import re

_BYTES = re.compile(r"\\+x((?:[0-9a-f]{2})+)")  # as PostgreSQL writes `bytea`
_CHANCE = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # UUIDs
    r"|[0-9a-f]{32,}|[0-9A-F]{30,}"  # case ids and hashes; serials
    r")(?![0-9A-Za-z])"
    r"|(?<=\d\d:\d\d:\d\d)\.\d{1,6}(?!\d)"  # fractions of seconds
)


def without_chance(text: str) -> str:
    """The text without UUIDs, long hexadecimal words of either case and fractions of seconds; bytes' hexadecimals are decoded."""
    decoded = _BYTES.sub(lambda found: bytes.fromhex(found[1]).decode("latin-1"), text)
    return _CHANCE.sub("…", decoded)
