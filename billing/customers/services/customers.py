"""Customers in versions: a change closes the version in force and opens the next."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self
from uuid import UUID

from django.db import transaction

from billing.customers.domain.patterns import Pattern, WrongPattern
from billing.customers.models import BillingCustomer, CustomerState
from billing.documents.domain.invoices import Buyer
from billing.documents.ubl import ORGANISATION_NUMBER_SCHEME
from billing.records.domain import identifiers
from billing.records.domain.text import one_line
from billing.records.models import Event
from billing.records.services.fitting import require_fit
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid

LONGEST_TERMS = 120
"""The longest payment terms in days. A larger number is a typing error: invoices would fall due years later."""
# The shortest time between two versions, so that two changes within one tick of the clock do not overlap.
_AN_INSTANT = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class CustomerTerms:
    """The data with which a directly connected organisation is invoiced.

    `put_customer` stores missing and wrong values; validation then blocks the customer's invoice and reports the rule's id. It
    refuses values that the table cannot hold.
    """

    name: str
    organisation_number: str
    postal_code: str
    city: str
    street: str = ""
    country: str = "SE"
    endpoint_scheme: str = "0007"
    endpoint_id: str = ""
    buyer_reference: str = ""
    order_number: str = ""
    contract: str = ""
    invoiced_object: str = ""
    payment_terms_days: int = 30
    round_to_krona: bool = False
    contact_name: str = ""
    contact_email: str = ""
    contact_phone: str = ""
    notice_email: str = ""
    attestant: str = ""
    approved_on: dt.date | None = None
    terms_accepted_on: dt.date | None = None
    reference_pattern: str = ""
    order_pattern: str = ""
    cost_centre: str = ""
    state: CustomerState = CustomerState.ACTIVE

    @classmethod
    def of(cls, version: BillingCustomer) -> Self:
        """Returns the terms of a stored version."""
        values = {field.name: getattr(version, field.name) for field in fields(cls)}
        return cls(**values | {"state": CustomerState(version.state)})

    def cleaned(self) -> dict[str, Any]:
        """Returns the columns of a version: texts on one line, organisation numbers without hyphens and spaces."""
        values = {name: one_line(value) if isinstance(value, str) else value for name, value in asdict(self).items()}
        values["state"] = self.state.value
        number = identifiers.organisation_number_plain(str(values["organisation_number"]))
        values["organisation_number"] = number
        if self.endpoint_scheme == ORGANISATION_NUMBER_SCHEME:
            values["endpoint_id"] = identifiers.organisation_number_plain(str(values["endpoint_id"])) or number
        values["endpoint_id"] = values["endpoint_id"] or number
        return values


LABELS = {
    "name": "Kundens namn",
    "organisation_number": "Organisationsnumret",
    "endpoint_scheme": "Typen av elektronisk adress",
    "endpoint_id": "Den elektroniska adressen",
    "street": "Gatuadressen",
    "postal_code": "Postnumret",
    "city": "Orten",
    "country": "Landskoden",
    "buyer_reference": "Fakturareferensen",
    "order_number": "Ordernumret",
    "contract": "Avtalsnumret",
    "invoiced_object": "Det fakturerade objektet",
    "payment_terms_days": "Antalet dagar att betala",
    "contact_name": "Kontaktpersonens namn",
    "contact_email": "Kontaktpersonens e-postadress",
    "contact_phone": "Kontaktpersonens telefonnummer",
    "notice_email": "E-postadressen för avisering",
    "attestant": "Attestanten",
    "approved_on": "Dagen för attest",
    "terms_accepted_on": "Dagen då villkoren godkändes",
    "reference_pattern": "Fakturareferensens form",
    "order_pattern": "Ordernumrets form",
    "cost_centre": "Kostnadsstället",
}


def put_customer(*, actor_ref: str, party_id: UUID, terms: CustomerTerms) -> BillingCustomer:
    """Makes `terms` the party's terms from now on and returns the version. Returns the version in force if no value differs.

    Raises Invalid, with the fields, for values that the table cannot hold, for payment terms outside 1 to LONGEST_TERMS days and
    for a form of references that is no pattern.
    """
    with transaction.atomic(durable=True):
        return new_version(actor_ref=actor_ref, party_id=party_id, terms=terms, current=locked(party_id))


def locked(party_id: UUID) -> BillingCustomer | None:
    """Returns the party's version in force, locked in the caller's transaction; None for a party without customer data."""
    return BillingCustomer.objects.select_for_update(no_key=True).filter(party_id=party_id, valid_until=None).first()


def new_version(*, actor_ref: str, party_id: UUID, terms: CustomerTerms, current: BillingCustomer | None) -> BillingCustomer:
    """Does what `put_customer` does in the caller's transaction. `current` is the version that `locked` returned."""
    values = terms.cleaned()
    require_usable(party_id, terms, values)
    changed = sorted(name for name, value in values.items() if current is None or getattr(current, name) != value)
    if current and not changed:
        return current
    now = clock.now()
    if current:
        now = max(now, current.valid_from + _AN_INSTANT)
        BillingCustomer.objects.filter(pk=current.pk).update(valid_until=now)
    version = BillingCustomer.objects.create(party_id=party_id, valid_from=now, **values)
    facts = {"version": str(version.pk), "replaces": str(current.pk) if current else None, "state": values["state"]}
    Event.record(
        actor_ref=actor_ref,
        action="customer.versioned",
        subject_type="customer",
        subject_ref=str(party_id),
        facts=facts | ({"changed": changed} if current else {}),
    )
    return version


