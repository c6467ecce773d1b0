"""Looks for the demo people's personal data, card serials and the token's PIN in the house's log files (S21)."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings

from issuance.models import Carrier, Person, PersonIdentifier, Post

# Shorter ones are words of their own, such as "Ek" or "Dal".
SHORTEST_SURNAME = 5


def terms() -> Iterator[str]:
    """Everything that may stand in no log: personal numbers in each form, HSA-ids, card serials, names, the PIN."""
    for value in PersonIdentifier.objects.values_list("value", flat=True).iterator():
        yield from {value, value[2:], f"{value[:8]}-{value[8:]}", f"{value[2:8]}-{value[8:]}"}
    yield from Post.objects.values_list("hsa_id", flat=True).iterator()
    yield from Carrier.objects.exclude(card_serial="").values_list("card_serial", flat=True).iterator()
    for given, surname in Person.objects.values_list("given_name_in_use", "surname").distinct().iterator():
        yield f"{given} {surname}"
        if len(surname) >= SHORTEST_SURNAME:
            yield surname
    if settings.PKCS11_PIN_FILE:
        yield Path(settings.PKCS11_PIN_FILE).read_text().strip()


def scan(folder: Path, forbidden: Iterable[str]) -> list[str]:
    """The places, as file and line number, where a whole word of `folder`'s logs is one of `forbidden`. Never the word itself."""
    words = sorted({term for term in forbidden if term}, key=len, reverse=True)
    if not words:
        raise ValueError("nothing to look for: the scan would prove nothing")
    pattern = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, words)) + r")(?!\w)", re.IGNORECASE)
    found = []
    for path in sorted(folder.rglob("*.log*")):
        with path.open(errors="replace") as lines:
            found += [f"{path.name}:{number}" for number, line in enumerate(lines, 1) if pattern.search(line)]
    return found
