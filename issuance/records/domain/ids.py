"""Identifiers of persons, assignments, organisations and cards: formats and validation (rules/issuance 8.1)."""

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum

from personnummer import personnummer

_HSA_ID = re.compile(r"[A-Z]{2,6}\d{10}-[A-Z0-9]{1,18}", re.IGNORECASE)
_LONG = re.compile(r"(18|19|20)(\d{6})[-+ ]?(\d{4})", re.ASCII)
_SHORT = re.compile(r"(\d{6})([-+]?)(\d{4})", re.ASCII)
_SERIAL = re.compile(r"\d{19}")
_MIFARE_ID = re.compile(r"[0-9A-Z]{1,10}", re.ASCII)
_SYNTHETIC_NUMBERS = range(980, 1000)


class PersonIdKind(StrEnum):
    """The register that issued a person's number."""

    PERSONNUMMER = "personnummer"
    SAMORDNINGSNUMMER = "samordningsnummer"
    PASSPORT = "passport"
    RESERVE = "reserve"


@dataclass(frozen=True, order=True)
class PersonId:
    """A person's number in its normal form: 12 digits without hyphen for the two Swedish kinds."""

    kind: PersonIdKind
    value: str

    @property
    def is_certifiable(self) -> bool:
        """True for the kinds that a person-id pair can name. Its policy OID says which of them it is (rules/pki 2.3)."""
        return self.kind in (PersonIdKind.PERSONNUMMER, PersonIdKind.SAMORDNINGSNUMMER)

    @property
    def birth_date(self) -> dt.date | None:
        """The birth date in a Swedish number, where a samordningsnummer adds 60 to the day. None for the other kinds."""
        if not self.is_certifiable:
            return None
        year, month, day = int(self.value[:4]), int(self.value[4:6]), int(self.value[6:8])
        return dt.date(year, month, day - 60 if day > 60 else day)

    @property
    def is_synthetic(self) -> bool:
        """True for a demo number, which no living person has: born 1800-1899, birth number 980-999."""
        return self.birth_date is not None and self.birth_date.year < 1900 and int(self.value[8:11]) in _SYNTHETIC_NUMBERS

    def age_on(self, day: dt.date) -> int | None:
        """Returns the completed years on `day`, or None if the number contains no birth date."""
        born = self.birth_date
        return None if born is None else age_on(born, day)


def age_on(born: dt.date, day: dt.date) -> int:
    """Returns the completed years on `day`. A person born on 29 February completes a year on 1 March in common years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def parse_swedish_number(text: str, *, today: dt.date) -> PersonId:
    """Parses a personnummer or samordningsnummer in any usual notation and verifies its check digit and date.

    Twelve digits keep their century, so birth years 1800-1899 are possible. Ten digits mean the latest century that is not in the
    future, or the century before that with `+` (folkbokföringslagen 18 §). Only the digits 0-9 are accepted, so each number has
    one form. Raises ValueError.
    """
    text = text.strip()
    if match := _LONG.fullmatch(text):
        digits = match[1] + match[2] + match[3]
    elif match := _SHORT.fullmatch(text):
        digits = _with_century(match[1] + match[3], over_hundred=match[2] == "+", today=today)
    else:
        raise ValueError("not a personnummer")
    try:
        parsed = personnummer.parse(digits)
    except personnummer.PersonnummerException:
        raise ValueError("not a personnummer") from None
    kind = PersonIdKind.SAMORDNINGSNUMMER if parsed.is_coordination_number() else PersonIdKind.PERSONNUMMER
    person_id = PersonId(kind, digits)
    if (born := person_id.birth_date) is None or born > today:
        raise ValueError("not a personnummer")
    return person_id


def _with_century(ten_digits: str, *, over_hundred: bool, today: dt.date) -> str:
    century, month, day = today.year // 100, int(ten_digits[2:4]), int(ten_digits[4:6])
    this_year = century * 100 + int(ten_digits[:2])
    if (this_year, month, day - 60 if day > 60 else day) > (today.year, today.month, today.day):
        century -= 1
    return f"{century - over_hundred:02}{ten_digits}"


def parse_hsa_id(text: str, *, prefixes: frozenset[str] = frozenset()) -> str:
    """Returns a HSA-id of at most 31 characters as it was written. Raises ValueError if it is not one.

    With `prefixes`, the letters before the digits must be one of them: production allows only `SE`; test ids of the HSA directory
    begin with TST, TSTNMT, MTT, YTT and the like.
    """
    text = text.strip()
    if len(text) > 31 or not text.isascii() or not _HSA_ID.fullmatch(text):
        raise ValueError("not a HSA-id")
    if prefixes and re.split(r"\d", text, maxsplit=1)[0].upper() not in prefixes:
        raise ValueError("not a HSA-id of this environment")
    return text


def same_hsa_id(one: str, other: str) -> bool:
    """True if both are the same HSA-id; HSA-ids ignore case."""
    return one.upper() == other.upper()


def parse_organisation_number(text: str) -> str:
    """Returns an organisation number as ten digits after verifying its Luhn check digit. Raises ValueError."""
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"\d{10}", digits) or not digits.isascii() or not luhn_valid(digits):
        raise ValueError("not an organisation number")
    return digits


def parse_card_serial(text: str) -> str:
    """Returns a card's serial number as 19 digits without spaces. Raises ValueError."""
    digits = re.sub(r"\s", "", text)
    if not digits.isascii() or not _SERIAL.fullmatch(digits):
        raise ValueError("not a card serial")
    return digits


def parse_mifare_id(text: str) -> str:
    """Returns a MIFARE-id in upper case without spaces, hyphens and colons. Raises ValueError if it is not one."""
    compact = re.sub(r"[\s:-]", "", text).upper()
    if not _MIFARE_ID.fullmatch(compact):
        raise ValueError("not a MIFARE-id")
    return compact


def parse_new_card_serial(text: str) -> str:
    """Returns the serial number of a card made for this portal as 19 digits, of which the last is the Luhn check digit. Older
    cards may have another. Raises ValueError.
    """
    digits = parse_card_serial(text)
    if not luhn_valid(digits):
        raise ValueError("wrong check digit")
    return digits


def luhn_valid(digits: str) -> bool:
    """True if the last of `digits` is the Luhn check digit of the others (ISO/IEC 7812-1 annex B)."""
    return luhn_check_digit(digits[:-1]) == digits[-1:]


def luhn_check_digit(digits: str) -> str:
    """Returns the Luhn check digit to append to `digits` (ISO/IEC 7812-1 annex B)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if position % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)