def require_usable(party_id: UUID, terms: CustomerTerms, values: dict[str, Any]) -> None:
    """Raises Invalid for values, those of `terms` cleaned, that `put_customer` refuses."""
    require_fit(BillingCustomer(party_id=party_id, valid_from=clock.now(), **values), LABELS)
    if not 1 <= terms.payment_terms_days <= LONGEST_TERMS:
        message = f"{LABELS['payment_terms_days']} ska vara 1–{LONGEST_TERMS}."
        raise Invalid("payment-terms", message, fields={"payment_terms_days": [message]})
    if wrong := wrong_patterns(values):
        raise Invalid("pattern-wrong", " ".join(wrong.values()), fields={name: [text] for name, text in wrong.items()})


def wrong_patterns(values: Mapping[str, Any]) -> dict[str, str]:
    """Returns a sentence for each form of references that is no pattern, by field."""
    found = {}
    for name in ("reference_pattern", "order_pattern"):
        try:
            Pattern.parse(values[name] or ".")
        except WrongPattern as error:
            found[name] = str(error)
    return found


def wrong_references(values: Mapping[str, Any]) -> dict[str, str]:
    """Returns a sentence for each reference that does not have the customer's own form, by field. Empty references pass.

    The forms are patterns (`wrong_patterns`).
    """
    found = {}
    for name, pattern, label in (
        ("buyer_reference", "reference_pattern", "Fakturareferensen"),
        ("order_number", "order_pattern", "Ordernumret"),
    ):
        form = values[pattern]
        if values[name] and form and not Pattern.parse(form).matches(values[name]):
            found[name] = f"{label} har inte kundens form {form}. Rätta {label.lower()} eller formen."
    return found


def references_of(customer: BillingCustomer) -> dict[str, str]:
    """Returns the values that `wrong_references` reads."""
    return {name: getattr(customer, name) for name in ("buyer_reference", "reference_pattern", "order_number", "order_pattern")}


def buyer_of(customer: BillingCustomer) -> Buyer:
    """Returns the buyer of an invoice, with every text on one line."""
    values = {name: getattr(customer, name) for name in Buyer.__dataclass_fields__}
    return Buyer.from_json({name: one_line(value) if isinstance(value, str) else value for name, value in values.items()})
