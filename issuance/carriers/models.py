"""Carriers, the eIDs and certificates on them, and the receipts that holders signed."""

import datetime as dt
from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from issuance.articles.models import Article
from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import INVALID, CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import TRANSITIONS as EID_TRANSITIONS
from issuance.carriers.domain.eid_states import EidAction, EidState
from issuance.offices.models import Office
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person, Post
from issuance.receipt_texts.models import ReceiptText
from issuance.records.models.events import Document
from issuance.records.models.stateful import Stateful
from siths_portal.lib.errors import NotFound
from siths_portal.lib.ids import new_id

IDENTITY_DOCUMENTS = (
    "driving_licence",
    "passport",
    "tax_agency_id",
    "sis_id",
    "national_id",
    "foreign_passport",
    "foreign_id_card",
    "attestation",
)
"""The codes of the ways to identify a holder; `activation.domain.identity_documents` has their rules (rules/issuance 5.2)."""

FIVE_YEARS = dt.timedelta(days=1827)
"""Five calendar years with two leap days: the maximum validity of an e-legitimation by Digg K6.5."""


_BOUND = reduce(
    or_,
    (
        Q(kind=kind.code, state__in=sorted(state.value for state in kind.unbound | INVALID))
        for kind in kinds.all_kinds()
        if kind.unbound
    ),
    Q(person__isnull=False),
)
"""A carrier has a holder, unless its kind is made in advance and it is still in stock or ended there."""


def _no_holder() -> NotFound:
    return NotFound("carrier-without-holder", "Kortet har ingen innehavare än.")


