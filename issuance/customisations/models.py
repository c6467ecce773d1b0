"""Card customisations, and issuers' requests for them (rules/issuance 7.6)."""

from typing import ClassVar

from django.db import models

from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.records.models.events import Document
from issuance.records.models.versioned import Versioned
from siths_portal.lib.ids import new_id


class CardCustomisation(Versioned):
    """A card customisation (kortanpassning): logotype, issuer number and back text of a card, verified by the area's issuer.

    `supplier_ref` is the only supplier that makes such cards, sees their orders and uploads the logotype. It is empty only in
    rows from before it was required; nobody can order by those until the administration has chosen one. The `generic` one has the
    logotype of SITHS eID and may be chosen for sub-organisations (rules/issuance 7.4).
    """

    subject = "customisation"

    id = models.UUIDField(primary_key=True, default=new_id)
    customisation_id = models.CharField(max_length=10, unique=True)
    name = models.CharField(max_length=100)
    issuer_number = models.CharField(max_length=4, default="")
    back_text = models.TextField(default="")
    supplier_ref = models.CharField(max_length=100, default="")
    generic = models.BooleanField(default=False, db_default=False)
    logotype = models.ForeignKey(Document, null=True, on_delete=models.PROTECT, related_name="+")
    verified_at = models.DateTimeField(null=True)
    verified_by_ref = models.CharField(max_length=200, default="")

    objects: ClassVar[ScopedManager["CardCustomisation"]] = ScopedManager()
    scope = ScopeRule(path="scope_path", through=("organisations", "pending_at"), supplier="supplier_ref", supplied_for="orders")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(customisation_id__regex=r"^\d{10}$"), name="issuance_customisation_id"),
            models.CheckConstraint(condition=models.Q(issuer_number__regex=r"^(\d{4})?$"), name="issuance_issuer_number"),
            # Older rows may lack a supplier until their next change, because the database may hold this constraint as NOT VALID.
            models.CheckConstraint(condition=~models.Q(supplier_ref=""), name="issuance_customisation_supplier"),
            models.UniqueConstraint(
                fields=["generic"], condition=models.Q(generic=True), name="issuance_customisation_one_generic"
            ),
        ]


class CustomisationRequest(models.Model):
    """An issuer's request about an organisation's card customisation, open until it is closed or withdrawn (`answered_at`)."""

    id = models.UUIDField(primary_key=True, default=new_id)
    organisation = models.ForeignKey("Organisation", on_delete=models.PROTECT, related_name="customisation_requests")
    back_text = models.TextField(default="")
    logotype_note = models.TextField(default="")
    created_at = models.DateTimeField()
    created_by_ref = models.CharField(max_length=200)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organisation"], condition=models.Q(answered_at=None), name="issuance_customisation_request_once"
            ),
        ]
