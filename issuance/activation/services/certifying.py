"""Certificates for keys that the eID app has made on a card, such as a reserve card (contract: `POST transaction/certificates`).

The app's proof of the card opened the transaction, and the card key signs the requests once more. The receipt follows: it names
the certificates, and the holder signs it with the new key.
"""

import base64
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction as database

from issuance.activation.domain.transaction_states import TransactionKind, TransactionState
from issuance.activation.models import CertificateRequest, EidAppTransaction, PreparedReceipt
from issuance.activation.services import card_certificates, card_requests, fetch_certificates, receipts, transactions, visits
from issuance.activation.services.card_requests import Certified
from issuance.carriers.domain.eid_states import EidAction, EidState
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.notices.services import notices
from issuance.orders.models.orders import CardOrder
from issuance.records.services import steps
from issuance.roles.services.actors import actor_of_person
from issuance.roles.services.subjects import person_of
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid
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
    if set(csrs) != set(profiles):
        message = "Skicka en certifikatbegäran för var och en av kortets profiler."
        raise Invalid("csrs", message, fields={"csrs": [message]})
    keys = {profile: pki.request_key(der, field=f"csrs.{profile}") for profile, der in csrs.items()}
    request = _store(seen, csrs, keys, signature)
    ids = [UUID(request.certificate_ids[profile]) for profile in profiles]
    answer = pki.wait_for_requested(request.pk, ids, seconds=settings.EID_APP_WAIT_SECONDS)
    if answer.refusal:
        message = "Kortets nycklar kan inte få certifikat. Ta ett annat reservkort."
        raise Conflict("certificates-refused", message)
    if not answer.certificates:
        return None
    prepared = _prepared(seen)
    return Certified(
        certificates={view.profile: view.der or b"" for view in answer.certificates},
        pdf=bytes(prepared.pdf),
        byte_range=tuple(prepared.byte_range),
        signed_attributes=bytes(prepared.signed_attributes),
    )


@database.atomic(durable=True)
def _store(seen: EidAppTransaction, csrs: Mapping[str, bytes], keys: Mapping[str, str], signature: bytes) -> CertificateRequest:
    """Stores the request of the eID that is activated, or returns the earlier one for the same keys. Wakes the worker."""
    carrier = Carrier.objects.select_for_update(of=("self",), no_key=True).get(pk=seen.carrier_id)
    eid = Eid.objects.select_for_update(no_key=True).filter(carrier=carrier, state=EidState.ORDERED.value).first()
    row = transactions.locked(seen.pk)
    transactions.require_open(row)
    if eid is None or row.state not in (TransactionState.STARTED, TransactionState.CODE_SET):
        raise transactions.not_waiting(row)
    visits.require_officer(row, carrier)
    if not card_requests.is_proven(row, carrier, csrs, signature):
        message = "Kortet kunde inte visa att nycklarna är dess egna. Sätt i kortet och försök igen."
        raise Conflict("proof-refused", message)
    request = CertificateRequest.objects.select_for_update().filter(eid=eid).first()
    if request is not None and request.keys != dict(keys):
        message = "Certifikat är redan begärda för andra nycklar på kortet. Be ID-administratören spärra kortet och ta ett annat."
        raise Conflict("certificates-already-requested", message)
    asked = {
        "transaction": row,
        "csrs": {profile: base64.b64encode(der).decode() for profile, der in csrs.items()},
        "signature": signature,
    }
    if request is None:
        request = _planned(carrier, eid, row, keys, asked)
    elif request.transaction_id != row.pk:
        for name, value in asked.items():
            setattr(request, name, value)
        request.save(update_fields=list(asked))
    if len(pki.certificates([UUID(id_) for id_ in request.certificate_ids.values()])) < len(keys):
        pki.wake_certifier(request.pk)
    return request


def _planned(
    carrier: Carrier, eid: Eid, row: EidAppTransaction, keys: Mapping[str, str], asked: Mapping[str, Any]
) -> CertificateRequest:
    """Stores a request and which certificates it will have: the link that `IssuanceCheck` compares."""
    ids = {profile: new_id() for profile in keys}
    planned = {profile: str(id_) for profile, id_ in ids.items()}
    steps.step(
        [eid],
        EidAction.PLAN_CERTIFICATES,
        actor_ref=transactions.holder_ref(carrier),
        facts={"certificates": planned, "transaction": str(row.pk)},
        valid_from=clock.now().replace(microsecond=0),
    )
    CarrierCertificate.objects.bulk_create(
        CarrierCertificate(certificate_id=id_, carrier=carrier, eid=eid, profile=profile) for profile, id_ in ids.items()
    )
    notices.queue_new_eids([eid])
    return CertificateRequest.objects.create(eid=eid, keys=dict(keys), certificate_ids=planned, created_at=clock.now(), **asked)


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
