"""Revocation (spärr): final and immediate, of a carrier with everything on it or of one eID (rules/issuance 6.1)."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Required, TypedDict, Unpack
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from issuance.activation.domain.transaction_states import TransactionAction
from issuance.activation.models import CertificateRequest
from issuance.activation.services import transactions
from issuance.authz import Action, Actor, policy
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import LIVE_EIDS, EidAction, EidState
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.mobile.services import enrolments
from issuance.orders.services import eid_orders, withdrawing
from issuance.records.services import steps
from issuance.revocation.domain import NAMED_REQUESTERS, RFC_5280, SYSTEM_REASONS, RequestChannel, Requester, RevocationReason
from issuance.revocation.models import HeldRevocation, HeldRevocationState
from issuance.revocation.services import revocation_limit
from issuance.revocation.services.revocation_limit import RequestedRevocation
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid, NotFound
from siths_portal.lib.pages.dates import in_words
from siths_portal.lib.registry import Registry

ON_REVOCATION_IN_PRODUCTION = Registry[Callable[[Sequence[UUID], bool], None]]()
"""What the packages above do when carriers are revoked, by their ids: some are ordered and not sent, or have a PUK letter under
way. The flag is True if only an eID on them is revoked, of carriers that are not sent."""

_CHANNELS = {"user": "portal", "holder": "portal", "client": "api", "system": "system"}
_JUSTIFICATION_LIMIT = 1000
_NAME_LIMIT = 200
_OLDEST_REQUEST = dt.timedelta(days=366)


class RequestFields(TypedDict, total=False):
    """The fields of `RevocationRequest` as keyword arguments."""

    reason: Required[str]
    justification: str
    received_at: dt.datetime | None
    requester: str
    requester_name: str
    channel: str


@dataclass(frozen=True)
class RevocationRequest:
    """Spärrbegäran (rules/issuance 6.2): the reason and the origin of the request.

    `received_at` is when it came in, if earlier than now (a form filled in while the portal was down): within a year, and not
    before the carrier was ordered. `requester` and `channel` are codes of the domain, both empty if a rule revokes. `held_id`
    is the held request that a second officer approved, `replaced_by` the card whose activation revokes this one.
    """

    reason: str
    justification: str = ""
    received_at: dt.datetime | None = None
    requester: str = ""
    requester_name: str = ""
    channel: str = ""
    held_id: UUID | None = None
    replaced_by: UUID | None = None

    def as_requested(self) -> RequestedRevocation:
        """Returns the request in the form that is stored for a second officer."""
        return RequestedRevocation(
            self.reason, self.justification, self.received_at, self.requester, self.requester_name, self.channel
        )

    def facts(self) -> dict[str, Any]:
        """Returns the facts about the request for the events of the revocation."""
        origin = {
            "requester": self.requester,
            "requester_name": self.requester_name,
            "request_channel": self.channel,
            "held_revocation": str(self.held_id) if self.held_id else "",
            "replaced_by": str(self.replaced_by) if self.replaced_by else "",
        }
        return {
            "reason": str(self.reason),
            "justification": self.justification,
            "received_at": _moment(self.received_at),
            **{name: value for name, value in origin.items() if value},
        }


@transaction.atomic(durable=True)
def revoke_carrier(
    *,
    actor: Actor,
    carrier_id: UUID,
    **fields: Unpack[RequestFields],
) -> Carrier | HeldRevocation:
    """Revokes a carrier, its eIDs and all certificates on it, and destroys its PUK. A revoked carrier stays as it is.

    If the officer's hourly limit is reached, revokes nothing and returns the held request for a second officer (ADR 0297). The
    other arguments are fields of `RevocationRequest`. Raises NotFound, Forbidden, Invalid (by field), IllegalTransition if the
    carrier has expired or was cancelled, Conflict if the same request already waits.
    """
    return revoke(
        actor=actor,
        carrier_id=carrier_id,
        request=RevocationRequest(**fields),
    )


def revoke(*, actor: Actor, carrier_id: UUID, request: RevocationRequest) -> Carrier | HeldRevocation:
    """Revokes as `revoke_carrier`, in the caller's transaction."""
    check(actor=actor, request=request)
    rows = Carrier.objects.select_for_update(of=("self",), no_key=True)
    return revoke_allowed(policy.get(actor, Action.REVOKE_CARRIER, rows, carrier_id), actor=actor, request=request)


