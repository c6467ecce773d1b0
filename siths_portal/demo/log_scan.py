"""Searches the log files for personal data of the demo people, card serials and the token's PINs (S21)."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings

from issuance.carriers.models import Carrier
from issuance.people.models.persons import Person, PersonIdentifier, Post

# Shorter names, such as "Ek" or "Bo", are also common words.
SHORTEST_NAME = 4


def terms() -> Iterator[str]:
    """Yields what must not be in a log: that of `personal_terms`, and the token's PINs.

    PUKs and codes of sent cards are not stored, so they cannot be searched for; tests check that they are not logged.
    """
    yield from personal_terms()
    for file in sorted((settings.VAR_DIR / "secrets").iterdir()):
        yield file.read_text().strip()


def personal_terms() -> Iterator[str]:
    """Yields personal numbers in each form, HSA-ids, card serials and names of everybody in the database."""
    for value in PersonIdentifier.objects.values_list("value", flat=True).iterator():
        yield from {value, value[2:], f"{value[:8]}-{value[8:]}", f"{value[2:8]}-{value[8:]}"}
    yield from Post.objects.values_list("hsa_id", flat=True).iterator()
    yield from Carrier.objects.exclude(card_serial="").values_list("card_serial", flat=True).iterator()
    for given, surname in Person.objects.values_list("given_name_in_use", "surname").distinct().iterator():
        yield f"{given} {surname}"
        yield from (name for name in (given, surname) if len(name) >= SHORTEST_NAME)


def scan(folders: Iterable[Path], forbidden: Iterable[str]) -> list[str]:
    """Returns file and line number of each line with one of `forbidden` as a whole word, without the word itself."""
    words = sorted({term for term in forbidden if term}, key=len, reverse=True)
    if not words:
        raise ValueError("nothing to look for: the scan would prove nothing")
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, words)) + r")(?!\w)", re.IGNORECASE)
    found = []
    for path in sorted(path for folder in folders for path in folder.rglob("*.log*")):
        with path.open(errors="replace") as lines:
            found += [f"{path.name}:{number}" for number, line in enumerate(lines, 1) if pattern.search(line)]
    return found
