"""The data of a customer as labels and values, for the pages of finance and of the customer."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from billing.customers.models import BillingCustomer
from billing.customers.queries.customers import endpoint_text
from billing.records.domain import identifiers

type Section = tuple[str, str, Sequence[dict[str, Any]]]
"""An id, a heading, and rows of `components/summary_list.html`."""


def sections(customer: BillingCustomer) -> list[Section]:
    """Returns the data of a version in parts."""
    return [
        ("kund-uppgifter", _("Kund"), _rows(
            (_("Organisationsnummer"), identifiers.organisation_number_printed(customer.organisation_number)),
            (_("Fakturaadress"), f"{customer.street}, {customer.postal_code} {customer.city}".lstrip(", ")),
            (_("Avtalsnummer"), customer.contract),
            (_("Dagar att betala"), customer.payment_terms_days),
            (_("Öresavrundning"), _("Ja") if customer.round_to_krona else _("Nej")),
            *_optional((_("Kostnadsställe i bokföringen"), customer.cost_centre)),
        )),
        ("kund-efaktura", _("E-faktura och referenser"), _rows(
            (_("Elektronisk adress (Peppol)"), endpoint_text(customer.endpoint_scheme, customer.endpoint_id)),
            (_("E-post för avisering"), customer.notice_email),
            (_("Fakturareferens"), customer.buyer_reference),
            *_optional((_("Fakturareferensens form"), customer.reference_pattern)),
            (_("Ordernummer"), customer.order_number),
            *_optional((_("Ordernumrets form"), customer.order_pattern)),
            *_optional((_("Fakturerat objekt"), customer.invoiced_object)),
        )),
        ("kund-kontakt", _("Kontakt och avtal"), _rows(
            (_("Kontaktperson"), customer.contact_name),
            (_("E-post"), customer.contact_email),
            (_("Telefon"), customer.contact_phone),
            (_("Attestant"), customer.attestant),
            (_("Attestanten godkände"), customer.approved_on),
            (_("Kunden godkände villkoren"), customer.terms_accepted_on),
        )),
    ]  # fmt: skip


def _rows(*pairs: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"label": label, "value": "" if value is None else str(value)} for label, value in pairs]


def _optional(pair: tuple[str, Any]) -> list[tuple[str, Any]]:
    return [pair] if pair[1] else []