def revoke_allowed(carrier: Carrier, *, actor: Actor, request: RevocationRequest) -> Carrier | HeldRevocation:
    """Revokes as `revoke` a locked carrier that the caller has found the actor may revoke, in the caller's transaction."""
    if carrier.state != CarrierState.REVOKED:
        check(actor=actor, request=request, since=known_since(carrier))
        if revocation_limit.is_above(actor, revocation_limit.counted(carrier)):
            return revocation_limit.hold(actor, request.as_requested(), carrier)
        _revoke_locked([carrier], actor=actor, request=request)
    return carrier


def revoke_all_allowed(carriers: Sequence[Carrier], *, actor: Actor, request: RevocationRequest) -> list[HeldRevocation]:
    """Revokes at one moment locked, valid carriers that the caller has found the actor may revoke, in the caller's transaction.

    If they are more than the officer's hourly limit allows, revokes none and returns the held rows of one request. Raises
    Invalid, and Conflict if all of it waits already.
    """
    check(actor=actor, request=request)
    if revocation_limit.is_above(actor, *map(revocation_limit.counted, carriers)):
        return revocation_limit.hold_together(actor, request.as_requested(), [(carrier, None) for carrier in carriers])
    _revoke_locked(carriers, actor=actor, request=request)
    return []


@transaction.atomic(durable=True)
def revoke_eid(
    *,
    actor: Actor,
    eid_id: UUID,
    **fields: Unpack[RequestFields],
) -> Eid | HeldRevocation:
    """Revokes one eID and its certificates. The carrier and its other eIDs stay; an open activation ends. A revoked eID stays
    as it is. Arguments and errors are those of `revoke_carrier`.
    """
    return revoke_one_eid(actor=actor, eid_id=eid_id, request=RevocationRequest(**fields))


def revoke_one_eid(*, actor: Actor, eid_id: UUID, request: RevocationRequest) -> Eid | HeldRevocation:
    """Revokes as `revoke_eid`, in the caller's transaction."""
    check(actor=actor, request=request)
    seen = policy.get(actor, Action.REVOKE_EID, Eid.objects, eid_id)
    carrier = Carrier.objects.select_for_update(no_key=True).get(pk=seen.carrier_id)
    eid = Eid.objects.select_for_update(of=("self",), no_key=True).get(pk=seen.pk)
    if eid.state != EidState.REVOKED:
        check(actor=actor, request=request, since=known_since(carrier))
        if revocation_limit.is_above(actor, revocation_limit.counted(carrier)):
            return revocation_limit.hold(actor, request.as_requested(), carrier, eid)
        _revoke_locked_eids([eid], actor=actor, request=request)
    return eid


@transaction.atomic(durable=True)
def decide_held(*, actor: Actor, held_ids: Sequence[UUID], approve: bool) -> int:
    """Executes or rejects requests that another officer made above the limit, by their `request_id`; all or none.

    They keep the received time of their requests. A row whose subject was revoked in the meantime is only closed. Returns how
    many requests were closed. Raises as `revocation_limit.locked_open`.
    """
    rows = revocation_limit.locked_open(actor, held_ids)
    requests: dict[UUID, list[HeldRevocation]] = {}
    for row in rows:
        requests.setdefault(row.request_id, []).append(row)
    for request_id, held in requests.items() if approve else ():
        _execute_held(actor, request_id, [row for row in held if not revocation_limit.is_moot(row)])
    for row in rows:
        revocation_limit.close(actor, row, HeldRevocationState.APPROVED if approve else HeldRevocationState.REJECTED)
    return len(requests)


def _execute_held(actor: Actor, request_id: UUID, rows: Sequence[HeldRevocation]) -> None:
    """Revokes at one moment what a request names: lost reserve cards may be many."""
    if not rows:
        return
    row = rows[0]
    request = RevocationRequest(
        row.reason, row.justification, row.received_at, row.requester, row.requester_name, row.channel, request_id
    )
    carriers = [row.carrier for row in rows if row.eid is None]
    eids = [row.eid for row in rows if row.eid is not None]
    revoke_together(carriers, eids, actor=actor, request=request, at=clock.now())


def revoke_locked_eids(eids: Sequence[Eid], *, actor: Actor, reason: RevocationReason) -> None:
    """Revokes locked eIDs of a carrier, with their certificates, in the caller's transaction. Raises IllegalTransition."""
    _revoke_locked_eids(eids, actor=actor, request=RevocationRequest(reason))


