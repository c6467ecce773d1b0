"""Deliveries of a step token, and with it a sealed secret, to one recipient's key: the part for every process.

A process without the token plans a delivery with the card's proof and reads the JWE that the `pki` worker makes (`delivering`)
after it has verified the proof; it never sees the content. The step token authenticates the recipient afterwards; only its hash
is stored here. A delivery for a PUK letter has an order in place of the proof (`letters`), and no step token.
"""

import datetime as dt
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import connection

from pki.domain import jwe as jwe_format
from pki.domain.card_proof import CardProof, Claims, MalformedProof, ProofKind
from pki.models import DeliveryState, Event, Secret, SecretDelivery, SecretState
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, Invalid, NotFound, TooManyRequests
from siths_portal.lib.processes import jobs

POLL_SECONDS = 0.05
LETTER = "letter"
"""The kind of a delivery for a PUK letter. The other kinds are those of proofs (`ProofKind`)."""

OPENING = (ProofKind.ACTIVATE.value, ProofKind.UNLOCK.value, LETTER)
"""The kinds that open the secret."""


@dataclass(frozen=True)
class DeliveryView:
    """A delivery requested at `created_at`: `state` is a `DeliveryState`; `jwe` and `token_sha256` are set once it is ready."""

    id: UUID
    state: str
    jwe: str = field(repr=False)
    token_sha256: str
    failure: str
    created_at: dt.datetime


def plan_delivery(
    *, secret_id: UUID | None, proof: CardProof, header: Mapping[str, str], owner_ref: str, actor_ref: str, purpose: str
) -> UUID:
    """Requests a JWE to the ephemeral key in `proof` with a new step token and, if its kind is in OPENING, the owner's secret.

    `secret_id` names the card whose key made the proof; it is None for a card without a PUK, which gets the token alone. Returns
    the delivery's id. Joins the caller's transaction and wakes the
    worker, which verifies the proof by itself, and writes an event before it opens the secret (S24). Raises Invalid for a key
    that is not on P-256 or a message that no card signs, NotFound, Conflict if the secret is not sealed, and TooManyRequests
    beyond the limit of SECRET_DELIVERIES_PER_DAY.
    """
    claims = _claims(proof)
    if secret_id is not None:
        _check_secret(secret_id, owner_ref, opens=claims.kind in OPENING)
    row = SecretDelivery.objects.create(
        secret_id=secret_id,
        owner_ref=owner_ref,
        actor_ref=actor_ref,
        purpose=purpose,
        kind=claims.kind,
        handle_sha256=sha256_hex(claims.handle.encode()),
        proof_message=proof.message,
        proof_signature=proof.signature,
        recipient_jwk=dict(claims.ephemeral_key),
        header=dict(header),
        created_at=clock.now(),
    )
    record(row, "delivery.requested", actor_ref, {"purpose": purpose})
    jobs.enqueue("pki.deliver_secrets", queue="pki", delivery_ids=[str(row.id)])
    return row.id


def plan_letter(*, secret_id: UUID, order: str, item: str, owner_ref: str, actor_ref: str) -> UUID:
    """Requests a JWE with the owner's secret for a PUK letter: the item `item` of the order `order`. Returns the delivery's id.

    Names no key: the worker asks `LetterOrders` for the recipient, and writes an event before it opens the secret (S24). Joins
    the caller's transaction and wakes the worker. Raises NotFound, Conflict if the secret is not sealed, and TooManyRequests
    beyond the limit of SECRET_DELIVERIES_PER_DAY.
    """
    _check_secret(secret_id, owner_ref, opens=True)
    row = SecretDelivery.objects.create(
        secret_id=secret_id,
        owner_ref=owner_ref,
        actor_ref=actor_ref,
        purpose="puk-letter",
        kind=LETTER,
        handle_sha256=letter_handle(order, item),
        recipient_jwk={},
        header={"order": order, "item": item},
        created_at=clock.now(),
    )
    record(row, "delivery.requested", actor_ref, {"purpose": row.purpose, **row.header})
    jobs.enqueue("pki.deliver_secrets", queue="pki", delivery_ids=[str(row.id)])
    return row.id


