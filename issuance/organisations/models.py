"""Issuing areas and organisations: the tree that carries all configuration (rules/issuance 7.1).

Each edit by a user increments `version`, so the second of two editors sees the conflict (ADR 0180). Names sort in Swedish order.
"""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Upper

from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.records.models.versioned import Versioned
from siths_portal.lib.ids import new_id


class IssuingArea(Versioned):
    """An issuing area (utgivningsområde).

    `issuing_organisation` is directly connected and pays. It is empty only until that organisation has been created.
    """

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
    """An organisation, or a sub-organisation if it has a parent. Only create and move write `scope_path`.

    An organisation without its own card customisation uses that of the nearest one above. `pending_customisation` replaces the
    current customisation when it is verified for the first time (ADR 0189). A closed organisation (`closed_at`) keeps its place,
    but nothing new is created in it.
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
    """The area and top organisation of an organisation until a moment; `top` is the organisation itself if it was a top one.

    The first row with a later `until` holds for a given moment; after the last row, the organisation's own row holds (ADR 0037).
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+", db_index=False)
    area = models.ForeignKey(IssuingArea, on_delete=models.PROTECT, related_name="+")
    top = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["organisation", "until"], name="issuance_former_place")]


class FormerIssuer(models.Model):
    """The organisation that issued in an area, and paid for it, until a moment. Read like `FormerPlace`."""

    area = models.ForeignKey(IssuingArea, on_delete=models.PROTECT, related_name="+", db_index=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    until = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["area", "until"], name="issuance_former_issuer")]