def revoke_earlier_pairs(new: Eid, *, actor: Actor, reason: RevocationReason) -> None:
    """Revokes the certificates of the carrier's own pairs that came before that of a fetched eID, in the caller's transaction."""
    own = CarrierCertificate.objects.filter(carrier=new.carrier_id, eid=None)
    if own.filter(made_with=new).exists():
        earlier = own.filter(Q(made_with=None) | ~Q(made_with=new))
        _plan_revocation(earlier, actor=actor, request=RevocationRequest(reason))


def revoke_locked(
    carriers: Sequence[Carrier], *, actor: Actor, reason: RevocationReason, replaced_by: UUID | None = None
) -> None:
    """Revokes locked carriers with their eIDs and certificates, in the caller's transaction. Raises IllegalTransition. Cancels
    an order that no supplier has accepted. An accepted order stays; its supplier reports the outcome (ADR 0033). `replaced_by`
    is the card whose activation revokes them.
    """
    _revoke_locked(carriers, actor=actor, request=RevocationRequest(reason, replaced_by=replaced_by))


def known_since(carrier: Carrier) -> dt.datetime:
    """Returns the minute in which the carrier was ordered, also if that was before the portal. No revocation request can be
    older.
    """
    return min(carrier.created_at, carrier.valid_from).replace(second=0, microsecond=0)


def check(*, actor: Actor, request: RevocationRequest, since: dt.datetime | None = None) -> None:
    """Raises Invalid, with every fault at its field, unless the request is complete and well-formed. `since` is the carrier's
    `known_since` if the carrier is known; a request cannot be older.
    """
    faults = [*_faults(actor, request), *_faults_of_time(request.received_at, since)]
    if faults:
        code, _field, message = faults[0]
        raise Invalid(code, message, fields={field: [text] for _code, field, text in faults})


def _faults(actor: Actor, request: RevocationRequest) -> Iterator[tuple[str, str, str]]:
    """Yields code, field and message of each fault."""
    if request.reason not in RevocationReason or (request.reason in SYSTEM_REASONS and actor.kind != "system"):
        yield "unknown-reason", "reason", "Välj en spärrorsak."
    if request.reason == RevocationReason.OTHER and not request.justification.strip():
        yield "justification-missing", "justification", "Beskriv orsaken när du väljer Annan orsak."
    if len(request.justification) > _JUSTIFICATION_LIMIT:
        yield "justification-too-long", "justification", "Beskrivningen får vara högst 1 000 tecken."
    if request.requester and request.requester not in Requester:
        yield "unknown-requester", "requester", "Välj vem som begärde spärren."
    if request.requester in NAMED_REQUESTERS and not request.requester_name.strip():
        yield "requester-name-missing", "requester_name", "Ange namnet på den som begärde spärren."
    if len(request.requester_name) > _NAME_LIMIT:
        yield "requester-name-too-long", "requester_name", "Namnet får vara högst 200 tecken."
    if request.channel and request.channel not in RequestChannel:
        yield "unknown-channel", "channel", "Välj hur begäran kom in."


def _faults_of_time(received_at: dt.datetime | None, since: dt.datetime | None) -> Iterator[tuple[str, str, str]]:
    """Yields faults of the received time. Compares moments without conversion, because the first moment of the calendar has no
    equivalent in another zone.
    """
    if received_at is None:
        return
    now = clock.now()
    if received_at.tzinfo is None or received_at > now:
        yield "received-in-future", "received_at", "Tiden när begäran kom in kan inte ligga i framtiden."
    elif received_at < now - _OLDEST_REQUEST:
        yield "received-too-early", "received_at", "Tiden när begäran kom in får vara högst ett år tillbaka."
    elif since is not None and received_at < since:
        message = f"Ange en tid efter att kortet beställdes {in_words(since)}."
        yield "received-before-carrier", "received_at", message


def revoke_together(
    carriers: Sequence[Carrier], eids: Sequence[Eid], *, actor: Actor, request: RevocationRequest, at: dt.datetime
) -> None:
    """Revokes locked carriers, and eIDs on other locked carriers, at one moment, in the caller's transaction. Raises
    IllegalTransition.
    """
    if carriers:
        _revoke_locked(carriers, actor=actor, request=request, at=at)
    if eids:
        _revoke_locked_eids(eids, actor=actor, request=request, at=at)


