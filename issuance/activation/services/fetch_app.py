"""The end of a fetch: the app reports that the new certificates are on the card, by the holder's signature with the new key
(rules/issuance 5.10).
"""

import hmac
from collections.abc import Callable
from uuid import UUID

from cryptography import x509
from django.db import transaction as database

from issuance.activation.domain.transaction_states import TransactionAction, TransactionState
from issuance.activation.models import CertificateRequest, EidAppTransaction
from issuance.activation.services import fetch_certificates, fetching, refusals, transactions
from issuance.authz import holder
from issuance.carriers.domain.eid_states import EidAction
from issuance.carriers.models import Carrier, Eid
from issuance.orders.services import eid_orders
from issuance.records.services import steps
from pki import service as pki
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.certificates import signatures
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.registry import Registry

ON_RENEWAL = Registry[Callable[[Eid, Eid], None]]()
"""What the packages above do when a renewed eID is on its card, in the same transaction: the new eID and the one that it
replaces, both locked with their carrier.
"""


def complete(seen: EidAppTransaction, signature: bytes) -> Carrier:
    """Makes the fetched eID active and ends the order; packages above revoke the eID that it renews. Returns the card.

    Repeatable. Raises Conflict (ended, certificates missing or not valid, the order no longer waits), Invalid for a signature
    that the new key did not make over the statement; too many of these end the transaction.
    """
    if seen.state != TransactionState.COMPLETED:
        transactions.require_open(seen)
        request = _request(seen)
        made = _certificates(request)
        key = x509.load_der_x509_certificate(made[fetch_certificates.SIGNING_PROFILE]).public_key()
        if not signatures.is_valid(key, signature, fetch_certificates.statement(request, made)):
            message = "Underskriften är inte gjord med det nya SITHS eID:t. Försök igen."
            raise refusals.refuse_signature(seen, Invalid("signature-invalid", message, fields={"signature": [message]}))
    faults.point("issuance.fetch.complete.before-commit")
    carrier = _complete(seen, signature)
    faults.point("issuance.fetch.complete.after-commit")
    return carrier


@database.atomic(durable=True)
def _complete(seen: EidAppTransaction, signature: bytes) -> Carrier:
    carrier = Carrier.objects.select_for_update(of=("self",), no_key=True).get(pk=seen.carrier_id)
    eids = {eid.pk: eid for eid in Eid.objects.select_for_update(no_key=True).filter(carrier=carrier).order_by("id")}
    order = fetching.order_of(seen)
    row = transactions.locked(seen.pk)
    if row.state == TransactionState.COMPLETED:
        if not hmac.compare_digest(row.signature_sha256, sha256_hex(signature)):
            raise Conflict("transaction-ended", "SITHS eID:t är redan hämtat.")
        return carrier
    transactions.require_open(row)
    fetching.require_waiting(order, carrier)
    request = _request(row)
    _certificates(request)
    now, actor = clock.now(), holder(carrier.holder_id)
    new = eids[request.eid_id]
    facts = {"transaction": str(row.pk), "eid_order": str(order.pk)}
    steps.step([new], EidAction.ACTIVATE, actor_ref=actor.ref, facts=facts, activated_at=now)
    eid_orders.mark_fetched(actor=actor, order_id=order.pk, eid=new)
    request.confirmation = signature
    request.save(update_fields=["confirmation"])
    row.signature_sha256 = sha256_hex(signature)
    row.save(update_fields=["signature_sha256"])
    transactions.end(row, TransactionAction.COMPLETE, actor_ref=actor.ref, facts={"eid": str(new.pk)})
    if order.replaces_id is not None:
        for follow in ON_RENEWAL:
            follow(new, eids[order.replaces_id])
    return carrier


def _request(row: EidAppTransaction) -> CertificateRequest:
    found = CertificateRequest.objects.select_related("eid__carrier").filter(eid_order=row.eid_order_id).first()
    if found is None:
        raise Conflict("certificates-missing", "Certifikaten är inte klara. Begär dem först.")
    return found


def _certificates(request: CertificateRequest) -> dict[str, bytes]:
    """Returns the certificates (DER) of a request by profile. Raises Conflict unless all of them are valid."""
    views = pki.certificates([UUID(id_) for id_ in request.certificate_ids.values()])
    in_force = [view.status == "issued" and not view.held and view.not_after > clock.now() for view in views]
    if len(views) != len(request.certificate_ids) or not all(in_force):
        raise Conflict("certificates-not-in-force", "Alla certifikat är inte giltiga än. Försök igen om en stund.")
    return {view.profile: view.der or b"" for view in views}
