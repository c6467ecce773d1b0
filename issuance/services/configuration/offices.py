"""Offices (domain.md 7.5)."""

import secrets
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.models import IssuingArea, Office, Organisation, OrganisationOffice
from issuance.services.configuration._editing import insert, record
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid


@dataclass(frozen=True)
class OfficeAddress:
    """Leveransadress: only for an office that receives bundles of cards."""

    recipient_organisation: str
    internal_recipient: str
    street_address: str
    postal_code: str
    city: str


@transaction.atomic(durable=True)
def create_office(
    *, actor: Actor, area_id: UUID, name: str, invoice_comment: str, address: OfficeAddress | None = None, office_number: str = ""
) -> Office:
    """Makes an office in an area with a ten-digit number of its own. Raises NotFound, Forbidden, Conflict (number taken)."""
    area = policy.get(actor, Action.EDIT_OFFICE, IssuingArea.objects.all(), area_id)
    fields = vars(address) if address else {}
    number = office_number or str(secrets.randbelow(9 * 10**9) + 10**9)
    office = Office(area=area, name=name, invoice_comment=invoice_comment, office_number=number, **fields)
    insert(office, "office-number-taken", "Kontorsid är upptaget. Försök igen.")
    record(actor, "office.created", office, name=name, invoice_comment=invoice_comment)
    return office


@transaction.atomic(durable=True)
def connect_office(*, actor: Actor, organisation_id: UUID, office_id: UUID) -> None:
    """Lets an organisation choose an office of its own area; again changes nothing. Raises NotFound, Forbidden, Invalid."""
    organisation = policy.get(actor, Action.LINK_OFFICE, Organisation.objects.all(), organisation_id)
    office = Office.objects.filter(pk=office_id, area=organisation.area_id).first()
    if office is None:
        message = "Kontoret hör till ett annat utgivningsområde."
        raise Invalid("office-of-another-area", message, fields={"office": [message]})
    _, made = OrganisationOffice.objects.get_or_create(organisation=organisation, office=office)
    if made:
        record(actor, "office.connected", office, organisation=str(organisation.id))


@transaction.atomic(durable=True)
def close_office(*, actor: Actor, office_id: UUID) -> Office:
    """Closes an office for new orders; a closed one stays closed. Raises NotFound, Forbidden."""
    office = policy.get(actor, Action.EDIT_OFFICE, Office.objects.select_for_update(of=("self",), no_key=True), office_id)
    if office.closed_at is None:
        office.closed_at = clock.now()
        office.save(update_fields=["closed_at"])
        record(actor, "office.closed", office)
    return office