def _revoke_locked_eids(eids: Sequence[Eid], *, actor: Actor, request: RevocationRequest, at: dt.datetime | None = None) -> None:
    unused = {eid.id for eid in eids if eid.state == EidState.ORDERED}
    in_production = sorted({eid.carrier_id for eid in eids if eid.id in unused})
    _step_eids(eids, actor=actor, request=request, at=at or clock.now())
    ids = [eid.id for eid in eids]
    _follow_in_production(in_production, only_eid=True)
    eid_orders.cancel_renewals(ids, actor_ref=actor.ref, reason=str(request.reason))
    begun = CertificateRequest.objects.filter(eid__in=unused, eid_order__isnull=False).values_list("eid_order", flat=True)
    eid_orders.cancel_orders(list(begun) if unused else [], actor_ref=actor.ref, reason=str(request.reason))
    # The person-id pair that came with an eID is the carrier's once the holder has it.
    certificates = CarrierCertificate.objects.filter(Q(eid__in=ids) | Q(made_with__in=unused))
    _plan_revocation(certificates, actor=actor, request=request)
    carrier_ids = sorted({eid.carrier_id for eid in eids})
    transactions.end_of_carriers(carrier_ids, TransactionAction.FAIL, actor_ref=actor.ref, facts={"reason": "eid-revoked"})


def _revoke_locked(
    carriers: Sequence[Carrier], *, actor: Actor, request: RevocationRequest, at: dt.datetime | None = None
) -> None:
    at = at or clock.now()
    ids = [carrier.id for carrier in carriers]
    with_secret = [carrier.id for carrier in carriers if carrier.puk_secret_id is not None]
    live = Eid.objects.select_for_update(no_key=True).filter(carrier__in=ids, state__in=LIVE_EIDS)
    eids = list(live.order_by("id"))
    orders = withdrawing.lock_orders_without_cards(ids)
    steps.step(
        carriers,
        CarrierAction.REVOKE,
        actor_ref=actor.ref,
        facts=request.facts(),
        ended_at=at,
        revocation_reason=str(request.reason),
        puk_secret_id=None,
    )
    _step_eids(eids, actor=actor, request=request, at=at)
    withdrawing.withdraw(orders, actor_ref=actor.ref, revocation_reason=str(request.reason))
    _follow_in_production(ids, only_eid=False)
    eid_orders.cancel_of_carriers(ids, actor_ref=actor.ref, reason=str(request.reason))
    certificates = CarrierCertificate.objects.filter(carrier__in=ids)
    _plan_revocation(certificates, actor=actor, request=request)
    transactions.end_of_carriers(ids, TransactionAction.FAIL, actor_ref=actor.ref, facts={"reason": "carrier-revoked"})
    enrolments.end_of_carriers(ids, actor_ref=actor.ref, reason="carrier-revoked")
    for carrier_id in with_secret:
        pki.destroy_secrets(carrier_ref(carrier_id), actor_ref=actor.ref)


def _follow_in_production(carrier_ids: Sequence[UUID], *, only_eid: bool) -> None:
    for follow in ON_REVOCATION_IN_PRODUCTION if carrier_ids else ():
        follow(carrier_ids, only_eid)


def _step_eids(eids: Sequence[Eid], *, actor: Actor, request: RevocationRequest, at: dt.datetime) -> None:
    steps.step(
        eids,
        EidAction.REVOKE,
        actor_ref=actor.ref,
        facts=request.facts(),
        ended_at=at,
        revocation_reason=str(request.reason),
    )


def _plan_revocation(certificates: QuerySet[CarrierCertificate], *, actor: Actor, request: RevocationRequest) -> None:
    ids = list(certificates.order_by("certificate_id").values_list("certificate_id", flat=True))
    fields: Any = {
        "reason": RFC_5280[RevocationReason(request.reason)],
        "actor_ref": actor.ref,
        "received_at": request.received_at or clock.now(),
        "channel": _CHANNELS[actor.kind],
        "justification": request.justification,
    }
    try:
        if ids:
            pki.plan_revocation(ids, **fields)
    except NotFound:  # a card has requested them, and the worker, which finds the eID ended, has not planned them
        if planned := [view.id for view in pki.certificates(ids)]:
            pki.plan_revocation(planned, **fields)


def _moment(value: dt.datetime | None) -> str | None:
    return value.astimezone(dt.UTC).isoformat() if value else None
