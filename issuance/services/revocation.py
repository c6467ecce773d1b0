"""Revocation (spärr): final, at once, of everything on a carrier or of one eID (domain.md 3.6)."""

import datetime as dt
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from issuance.authz import Action, Actor, policy
from issuance.domain.carrier_states import CarrierAction, CarrierState
from issuance.domain.eid_states import EidAction, EidState
from issuance.domain.order_states import OrderAction, OrderState
from issuance.domain.revocation import RFC_5280, SYSTEM_REASONS, RevocationReason
from issuance.models import CardOrder, Carrier, CarrierCertificate, Eid
from issuance.services import _steps
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid

_CHANNELS = {"user": "portal", "client": "supplier-api", "system": "system"}
_LIVE = [EidState.ORDERED.value, EidState.ACTIVE.value]


@transaction.atomic(durable=True)
def revoke_carrier(
    *, actor: Actor, carrier_id: UUID, reason: str, justification: str = "", received_at: dt.datetime | None = None
) -> Carrier:
    """Revokes a carrier, its eIDs and all certificates on it, and destroys its PUK. A revoked carrier stays as it is.

    `received_at` is when the request came, if earlier than now (a form filled in while the portal was down). Raises
    NotFound, Forbidden, Invalid (reason), IllegalTransition if the carrier has expired or was cancelled.
    """
    why = _checked(actor, reason, justification, received_at)
    rows = Carrier.objects.select_for_update(of=("self",), no_key=True)
    carrier = policy.get(actor, Action.REVOKE_CARRIER, rows, carrier_id)
    if carrier.state != CarrierState.REVOKED:
        revoke_locked([carrier], actor=actor, reason=why, justification=justification, received_at=received_at)
    return carrier


@transaction.atomic(durable=True)
def revoke_eid(
    *, actor: Actor, eid_id: UUID, reason: str, justification: str = "", received_at: dt.datetime | None = None
) -> Eid:
    """Revokes one eID and its certificates; the carrier and its other eIDs stay. A revoked eID stays as it is.

    Raises as `revoke_carrier` does.
    """
    why = _checked(actor, reason, justification, received_at)
    seen = policy.get(actor, Action.REVOKE_EID, Eid.objects.all(), eid_id)
    Carrier.objects.select_for_update(no_key=True).get(pk=seen.carrier_id)
    eid = Eid.objects.select_for_update(of=("self",), no_key=True).get(pk=seen.pk)
    if eid.state != EidState.REVOKED:
        revoke_locked_eids([eid], actor=actor, reason=why, justification=justification, received_at=received_at)
    return eid


def revoke_locked_eids(
    eids: Sequence[Eid],
    *,
    actor: Actor,
    reason: RevocationReason,
    justification: str = "",
    received_at: dt.datetime | None = None,
) -> None:
    """Revokes locked eIDs of a carrier, with their certificates, in the caller's transaction. Raises IllegalTransition."""
    _step_eids(eids, actor=actor, reason=reason, justification=justification)
    certificates = CarrierCertificate.objects.filter(eid__in=[eid.id for eid in eids])
    _plan_revocation(certificates, actor=actor, reason=reason, justification=justification, received_at=received_at)


def revoke_locked(
    carriers: Sequence[Carrier],
    *,
    actor: Actor,
    reason: RevocationReason,
    justification: str = "",
    received_at: dt.datetime | None = None,
) -> None:
    """Revokes locked carriers with all that hangs on them, in the caller's transaction. Raises IllegalTransition.

    An order that no supplier has accepted is cancelled; one that a supplier has is the supplier's to report on (ADR 0033).
    """
    ids = [carrier.id for carrier in carriers]
    with_secret = [carrier.id for carrier in carriers if carrier.puk_secret_id is not None]
    live = Eid.objects.select_for_update(no_key=True).filter(carrier__in=ids, state__in=_LIVE)
    eids = list(live.order_by("id"))
    waiting = CardOrder.objects.select_for_update(no_key=True).filter(carrier__in=ids, state=OrderState.QUEUED.value)
    orders = list(waiting.order_by("id"))
    facts = {"reason": reason.value, "justification": justification, "received_at": _moment(received_at)}
    now = clock.now()
    _steps.step(
        carriers,
        CarrierAction.REVOKE,
        actor_ref=actor.ref,
        facts=facts,
        ended_at=now,
        revocation_reason=reason.value,
        puk_secret_id=None,
    )
    _step_eids(eids, actor=actor, reason=reason, justification=justification)
    _steps.step(orders, OrderAction.CANCEL, actor_ref=actor.ref, facts={"reason": reason.value})
    certificates = CarrierCertificate.objects.filter(carrier__in=ids)
    _plan_revocation(certificates, actor=actor, reason=reason, justification=justification, received_at=received_at)
    for carrier_id in with_secret:
        pki.destroy_secrets(carrier_ref(carrier_id), actor_ref=actor.ref)


def carrier_ref(carrier_id: UUID) -> str:
    """How a carrier is named to `pki`, which knows no carriers."""
    return f"carrier:{carrier_id}"


def _step_eids(eids: Sequence[Eid], *, actor: Actor, reason: RevocationReason, justification: str) -> None:
    _steps.step(
        eids,
        EidAction.REVOKE,
        actor_ref=actor.ref,
        facts={"reason": reason.value, "justification": justification},
        ended_at=clock.now(),
        revocation_reason=reason.value,
    )


def _plan_revocation(
    certificates: QuerySet[CarrierCertificate],
    *,
    actor: Actor,
    reason: RevocationReason,
    justification: str,
    received_at: dt.datetime | None,
) -> None:
    ids = list(certificates.order_by("certificate_id").values_list("certificate_id", flat=True))
    if ids:
        pki.plan_revocation(
            ids,
            reason=RFC_5280[reason],
            actor_ref=actor.ref,
            received_at=received_at or clock.now(),
            channel=_CHANNELS[actor.kind],
            justification=justification,
        )


def _checked(actor: Actor, reason: str, justification: str, received_at: dt.datetime | None) -> RevocationReason:
    try:
        why = RevocationReason(reason)
    except ValueError:
        raise Invalid("unknown-reason", "Välj en spärrorsak i listan.", fields={"reason": ["Okänd spärrorsak."]}) from None
    if why in SYSTEM_REASONS and actor.kind != "system":
        raise Invalid("unknown-reason", "Välj en spärrorsak i listan.", fields={"reason": ["Orsaken sätts bara av systemet."]})
    if why is RevocationReason.OTHER and not justification.strip():
        message = "Beskriv orsaken när du väljer Annan orsak."
        raise Invalid("justification-missing", message, fields={"justification": [message]})
    if len(justification) > 1000:
        message = "Beskrivningen får vara högst 1 000 tecken."
        raise Invalid("justification-too-long", message, fields={"justification": [message]})
    if received_at is not None and (received_at.tzinfo is None or received_at > clock.now()):
        message = "Tiden när begäran kom in kan inte ligga i framtiden."
        raise Invalid("received-in-future", message, fields={"received_at": [message]})
    return why


def _moment(value: dt.datetime | None) -> str | None:
    return value.astimezone(dt.UTC).isoformat() if value else None
