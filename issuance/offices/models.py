"""Offices, and the organisations that may choose them (rules/issuance 7.5)."""

from typing import ClassVar

from django.db import models

from issuance.authz.roles import Action
from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.organisations.models import IssuingArea, Organisation
from issuance.records.models.versioned import Versioned
from siths_portal.lib.ids import new_id


class Office(Versioned):
    """An office (kontor), chosen for each order; it determines the invoice line.

    Only offices that receive bundles have a postal address; none has an e-mail address.
    """

    subject = "office"

    id = models.UUIDField(primary_key=True, default=new_id)
    area = models.ForeignKey(IssuingArea, on_delete=models.PROTECT, related_name="offices")
    office_number = models.CharField(max_length=10, unique=True)
    name = models.CharField(max_length=100, db_collation="sv-x-icu")
    invoice_comment = models.CharField(max_length=100)
    recipient_organisation = models.CharField(max_length=100, default="")
    internal_recipient = models.CharField(max_length=100, default="")
    street_address = models.CharField(max_length=100, default="")
    postal_code = models.CharField(max_length=10, default="")
    city = models.CharField(max_length=60, default="")
    closed_at = models.DateTimeField(null=True)
    organisations: "models.ManyToManyField[Organisation, OrganisationOffice]" = models.ManyToManyField(
        Organisation, through="OrganisationOffice", related_name="offices"
    )

    objects: ClassVar[ScopedManager["Office"]] = ScopedManager()
    # An office's stock is kept by those who may hand out its cards: the organisations that may choose it.
    scope = ScopeRule(path="area__scope_path", shown_by="connections", shown_for=frozenset({Action.KEEP_STOCK}))

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(office_number__regex=r"^\d{10}$"), name="issuance_office_number"),
        ]


class OrganisationOffice(models.Model):
    """The permission for an organisation to choose an office when it orders."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="office_connections")
    office = models.ForeignKey(Office, on_delete=models.CASCADE, related_name="connections")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "office"], name="issuance_office_connected_once")]
