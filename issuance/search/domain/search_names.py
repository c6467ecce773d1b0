"""Names in searches: the ways to split the words into surname and given name."""

import re
import unicodedata

from issuance.search.domain.search_terms import Term, TermError, TermKind, TermProblem

SHORTEST_NAME = 2
LONGEST_NAME = 40
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['’.-])*")


def parse_name(text: str) -> Term:
    """Returns the name in normal form: NFC, lower case, single spaces, at most one comma, between surname and given name.
    Requires at least two letters, because a single one matches too many people. Raises TermError.
    """
    text = " ".join(unicodedata.normalize("NFC", text).split()).lower()
    text = re.sub(r"\s*,\s*", ", ", text).strip(" ,")
    if not text or sum(character.isalpha() for character in text) < SHORTEST_NAME:
        raise TermError(TermProblem.NAME_SHORT)
    if len(text) > LONGEST_NAME:
        raise TermError(TermProblem.NAME_LONG)
    # Lower-casing İ gives i with a combining mark, which `_WORD` does not match.
    letters = "".join(character for character in text if not unicodedata.combining(character))
    if text.count(",") > 1 or not all(_WORD.fullmatch(word) for word in letters.replace(",", " ").split()):
        raise TermError(TermProblem.NAME_CHARACTERS)
    return Term(TermKind.NAME, text)


def looks_like_name(text: str) -> bool:
    """Returns True for letters without a digit. In a field for names and ids, an id must include at least one digit."""
    return any(character.isalpha() for character in text) and not any(character.isdigit() for character in text)


def beginnings(name: str) -> list[str]:
    """Returns the prefixes of "surname, given name" in lower case that match `name`, as `parse_name` returns it. Without a
    comma every space may separate the names, in either order, and the complete text may be a prefix of a surname.
    """
    if "," in name:
        return [name]
    words = name.split()
    found = [name]
    for place in range(1, len(words)):
        before, behind = " ".join(words[:place]), " ".join(words[place:])
        found += [f"{before}, {behind}", f"{behind}, {before}"]
    return found
