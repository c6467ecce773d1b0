"""Receipts (kvittenser): prepared for the holder's signature, and completed with it (rules/issuance 5.5)."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from cryptography import x509

from issuance.activation.models import EidAppTransaction, PreparedReceipt
from issuance.activation.services import receipt_content
from issuance.activation.services.receipt_content import Preview, Subject, Terms, current_terms, signing_profile, terms
from issuance.carriers.models import Receipt
from issuance.receipt_texts.models import ReceiptText
from issuance.records.models.events import Document
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.certificates import signatures
from siths_portal.lib.errors import Conflict
from siths_portal.lib.pdf import pades, rendering

__all__ = [
    "Draft",
    "NotVerified",
    "Preview",
    "Subject",
    "Terms",
    "current_terms",
    "prepare",
    "preview",
    "sign",
    "signature_is_valid",
    "store",
    "store_draft",
    "terms",
]
log = structlog.get_logger(__name__)
_FIELD = "Mottagare"
_ATTACHMENT = "kvittens.json"


class NotVerified(Conflict):
    """A signed receipt failed the check that any relying party would make. It is not stored."""


@dataclass(frozen=True)
class Draft:
    """A receipt ready for signature, without a transaction yet."""

    content: Mapping[str, Any] = field(repr=False)
    prepared: pades.Prepared = field(repr=False)
    receipt_text: ReceiptText | None
    signature_certificate_id: UUID

    @property
    def content_sha256(self) -> str:
        """Returns the SHA-256 of the canonical JSON that is attached to the PDF."""
        return sha256_hex(receipt_content.canonical(self.content))


def prepare(subject: Subject) -> Draft:
    """Renders the receipt of `subject` and prepares it for the holder's signature. No transaction may be open. Raises
    Unavailable if the PDF cannot be made.
    """
    addition = receipt_content.regional_addition(subject.carrier.organisation)
    content = receipt_content.build(subject, addition)
    source = rendering.PdfSource(
        html=receipt_content.html(content),
        attached=receipt_content.canonical(content),
        name=_ATTACHMENT,
        description="Kvittensens uppgifter (JSON)",
        day=clock.today().isoformat(),
    )
    signing = subject.certificates[signing_profile(subject.certificates)]
    return Draft(content, pades.prepare(rendering.render(source), _signer(signing), field_name=_FIELD), addition, signing.id)


def store_draft(draft: Draft, transaction: EidAppTransaction) -> PreparedReceipt:
    """Stores a draft for an open transaction, in the caller's transaction."""
    return PreparedReceipt.objects.create(
        transaction=transaction,
        pdf=draft.prepared.pdf,
        byte_range=list(draft.prepared.byte_range),
        signed_attributes=draft.prepared.signed_attributes,
        document_digest=draft.prepared.document_digest,
        content=draft.content,
        receipt_text=draft.receipt_text,
        signature_certificate_id=draft.signature_certificate_id,
    )


def preview(transaction: EidAppTransaction) -> Preview | None:
    """Returns the content of the transaction's receipt, signed or not. Returns None if the transaction ended without one."""
    prepared = PreparedReceipt.objects.filter(transaction=transaction).only("content").first()
    if prepared is not None:
        return receipt_content.preview(prepared.content)
    receipt = Receipt.objects.filter(carrier=transaction.carrier_id, content_sha256=transaction.content_sha256).first()
    return receipt_content.preview(receipt.content) if receipt else None


def signature_is_valid(prepared: PreparedReceipt, signature: bytes) -> bool:
    """Returns whether the card's signing key made `signature` over the signed attributes, in the form of `CARD_FORMAT`. Raises
    Conflict if that key's certificate is not valid now.
    """
    view = _signing_certificate(prepared)
    key = x509.load_der_x509_certificate(view.der or b"").public_key()
    return signatures.is_valid(key, signature, bytes(prepared.signed_attributes))


def sign(prepared: PreparedReceipt, signature: bytes) -> bytes:
    """Returns the signed PDF, validated like a relying party would. Raises NotVerified if it is not valid, Conflict for a
    certificate.
    """
    view = _signing_certificate(prepared)
    signer = _signer(view)
    first, end, start, rest = prepared.byte_range
    ready = pades.Prepared(
        bytes(prepared.pdf), (first, end, start, rest), bytes(prepared.document_digest), bytes(prepared.signed_attributes)
    )
    signed = pades.embed(ready, signer, signature)
    try:
        pades.validate(signed, root=signer.chain[-1], chain=signer.chain)
    except pades.NotValid as fault:
        log.error("receipt.not_valid", transaction=str(prepared.pk), reason=str(fault))
        message = "Den underskrivna kvittensen klarade inte kontrollen och har inte sparats. Be ID-administratören börja om."
        raise NotVerified("receipt-not-valid", message) from None
    return signed


def store(transaction: EidAppTransaction, prepared: PreparedReceipt, signed: bytes, *, at: dt.datetime) -> Receipt:
    """Stores the receipt, signed `at`, with the terms verbatim, in the caller's transaction."""
    content = prepared.content
    accepted = terms(content["terms"]["version"])
    archived = Document.store(accepted.text.encode(), "text/plain; charset=utf-8")
    if archived.sha256 != transaction.terms_sha256:
        raise Conflict("terms-changed", "Villkoren har ändrats. Be ID-administratören öppna appen igen.")
    return Receipt.objects.create(
        id=UUID(content["receipt"]["id"]),
        document=Document.store(signed, rendering.MEDIA_TYPE),
        receipt_text=prepared.receipt_text,
        terms_version=accepted.version,
        identity_document=transaction.visit.identity_document,
        officer_ref=transaction.visit.officer_ref,
        signature_certificate_id=prepared.signature_certificate_id,
        signed_at=at,
        terms=archived,
        content=content,
        content_sha256=transaction.content_sha256,
    )


def _signing_certificate(prepared: PreparedReceipt) -> pki.CertificateView:
    (view,) = pki.certificates([prepared.signature_certificate_id])
    if view.status != "issued" or not view.not_before <= clock.now() < view.not_after:
        message = "Kortets certifikat för underskrift är spärrat eller gäller inte längre. Kortet kan inte aktiveras."
        raise Conflict("certificate-not-in-force", message)
    return view


def _signer(view: pki.CertificateView) -> pades.Signer:
    return pades.Signer(view.der or b"", pki.chain(view.ca, view.generation))
