"""Customers in versions: a change closes the version in force and opens the next."""

import datetime as dt
from dataclasses import asdict, dataclass
from uuid import UUID

from django.db import transaction

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
    state: CustomerState = CustomerState.ACTIVE

    def cleaned(self) -> dict[str, object]:
        """Returns the columns of a version: texts on one line, organisation numbers without hyphens and spaces."""
        values = {name: one_line(value) if isinstance(value, str) else value for name, value in asdict(self).items()}
        values["state"] = self.state.value
        number = identifiers.organisation_number_plain(str(values["organisation_number"]))
        values["organisation_number"] = number
        if self.endpoint_scheme == ORGANISATION_NUMBER_SCHEME:
            values["endpoint_id"] = identifiers.organisation_number_plain(str(values["endpoint_id"])) or number
        values["endpoint_id"] = values["endpoint_id"] or number
        return values


_LABELS = {
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
}


def put_customer(*, actor_ref: str, party_id: UUID, terms: CustomerTerms) -> BillingCustomer:
    """Makes `terms` the party's terms from now on and returns the version. Returns the version in force if no value differs.

    Raises Invalid, with the fields, for values that the table cannot hold and for payment terms outside 1 to LONGEST_TERMS days.
    """
    values = terms.cleaned()
    require_fit(BillingCustomer(party_id=party_id, valid_from=clock.now(), **values), _LABELS)
    if not 1 <= terms.payment_terms_days <= LONGEST_TERMS:
        message = f"{_LABELS['payment_terms_days']} ska vara 1–{LONGEST_TERMS}."
        raise Invalid("payment-terms", message, fields={"payment_terms_days": [message]})
    with transaction.atomic(durable=True):
        current = BillingCustomer.objects.select_for_update(no_key=True).filter(party_id=party_id, valid_until=None).first()
        if current and all(getattr(current, name) == value for name, value in values.items()):
            return current
        now = clock.now()
        if current:
            now = max(now, current.valid_from + _AN_INSTANT)
            BillingCustomer.objects.filter(pk=current.pk).update(valid_until=now)
        version = BillingCustomer.objects.create(party_id=party_id, valid_from=now, **values)
        Event.record(
            actor_ref=actor_ref,
            action="customer.versioned",
            subject_type="customer",
            subject_ref=str(party_id),
            facts={"version": str(version.pk), "replaces": str(current.pk) if current else None, "state": values["state"]},
        )
        return version


def buyer_of(customer: BillingCustomer) -> Buyer:
    """Returns the buyer of an invoice, with every text on one line."""
    values = {name: getattr(customer, name) for name in Buyer.__dataclass_fields__}
    return Buyer.from_json({name: one_line(value) if isinstance(value, str) else value for name, value in values.items()})
