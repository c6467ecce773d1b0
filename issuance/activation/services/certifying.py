"""Certificates for keys that the eID app has made on a card, such as a reserve card (contract: `POST transaction/certificates`).

The app's proof of the card opened the transaction, and the card key signs the requests once more. The receipt follows: it names
the certificates, and the holder signs it with the new key.
"""

from collections.abc import Mapping
from functools import partial

from django.db import transaction as database

from issuance.activation.domain.transaction_states import TransactionKind, TransactionState
from issuance.activation.models import CertificateRequest, EidAppTransaction, PreparedReceipt
from issuance.activation.services import (
    card_certificates,
    certificate_requests,
    fetch_certificates,
    receipts,
    transactions,
    visits,
)
from issuance.activation.services.card_requests import Certified
from issuance.activation.services.certificate_requests import Asked
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, Eid
from issuance.orders.models.orders import CardOrder
from issuance.roles.services.actors import actor_of_person
from issuance.roles.services.subjects import person_of
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from siths_portal.lib.ids import new_id


def certify(*, step_token: str, csrs: Mapping[str, bytes], signature: bytes) -> Certified | None:
    """Has the card's new keys certified. Returns None while the worker has not made the certificates. Repeatable.

    `csrs` has a request (DER) for each profile that the card gets at activation, or with the eID that the holder fetches;
    `signature` is the card key's, over `card_requests.message`. Raises Unauthenticated, Conflict (ended, not asked for, card not
    proven, other keys than before, refused by the worker, right lost), Invalid (profiles, a request), Unavailable (PDF).
    """
    seen = transactions.by_token(step_token)
    if seen.kind == TransactionKind.FETCH:
        return fetch_certificates.certify(seen, csrs, signature)
    profiles = card_certificates.of_eid(seen.carrier)
    if seen.kind != TransactionKind.ACTIVATE or not profiles:
        raise Conflict("certificates-not-asked-for", "Kortet har redan sina certifikat.")
    unlike = "Skicka en certifikatbegäran för var och en av kortets profiler."
    asked = certificate_requests.asked_for(csrs, signature, profiles=profiles, unlike=unlike)
    refused = "Kortets nycklar kan inte få certifikat. Ta ett annat reservkort."
    certificates = certificate_requests.wait_for(_store(seen, asked), profiles, refused=refused)
    if not certificates:
        return None
    prepared = _prepared(seen)
    return Certified(
        certificates=certificates,
        pdf=bytes(prepared.pdf),
        byte_range=tuple(prepared.byte_range),
        signed_attributes=bytes(prepared.signed_attributes),
    )


@database.atomic(durable=True)
def _store(seen: EidAppTransaction, asked: Asked) -> CertificateRequest:
    """Stores the request of the eID that is activated, or returns the earlier one for the same keys. Wakes the worker."""
    carrier = Carrier.objects.select_for_update(of=("self",), no_key=True).get(pk=seen.carrier_id)
    eid = Eid.objects.select_for_update(no_key=True).filter(carrier=carrier, state=EidState.ORDERED.value).first()
    row = transactions.locked(seen.pk)
    transactions.require_open(row)
    if eid is None or row.state not in (TransactionState.STARTED, TransactionState.CODE_SET):
        raise transactions.not_waiting(row)
    visits.require_officer(row, carrier)
    return certificate_requests.store(
        asked,
        row,
        carrier,
        known=CertificateRequest.objects.select_for_update().filter(eid=eid),
        begin=partial(certificate_requests.plan, asked, row, carrier, eid, valid_from=clock.now().replace(microsecond=0)),
        advice="Be ID-administratören spärra kortet och ta ett annat.",
    )


def _prepared(seen: EidAppTransaction) -> PreparedReceipt:
    """Returns the transaction's receipt, and makes it at the first call."""
    if (known := PreparedReceipt.objects.filter(transaction=seen).first()) is not None:
        return known
    carrier = Carrier.objects.select_related("person", "organisation__area").get(pk=seen.carrier_id)
    order = CardOrder.objects.select_related("office", "article").filter(items__carrier=carrier).first()
    if order is None:
        raise transactions.not_waiting(seen)
    views = pki.certificates(card_certificates.ids(carrier))
    subject = receipts.Subject(
        receipt_id=new_id(),
        transaction_id=seen.pk,
        carrier=carrier,
        order=order,
        eids=list(Eid.objects.filter(carrier=carrier, state=EidState.ORDERED.value).select_related("organisation")),
        certificates={view.profile: view for view in views},
        identification=seen.visit,
        officer=actor_of_person(person_of(seen.visit.officer_ref)),
    )
    draft = receipts.prepare(subject)
    with database.atomic(durable=True):
        _, row = transactions.locked_with_carrier(seen)
        transactions.require_open(row)
        if (known := PreparedReceipt.objects.filter(transaction=row).first()) is not None:
            return known
        row.terms_sha256, row.content_sha256 = draft.content["terms"]["sha256"], draft.content_sha256
        row.save(update_fields=["terms_sha256", "content_sha256"])
        return receipts.store_draft(draft, row)