def letter_handle(order: str, item: str) -> str:
    """Returns the hash that all deliveries for one letter share, of which the worker makes one."""
    return sha256_hex(f"{LETTER}:{order}:{item}".encode())


def take_delivery(delivery_id: UUID) -> str | None:
    """Returns the JWE of a ready delivery and overwrites it, in the caller's transaction: it is handed out once.

    Returns None, and changes nothing, if there is no JWE to hand out. Raises NotFound.
    """
    found = delivery(delivery_id)
    return found.jwe if found.jwe and delivery_id in _destroy("", [delivery_id]) else None


def _claims(proof: CardProof) -> Claims:
    try:
        claims = proof.claims()
    except MalformedProof:
        message = "Kortets bevis har inte rätt form."
        raise Invalid("proof-malformed", message, fields={"signature": [message]}) from None
    try:
        jwe_format.require_public_jwk(claims.ephemeral_key)
    except jwe_format.MalformedJwe:
        message = "Den tillfälliga nyckeln ska vara en publik nyckel på P-256 (JWK)."
        raise Invalid("ephemeral-key", message, fields={"ephemeral_key": [message]}) from None
    return claims


def delivery(delivery_id: UUID) -> DeliveryView:
    """Returns the delivery. Raises NotFound."""
    row = SecretDelivery.objects.filter(id=delivery_id).first()
    if row is None:
        raise NotFound("delivery-unknown", "Leveransen finns inte.")
    return DeliveryView(row.id, row.state, row.jwe or "", row.token_sha256, row.failure, row.created_at)


def wait_for_delivery(delivery_id: UUID, *, seconds: float) -> DeliveryView:
    """Waits until the delivery is no longer `requested`, at most `seconds`, and returns it. Not inside a transaction."""
    deadline = time.monotonic() + seconds
    while (view := delivery(delivery_id)).state == DeliveryState.REQUESTED and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return view


def destroy_delivery(delivery_id: UUID) -> None:
    """Overwrites the delivery's content, made or not, in the caller's transaction. Repeatable."""
    _destroy("", [delivery_id])


def destroy_of_owner(owner_ref: str) -> None:
    """Overwrites the content of all deliveries of this owner's secrets, in the caller's transaction."""
    _destroy(owner_ref, [])


def _destroy(owner_ref: str, ids: list[UUID]) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pki_destroy_deliveries(%s, %s::uuid[])", [owner_ref, [str(id_) for id_ in ids]])
        destroyed = [id_ for (id_,) in cursor.fetchall()]
    for row in SecretDelivery.objects.filter(id__in=destroyed).order_by("id"):
        record(row, "delivery.destroyed", "system:pki", {})
    return destroyed


def _check_secret(secret_id: UUID, owner_ref: str, *, opens: bool) -> None:
    # The row is locked, so that two requests at once are counted one after the other.
    secret = next(iter(Secret.objects.raw("SELECT * FROM pki_lock_secret(%s)", [secret_id])), None)
    if secret is None or secret.owner_ref != owner_ref:
        raise NotFound("secret-unknown", "Koden finns inte.")
    if secret.state != SecretState.SEALED:
        raise Conflict("secret-not-sealed", "Kortets PUK är inte mottagen än, eller är förstörd.")
    since = clock.now() - dt.timedelta(days=1)
    opened = SecretDelivery.objects.filter(secret=secret, created_at__gt=since, kind__in=OPENING)
    if opens and opened.count() >= settings.SECRET_DELIVERIES_PER_DAY:
        message = "Kortets PUK har lämnats ut för många gånger det senaste dygnet. Försök igen i morgon."
        raise TooManyRequests("secret-deliveries", message)


def record(row: SecretDelivery, action: str, actor_ref: str, facts: Mapping[str, str]) -> None:
    """Writes one event about the delivery, in the caller's transaction. It has the secret's id but never its content."""
    named = {"secret": str(row.secret_id)} if row.secret_id else {}
    Event.record(
        actor_ref=actor_ref,
        action=action,
        subject_type="secret_delivery",
        subject_ref=str(row.id),
        facts={"owner_ref": row.owner_ref, **named, **facts},
    )
