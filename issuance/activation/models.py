"""Activation: the identification of the holder, and the eID app transactions in which the holder sets the code and signs."""

from collections.abc import Mapping
from typing import ClassVar

from django.db import models
from django.db.models import Q

from issuance.activation.domain.card_reports import CardReport
from issuance.activation.domain.identity_documents import FULL, Relation
from issuance.activation.domain.transaction_states import (
    OPEN,
    TRANSITIONS,
    TransactionAction,
    TransactionKind,
    TransactionState,
)
from issuance.authz.scope import ScopedManager, ScopeRule
from issuance.carriers.models import IDENTITY_DOCUMENTS, Carrier, Eid
from issuance.orders.models.eid_orders import EidOrder
from issuance.receipt_texts.models import ReceiptText
from issuance.records.models.stateful import Stateful
from siths_portal.lib.ids import new_id


class Identification(models.Model):
    """A visit at which a clerk compared the holder with their identity document (rules/issuance 5.2). Never changed."""

    id = models.UUIDField(primary_key=True, default=new_id)
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="identifications")
    officer_ref = models.CharField(max_length=200)
    identity_document = models.CharField(max_length=20)
    at = models.DateTimeField()

    objects: ClassVar[ScopedManager["Identification"]] = ScopedManager()
    scope = ScopeRule(
        path="carrier__organisation__scope_path", protected="carrier__person__is_protected", person="carrier.person_id"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(identity_document__in=IDENTITY_DOCUMENTS), name="issuance_identification_document"
            ),
        ]


class Attestation(models.Model):
    """What another person attested to identify the holder (rules/issuance 5.8). Never changed.

    `attestor_number` is the attestor's personnummer, 12 digits; `relation` a `Relation` to the holder; `attestor_document` the
    full document by which the clerk identified the attestor.
    """

    identification = models.OneToOneField(Identification, primary_key=True, on_delete=models.PROTECT, related_name="attestation")
    attestor_name = models.CharField(max_length=200)
    attestor_number = models.CharField(max_length=12)
    relation = models.CharField(max_length=10)
    attestor_document = models.CharField(max_length=20)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(attestor_document__in=FULL), name="issuance_attestation_document"),
            models.CheckConstraint(
                condition=Q(relation__in=[each.value for each in Relation]), name="issuance_attestation_relation"
            ),
            models.CheckConstraint(condition=Q(attestor_number__regex=r"^\d{12}$"), name="issuance_attestation_number"),
        ]


class IdentificationWithdrawal(models.Model):
    """An officer's statement that an identification never took place or was wrong. Never changed; the identification stays."""

    identification = models.OneToOneField(Identification, primary_key=True, on_delete=models.PROTECT, related_name="withdrawal")
    officer_ref = models.CharField(max_length=200)
    reason = models.CharField(max_length=300)
    at = models.DateTimeField()


