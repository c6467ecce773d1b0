"""Deliveries of a step token, and with it of a sealed secret, to one recipient's key, as every process sees them.

A process without the token plans a delivery and reads the JWE that the `pki` worker made (`delivering`); it never sees what is
inside. Of the step token, which the recipient proves himself with afterwards, only the hash is here.
"""

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from pki.domain import jwe as jwe_format
from pki.models import DeliveryState, Event, Secret, SecretDelivery, SecretState
from siths_portal.lib import clock, jobs
from siths_portal.lib.errors import Conflict, Invalid, NotFound, TooManyRequests

POLL_SECONDS = 0.05


@dataclass(frozen=True)
class DeliveryView:
    """A delivery as it stands now: `state` is a `DeliveryState`; `jwe` and `token_sha256` are there once it is ready."""

    id: UUID
    state: str
    jwe: str = field(repr=False)
    token_sha256: str
    failure: str


def plan_delivery(
    *,
    secret_id: UUID | None,
    recipient_jwk: Mapping[str, str],
    header: Mapping[str, str],
    owner_ref: str,
    actor_ref: str,
    purpose: str,
) -> UUID:
    """Asks for a JWE to `recipient_jwk` with a new step token and, where one is named, the owner's secret; its id.

    Joins the caller's transaction and wakes the worker, which writes an event before it opens the secret (S24). Raises Invalid
    for a key that is not on P-256, NotFound, Conflict if the secret is not sealed, and TooManyRequests beyond the limit of
    SECRET_DELIVERIES_PER_DAY.
    """
    try:
        jwe_format.require_public_jwk(recipient_jwk)
    except jwe_format.MalformedJwe:
        message = "Den tillfälliga nyckeln ska vara en publik nyckel på P-256 (JWK)."
        raise Invalid("ephemeral-key", message, fields={"ephemeral_key": [message]}) from None
    if secret_id is not None:
        _check_secret(secret_id, owner_ref)
    row = SecretDelivery.objects.create(
        secret_id=secret_id,
        owner_ref=owner_ref,
        actor_ref=actor_ref,
        purpose=purpose,
        recipient_jwk=dict(recipient_jwk),
        header=dict(header),
        created_at=clock.now(),
    )
    record(row, "delivery.requested", actor_ref, {"purpose": purpose})
    jobs.enqueue("pki.deliver_secrets", queue="pki", delivery_ids=[str(row.id)])
    return row.id


def delivery(delivery_id: UUID) -> DeliveryView:
    """The delivery as it stands now. Raises NotFound."""
    row = SecretDelivery.objects.filter(id=delivery_id).first()
    if row is None:
        raise NotFound("delivery-unknown", "Leveransen finns inte.")
    return DeliveryView(row.id, row.state, row.jwe or "", row.token_sha256, row.failure)


def wait_for_delivery(delivery_id: UUID, *, seconds: float) -> DeliveryView:
    """The delivery as soon as it is no longer just requested, or as it stands after `seconds`. Not inside a transaction."""
    deadline = time.monotonic() + seconds
    while (view := delivery(delivery_id)).state == DeliveryState.REQUESTED and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return view


def destroy_delivery(delivery_id: UUID) -> None:
    """Overwrites what the delivery holds, made or not, in the caller's transaction. Repeatable."""
    _destroy(list(SecretDelivery.objects.select_for_update().filter(id=delivery_id)))


def destroy_of_owner(owner_ref: str) -> None:
    """Overwrites all that is on its way of this owner's, in the caller's transaction."""
    _destroy(list(SecretDelivery.objects.select_for_update().filter(owner_ref=owner_ref).order_by("id")))


def _destroy(rows: list[SecretDelivery]) -> None:
    for row in rows:
        if row.state != DeliveryState.DESTROYED:
            row.state, row.jwe = DeliveryState.DESTROYED, None
            row.save(update_fields=["state", "jwe"])
            record(row, "delivery.destroyed", "system:pki", {})


def _check_secret(secret_id: UUID, owner_ref: str) -> None:
    # The row is locked, so that two requests at once are counted one after the other.
    secret = Secret.objects.select_for_update(no_key=True).filter(id=secret_id, owner_ref=owner_ref).first()
    if secret is None:
        raise NotFound("secret-unknown", "Koden finns inte.")
    if secret.state != SecretState.SEALED:
        raise Conflict("secret-not-sealed", "Kortets PUK är inte mottagen ännu, eller är förstörd.")
    since = clock.now() - dt.timedelta(days=1)
    if SecretDelivery.objects.filter(secret=secret, created_at__gt=since).count() >= settings.SECRET_DELIVERIES_PER_DAY:
        message = "Kortets PUK har lämnats ut för många gånger det senaste dygnet. Försök igen i morgon."
        raise TooManyRequests("secret-deliveries", message)


def record(row: SecretDelivery, action: str, actor_ref: str, facts: Mapping[str, str]) -> None:
    """Writes one event of the delivery's, in the caller's transaction. Names the secret but never what is in it."""
    named = {"secret": str(row.secret_id)} if row.secret_id else {}
    Event.record(
        actor_ref=actor_ref,
        action=action,
        subject_type="secret_delivery",
        subject_ref=str(row.id),
        facts={"owner_ref": row.owner_ref, **named, **facts},
    )
