"""The tree of issuing areas and organisations with what is configured on it (domain.md 7).

`version` rises by one with each edit by people, so that of two who edit the same thing the second is told (ADR 0180).
Names are ordered the Swedish way.
"""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Upper

from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.models.events import Document
from siths_portal.lib.ids import new_id


class IssuingArea(models.Model):
    """Utgivningsområde. `issuing_organisation` is directly connected and pays; empty only until it has been made."""

    id = models.UUIDField(primary_key=True, default=new_id)
    name = models.CharField(max_length=100, unique=True, db_collation="sv-x-icu")
    issuing_organisation = models.OneToOneField("Organisation", null=True, on_delete=models.PROTECT, related_name="issues_in")
    invoice_reference = models.CharField(max_length=50, default="")
    scope_path = models.CharField(max_length=1000, unique=True)
    created_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1, db_default=1)

    objects: ClassVar[ScopedManager["IssuingArea"]] = ScopedManager()
    scope = ScopeRule(path="scope_path")


class CardCustomisation(models.Model):
    """Kortanpassning: logotype, issuer number and back text of a card, verified by the area's issuer.

    `supplier_ref` names the supplier that alone makes such cards, sees their orders and puts the logotype. It is empty only in
    rows from before it was required, by which nobody orders until the administration has chosen one. The one that is `generic`
    has the logotype of SITHS eID, and may be chosen for sub-organisations (domain.md 7.4).
    """

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
    version = models.PositiveIntegerField(default=1, db_default=1)

    objects: ClassVar[ScopedManager["CardCustomisation"]] = ScopedManager()
    scope = ScopeRule(path="scope_path", through=("organisations", "pending_at"), supplier="supplier_ref", supplied_for="orders")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(customisation_id__regex=r"^\d{10}$"), name="issuance_customisation_id"),
            models.CheckConstraint(condition=models.Q(issuer_number__regex=r"^(\d{4})?$"), name="issuance_issuer_number"),
            # Older rows without a supplier keep it until their next change: the database may hold the constraint NOT VALID.
            models.CheckConstraint(condition=~models.Q(supplier_ref=""), name="issuance_customisation_supplier"),
            models.UniqueConstraint(
                fields=["generic"], condition=models.Q(generic=True), name="issuance_customisation_one_generic"
            ),
        ]


class CustomisationRequest(models.Model):
    """What an issuer wishes of an organisation's card customisation, until it is done or taken back (`answered_at`)."""

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


class Organisation(models.Model):
    """Organisation, or sub-organisation if it has a parent. `scope_path` is written by create and move alone.

    Without a card customisation of its own the nearest one above holds. `pending_customisation` becomes its own when it is
    verified for the first time; until then the present one holds (ADR 0323). One that is ended (`closed_at`) is in its place, and
    nothing new comes there.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    area = models.ForeignKey(IssuingArea, on_delete=models.PROTECT, related_name="organisations")
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")
    hsa_id = models.CharField(max_length=31)
    organisation_number = models.CharField(max_length=10)
    name = models.CharField(max_length=100, db_collation="sv-x-icu")
    country = models.CharField(max_length=2, default="SE")
    county = models.CharField(max_length=60, default="")
    customisation = models.ForeignKey(CardCustomisation, null=True, on_delete=models.PROTECT, related_name="organisations")
    pending_customisation = models.OneToOneField(
        CardCustomisation, null=True, on_delete=models.PROTECT, related_name="pending_at"
    )
    scope_path = models.CharField(max_length=1000, unique=True)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1, db_default=1)

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


class SubscriptionFee(models.Model):
    """Abonnemangsavgift Ja/Nej of an organisation from a moment on: the newest row at or before a moment holds at it."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="subscription_fees")
    charged = models.BooleanField()
    valid_from = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "valid_from"], name="issuance_fee_one_at_a_time")]


class FormerPlace(models.Model):
    """Where an organisation stood until a moment: in which area and below which top organisation, itself if it was one.

    Of a moment the first row with a later `until` holds; after the last one the organisation's own row does (ADR 0257).
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


class Office(models.Model):
    """Kontor: chosen at each order, steers the invoice line. The address is given only where bundles are received."""

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
    version = models.PositiveIntegerField(default=1, db_default=1)
    organisations: "models.ManyToManyField[Organisation, OrganisationOffice]" = models.ManyToManyField(
        Organisation, through="OrganisationOffice", related_name="offices"
    )

    objects: ClassVar[ScopedManager["Office"]] = ScopedManager()
    scope = ScopeRule(path="area__scope_path", shown_by="connections")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(office_number__regex=r"^\d{10}$"), name="issuance_office_number"),
        ]


class OrganisationOffice(models.Model):
    """An office that an organisation may choose at order."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="office_connections")
    office = models.ForeignKey(Office, on_delete=models.CASCADE, related_name="connections")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "office"], name="issuance_office_connected_once")]


class Article(models.Model):
    """A product that can be ordered. `code` is the number, with `-REK` for the registered-mail variant; `name` has no REK.

    `generation` is the product generation (Produktgeneration) as the supplier calls it; both days of its time count.
    """

    code = models.CharField(max_length=12, primary_key=True)
    number = models.CharField(max_length=8)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=20)
    orientation = models.CharField(max_length=10)
    photo = models.BooleanField()
    registered_mail = models.BooleanField(default=False)
    assurance_level = models.PositiveSmallIntegerField(default=3)
    generation = models.CharField(max_length=20, default="", db_default="")
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=["ordinary", "student", "company", "reserve", "test"]), name="issuance_article_kind"
            ),
            models.CheckConstraint(
                condition=models.Q(orientation__in=["portrait", "landscape"]), name="issuance_article_orientation"
            ),
            models.CheckConstraint(condition=models.Q(assurance_level__in=[2, 3]), name="issuance_article_level"),
        ]

    @property
    def title(self) -> str:
        """The name as people tell variants apart by: with REK for registered mail."""
        return f"{self.name} REK" if self.registered_mail else self.name


class OrganisationArticle(models.Model):
    """An article that an organisation is approved for; `orderable` is the issuer's tick (Beställningsbar)."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="articles")
    article = models.ForeignKey(Article, on_delete=models.PROTECT, related_name="+")
    orderable = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "article"], name="issuance_article_offered_once")]


class ReceiptText(models.Model):
    """Regionalt tillägg: a version of what an organisation adds to the receipt. The newest version holds; one `from_above` has no
    text, and lets the nearest one's above hold."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="receipt_texts")
    version = models.PositiveIntegerField()
    regional_addition = models.TextField()
    from_above = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()
    created_by_ref = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "version"], name="issuance_receipt_text_version")]
