"""Makes the JWE of each requested delivery; in the `pki` worker only.

The worker itself verifies the card's proof, to unlock a card also the visit, or the order of a letter and its recipient, before
it makes a JWE. So a process that may write the table still gets no secret for a key of its own. A secret is in plaintext between
opening and encrypting, only in the worker's memory (S23). The event that records who requested it, and why, is committed before
the worker opens it (S24).
"""

import datetime as dt
import secrets
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from pki.domain import jwe as jwe_format
from pki.domain.card_proof import CardProof, MalformedProof, ProofKind
from pki.hsm import HsmError, HsmSealBroken, HsmSealKeyLost
from pki.models import DeliveryState, Event, SealVersion, Secret, SecretDelivery, SecretState
from pki.ports import BlankCards, Unlocking, UnlockVisits
from pki.secrets import letters, resealing
from pki.secrets.deliveries import LETTER, OPENING, record
from pki.secrets.sealing import Refused, open_sealed
from siths_portal.lib import clock, faults, ports
from siths_portal.lib.canonical import canonical_json, sha256_hex

log = structlog.get_logger(__name__)
# While one worker makes a delivery, others leave it alone for this long.
CLAIM = dt.timedelta(seconds=10)
# After so many attempts, within about five minutes, the delivery is refused and the requester must plan a new one.
MAX_ATTEMPTS = 10
_LONGEST_WAIT = dt.timedelta(minutes=1)
ACTOR = "system:pki"


def deliver_secrets(delivery_ids: Iterable[UUID] | None = None, *, limit: int = 100) -> int:
    """Makes the JWE of requested deliveries, those given or the oldest; returns the number of settled ones.

    May run in several workers at once and be repeated. If the token does not respond, a delivery stays requested and waits longer
    each time; after MAX_ATTEMPTS it is refused as `token-unavailable`.
    """
    settled, named = 0, None if delivery_ids is None else list(delivery_ids)
    for row in _claim(named, limit):
        try:
            settled += _settle(row)
        except HsmError as error:
            log.error("delivery.token_failed", delivery=str(row.id), error=type(error).__name__)
            # The claim lasts as long as the wait, so that a short outage does not use up the attempts.
            until = clock.now() + _wait(row.attempts + 1)
            SecretDelivery.objects.filter(id=row.id, state=DeliveryState.REQUESTED).update(claimed_at=until - CLAIM)
    return settled + _give_up(named, limit)


def _wait(attempts: int) -> dt.timedelta:
    """Returns the wait after so many attempts: 2, 4, 8 seconds and so on up to a minute; no wait after the last."""
    return min(dt.timedelta(seconds=2**attempts), _LONGEST_WAIT) if attempts < MAX_ATTEMPTS else dt.timedelta(0)


def _waiting(delivery_ids: list[UUID] | None) -> QuerySet[SecretDelivery]:
    """Returns requested deliveries without a claim, those given or all."""
    free = Q(claimed_at=None) | Q(claimed_at__lte=clock.now() - CLAIM)
    waiting = SecretDelivery.objects.filter(free, state=DeliveryState.REQUESTED)
    return waiting if delivery_ids is None else waiting.filter(id__in=delivery_ids)


def _give_up(delivery_ids: list[UUID] | None, limit: int) -> int:
    """Refuses deliveries with too many attempts, also if a worker died during the last one."""
    spent = _waiting(delivery_ids).filter(attempts__gte=MAX_ATTEMPTS).order_by("created_at", "id")[:limit]
    return sum(_close(row, DeliveryState.REFUSED, failure="token-unavailable") for row in spent)


def _claim(delivery_ids: list[UUID] | None, limit: int) -> list[SecretDelivery]:
    """Claims deliveries without a claim, and commits for each the event that its secret is about to be opened."""
    waiting = _waiting(delivery_ids).filter(attempts__lt=MAX_ATTEMPTS)
    with transaction.atomic(durable=True):
        rows = waiting.select_for_update(of=("self",), skip_locked=True).select_related("secret")
        found = list(rows.order_by("created_at", "id")[:limit])
        ids = [row.id for row in found]
        SecretDelivery.objects.filter(id__in=ids).update(claimed_at=clock.now(), attempts=F("attempts") + 1)
        for row in found:
            if row.secret_id and row.kind in OPENING:
                Event.record(
                    actor_ref=row.actor_ref,
                    action="secret.opening",
                    subject_type="secret",
                    subject_ref=str(row.secret_id),
                    facts={"purpose": row.purpose, "delivery": str(row.id), **(row.header if row.kind == LETTER else {})},
                )
    return found


def _settle(row: SecretDelivery) -> bool:
    faults.point("pki.deliver.after-claim")
    try:
        made = _for_letter(row) if row.kind == LETTER else _for_app(row)
    except Refused as refusal:
        if refusal.code == "seal-key-lost":
            log.critical("delivery.kek_lost", delivery=str(row.id), secret=str(row.secret_id))
        elif row.kind == LETTER:
            log.error("delivery.letter_refused", delivery=str(row.id), reason=refusal.code)
        return _close(row, DeliveryState.REFUSED, failure=refusal.code)
    faults.point("pki.deliver.after-encryption")
    now = clock.now()
    try:
        return _close(row, DeliveryState.READY, **made, ready_at=now, proof_verified_at=now)
    except IntegrityError:  # another delivery for the same proof or letter was made at the same time
        return _close(row, DeliveryState.REFUSED, failure="proof-used")


