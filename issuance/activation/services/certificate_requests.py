"""A card's request for the certificates of an eID: what the app asks for, the planned certificates, and the wait for them.

The errands that ask add who may and when: a card's activation (`certifying`) and the fetch of an eID (`fetch_certificates`).
"""

import base64
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from issuance.activation.models import CertificateRequest, EidAppTransaction
from issuance.activation.services import card_requests, transactions
from issuance.carriers.domain import kinds
from issuance.carriers.domain.eid_states import EidAction
from issuance.carriers.domain.kinds import Owner
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.notices.services import notices
from issuance.records.services import steps
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.ids import new_id


@dataclass(frozen=True)
class Asked:
    """What the app asks for: by profile a request (DER) and the SHA-256 of its key, and the card key's signature over them
    (`card_requests.message`).
    """

    csrs: Mapping[str, bytes] = field(repr=False)
    keys: Mapping[str, str]
    signature: bytes = field(repr=False)


def asked_for(csrs: Mapping[str, bytes], signature: bytes, *, profiles: Sequence[str], unlike: str) -> Asked:
    """Reads the requests. Raises Invalid for one that proves no key, or with the text `unlike` if they are for other profiles."""
    if set(csrs) != set(profiles):
        raise Invalid("csrs", unlike, fields={"csrs": [unlike]})
    keys = {profile: pki.request_key(der, field=f"csrs.{profile}") for profile, der in csrs.items()}
    return Asked(csrs, keys, signature)


def store(
    asked: Asked,
    row: EidAppTransaction,
    carrier: Carrier,
    *,
    known: QuerySet[CertificateRequest],
    begin: Callable[[], CertificateRequest],
    advice: str,
) -> CertificateRequest:
    """Returns the request that `known` finds, which is this transaction's from now on, or what `begin` stores. Wakes the worker.

    Raises Conflict if the card has not proven itself, or with `advice` if the request is for other keys.
    """
    if not card_requests.is_proven(row, carrier, asked.csrs, asked.signature):
        message = "Kortet kunde inte visa att nycklarna är dess egna. Sätt i kortet och försök igen."
        raise Conflict("proof-refused", message)
    request = known.first()
    if request is None:
        request = begin()
    elif request.keys != dict(asked.keys):
        message = f"Certifikat är redan begärda för andra nycklar på kortet. {advice}"
        raise Conflict("certificates-already-requested", message)
    elif request.transaction_id != row.pk:
        request.transaction, request.csrs, request.signature = row, _in_base64(asked), asked.signature
        request.save(update_fields=["transaction", "csrs", "signature"])
    if len(pki.certificates([UUID(id_) for id_ in request.certificate_ids.values()])) < len(asked.keys):
        pki.wake_certifier(request.pk)
    return request


def plan(asked: Asked, row: EidAppTransaction, carrier: Carrier, eid: Eid, **validity: dt.datetime) -> CertificateRequest:
    """Stores a request, the eID's `validity`, and which certificates it will have: the link that `IssuanceCheck` compares."""
    ids = {profile: new_id() for profile in asked.keys}
    planned = {profile: str(id_) for profile, id_ in ids.items()}
    steps.step(
        [eid],
        EidAction.PLAN_CERTIFICATES,
        actor_ref=transactions.holder_ref(carrier),
        facts={"certificates": planned, "transaction": str(row.pk)},
        **validity,
    )
    kind = kinds.kind_of(carrier.kind)
    of_eid = {profile: kind.certificate(profile).owner is Owner.EID for profile in ids}
    CarrierCertificate.objects.bulk_create(
        CarrierCertificate(
            certificate_id=id_,
            carrier=carrier,
            eid=eid if of_eid[profile] else None,
            made_with=None if of_eid[profile] else eid,
            profile=profile,
        )
        for profile, id_ in ids.items()
    )
    notices.queue_new_eids([eid])
    return CertificateRequest.objects.create(
        eid=eid,
        eid_order_id=row.eid_order_id,
        transaction=row,
        csrs=_in_base64(asked),
        keys=dict(asked.keys),
        certificate_ids=planned,
        signature=asked.signature,
        created_at=clock.now(),
    )


def wait_for(request: CertificateRequest, profiles: Sequence[str], *, refused: str) -> dict[str, bytes]:
    """Returns the certificates (DER) by profile, or none while the worker has not made all of them. Not inside a transaction.

    Raises Conflict with the text `refused` if the worker refused them.
    """
    ids = [UUID(request.certificate_ids[profile]) for profile in profiles]
    answer = pki.wait_for_requested(request.pk, ids, seconds=settings.EID_APP_WAIT_SECONDS)
    if answer.refusal:
        raise Conflict("certificates-refused", refused)
    return {view.profile: view.der or b"" for view in answer.certificates}


def _in_base64(asked: Asked) -> dict[str, str]:
    return {profile: base64.b64encode(der).decode() for profile, der in asked.csrs.items()}
