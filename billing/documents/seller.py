"""The seller of every invoice, from the settings `SELLER_*`, and the system checks of these settings."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from billing.documents.domain.invoices import Seller
from billing.records.domain import identifiers

DEMO_NUMBER = "5599990008"
TAG = "billing"
"""The tag of these checks."""


def configured() -> Seller:
    """Returns the seller of the settings."""
    return Seller(
        name=settings.SELLER_NAME,
        organisation_number=settings.SELLER_ORGNR,
        vat_number=settings.SELLER_VAT,
        street=settings.SELLER_STREET,
        postal_code=settings.SELLER_POSTAL_CODE,
        city=settings.SELLER_CITY,
        country="SE",
        seat=settings.SELLER_SEAT,
        email=settings.SELLER_EMAIL,
        bankgiro=settings.SELLER_BANKGIRO,
        iban=settings.SELLER_IBAN,
        bic=settings.SELLER_BIC,
        contact=settings.SELLER_CONTACT,
    )


@register(TAG)
def check_seller(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Reports an error for each value that Peppol's Swedish rules would reject on every invoice."""
    seller = configured()
    found: list[CheckMessage] = []
    if not identifiers.organisation_number_valid(seller.organisation_number):
        found.append(Error("SELLER_ORGNR must be ten digits with a valid check digit, without hyphen.", id="billing.E001"))
    if seller.vat_number != identifiers.vat_number(seller.organisation_number):
        found.append(Error("SELLER_VAT must be SE, the organisation number and 01.", id="billing.E002"))
    if not identifiers.bankgiro_valid(seller.bankgiro):
        found.append(Error("SELLER_BANKGIRO must be 7 or 8 digits with a valid check digit, without hyphen.", id="billing.E003"))
    if seller.iban and not identifiers.iban_valid(seller.iban):
        found.append(Error("SELLER_IBAN must be an IBAN with valid check digits, without spaces.", id="billing.E005"))
    if seller.bic and not identifiers.bic_valid(seller.bic):
        found.append(Error("SELLER_BIC must be 8 or 11 letters and digits, such as DEMOSESS.", id="billing.E006"))
    if bool(seller.iban) != bool(seller.bic):
        found.append(Error("SELLER_IBAN and SELLER_BIC are either both set or both empty.", id="billing.E007"))
    for name in ("NAME", "STREET", "POSTAL_CODE", "CITY", "SEAT", "EMAIL", "CONTACT"):
        if not getattr(settings, f"SELLER_{name}").strip():
            found.append(Error(f"SELLER_{name} is printed on every invoice and may not be empty.", id="billing.E004"))
    return found


@register(TAG, deploy=True)
def check_demo_seller(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Warns if a deployment would invoice in the name of the invented demo company."""
    if settings.SELLER_ORGNR == DEMO_NUMBER and not settings.DEBUG:
        return [Warning("SELLER_* still name the invented demo company.", id="billing.W001")]
    return []
