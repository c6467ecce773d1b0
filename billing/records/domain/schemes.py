"""Checks of foreign identifiers by their scheme (ISO 6523 ICD, EAS): form and check digit, as Peppol's rules require."""

import re


def _form(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text, re.ASCII) is not None


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def norwegian(number: str) -> bool:
    """0192, organisasjonsnummer: nine digits, modulus 11."""
    return _form("[0-9]{9}", number) and int(number) > 0 and _weighted(number, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


def danish(number: str) -> bool:
    """0184, CVR: eight digits, optionally after DK. Peppol's rule does not test the check digit."""
    return _form("(DK)?[0-9]{8}", number)


def danish_production_unit(number: str) -> bool:
    """0096, P-number: ten digits."""
    return _form("[0-9]{10}", number)


def danish_se(number: str) -> bool:
    """0198, ERSTORG: DK and eight digits."""
    return _form("DK[0-9]{8}", number)


def belgian(number: str) -> bool:
    """0208, enterprise number: eight digits and 97 minus their remainder modulus 97."""
    return _form("[0-9]{10}", number) and 97 - int(number[:8]) % 97 == int(number[8:])


def australian(number: str) -> bool:
    """0151, ABN: eleven digits, modulus 89 after subtracting 1 from the first."""
    weights = (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)
    return _form("[0-9]{11}", number) and (_weighted(number, weights) - 10) % 89 == 0


def italian_office(code: str) -> bool:
    """0201, codice IPA: six letters or digits."""
    return _form("[A-Za-z0-9]{6}", code)


def italian_tax_code(code: str) -> bool:
    """0210 and 9907, codice fiscale: a person's sixteen characters or a company's eleven digits."""
    return _form("[A-Za-z]{6}[0-9]{2}[A-Za-z][0-9]{2}.{3}[0-9][A-Za-z]", code) or _form("[0-9]{11}", code)


def italian_vat(number: str) -> bool:
    """0211 and 9906, partita IVA: IT and eleven digits, the last of them a Luhn digit."""
    if not number.upper().startswith("IT"):
        return True  # Peppol's rule applies to Italian numbers only
    digits = number[2:]
    return _form("[0-9]{11}", digits) and sum(_doubled(int(d)) if i % 2 else int(d) for i, d in enumerate(digits)) % 10 == 0


def _doubled(digit: int) -> int:
    return digit * 2 - 9 if digit > 4 else digit * 2


def dutch_chamber(number: str) -> bool:
    """0106, KVK: eight digits."""
    return _form("[0-9]{8}", number)


def dutch_government(number: str) -> bool:
    """0190, OIN: twenty digits."""
    return _form("[0-9]{20}", number)


def dutch_vat(number: str) -> bool:
    """9944: NL, nine digits, B, two digits."""
    return _form("NL[0-9]{9}B[0-9]{2}", number)


def dutch_establishment(number: str) -> bool:
    """0217: twelve digits."""
    return _form("[0-9]{12}", number)
