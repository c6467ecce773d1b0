"""Template filters for amounts, quantities and numbers in Swedish form."""

from decimal import Decimal

from django import template

from billing.records.domain import identifiers, money

register = template.Library()


@register.filter
def kronor(amount: Decimal) -> str:
    """An amount or quantity with decimal comma, at least two decimals, and no-break spaces between thousands: 302 618,75."""
    return money.swedish(amount)


@register.filter
def percent(rate: Decimal) -> str:
    """A VAT rate without needless decimals: 25."""
    return money.swedish(rate, decimals=0)


@register.filter
def organisation_number(number: str) -> str:
    """An organisation number with its hyphen: 232999-0010."""
    return identifiers.organisation_number_printed(number)


@register.filter
def bankgiro(number: str) -> str:
    """A bankgiro number with its hyphen: 991-2346."""
    return identifiers.bankgiro_printed(number)
