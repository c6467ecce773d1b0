"""Booked test persons, who alone get test cards: a file that the environment exports from Testpersonbokaren names them.

Each line of the file has a person-id, and after a semicolon the last day of the booking if there is one. It is read at each
order, so a new export counts at once, and each hour: the cards of persons who are no longer booked are revoked.
"""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import structlog
from django.conf import settings

from issuance.records.domain.ids import PersonId, parse_swedish_number
from siths_portal.lib import clock
from siths_portal.lib.errors import Unavailable

log = structlog.get_logger(__name__)

_LONGEST = 1 << 20


def are_named() -> bool:
    """Returns whether this environment has booked test persons."""
    return bool(settings.TEST_PERSONS_FILE)


def has(person_id: PersonId) -> bool:
    """Returns whether the person is booked today. Raises Unavailable if the file cannot be read."""
    return are_named() and any(value == person_id.value for value in _booked(Path(settings.TEST_PERSONS_FILE)))


def all_booked() -> set[str] | None:
    """Returns the numbers of everybody who is booked today. Returns None where nothing may be concluded from the file: there is
    none, it cannot be read, or nobody is booked, which is the look of an export that failed.
    """
    if not are_named():
        return None
    try:
        found = set(_booked(Path(settings.TEST_PERSONS_FILE)))
    except Unavailable:
        return None
    if not found:
        log.error("test_persons.nobody_booked")
    return found or None


def _booked(path: Path) -> Iterator[str]:
    today = clock.today()
    try:
        with path.open(encoding="utf-8-sig") as file:
            lines = file.read(_LONGEST).splitlines()
    except (OSError, UnicodeError) as error:
        log.error("test_persons.unreadable", error=type(error).__name__)
        raise _unreadable() from None
    for number, line in enumerate(lines, 1):
        text, _semicolon, last = (part.strip() for part in line.partition(";"))
        if not text or text.startswith("#"):
            continue
        try:
            value, until = parse_swedish_number(text, today=today).value, dt.date.fromisoformat(last) if last else None
        except ValueError:
            log.error("test_persons.unreadable", line=number)
            raise _unreadable() from None
        if until is None or until >= today:
            yield value


def _unreadable() -> Unavailable:
    return Unavailable("test-persons-unreadable", "Listan med bokade testpersoner går inte att läsa. Kontakta driften.")
