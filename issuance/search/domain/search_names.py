"""What a name that is searched for means: the ways to read its words as surname and given name."""

import re
import unicodedata

from issuance.search.domain.search_terms import Term, TermError, TermKind, TermProblem

SHORTEST_NAME = 2
LONGEST_NAME = 40
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['’.-])*")


def parse_name(text: str) -> Term:
    """The name in normal form: NFC, lower case, single spaces, a comma only between surname and given name.

    Raises TermError. At least two letters, since a single one is a great part of everybody.
    """
    text = " ".join(unicodedata.normalize("NFC", text).split()).lower()
    text = re.sub(r"\s*,\s*", ", ", text).strip(" ,")
    if not text or sum(character.isalpha() for character in text) < SHORTEST_NAME:
        raise TermError(TermProblem.NAME_SHORT)
    if len(text) > LONGEST_NAME:
        raise TermError(TermProblem.NAME_LONG)
    # The small letter of İ is an i with a mark, which no word of letters has.
    letters = "".join(character for character in text if not unicodedata.combining(character))
    if text.count(",") > 1 or not all(_WORD.fullmatch(word) for word in letters.replace(",", " ").split()):
        raise TermError(TermProblem.NAME_CHARACTERS)
    return Term(TermKind.NAME, text)


def looks_like_name(text: str) -> bool:
    """True for letters without a digit: where one field takes names and ids, an id is written with a digit of it."""
    return any(character.isalpha() for character in text) and not any(character.isdigit() for character in text)


def beginnings(name: str) -> list[str]:
    """What "surname, given name" in lower case may begin with when `name` is searched for, as `parse_name` gives it.

    Without a comma each space may part the names, in either order; the whole may be the beginning of a surname.
    """
    if "," in name:
        return [name]
    words = name.split()
    found = [name]
    for place in range(1, len(words)):
        before, behind = " ".join(words[:place]), " ".join(words[place:])
        found += [f"{before}, {behind}", f"{behind}, {before}"]
    return found