class Receipt(models.Model):
    """A receipt (kvittens): what the holder signed, with the versions of its texts and how the holder was identified.

    Never changed.

    `document` is the signed PDF and `terms` the terms at that time, both verbatim, so the two foreign keys are the SHA-256 of
    their bytes. `content` is the content of the PDF; `content_sha256` is the hash of its canonical JSON, which is attached to the
    PDF.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+")
    receipt_text = models.ForeignKey(ReceiptText, null=True, on_delete=models.PROTECT, related_name="+")
    terms_version = models.CharField(max_length=20)
    identity_document = models.CharField(max_length=20)
    officer_ref = models.CharField(max_length=200)
    signature_certificate_id = models.UUIDField()
    signed_at = models.DateTimeField()
    terms = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="+", db_column="terms_sha256")
    content = models.JSONField()
    content_sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(identity_document__in=IDENTITY_DOCUMENTS), name="issuance_receipt_identity"),
        ]
        indexes = [models.Index(fields=["officer_ref", "signed_at"], name="issuance_receipt_officer")]

    @property
    def terms_sha256(self) -> str:
        """The SHA-256 of the terms that the holder accepted."""
        return str(self.terms_id)


class Carrier(Stateful):
    """A carrier (bärare): a card or mobile device of one person. Its issuer is the organisation of the assignment in the order.

    `kind` is the code of its declaration (`carriers.domain.kinds`). `person` is empty while a kind that is made in advance is in
    stock; a carrier that has been bound to a person never changes to another. `valid_from` and `valid_to` (exclusive) are the
    card's. `origin` is `migrated` for cards made before this portal, which have no receipt here. `puk_secret_id` is an id in
    `pki`. `card_key_spki` is the key that proves the card without a code (DER). `code_blocked_at` is set when the holder blocks
    the code before signing the receipt. Read `is_code_blocked` instead, because a card revoked in that state keeps the value.
    `article` is empty, and `device` the holder's name of the device, for kinds that no supplier makes. `office` is that of a
    migrated card, if its file named one; the office of a card that was ordered here is its order's.
    """

    subject = "carrier"
    swedish = "Kortet"
    states = CarrierState

    id = models.UUIDField(primary_key=True, default=new_id)
    kind = models.CharField(max_length=20, default="ordinary_card")
    origin = models.CharField(max_length=10, default="portal")
    person = models.ForeignKey(Person, null=True, on_delete=models.PROTECT, related_name="carriers")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="carriers")
    article = models.ForeignKey(Article, null=True, on_delete=models.PROTECT, related_name="+")
    office = models.ForeignKey(Office, null=True, on_delete=models.PROTECT, related_name="migrated_cards", db_index=False)
    device = models.CharField(max_length=60, default="", db_default="")
    assurance_level = models.PositiveSmallIntegerField(default=3)
    card_serial = models.CharField(max_length=19, default="")
    card_key_spki = models.BinaryField(default=bytes)
    card_key_sha256 = models.CharField(max_length=64, default="")
    mifare_id = models.CharField(max_length=10, default="")
    puk_secret_id = models.UUIDField(null=True)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    code_set_at = models.DateTimeField(null=True)
    code_blocked_at = models.DateTimeField(null=True)
    activated_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    revocation_reason = models.CharField(max_length=40, default="")
    receipt = models.OneToOneField(Receipt, null=True, on_delete=models.PROTECT, related_name="carrier")
    created_at = models.DateTimeField()

    objects: ClassVar[ScopedManager["Carrier"]] = ScopedManager()
    scope = ScopeRule(
        path="organisation__scope_path",
        shown_by="eids",
        protected="person__is_protected",
        holder="person",
        person="person_id",
        carrier="id",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in CarrierState]), name="issuance_carrier_state"),
            models.CheckConstraint(condition=Q(kind__in=kinds.codes()), name="issuance_carrier_kind"),
            models.CheckConstraint(condition=_BOUND, name="issuance_carrier_has_holder"),
            models.CheckConstraint(
                condition=~Q(kind__in=kinds.codes(lambda kind: kind.is_card)) | Q(article__isnull=False, device=""),
                name="issuance_carrier_article",
            ),
            models.CheckConstraint(condition=Q(origin__in=["portal", "migrated"]), name="issuance_carrier_origin"),
            models.CheckConstraint(
                condition=~Q(state=CarrierState.ACTIVE.value)
                | Q(receipt__isnull=False)
                | Q(origin="migrated")
                | Q(kind__in=kinds.codes(lambda kind: kinds.Need.SIGNED_RECEIPT not in kind.activation)),
                name="issuance_active_has_receipt",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__gt=F("valid_from")) & Q(valid_to__lte=F("valid_from") + FIVE_YEARS),
                name="issuance_carrier_five_years",
            ),
            models.CheckConstraint(condition=Q(card_serial__regex=r"^(\d{19})?$"), name="issuance_serial_19_digits"),
            models.UniqueConstraint(fields=["card_serial"], condition=~Q(card_serial=""), name="issuance_one_carrier_per_serial"),
            models.UniqueConstraint(
                fields=["card_key_sha256"], condition=~Q(card_key_sha256=""), name="issuance_one_carrier_per_key"
            ),
        ]
        indexes = [
            models.Index(fields=["person", "state"], name="issuance_carrier_person"),
            models.Index(fields=["office"], condition=Q(office__isnull=False), name="issuance_carrier_office"),
            # Search by MIFARE-id.
            models.Index(Upper("mifare_id"), condition=~Q(mifare_id=""), name="issuance_carrier_mifare"),
            models.Index(fields=["puk_secret_id"], condition=Q(puk_secret_id__isnull=False), name="issuance_carrier_puk"),
            models.Index(
                fields=["sent_at", "id"], condition=Q(state=CarrierState.SENT.value), name="issuance_carrier_not_activated"
            ),
            # For the cards of an organisation that wait for activation.
            models.Index(
                fields=["organisation", "sent_at", "id"],
                condition=Q(state=CarrierState.SENT.value),
                name="issuance_carrier_waiting",
            ),
            models.Index(
                fields=["code_set_at", "id"],
                condition=Q(state=CarrierState.ACTIVATED_UNSIGNED.value),
                name="issuance_carrier_not_signed",
            ),
            models.Index(
                fields=["valid_to", "id"], condition=Q(state=CarrierState.ACTIVE.value), name="issuance_carrier_expiring"
            ),
        ]

    @property
    def holder_id(self) -> UUID:
        """The id of the holder. Raises NotFound while the carrier has no holder."""
        if self.person_id is None:
            raise _no_holder()
        return self.person_id

    @property
    def holder(self) -> Person:
        """The holder. Raises NotFound while the carrier has no holder."""
        if self.person is None:
            raise _no_holder()
        return self.person

    @property
    def card_article(self) -> Article:
        """The article of a card. Raises NotFound for a carrier on a device, which has none."""
        if self.article is None:
            raise NotFound("no-article", "Bäraren är inget kort.")
        return self.article

    @property
    def is_code_blocked(self) -> bool:
        """True if the code is blocked while the card waits for the holder's signature."""
        return self.state == CarrierState.ACTIVATED_UNSIGNED and self.code_blocked_at is not None

    @property
    def transitions(self) -> Mapping[tuple[CarrierState, CarrierAction], CarrierState]:
        """The transitions of carriers of its kind."""
        return kinds.kind_of(self.kind).transitions


