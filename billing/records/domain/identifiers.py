"""Check digits: organisation number, GLN, bankgiro, IBAN, VAT number and OCR reference."""

import re


def luhn_digit(digits: str) -> str:
    """The check digit that makes `digits` followed by it pass the Luhn test (modulus 10)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def luhn_valid(digits: str) -> bool:
    """True if `digits` is ASCII digits only, at least two, and the last is their Luhn check digit."""
    return bool(re.fullmatch(r"[0-9]{2,}", digits)) and luhn_digit(digits[:-1]) == digits[-1]


def organisation_number_valid(number: str) -> bool:
    """Ten digits with a Luhn check digit, no hyphen (SE-R-003, SE-R-004, SE-R-013, PEPPOL-COMMON-R049)."""
    return len(number) == 10 and luhn_valid(number)


def organisation_number_plain(number: str) -> str:
    """Returns the number without hyphens and spaces, and without the 16 that some registers write before it."""
    plain = re.sub(r"[\s\u2010-\u2015-]", "", number)
    return plain[2:] if re.fullmatch(r"16[0-9]{10}", plain, re.ASCII) else plain


def gln_valid(number: str) -> bool:
    """Thirteen digits with the GS1 check digit (PEPPOL-COMMON-R040)."""
    if not re.fullmatch(r"[0-9]{13}", number):
        return False
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number[:-1])))
    return str(-total % 10) == number[-1]


def endpoint_parts(address: str) -> tuple[str, str]:
    """Returns the scheme and the identifier of an electronic address that was written whole, such as 0007:2321000016.

    It may begin with the name of Peppol's list of schemes. The scheme of an identifier alone is "".
    """
    whole = re.fullmatch(r"(?:iso6523-actorid-upis::)?([0-9]{4}):(.+)", address.strip(), re.ASCII)
    return (whole[1], whole[2].strip()) if whole else ("", address.strip())


def bankgiro_valid(number: str) -> bool:
    """Seven or eight digits with a Luhn check digit, no hyphen (SE-R-008, SE-R-009)."""
    return len(number) in (7, 8) and luhn_valid(number)


def bankgiro_printed(number: str) -> str:
    """The number as people read it: the last four digits after a hyphen."""
    return f"{number[:-4]}-{number[-4:]}"


def iban_valid(number: str) -> bool:
    """Country, check digits and account without spaces (ISO 13616); a Swedish one has 24 characters. Modulus 97 gives 1."""
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", number) or (number.startswith("SE") and len(number) != 24):
        return False
    return int("".join(str(int(sign, 36)) for sign in number[4:] + number[:4])) % 97 == 1


def iban_printed(number: str) -> str:
    """The number as people read it, in groups of four."""
    return " ".join(number[place : place + 4] for place in range(0, len(number), 4))


def bic_valid(code: str) -> bool:
    """Bank, country and place, with or without branch (ISO 9362)."""
    return bool(re.fullmatch(r"[A-Z]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?", code))


def organisation_number_printed(number: str) -> str:
    """The number as people read it: NNNNNN-NNNN."""
    return f"{number[:6]}-{number[6:]}"


def vat_number(organisation_number: str) -> str:
    """A Swedish company's VAT number, BT-31: SE, the organisation number, 01."""
    return f"SE{organisation_number}01"


def ocr_reference(year: int, sequence: int) -> str:
    """The payment reference, BT-83: year, six digits of the number, a length digit and a Luhn check digit.

    Raises ValueError if the number has more than six digits, which would break the agreed length.
    """
    if not 0 < sequence <= 999_999:
        raise ValueError("an OCR reference has room for six digits")
    body = f"{year:04d}{sequence:06d}"
    body += str((len(body) + 2) % 10)
    return body + luhn_digit(body)


def ocr_valid(reference: str) -> bool:
    """Two to 25 digits with a length digit (total length modulo 10) before the Luhn check digit."""
    return len(reference) <= 25 and luhn_valid(reference) and reference[-2] == str(len(reference) % 10)
