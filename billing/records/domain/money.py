"""Amounts in Swedish kronor: Decimal only, rounded half up, written the Swedish way."""

from decimal import ROUND_HALF_UP, Decimal

ORE = Decimal("0.01")
KRONA = Decimal("1")
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def to_ore(amount: Decimal) -> Decimal:
    """Rounds `amount` to whole öre, half an öre up. EN 16931 rounds each line and each total once."""
    return amount.quantize(ORE, ROUND_HALF_UP)


def krona_rounding(amount: Decimal) -> Decimal:
    """Returns the amount to add to `amount` for whole kronor, 50 öre rounded up (act 1970:1029); BT-114."""
    return amount.quantize(KRONA, ROUND_HALF_UP).quantize(ORE) - amount


def vat_of(base: Decimal, rate: Decimal) -> Decimal:
    """Returns the VAT on `base`, the sum of the rounded lines of one rate (BR-CO-17)."""
    return to_ore(base * rate / 100)


def shortest(value: Decimal, *, decimals: int = 2) -> str:
    """Writes `value` with a decimal point and at least `decimals` decimals, without further trailing zeros: 90.00, 12.3456."""
    text = format(value.normalize(), "f")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(decimals, '0')}" if decimals or fraction else whole


def swedish(value: Decimal, *, decimals: int = 2) -> str:
    """Writes `value` with a decimal comma, no-break spaces between thousands and at least `decimals` decimals: 302 618,75."""
    whole, _, fraction = shortest(value, decimals=decimals).partition(".")
    grouped = f"{int(whole):,}".replace(",", NO_BREAK_SPACE)
    if whole.startswith("-") and not grouped.startswith("-"):
        grouped = f"-{grouped}"
    return f"{grouped},{fraction}" if fraction else grouped


def count(number: int) -> str:
    """Writes a number of things with no-break spaces between thousands: 1 000."""
    return swedish(Decimal(number), decimals=0)