class Eid(Stateful):
    """A SITHS eID: the certificate pair of one assignment on a carrier, with the assignment's values as in the certificates.

    `valid_to` (exclusive) is never later than the carrier's. Its scope is that of the assignment's organisation.
    """

    subject = "eid"
    swedish = "SITHS eID:t"
    states = EidState

    id = models.UUIDField(primary_key=True, default=new_id)
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="eids")
    post = models.ForeignKey(Post, on_delete=models.PROTECT, related_name="eids")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="eids")
    hsa_id = models.CharField(max_length=31)
    mail = models.CharField(max_length=254, default="")
    upn = models.CharField(max_length=254, default="")
    title = models.CharField(max_length=128, default="")
    assurance_level = models.PositiveSmallIntegerField(default=3)
    valid_from = models.DateTimeField(null=True)
    valid_to = models.DateTimeField(null=True)
    activated_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    revocation_reason = models.CharField(max_length=40, default="")
    created_at = models.DateTimeField()

    objects: ClassVar[ScopedManager["Eid"]] = ScopedManager()
    scope = ScopeRule(path="organisation__scope_path", protected="carrier__person__is_protected", person="carrier.person_id")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in EidState]), name="issuance_eid_state"),
            models.CheckConstraint(
                condition=Q(valid_from=None, valid_to=None)
                | (Q(valid_to__gt=F("valid_from")) & Q(valid_to__lte=F("valid_from") + FIVE_YEARS)),
                name="issuance_eid_five_years",
            ),
            models.CheckConstraint(
                condition=~Q(state=EidState.ACTIVE.value) | Q(activated_at__isnull=False, valid_to__isnull=False),
                name="issuance_eid_active_since",
            ),
        ]
        indexes = [
            models.Index(fields=["valid_to", "id"], condition=Q(state=EidState.ACTIVE.value), name="issuance_eid_expiring"),
            models.Index(
                fields=["organisation", "carrier"], condition=Q(activated_at__isnull=False), name="issuance_eid_subscribed"
            ),
            # The list of an organisation's holders: sorted by HSA-id, filtered by a rare state, or by an end that is near.
            models.Index(fields=["organisation", "hsa_id", "id"], name="issuance_eid_page"),
            models.Index(
                fields=["organisation", "state"],
                condition=Q(state__in=[EidState.ORDERED.value, EidState.REVOKED.value, EidState.CANCELLED.value]),
                name="issuance_eid_rare_state",
            ),
            models.Index(
                fields=["organisation", "valid_to", "id"],
                condition=Q(state=EidState.ACTIVE.value),
                name="issuance_eid_ending_page",
            ),
        ]

    @property
    def transitions(self) -> Mapping[tuple[EidState, EidAction], EidState]:
        """The transitions of every eID."""
        return EID_TRANSITIONS


class CarrierCertificate(models.Model):
    """A certificate in `pki` on a carrier. The person-id pair belongs to the carrier, the HSA-id pair to an eID.

    `made_with` is the renewed eID that a later person-id pair of the carrier came with; empty for the carrier's first pair.
    """

    certificate_id = models.UUIDField(primary_key=True)
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="certificates")
    eid = models.ForeignKey(Eid, null=True, on_delete=models.PROTECT, related_name="certificates")
    made_with = models.ForeignKey(Eid, null=True, on_delete=models.PROTECT, related_name="+", db_index=False)
    profile = models.CharField(max_length=40)
    csr_sha256 = models.CharField(max_length=64, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["carrier", "eid", "made_with", "profile"],
                nulls_distinct=False,
                name="issuance_one_certificate_per_profile",
            ),
        ]
        indexes = [
            models.Index(fields=["made_with"], condition=Q(made_with__isnull=False), name="issuance_certificate_made_with"),
        ]