class DocumentSuspicion(models.Model):
    """An officer's report that the document shown at a visit may be false (rules/issuance 5.9). Never changed.

    `identity_document` is what it claimed to be, `observed` what the officer saw. Until a `DocumentJudgement` answers it, no card
    of the person is activated or unlocked.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="document_suspicions")
    officer_ref = models.CharField(max_length=200)
    identity_document = models.CharField(max_length=20)
    observed = models.CharField(max_length=500)
    at = models.DateTimeField()

    objects: ClassVar[ScopedManager["DocumentSuspicion"]] = ScopedManager()
    scope = ScopeRule(
        path="carrier__organisation__scope_path", protected="carrier__person__is_protected", person="carrier.person_id"
    )


class DocumentJudgement(models.Model):
    """What a responsible issuer found about a suspected document, and why. Never changed."""

    suspicion = models.OneToOneField(DocumentSuspicion, primary_key=True, on_delete=models.PROTECT, related_name="judgement")
    officer_ref = models.CharField(max_length=200)
    is_false = models.BooleanField()
    reason = models.CharField(max_length=500)
    at = models.DateTimeField()


class EidAppTransaction(Stateful):
    """A single use of the eID app for one carrier, bound to the handle, the card, the texts' hashes and the portal's origin.

    Only hashes of the two secrets are stored: `handle_sha256` and `step_token_sha256`. `expires_at` is the end of the handle
    until the app starts, then the end of the transaction. `content_sha256` is the hash of the receipt's canonical JSON.
    `ephemeral_key` is the app's JWK; `delivery_id` is `pki`'s. `wrong_proofs` counts refused proofs of a card, up to a bound;
    `wrong_signatures` counts refused signatures of the proven card. `card_report` is the latest `CardReport`, or empty;
    `card_tries_left` the tries left if the report has them. `card_reports` counts the app's reports.

    In a transaction of kind `sign` without an `identification` somebody signs a `Statement` with their own card. `ground` is the
    statement by which a holder unlocks a card without a visit; it serves one transaction. In one of kind `fetch` the holder
    fetches the eID of `eid_order`. In these two, `officer_ref` is the holder's reference.
    """

    subject = "transaction"
    swedish = "Aktiveringen"
    states = TransactionState

    id = models.UUIDField(primary_key=True, default=new_id)
    carrier = models.ForeignKey(Carrier, on_delete=models.PROTECT, related_name="transactions")
    identification = models.ForeignKey(Identification, null=True, on_delete=models.PROTECT, related_name="transactions")
    eid_order = models.ForeignKey(EidOrder, null=True, on_delete=models.PROTECT, related_name="transactions", db_index=False)
    ground = models.OneToOneField("Statement", null=True, on_delete=models.PROTECT, related_name="unlocking")
    kind = models.CharField(max_length=10)
    officer_ref = models.CharField(max_length=200)
    origin = models.CharField(max_length=200)
    handle_sha256 = models.CharField(max_length=64, unique=True)
    terms_sha256 = models.CharField(max_length=64)
    content_sha256 = models.CharField(max_length=64)
    ephemeral_key = models.JSONField(null=True)
    delivery_id = models.UUIDField(null=True)
    step_token_sha256 = models.CharField(max_length=64, default="")
    signature_sha256 = models.CharField(max_length=64, default="")
    wrong_proofs = models.PositiveSmallIntegerField(default=0)
    wrong_signatures = models.PositiveSmallIntegerField(default=0)
    card_report = models.CharField(max_length=20, default="")
    card_tries_left = models.PositiveSmallIntegerField(null=True)
    card_reported_at = models.DateTimeField(null=True)
    card_reports = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    code_set_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[ScopedManager["EidAppTransaction"]] = ScopedManager()
    scope = ScopeRule(
        path="carrier__organisation__scope_path", protected="carrier__person__is_protected", person="carrier.person_id"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=[s.value for s in TransactionState]), name="issuance_transaction_state"),
            models.CheckConstraint(condition=Q(kind__in=[k.value for k in TransactionKind]), name="issuance_transaction_kind"),
            models.CheckConstraint(
                condition=Q(identification__isnull=False, ground__isnull=True)
                | Q(
                    identification__isnull=True,
                    ground__isnull=True,
                    kind__in=[TransactionKind.SIGN.value, TransactionKind.FETCH.value],
                )
                | Q(identification__isnull=True, ground__isnull=False, kind=TransactionKind.UNLOCK.value),
                name="issuance_transaction_identified",
            ),
            models.CheckConstraint(
                condition=Q(kind=TransactionKind.FETCH.value) ^ Q(eid_order__isnull=True), name="issuance_transaction_fetches"
            ),
            models.CheckConstraint(
                condition=Q(card_report__in=["", *(each.value for each in CardReport)]), name="issuance_transaction_card_report"
            ),
            models.UniqueConstraint(
                fields=["carrier"], condition=Q(state__in=[s.value for s in OPEN]), name="issuance_one_open_transaction"
            ),
            models.UniqueConstraint(
                fields=["step_token_sha256"], condition=~Q(step_token_sha256=""), name="issuance_step_token_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at", "id"], condition=Q(state__in=[s.value for s in OPEN]), name="issuance_transaction_open"
            ),
            models.Index(fields=["eid_order"], condition=Q(eid_order__isnull=False), name="issuance_transaction_eid_order"),
        ]

    @property
    def transitions(self) -> Mapping[tuple[TransactionState, TransactionAction], TransactionState]:
        """Returns the transitions, the same for every transaction."""
        return TRANSITIONS

    @property
    def visit(self) -> Identification:
        """The identification of the holder. Raises ValueError for an officer's statement, or an eID to fetch, without one."""
        if self.identification is None:
            raise ValueError(f"the transaction {self.pk} has no identification")
        return self.identification


