"""Parsing of the search field (rules/issuance 2.1): a person id, an HSA-id or its ending, a card serial number, a MIFARE-id or an
order id. `search_names` parses names.
"""

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from issuance.records.domain.ids import luhn_valid, parse_mifare_id, parse_swedish_number

SHORTEST_ENDING = 3
LONGEST_HSA_ID = 31
_HYPHENS = re.compile(r"[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]")
_SYMBOLOGY = re.compile(r"^\][A-Za-z][0-9A-Za-z](?=.)")
_LABEL = re.compile(r"^(hsa-?id|tjänste-?id|person-?id|personnummer|(kort)?serienummer|beställnings-?id)\s*:\s*", re.IGNORECASE)
_MIFARE_LABEL = re.compile(r"^mifare(-?(id|nr|nummer|serienummer))?\s*:?\s*(?=\S)", re.IGNORECASE)
_MIFARE_OCTETS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){1,4}")
_NUMBER = re.compile(r"[\d\s+-]+")
_PERSON_ID = re.compile(r"(\d{2})?\d{6}[-+]?\d{4}")
_ORDER_ID = re.compile(r"[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}")
_ENDING = re.compile(r"[A-Z0-9-]+")


class TermKind(StrEnum):
    """The kind of value in a search."""

    PERSON_ID = "person_id"
    HSA_ID = "hsa_id"
    CARD_SERIAL = "card_serial"
    MIFARE_ID = "mifare_id"
    ORDER_ID = "order_id"
    NAME = "name"


class TermProblem(StrEnum):
    """A reason why a text cannot be searched for, as the message to the user."""

    EMPTY = "Skriv ett person-id, ett tjänste-id, ett kortserienummer eller ett namn."
    TOO_SHORT = "Skriv minst de 3 sista tecknen i tjänste-id:t."
    TOO_LONG = "Texten är för lång. Ett tjänste-id har högst 31 tecken."
    DATE = "Datumet i person-id:t finns inte. Kontrollera de 6 eller 8 första siffrorna."
    CHECK_DIGIT = "Den sista siffran stämmer inte. Kontrollera numret mot id-handlingen."
    PERSON_ID_LENGTH = "Skriv person-id:t med 10 eller 12 siffror. Nu är de 11."
    SERIAL_LENGTH = "Ett kortserienummer har 19 siffror. Kontrollera att alla är med."
    MIFARE = "Ett MIFARE-id har 1 till 10 bokstäver eller siffror."
    CHARACTERS = "Ett tjänste-id har bara bokstäverna A till Z, siffror och bindestreck."
    NAME_SHORT = "Skriv minst 2 bokstäver av efternamnet."
    NAME_LONG = "Namnet är för långt. Skriv högst 40 tecken."
    NAME_CHARACTERS = "Ett namn har bara bokstäver, bindestreck och mellanslag, och högst ett kommatecken."


class TermError(ValueError):
    """A text that cannot be searched for; `problem` holds the reason."""

    def __init__(self, problem: TermProblem) -> None:
        super().__init__(problem.name)
        self.problem = problem


@dataclass(frozen=True)
class Term:
    """A parsed search. `value` is 12 digits, 19 digits, an HSA-id or its ending in upper case, a MIFARE-id in upper case, a UUID,
    or a name in lower case.
    """

    kind: TermKind
    value: str


def clean(text: str) -> str:
    """Removes what scanners and word processors add: control characters, a symbology prefix (ISO/IEC 15424), a label with a
    colon. Replaces other hyphens, spaces and full-width letters by plain ones.
    """
    text = _HYPHENS.sub("-", unicodedata.normalize("NFKC", text))
    text = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text if unicodedata.category(c) not in ("Cc", "Cf"))
    return _LABEL.sub("", _SYMBOLOGY.sub("", text.strip())).strip()


def parse_term(text: str, *, today: dt.date) -> Term:
    """Parses the text of a search.

    10 or 12 digits are a person id, 19 a card serial number, fewer than 10 the ending of an HSA-id, 32 hexadecimal digits an
    order id. Octets with colons, and what follows the word MIFARE, are a MIFARE-id; `mifare_meaning` finds one without them.
    Accepts a serial number with a wrong check digit, because older cards have them (rules/issuance 2.1). Raises TermError.
    """
    text = clean(text)
    if not text:
        raise TermError(TermProblem.EMPTY)
    compact = re.sub(r"\s", "", text)
    if (label := _MIFARE_LABEL.match(text)) or _MIFARE_OCTETS.fullmatch(compact):
        return _mifare_id(text[label.end() :] if label else compact)
    if text.isascii() and _NUMBER.fullmatch(text) and (term := _numeric(compact, today)):
        return term
    if _ORDER_ID.fullmatch(compact):
        return Term(TermKind.ORDER_ID, str(UUID(compact)))
    ending = compact.upper()
    if len(ending) < SHORTEST_ENDING:
        raise TermError(TermProblem.TOO_SHORT)
    if not _ENDING.fullmatch(ending):
        raise TermError(TermProblem.CHARACTERS)
    if len(ending) > LONGEST_HSA_ID:
        raise TermError(TermProblem.TOO_LONG)
    return Term(TermKind.HSA_ID, ending)


def mifare_meaning(term: Term) -> Term | None:
    """Returns the MIFARE-id that the ending of an HSA-id may also be; None if it cannot be one."""
    try:
        return _mifare_id(term.value) if term.kind is TermKind.HSA_ID else None
    except TermError:
        return None


def _mifare_id(text: str) -> Term:
    try:
        return Term(TermKind.MIFARE_ID, parse_mifare_id(text))
    except ValueError:
        raise TermError(TermProblem.MIFARE) from None


def _numeric(compact: str, today: dt.date) -> Term | None:
    """Returns a person id or serial number, or None for the few digits of an HSA-id's ending."""
    if _PERSON_ID.fullmatch(compact):
        return _person_id(compact, today)
    digits = re.sub(r"\D", "", compact)
    if len(digits) == 19 and "+" not in compact:
        return Term(TermKind.CARD_SERIAL, digits)
    if len(digits) in (10, 12) or "+" in compact:
        raise TermError(TermProblem.DATE)
    if len(digits) == 11:
        raise TermError(TermProblem.PERSON_ID_LENGTH)
    if len(digits) > 12:
        raise TermError(TermProblem.SERIAL_LENGTH)
    return None


def _person_id(compact: str, today: dt.date) -> Term:
    try:
        return Term(TermKind.PERSON_ID, parse_swedish_number(compact, today=today).value)
    except ValueError:
        fits = luhn_valid(re.sub(r"\D", "", compact)[-10:])
        raise TermError(TermProblem.DATE if fits else TermProblem.CHECK_DIGIT) from None
