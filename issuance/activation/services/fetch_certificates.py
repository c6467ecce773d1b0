"""Certificates for the eID that a holder fetches, for keys that the app has made on the card (rules/issuance 5.10).

The app's proof of the card opened the transaction, and the card key signs the requests once more. The eID begins here. It is in
force when the holder has confirmed it with its new key (`fetch_app`).
"""

import datetime as dt
from collections.abc import Mapping

from django.conf import settings
from django.db import transaction as database

from issuance.activation.domain.transaction_states import TransactionState
from issuance.activation.models import CertificateRequest, EidAppTransaction
from issuance.activation.services import certificate_requests, fetching, transactions
from issuance.activation.services.card_requests import Certified
from issuance.activation.services.certificate_requests import Asked
from issuance.carriers.domain import kinds
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import EidOrderKind, Owner
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain import rules
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.services.ordering import post_ends_at
from issuance.records.services import steps
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import canonical_json, sha256_hex

SIGNING_PROFILE = "person-hsaid-sign"
"""The profile of the new key that the holder confirms the eID with."""


def profiles_of(order: EidOrder) -> tuple[str, ...]:
    """Returns the profiles that the order's eID brings: its own, and for a renewal the carrier's too."""
    kind = kinds.kind_of(order.carrier.kind)
    return kind.profiles(None if order.kind == EidOrderKind.RENEWAL else Owner.EID)


def extension_end() -> dt.datetime:
    """Returns the latest end of a reserve card's eID that is extended now."""
    return clock.start_of_day(clock.today() + dt.timedelta(days=settings.RESERVE_CARD_DAYS_LOA3 + 1))


def certify(seen: EidAppTransaction, csrs: Mapping[str, bytes], signature: bytes) -> Certified | None:
    """Has the new keys certified. Returns None while the worker has not made the certificates. Repeatable.

    Arguments and errors are those of `certifying.certify`; it raises Conflict also if the order no longer waits.
    """
    profiles = profiles_of(fetching.order_of(seen))
    unlike = f"Skicka en certifikatbegäran för var och en av profilerna {', '.join(profiles)}."
    asked = certificate_requests.asked_for(csrs, signature, profiles=profiles, unlike=unlike)
    request = _store(seen, asked)
    faults.point("issuance.fetch.certificates.after-commit")
    refused = "Kortets nycklar kan inte få certifikat. Be om en ny beställning."
    made = certificate_requests.wait_for(request, profiles, refused=refused)
    return Certified(certificates=made, statement=statement(request, made)) if made else None


def statement(request: CertificateRequest, certificates: Mapping[str, bytes]) -> bytes:
    """Returns the bytes by which the holder confirms the eID: canonical JSON of the order, the eID, the card and the SHA-256 of
    each certificate. The new key signs them when the certificates are on the card.
    """
    return canonical_json(
        {
            "certificates": {profile: sha256_hex(der) for profile, der in certificates.items()},
            "card_serial": request.eid.carrier.card_serial,
            "eid": str(request.eid_id),
            "hsa_id": request.eid.hsa_id,
            "order": str(request.eid_order_id),
        }
    )


@database.atomic(durable=True)
def _store(seen: EidAppTransaction, asked: Asked) -> CertificateRequest:
    """Stores the request of the order's eID, or returns the earlier one for the same keys. Wakes the worker."""
    carrier, row = transactions.locked_with_carrier(seen)
    order = fetching.order_of(row)
    transactions.require_open(row)
    if row.state != TransactionState.STARTED:
        raise transactions.not_waiting(row)
    fetching.require_waiting(order, carrier)
    return certificate_requests.store(
        asked,
        row,
        carrier,
        known=CertificateRequest.objects.select_related("eid__carrier").filter(eid_order=order),
        begin=lambda: _begin(carrier, order, row, asked),
        advice="Be om en ny beställning.",
    )


def _begin(carrier: Carrier, order: EidOrder, row: EidAppTransaction, asked: Asked) -> CertificateRequest:
    """Inserts the eID with the ordered values, and which certificates it will have."""
    actor_ref, now = transactions.holder_ref(carrier), clock.now().replace(microsecond=0)
    eid = Eid(
        carrier=carrier,
        post=order.post,
        organisation=order.organisation,
        hsa_id=order.hsa_id,
        mail=order.mail,
        upn=order.upn,
        title=order.title,
        assurance_level=order.assurance_level,
        state=EidState.ORDERED.value,
        created_at=now,
    )
    steps.begin([eid], "ordered", actor_ref=actor_ref, facts={"eid_order": str(order.pk), "carrier": str(carrier.pk)})
    return certificate_requests.plan(asked, row, carrier, eid, valid_from=now, valid_to=_valid_to(carrier, order))


def _valid_to(carrier: Carrier, order: EidOrder) -> dt.datetime:
    """Returns the end of the eID: after the policy's years, or the days of an extension, but not after the card or the assignment
    ends.
    """
    if order.kind == EidOrderKind.EXTENSION:
        ends = (extension_end(), carrier.valid_to, post_ends_at(order.post))
        return min(end for end in ends if end is not None)
    return rules.eid_valid_to(
        issued_at=clock.now().replace(microsecond=0),
        policy_years=getattr(settings, kinds.kind_of(carrier.kind).eid_years),
        card_valid_to=carrier.valid_to,
        post_ends_at=post_ends_at(order.post),
    )