class PreparedReceipt(models.Model):
    """The receipt of an open transaction, ready for the holder's signature; deleted when the transaction ends.

    `pdf` is complete except for the signature, whose place `byte_range` leaves out. `signed_attributes` is the DER SET OF that
    the card signs (RFC 5652 section 5.4). `content` holds the PDF's data; the PDF has it attached as canonical JSON.
    """

    transaction = models.OneToOneField(
        EidAppTransaction, primary_key=True, on_delete=models.PROTECT, related_name="prepared_receipt"
    )
    pdf = models.BinaryField()
    byte_range = models.JSONField()
    signed_attributes = models.BinaryField()
    document_digest = models.BinaryField()
    content = models.JSONField()
    receipt_text = models.ForeignKey(ReceiptText, null=True, on_delete=models.PROTECT, related_name="+")
    signature_certificate_id = models.UUIDField()


class Statement(models.Model):
    """What an officer or a holder confirms by a signature with their own card, in a transaction of kind `sign`.

    `purpose` names the declaration (`services.statements.Purpose`) that opens it and acts on it; `subject_ref` is the id of its
    row. The card signs the canonical JSON of `content`; `summary` is the same in words, for whoever signs. `certificate_id` is
    the certificate in `pki` whose key made `signature`. The last three are empty until it is signed, and never change afterwards.
    """

    transaction = models.OneToOneField(EidAppTransaction, primary_key=True, on_delete=models.PROTECT, related_name="statement")
    purpose = models.CharField(max_length=30)
    subject_ref = models.UUIDField(db_index=True)
    content = models.JSONField()
    summary = models.TextField()
    signature = models.BinaryField(default=bytes)
    certificate_id = models.UUIDField(null=True)
    signed_at = models.DateTimeField(null=True)


class CertificateRequest(models.Model):
    """The request of a card for the certificates of an eID, whose keys were made on the card: at its activation, or when the
    holder fetches the eID of `eid_order`.

    `csrs` has the requests (PKCS #10, DER in Base64) by profile, `keys` the SHA-256 of their public keys, `certificate_ids` the
    ids that their certificates get in `pki`. `signature` is the card key's, over `services.card_requests.message`.
    `confirmation` is the signature of the new key over `services.fetch_certificates.statement`, by which the holder confirms a
    fetched eID.
    """

    id = models.UUIDField(primary_key=True, default=new_id)
    eid = models.OneToOneField(Eid, on_delete=models.PROTECT, related_name="certificate_request")
    eid_order = models.OneToOneField(EidOrder, null=True, on_delete=models.PROTECT, related_name="certificate_request")
    transaction = models.ForeignKey(EidAppTransaction, on_delete=models.PROTECT, related_name="certificate_requests")
    csrs = models.JSONField()
    keys = models.JSONField()
    certificate_ids = models.JSONField()
    signature = models.BinaryField()
    confirmation = models.BinaryField(default=bytes)
    created_at = models.DateTimeField()


class ReceiptValidation(models.Model):
    """One validation of all stored receipts, in the order of their ids, which may take many turns. Kept.

    `position` is the last receipt that was validated. `wrong` counts receipts that are not valid, and `examples` has the first of
    them: {"receipt", "reason"}.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    position = models.UUIDField(null=True)
    checked = models.BigIntegerField(default=0)
    wrong = models.BigIntegerField(default=0)
    examples = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["-started_at"], name="issuance_validation_newest")]
