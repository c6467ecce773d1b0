"""Issuing areas and organisations: the tree on which everything is configured (rules/issuance 7.1).

`version` rises by one with each edit by people, so that the second of two editors is told (ADR 0180). Names are ordered the
Swedish way.
"""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Upper

from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.records.models.versioned import Versioned
from siths_portal.lib.ids import new_id


class IssuingArea(Versioned):
    """Utgivningsområde. `issuing_organisation` is directly connected and pays; empty only until it has been made."""

    subject = "area"

    id = models.UUIDField(primary_key=True, default=new_id)
    name = models.CharField(max_length=100, unique=True, db_collation="sv-x-icu")
    issuing_organisation = models.OneToOneField("Organisation", null=True, on_delete=models.PROTECT, related_name="issues_in")
    invoice_reference = models.CharField(max_length=50, default="")
    scope_path = models.CharField(max_length=1000, unique=True)
    created_at = models.DateTimeField()

    objects: ClassVar[ScopedManager["IssuingArea"]] = ScopedManager()
    scope = ScopeRule(path="scope_path")


class Organisation(Versioned):
    """Organisation, or sub-organisation if it has a parent. `scope_path` is written by create and move alone.

    Without a card customisation of its own the nearest one above holds. `pending_customisation` becomes its own when it is
    verified for the first time; until then the present one holds (ADR 0189). One that is ended (`closed_at`) is in its place, and
    nothing new comes there.
    """

    subject = "organisation"

    id = models.UUIDField(primary_key=True, default=new_id)
    area = models.ForeignKey(IssuingArea, on_delete=models.PROTECT, related_name="organisations")
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    hsa_id = models.CharField(max_length=31)
    organisation_number = models.CharField(max_length=10)
    name = models.CharField(max_length=100, db_collation="sv-x-icu")
    country = models.CharField(max_length=2, default="SE")
    county = models.CharField(max_length=60, default="")
    customisation = models.ForeignKey("CardCustomisation", null=True, on_delete=models.PROTECT, related_name="organisations")
    pending_customisation = models.OneToOneField(
        "CardCustomisation", null=True, on_delete=models.PROTECT, related_name="pending_at"
    )
    scope_path = models.CharField(max_length=1000, unique=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects: ClassVar[ScopedManager["Organisation"]] = ScopedManager()
    scope = ScopeRule(path="scope_path", ended="closed_at")

    class Meta:
        indexes = [models.Index(fields=["name", "id"], name="issuance_organisation_name")]
        constraints = [
            models.UniqueConstraint(Upper("hsa_id"), name="issuance_organisation_hsa_id"),
            models.CheckConstraint(
                condition=models.Q(organisation_number__regex=r"^\d{10}$"), name="issuance_organisation_number"
            ),
        ]


class FormerPlace(models.Model):
    """Where an organisation stood until a moment: in which area and below which top organisation, itself if it was one.

    Of a moment the first row with a later `until` holds; after the last one the organisation's own row does (ADR 0037).
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+", db_index=False)
    area = models.ForeignKey(IssuingArea, on_delete=models.PROTECT, related_name="+")
    top = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["organisation", "until"], name="issuance_former_place")]


class FormerIssuer(models.Model):
    """Which organisation issued in an area, and paid for it, until a moment: read as `FormerPlace` is."""

    area = models.ForeignKey(IssuingArea, on_delete=models.PROTECT, related_name="+", db_index=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["area", "until"], name="issuance_former_issuer")]
