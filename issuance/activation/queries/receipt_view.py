"""The receipt shown again (rules/issuance 5.5): the signed content, and the signed document."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from django.db.models import QuerySet

from issuance.activation.domain import identity_documents
from issuance.activation.services.receipt_integrity import Signature, signature_of
from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier, Receipt
from issuance.people.queries import officers
from issuance.records.domain import wording
from siths_portal.lib.errors import Altered, Forbidden, NotFound

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class HandedOutBy:
    """An officer who signed the hand-out of a reserve card on level 3, as the receipt has it: by HSA-id, without a name."""

    hsa_id: str
    document: str
    at: dt.datetime


@dataclass(frozen=True)
class ReceiptView:
    """The main data of a signed receipt. The two hashes are those of the PDF and of the terms. `handed_out_by` has the two
    officers of a reserve card on level 3, and is empty for other cards.
    """

    carrier_id: UUID
    person_id: UUID
    heading: str
    serial: str
    article: str
    organisation: str
    office: str
    holder: str
    holder_id: str
    summary: tuple[str, ...]
    sign_message: str
    regional_addition: str
    identity_document: str
    officer: str
    identified_at: dt.datetime
    signed_at: dt.datetime
    terms_version: str
    terms_sha256: str
    document_sha256: str
    handed_out_by: tuple[HandedOutBy, ...]


@dataclass(frozen=True)
class ReceiptDocument:
    """The signed PDF."""

    carrier_id: UUID
    person_id: UUID
    content: bytes = field(repr=False)


def receipt_view(*, actor: Actor, carrier_id: UUID | str) -> ReceiptView:
    """Returns the main data of a carrier's receipt. Raises NotFound, also if it has no receipt yet, Forbidden, and Altered if
    the stored receipt is not the signed one.
    """
    carrier, receipt, signature = _receipt(actor, carrier_id, Carrier.objects.select_related("receipt"))
    content: dict[str, Any] = receipt.content
    number = content["holder"]["person_id"]
    return ReceiptView(
        carrier_id=carrier.id,
        person_id=carrier.holder_id,
        heading=content["receipt"]["heading"],
        serial=wording.card_serial(content["carrier"]["card_serial"]),
        article=f"{content['carrier']['article']['code']} {content['carrier']['article']['name']}",
        organisation=content["organisation"]["name"],
        office=content["office"]["name"],
        holder=content["holder"]["name"],
        holder_id=wording.person_number(number["kind"], number["value"]),
        summary=tuple(content["terms"]["summary"]),
        sign_message=content["signature"]["sign_message"],
        regional_addition=(content["regional_addition"] or {}).get("text", ""),
        identity_document=wording.label(identity_documents.IDENTITY_DOCUMENT, content["identification"]["document"]),
        officer=_officer(actor, receipt, signature),
        identified_at=dt.datetime.fromisoformat(content["identification"]["at"]),
        signed_at=signature.at,
        terms_version=content["terms"]["version"],
        terms_sha256=content["terms"]["sha256"],
        document_sha256=receipt.document_id,
        handed_out_by=tuple(_handed_out_by(each) for each in content.get("hand_out", {}).get("officers", ())),
    )


def _handed_out_by(signed: dict[str, str]) -> HandedOutBy:
    document = wording.label(identity_documents.IDENTITY_DOCUMENT, signed["document"])
    return HandedOutBy(signed["hsa_id"], document, dt.datetime.fromisoformat(signed["at"]))


def receipt_document(*, actor: Actor, carrier_id: UUID | str) -> ReceiptDocument:
    """Returns the signed PDF of a carrier's receipt. Raises as `receipt_view`, and Altered if the bytes do not match. Raises
    Forbidden also if it names a clerk who got protected identity after the signing and whom the actor may not see.
    """
    carrier, receipt, signature = _receipt(actor, carrier_id, Carrier.objects.select_related("receipt__document"))
    if receipt.content["identification"]["officer"]["name"] and officers.is_hidden(actor, signature.officer_ref):
        message = "Kvittensen namnger en person med skyddade personuppgifter. Be en rollinnehavare med Sekretess att läsa den."
        raise Forbidden("receipt-names-protected", message)
    return ReceiptDocument(carrier.id, carrier.holder_id, receipt.document.read())


def _officer(actor: Actor, receipt: Receipt, signature: Signature) -> str:
    """Returns the clerk's name in the receipt. A clerk with protected identity is named only to actors
    who may see that person.
    """
    signed: str = receipt.content["identification"]["officer"]["name"]
    if signed and not officers.is_hidden(actor, signature.officer_ref):
        return signed
    return officers.names(actor, [signature.officer_ref]).get(signature.officer_ref, officers.unknown())


def _receipt(actor: Actor, carrier_id: UUID | str, rows: QuerySet[Carrier]) -> tuple[Carrier, Receipt, Signature]:
    carrier = policy.get(actor, Action.VIEW_RECEIPT, rows.defer("card_key_spki"), carrier_id)
    if carrier.receipt is None:
        raise NotFound("receipt-none", "Det finns ingen elektronisk kvittens för kortet.")
    signature = signature_of(carrier.pk, carrier.receipt)
    if signature is None:
        log.error("receipt.altered", receipt=str(carrier.receipt.pk))
        raise Altered("receipt-altered", "Kvittensen visas inte, eftersom den är ändrad efter underskriften. Kontakta supporten.")
    return carrier, carrier.receipt, signature