def _for_app(row: SecretDelivery) -> dict[str, Any]:
    """Returns the JWE and the hash of its step token for the eID app whose key the card has signed. Raises Refused."""
    token = secrets.token_urlsafe(32)
    content = {"step_token": token}
    if row.secret_id is None:
        _prove_blank_card(row)
    else:
        secret = _proven_card(row)
        if row.kind == ProofKind.UNLOCK:
            _require_visit(row)
        if row.kind in OPENING:
            content["puk"] = _open(secret)
    jwe = jwe_format.encrypt(canonical_json(content), row.recipient_jwk, row.header)
    return {"jwe": jwe, "token_sha256": sha256_hex(token.encode())}


def _require_visit(row: SecretDelivery) -> None:
    """Raises Refused unless an officer has identified the holder of the card at a visit, for this delivery and this proof."""
    unlocking = Unlocking(delivery_id=row.id, carrier_ref=row.owner_ref, handle_sha256=row.handle_sha256)
    if refusal := ports.get(UnlockVisits).refusal(unlocking):
        raise Refused(f"visit-{refusal}")


def _for_letter(row: SecretDelivery) -> dict[str, Any]:
    """Returns the JWE of a letter for the recipient whose certificate is registered, and the key that it is encrypted to. Its
    content is the PUK alone. Raises Refused.
    """
    letter = letters.ordered_letter(row)
    jwe = jwe_format.encrypt(_open(letter.secret).encode(), letter.recipient_jwk, letter.header)
    return {"jwe": jwe, "recipient_jwk": letter.recipient_jwk, "header": letter.header}


def _proven_card(row: SecretDelivery) -> Secret:
    """Returns the secret of the card whose key signed the row's proof for the row's recipient. Raises Refused."""
    secret = row.secret
    if secret is None:
        raise Refused("proof-missing")
    if secret.state != SecretState.SEALED or secret.owner_ref != row.owner_ref:
        raise Refused("secret-not-sealed")
    _require_proof(row, secret.expected_header.get("serial"), bytes(secret.card_key_spki))
    return secret


def _prove_blank_card(row: SecretDelivery) -> None:
    """Raises Refused unless the key of a card without a PUK signed the row's proof. A card to unlock has a PUK."""
    card = ports.get(BlankCards).card(row.owner_ref)
    if card is None or row.kind == ProofKind.UNLOCK:
        raise Refused("proof-missing")
    _require_proof(row, card.card_serial, card.card_key_spki)


def _require_proof(row: SecretDelivery, card_serial: str | None, card_key_spki: bytes) -> None:
    """Raises Refused unless the card key signed the row's proof for the row's recipient, just now and for the first time.

    The row's other columns come from the process that planned it and count only if the card has signed the same values.
    """
    if not row.proof_message:
        raise Refused("proof-missing")
    proof = CardProof(bytes(row.proof_message), bytes(row.proof_signature))
    try:
        claims = proof.claims()
    except MalformedProof:
        raise Refused("proof-malformed") from None
    as_planned = (row.recipient_jwk, row.kind, row.handle_sha256, card_serial)
    signed = (dict(claims.ephemeral_key), claims.kind, sha256_hex(claims.handle.encode()), claims.card_serial)
    if as_planned != signed or row.header.get("card_serial") != claims.card_serial or claims.origin not in _origins():
        raise Refused("proof-mismatch")
    if not proof.is_by(card_key_spki):
        raise Refused("proof-refused")
    if abs(clock.now() - row.created_at) > dt.timedelta(seconds=settings.ACTIVATION_STARTED_SECONDS):
        raise Refused("proof-stale")
    if SecretDelivery.objects.filter(handle_sha256=row.handle_sha256, proof_verified_at__isnull=False).exists():
        raise Refused("proof-used")


def _origins() -> set[str]:
    return {settings.PORTAL_BASE_URL, settings.MINASIDOR_BASE_URL}


def _open(secret: Secret) -> str:
    """Returns the plaintext secret. Raises Refused, also if the seal does not bind the card key that verified the proof."""
    try:
        resealing.bind_card_key(secret)
        if secret.state != SecretState.SEALED or secret.seal_version != SealVersion.CARD_KEY:
            raise Refused("secret-not-sealed")
        return open_sealed(secret).decode("ascii")
    except HsmSealBroken:
        raise Refused("seal-broken") from None
    except HsmSealKeyLost:
        raise Refused("seal-key-lost") from None
    except UnicodeDecodeError:
        # The exception's text would contain the secret.
        raise Refused("not-text") from None


def _close(row: SecretDelivery, state: DeliveryState, **changes: Any) -> bool:
    """Stores the outcome, unless another process has settled or destroyed the delivery or its secret in the meantime."""
    with transaction.atomic(durable=True):
        locked = SecretDelivery.objects.select_for_update(of=("self",)).select_related("secret").get(id=row.id)
        if locked.state != DeliveryState.REQUESTED:
            return False
        locked.state = state
        for name, value in changes.items():
            setattr(locked, name, value)
        facts = {"reason": locked.failure} if locked.failure else _ground(locked)
        locked.proof_message = locked.proof_signature = b""
        locked.save(update_fields=["state", "proof_message", "proof_signature", *changes])
        record(locked, f"delivery.{state}", ACTOR, facts)
    return True


def _ground(row: SecretDelivery) -> dict[str, str]:
    """Returns what the delivery was made for: the letter and the certificate of its recipient, or the hash of the proof. The hash
    identifies the proof after message and signature, with the handle in them, are erased.
    """
    if row.kind == LETTER:
        return {"kind": row.kind, "order": row.header["order"], "item": row.header["item"], "certificate": row.header["kid"]}
    return {"kind": row.kind, "proof_sha256": sha256_hex(bytes(row.proof_message) + bytes(row.proof_signature))}
